//! The connection's callbacks. They run on the connection's own task: they only pass things on.

#![allow(clippy::wildcard_enum_match_arm, reason = "the enums matched here are the library's, and open")]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use rtc::rtp::packet::Packet;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use visavis_frame::{AUDIO_CLOCK_HZ, RtpPacket, VIDEO_CLOCK_HZ};
use webrtc::data_channel::DataChannel;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
};

use crate::control;
use crate::event::{Candidate, PeerState, TransportEvent};
use crate::ice_tcp::IceTcp;
use crate::privacy::Privacy;
use crate::queue::{PacketSink, ReceivedPacket};
use crate::shared::Shared;

pub(crate) struct Handler {
    pub(crate) shared: Arc<Shared>,
    pub(crate) privacy: Arc<Privacy>,
    pub(crate) ice_tcp: Arc<IceTcp>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        let Ok(init) = event.candidate.to_json() else { return };
        let over_tcp = self.ice_tcp.beside(&init.candidate);
        for line in [Some(init.candidate), over_tcp].into_iter().flatten() {
            let Some(candidate) = self.privacy.candidate(line) else { continue };
            // All media share one path, which belongs to the first section; its mid is the other side's to choose.
            let username_fragment = init.username_fragment.clone();
            let candidate = Candidate { candidate, sdp_mid: None, sdp_mline_index: Some(0), username_fragment };
            self.shared.emit(TransportEvent::Candidate(candidate));
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            if self.privacy.is_in_vain() {
                self.shared.emit(TransportEvent::NoRelay);
            }
            self.shared.emit(TransportEvent::EndOfCandidates);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::New => PeerState::New,
            RTCPeerConnectionState::Connecting => PeerState::Connecting,
            RTCPeerConnectionState::Connected => {
                self.privacy.connected();
                self.ice_tcp.close_ports();
                PeerState::Connected
            }
            RTCPeerConnectionState::Disconnected => PeerState::Disconnected,
            RTCPeerConnectionState::Failed => PeerState::Failed,
            RTCPeerConnectionState::Closed => PeerState::Closed,
            _ => return,
        };
        self.shared.enter(state);
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        let ours = channel.label().await.is_ok_and(|label| label == control::LABEL);
        if ours && self.shared.control().is_none() {
            control::adopt(&self.shared, channel);
        } else {
            tracing::warn!("the other side opened a data channel that nobody reads");
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let ssrc = track.ssrcs().await.first().copied().unwrap_or_default();
        let codec = track.codec(ssrc).await.map(|codec| codec.mime_type).unwrap_or_default();
        let (sink, event) = match track.kind().await {
            RtpCodecKind::Video => (self.shared.take_sink(true), TransportEvent::RemoteVideo { codec }),
            RtpCodecKind::Audio => (self.shared.take_sink(false), TransportEvent::RemoteAudio { codec }),
            _ => (None, TransportEvent::RemoteAudio { codec }),
        };
        let Some(sink) = sink else {
            tracing::warn!("the other side sends a second track of a kind; it is not shown");
            return;
        };
        let is_video = matches!(event, TransportEvent::RemoteVideo { .. });
        if is_video {
            self.shared.remote_video_ssrc.store(ssrc, Ordering::Release);
            self.shared.set_remote_video(Some(Arc::clone(&track)));
        }
        self.shared.emit(event);
        let task = drain(Arc::clone(&self.shared), track, sink, is_video);
        self.shared.runtime.spawn(Box::pin(task)).detach();
    }
}

/// Empties the connection's own short queue, which drops when nobody reads it.
async fn drain(shared: Arc<Shared>, track: Arc<dyn TrackRemote>, sink: PacketSink, is_video: bool) {
    while let Some(event) = track.poll().await {
        if let TrackRemoteEvent::OnRtpPacket(packet) = event {
            if is_video {
                shared.remote_video_ssrc.store(packet.header.ssrc, Ordering::Release);
                sink.set_patience(shared.terms().patience);
            }
            let hz = if is_video { VIDEO_CLOCK_HZ } else { AUDIO_CLOCK_HZ };
            let captured = shared.clocks.sender_time(packet.header.ssrc, packet.header.timestamp, hz);
            let codec = shared.video_codec(packet.header.payload_type).filter(|_| is_video);
            sink.push(ReceivedPacket { packet: received(packet), arrival: shared.runtime.now(), codec, captured });
        }
    }
}

fn received(packet: Packet) -> RtpPacket {
    RtpPacket {
        sequence: packet.header.sequence_number,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        payload: packet.payload.to_vec(),
    }
}
