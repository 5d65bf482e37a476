//! Which media we offer, and the way out for RTP packets (RFC 3550, RFC 4588, RFC 5956, RFC 6184, RFC 7587).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine};
use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpFecParameters, RTCRtpRtxParameters, RtpCodecKind,
};
use visavis_frame::{AUDIO_CLOCK_HZ, BitRate, RtpPacket, VIDEO_CLOCK_HZ};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::rtp_transceiver::RtpSender;

use crate::error::{TransportError, stopped};
use crate::outlook::SendOutlook;
use crate::shared::Shared;

/// Constrained baseline, level 3.1: what every browser takes. The levels may differ by direction.
const H264_CONSTRAINED: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";
/// Baseline: what some browsers offer first. A constrained stream is one of these, too.
const H264_BASELINE: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f";
const OPUS: &str = "minptime=10;useinbandfec=1";
/// Repair packets ([`crate::repair`]). Not a registered name: no browser knows it, and none is told of the stream. The library
/// takes every name that begins like this for forward error correction.
const REPAIR: &str = "video/flexfec-rlc";

/// No payload type is agreed on: this kind of media isn't sent.
const NONE: u8 = u8::MAX;

/// The codecs, in the order of preference. Payload types are those that browsers use, for the reader of a trace.
pub(crate) fn media_engine(repairs: bool) -> Result<MediaEngine, TransportError> {
    let mut engine = MediaEngine::default();
    let video = [(H264_CONSTRAINED, 102), (H264_BASELINE, 104)];
    for (fmtp, payload_type) in video {
        let h264 = RTCRtpCodecParameters { rtp_codec: h264(fmtp), payload_type };
        engine.register_codec(h264, RtpCodecKind::Video).map_err(stopped)?;
        let rtx = RTCRtpCodecParameters { rtp_codec: rtx(payload_type), payload_type: payload_type + 1 };
        engine.register_codec(rtx, RtpCodecKind::Video).map_err(stopped)?;
    }
    if repairs {
        let repair = RTCRtpCodecParameters { rtp_codec: accompanying(REPAIR, String::new()), payload_type: 118 };
        engine.register_codec(repair, RtpCodecKind::Video).map_err(stopped)?;
    }
    let opus = RTCRtpCodecParameters { rtp_codec: opus(), payload_type: 111 };
    engine.register_codec(opus, RtpCodecKind::Audio).map_err(stopped)?;
    Ok(engine)
}

fn h264(fmtp: &str) -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    RTCRtpCodec {
        mime_type: MIME_TYPE_H264.to_owned(),
        clock_rate: VIDEO_CLOCK_HZ,
        channels: 0,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: vec![feedback("ccm", "fir"), feedback("nack", ""), feedback("nack", "pli")],
    }
}

/// The format of a stream that repairs one of that payload type (RFC 4588, section 8.6).
fn rtx(repairs: u8) -> RTCRtpCodec {
    accompanying(MIME_TYPE_RTX, format!("apt={repairs}"))
}

/// A format for what isn't media itself but goes with it.
fn accompanying(mime_type: &str, sdp_fmtp_line: String) -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: VIDEO_CLOCK_HZ,
        channels: 0,
        sdp_fmtp_line,
        rtcp_feedback: Vec::new(),
    }
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: AUDIO_CLOCK_HZ,
        channels: 2,
        sdp_fmtp_line: OPUS.to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

/// One kind of media on its way out.
pub(crate) struct Outgoing {
    track: TrackLocalStaticRTP,
    ssrc: u32,
    /// The source of what is sent again, where that is agreed on.
    resend_ssrc: u32,
    payload_type: AtomicU8,
}

impl Outgoing {
    /// `repairs`: forward error correction may be agreed on.
    pub(crate) fn video(repairs: bool) -> Result<Arc<Self>, TransportError> {
        Self::new(RtpCodecKind::Video, "video", h264(H264_CONSTRAINED), repairs)
    }

    pub(crate) fn audio() -> Result<Arc<Self>, TransportError> {
        Self::new(RtpCodecKind::Audio, "audio", opus(), false)
    }

