//! What the two sides tell one another about received media (RTCP: RFC 3550, RFC 4585, RFC 5104), and what we do with it.
//!
//! The stock chain answers retransmission requests but ends there: nobody is told that the other side wants a
//! keyframe. [`KeyframeRequests`] stands last and looks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rtc::interceptor::{
    Interceptor, NackGeneratorBuilder, NackResponderBuilder, Packet, ReceiverReportBuilder, Registry,
    SenderReportBuilder, Slot, StreamInfo, TaggedPacket,
};
use rtc::peer_connection::configuration::interceptor_registry::configure_twcc_receiver_only;
use rtc::peer_connection::configuration::media_engine::MediaEngine;
use rtc::rtcp::payload_feedbacks::full_intra_request::FullIntraRequest;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use crate::error::{TransportError, stopped};
use crate::event::TransportEvent;
use crate::shared::Shared;

/// How often missing packets are asked for again; a call's playout waits for little more than this.
const NACK_INTERVAL: Duration = Duration::from_millis(20);
/// After so many requests, 200 ms, a picture is lost anyway and a keyframe costs less.
const MAX_NACKS_PER_PACKET: u16 = 10;
/// Sent packets kept for retransmission: about a second of 1080p.
const SENT_PACKETS: u16 = 1024;
/// How often each side reports what it received; browsers do so each second for video.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// Requests closer than this are for the same keyframe, which is on its way.
const KEYFRAME_INTERVAL: Duration = Duration::from_millis(50);

/// The chain that every packet passes. The order is that of the slots, not of the calls.
pub(crate) fn registry(
    engine: &mut MediaEngine,
    shared: &Arc<Shared>,
    video_ssrc: u32,
) -> Result<Registry, TransportError> {
    let nacks = NackGeneratorBuilder::new()
        .with_interval(NACK_INTERVAL)
        .with_max_nacks_per_packet(MAX_NACKS_PER_PACKET)
        .build();
    let registry = Registry::new()
        .with(Slot::NackResponder, NackResponderBuilder::new().with_size(SENT_PACKETS).build())
        .with(Slot::NackGenerator, nacks)
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::SenderReport, SenderReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::from(AFTER_EVERYTHING), KeyframeRequests::new(Arc::clone(shared), video_ssrc));
    configure_twcc_receiver_only(registry, engine).map_err(stopped)
}

/// Nearer to the application than any slot with a name.
const AFTER_EVERYTHING: usize = 14_000;

/// Tells the owner of the connection when the other side asks for a keyframe.
struct KeyframeRequests {
    shared: Arc<Shared>,
    video_ssrc: u32,
    last: Option<Instant>,
    read: VecDeque<TaggedPacket>,
    write: VecDeque<TaggedPacket>,
}

impl KeyframeRequests {
    fn new(shared: Arc<Shared>, video_ssrc: u32) -> Self {
        Self { shared, video_ssrc, last: None, read: VecDeque::new(), write: VecDeque::new() }
    }

    fn asks_us(&self, packet: &dyn rtc::rtcp::Packet) -> bool {
        let any = packet.as_any();
        if let Some(pli) = any.downcast_ref::<PictureLossIndication>() {
            return pli.media_ssrc == self.video_ssrc;
        }
        any.downcast_ref::<FullIntraRequest>().is_some_and(|fir| fir.fir.iter().any(|e| e.ssrc == self.video_ssrc))
    }

    fn tell(&mut self, now: Instant) {
        if self.last.is_none_or(|last| now.saturating_duration_since(last) >= KEYFRAME_INTERVAL) {
            self.last = Some(now);
            self.shared.emit(TransportEvent::KeyframeWanted);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for KeyframeRequests {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &packet.message.packet
            && packets.iter().any(|packet| self.asks_us(packet.as_ref()))
        {
            self.tell(packet.now);
        }
        self.read.push_back(packet);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.read.pop_front()
    }

    fn handle_write(&mut self, packet: TaggedPacket) -> Result<(), Error> {
        self.write.push_back(packet);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.write.pop_front()
    }
}

impl Interceptor for KeyframeRequests {
    fn bind_local_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _info: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _info: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _info: &StreamInfo) {}
}
