//! Which media we offer, and the way out for RTP packets (RFC 3550, RFC 4588, RFC 5956, RFC 6184, RFC 7587, RFC 7741).

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_RTX, MediaEngine};
use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpFecParameters, RTCRtpRtxParameters, RtpCodecKind,
};
use visavis_frame::{AUDIO_CLOCK_HZ, BitRate, RtpPacket, VIDEO_CLOCK_HZ, VideoCodec};
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
pub(crate) fn media_engine(codecs: &[VideoCodec], repairs: bool) -> Result<MediaEngine, TransportError> {
    let mut engine = MediaEngine::default();
    for (codec, &(fmtp, payload_type)) in codecs.iter().flat_map(|&codec| forms(codec).iter().map(move |f| (codec, f)))
    {
        let media = RTCRtpCodecParameters { rtp_codec: video(codec, fmtp), payload_type };
        engine.register_codec(media, RtpCodecKind::Video).map_err(stopped)?;
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

/// What a codec is offered as: its parameters, and a payload type with room for its resends behind it.
const fn forms(codec: VideoCodec) -> &'static [(&'static str, u8)] {
    match codec {
        VideoCodec::H264 => &[(H264_CONSTRAINED, 102), (H264_BASELINE, 104)],
        VideoCodec::Vp8 => &[("", 96)],
    }
}

/// What we offer: of each codec the form that every browser takes.
pub(crate) fn offered(codecs: &[VideoCodec]) -> Vec<RTCRtpCodecParameters> {
    let offered = codecs.iter().filter_map(|&codec| Some((codec, forms(codec).first()?)));
    offered
        .map(|(codec, &(fmtp, payload_type))| RTCRtpCodecParameters { rtp_codec: video(codec, fmtp), payload_type })
        .collect()
}

/// The first of a codec's forms.
fn usual(codec: VideoCodec) -> RTCRtpCodec {
    video(codec, forms(codec).first().map_or("", |(fmtp, _)| fmtp))
}

fn video(codec: VideoCodec, fmtp: &str) -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    RTCRtpCodec {
        mime_type: codec.media_type().to_owned(),
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
    kind: RtpCodecKind,
    name: &'static str,
    coding: RTCRtpCodingParameters,
    track: TrackLocalStaticRTP,
    ssrc: u32,
    /// The source of what is sent again, where that is agreed on.
    resend_ssrc: u32,
    payload_type: AtomicU8,
}

impl Outgoing {
    /// `codec`: what is hoped for; `repairs`: forward error correction may be agreed on.
    pub(crate) fn video(codec: VideoCodec, repairs: bool) -> Result<Arc<Self>, TransportError> {
        Self::new(RtpCodecKind::Video, "video", usual(codec), repairs)
    }

    pub(crate) fn audio() -> Result<Arc<Self>, TransportError> {
        Self::new(RtpCodecKind::Audio, "audio", opus(), false)
    }

    fn new(
        kind: RtpCodecKind,
        name: &'static str,
        codec: RTCRtpCodec,
        repairs: bool,
    ) -> Result<Arc<Self>, TransportError> {
        let (ssrc, resend_ssrc, repair_ssrc) = (random_ssrc()?, random_ssrc()?, random_ssrc()?);
        let coding = RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx: (kind == RtpCodecKind::Video).then_some(RTCRtpRtxParameters { ssrc: resend_ssrc }),
            fec: repairs.then_some(RTCRtpFecParameters { ssrc: repair_ssrc }),
            ..RTCRtpCodingParameters::default()
        };
        let track = TrackLocalStaticRTP::new(described(kind, name, &coding, codec));
        Ok(Arc::new(Self { kind, name, coding, track, ssrc, resend_ssrc, payload_type: AtomicU8::new(NONE) }))
    }

    /// The same track as one of this codec. Whatever watches a stream is told of it only where its track's codec was agreed
    /// on, so the connection must hold this one before both descriptions are there.
    pub(crate) fn track_of(&self, codec: VideoCodec) -> Arc<dyn TrackLocal> {
        let track = described(self.kind, self.name, &self.coding, usual(codec));
        Arc::new(TrackLocalStaticRTP::new(track))
    }

    pub(crate) const fn ssrc(&self) -> u32 {
        self.ssrc
    }

    pub(crate) const fn resend_ssrc(&self) -> u32 {
        self.resend_ssrc
    }

    /// Sends under this payload type from now on; without one, not at all.
    pub(crate) fn send_as(&self, payload_type: Option<u8>) {
        self.payload_type.store(payload_type.unwrap_or(NONE), Ordering::Release);
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

fn described(kind: RtpCodecKind, name: &str, coding: &RTCRtpCodingParameters, codec: RTCRtpCodec) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: coding.clone(),
        active: true,
        codec,
        ..RTCRtpEncodingParameters::default()
    };
    // One stream for both tracks: receivers keep sound and picture of one stream together.
    MediaStreamTrack::new("visavis".to_owned(), name.to_owned(), name.to_owned(), kind, vec![encoding])
}

/// What was agreed on for a sender, in the order of the description: resends and repairs left out.
pub(crate) async fn agreed(sender: &dyn RtpSender) -> Result<Vec<RTCRtpCodecParameters>, TransportError> {
    let mut codecs = sender.get_parameters().await.map_err(stopped)?.rtp_parameters.codecs;
    codecs.retain(|codec| !accompanies(&codec.rtp_codec.mime_type));
    Ok(codecs)
}

fn accompanies(media_type: &str) -> bool {
    [MIME_TYPE_RTX, REPAIR].iter().any(|other| media_type.eq_ignore_ascii_case(other))
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

    /// What pictures are to be coded with; `None` where the other side takes none, or nothing was agreed on yet.
    #[must_use]
    pub fn video_codec(&self) -> Option<VideoCodec> {
        self.shared.video_codec(self.video.payload_type.load(Ordering::Acquire))
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