    fn new(kind: RtpCodecKind, name: &str, codec: RTCRtpCodec, repairs: bool) -> Result<Arc<Self>, TransportError> {
        let (ssrc, resend_ssrc, repair_ssrc) = (random_ssrc()?, random_ssrc()?, random_ssrc()?);
        let coding = RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx: (kind == RtpCodecKind::Video).then_some(RTCRtpRtxParameters { ssrc: resend_ssrc }),
            fec: repairs.then_some(RTCRtpFecParameters { ssrc: repair_ssrc }),
            ..RTCRtpCodingParameters::default()
        };
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: coding,
            active: true,
            codec,
            ..RTCRtpEncodingParameters::default()
        };
        // One stream for both tracks: receivers keep sound and picture of one stream together.
        let track = MediaStreamTrack::new("visavis".to_owned(), name.to_owned(), name.to_owned(), kind, vec![encoding]);
        let track = TrackLocalStaticRTP::new(track);
        Ok(Arc::new(Self { track, ssrc, resend_ssrc, payload_type: AtomicU8::new(NONE) }))
    }

    pub(crate) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) const fn resend_ssrc(&self) -> u32 {
        self.resend_ssrc
    }

    /// Takes over what the negotiation came to.
    pub(crate) async fn negotiated(&self, sender: &dyn RtpSender, sends: bool) -> Result<(), TransportError> {
        let mut chosen = NONE;
        if sends {
            let parameters = sender.get_parameters().await.map_err(stopped)?;
            let mut codecs = parameters.rtp_parameters.codecs.iter();
            let accompanies = |name: &str| [MIME_TYPE_RTX, REPAIR].iter().any(|other| name.eq_ignore_ascii_case(other));
            let media = codecs.find(|codec| !accompanies(&codec.rtp_codec.mime_type));
            chosen = media.map_or(NONE, |codec| codec.payload_type);
        }
        self.payload_type.store(chosen, Ordering::Release);
        Ok(())
    }

    async fn send(&self, packet: RtpPacket) -> Result<(), TransportError> {
        let payload_type = self.payload_type.load(Ordering::Acquire);
        if payload_type == NONE {
            return Err(TransportError::NotConnected);
        }
        let header = Header {
            version: 2,
            marker: packet.marker,
            payload_type,
            sequence_number: packet.sequence,
            timestamp: packet.timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        let packet = Packet { header, payload: packet.payload.into() };
        self.track.write_rtp(packet).await.map_err(|_| TransportError::Closed)
    }

    /// Returns once the connection behind the track is gone.
    pub(crate) async fn gone(&self) {
        while self.track.poll().await.is_some() {}
    }
}

/// The track as the connection holds it: the connection owns it for as long as it sends.
pub(crate) fn local_track(outgoing: &Outgoing) -> Arc<dyn TrackLocal> {
    Arc::new(outgoing.track.clone())
}

fn random_ssrc() -> Result<u32, TransportError> {
    getrandom::u32().map_err(|error| TransportError::Stopped(error.to_string()))
}

/// The way out for media; clones lead to the same connection.
#[derive(Clone)]
pub struct MediaSender {
    pub(crate) video: Arc<Outgoing>,
    pub(crate) audio: Arc<Outgoing>,
    pub(crate) shared: Arc<Shared>,
}

impl MediaSender {
    /// Sends a video packet; waits when the connection is behind.
    ///
    /// # Errors
    /// [`TransportError::NotConnected`] when it isn't up or the other side takes no video: the packet is dropped.
    pub async fn send_video(&self, packet: RtpPacket) -> Result<(), TransportError> {
        self.send(&self.video, packet).await
    }

    /// Sends an audio packet; waits when the connection is behind.
    ///
    /// # Errors
    /// [`TransportError::NotConnected`] when it isn't up or the other side takes no audio: the packet is dropped.
    pub async fn send_audio(&self, packet: RtpPacket) -> Result<(), TransportError> {
        self.send(&self.audio, packet).await
    }

    /// What may be sent now. It changes with every report of the other side: look before each picture.
    #[must_use]
    pub fn outlook(&self) -> SendOutlook {
        self.shared.outlook.look()
    }

    /// Notes that the picture with this RTP time was captured so long ago: sender reports tell the other side.
    pub fn video_captured(&self, timestamp: u32, ago: Duration) {
        self.captured(0, timestamp, ago);
    }

    /// Notes that the first sample with this RTP time was heard so long ago: sender reports tell the other side.
    pub fn audio_captured(&self, timestamp: u32, ago: Duration) {
        self.captured(1, timestamp, ago);
    }

    fn captured(&self, index: usize, timestamp: u32, ago: Duration) {
        if let Some(at) = self.shared.runtime.now().checked_sub(ago) {
            self.shared.clocks.captured(index, timestamp, at);
        }
    }

    /// Notes what the encoder of video holds, for the statistics.
    pub fn encoding_video_at(&self, rate: BitRate) {
        self.shared.encoding_at[0].store(rate.bps(), Ordering::Relaxed);
    }

    /// Notes what the encoder of audio holds, for the statistics.
    pub fn encoding_audio_at(&self, rate: BitRate) {
        self.shared.encoding_at[1].store(rate.bps(), Ordering::Relaxed);
    }

    async fn send(&self, outgoing: &Outgoing, packet: RtpPacket) -> Result<(), TransportError> {
        // Nobody is sent a stream who may not be there any more (RFC 7675).
        if !self.shared.is_connected() {
            return Err(TransportError::NotConnected);
        }
        outgoing.send(packet).await
    }
}

impl std::fmt::Debug for MediaSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaSender").finish_non_exhaustive()
    }
}
