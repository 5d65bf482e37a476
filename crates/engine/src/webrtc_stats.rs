//! A call's statistics under the names of the W3C's webrtc-stats (Candidate Recommendation of 2023), in its JSON form.
//!
//! Where the W3C counts something that this engine doesn't, the member is left out rather than set to zero.
//! `timestamp` is in milliseconds since the call began here, not since 1970: docs/statistics.md says what else differs.

use serde::Serialize;

/// Everything that is known at one moment: the values of an `RTCStatsReport`.
pub type StatsEntries = Vec<StatsEntry>;

/// One object of the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum StatsEntry {
    /// `RTCCodecStats`
    Codec(Codec),
    /// `RTCInboundRtpStreamStats`
    InboundRtp(Box<InboundRtp>),
    /// `RTCRemoteInboundRtpStreamStats`: what the other side says of what we send.
    RemoteInboundRtp(RemoteInboundRtp),
    /// `RTCOutboundRtpStreamStats`
    OutboundRtp(Box<OutboundRtp>),
    /// `RTCAudioSourceStats`, `RTCVideoSourceStats`
    MediaSource(MediaSource),
    /// `RTCIceCandidatePairStats` of the pair in use.
    CandidatePair(CandidatePair),
    /// `RTCIceCandidateStats`, ours.
    LocalCandidate(Candidate),
    /// `RTCIceCandidateStats`, theirs.
    RemoteCandidate(Candidate),
    /// `RTCTransportStats`
    Transport(Transport),
}

/// What each object begins with.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Head {
    /// Unique in a report, and the same in the next.
    pub id: &'static str,
    /// Milliseconds since the call began here.
    pub timestamp: f64,
}

/// Which medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Sound.
    #[default]
    Audio,
    /// Pictures.
    Video,
}

/// What sound or pictures are coded as.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Codec {
    /// Which object.
    #[serde(flatten)]
    pub head: Head,
    /// `video/H264`, `video/VP8` or `audio/opus`.
    pub mime_type: &'static str,
    /// Of the RTP time stamps, hertz.
    pub clock_rate: u32,
    /// Of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<u8>,
}

/// A stream that we receive. Durations are in seconds, totals run from the call's beginning.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct InboundRtp {
    #[serde(flatten)]
    pub head: Head,
    pub kind: Kind,
    pub codec_id: &'static str,
    pub transport_id: &'static str,
    pub packets_received: u64,
    pub bytes_received: u64,
    pub packets_lost: i64,
    pub jitter: f64,
    pub nack_count: u32,
    pub retransmitted_packets_received: u64,
    pub retransmitted_bytes_received: u64,
    #[serde(flatten)]
    pub video: Option<InboundVideo>,
    #[serde(flatten)]
    pub audio: Option<InboundAudio>,
}

/// What pictures have besides.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct InboundVideo {
    pub frame_width: u32,
    pub frame_height: u32,
    pub frames_per_second: f32,
    pub frames_decoded: u64,
    pub key_frames_decoded: u64,
    pub frames_dropped: u64,
    pub total_decode_time: f64,
    pub total_inter_frame_delay: f64,
    pub freeze_count: u64,
    pub total_freezes_duration: f64,
    pub pli_count: u32,
    pub fec_packets_received: u64,
    pub fec_bytes_received: u64,
    pub fec_packets_discarded: u64,
    /// Not the W3C's: packets that were lost and worked out from those.
    pub fec_packets_recovered: u64,
}

/// What sound has besides.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct InboundAudio {
    pub total_samples_received: u64,
    pub concealed_samples: u64,
    pub jitter_buffer_delay: f64,
    pub jitter_buffer_emitted_count: u64,
    pub fec_packets_received: u64,
    pub packets_discarded: u64,
}

/// What the other side's receiver reports say of a stream of ours.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct RemoteInboundRtp {
    #[serde(flatten)]
    pub head: Head,
    pub kind: Kind,
    pub local_id: &'static str,
    pub packets_lost: i64,
    pub fraction_lost: f64,
    pub jitter: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_time: Option<f64>,
}

/// A stream that we send.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct OutboundRtp {
    #[serde(flatten)]
    pub head: Head,
    pub kind: Kind,
    pub codec_id: &'static str,
    pub transport_id: &'static str,
    pub media_source_id: &'static str,
    pub remote_id: &'static str,
    pub packets_sent: u64,
    pub bytes_sent: u64,
    pub retransmitted_packets_sent: u64,
    pub retransmitted_bytes_sent: u64,
    pub nack_count: u32,
    /// Bits a second; left out while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_bitrate: Option<u64>,
    #[serde(flatten)]
    pub video: Option<OutboundVideo>,
}

/// What pictures have besides.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct OutboundVideo {
    pub frames_per_second: f32,
    pub frames_encoded: u64,
    pub key_frames_encoded: u64,
    pub total_encode_time: f64,
    pub quality_limitation_reason: crate::counters::QualityLimitation,
    pub pli_count: u32,
    /// Not the W3C's any more: repair packets, beside `packetsSent`.
    pub fec_packets_sent: u64,
    /// Not the W3C's any more: their payload bytes.
    pub fec_bytes_sent: u64,
}

/// A microphone or a camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MediaSource {
    /// Which object.
    #[serde(flatten)]
    pub head: Head,
    /// Which medium.
    pub kind: Kind,
    /// Of sound: 0 (silent) to 1 (full scale), linear.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio_level: Option<f64>,
    /// Of pictures: a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<f32>,
}

/// The path in use.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct CandidatePair {
    #[serde(flatten)]
    pub head: Head,
    pub transport_id: &'static str,
    pub local_candidate_id: &'static str,
    pub remote_candidate_id: &'static str,
    pub state: &'static str,
    pub nominated: bool,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub current_round_trip_time: Option<f64>,
    /// Bits a second; left out before there is an estimate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_outgoing_bitrate: Option<u64>,
}

/// One end of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct Candidate {
    #[serde(flatten)]
    pub head: Head,
    pub transport_id: &'static str,
    pub candidate_type: String,
    pub protocol: String,
    /// Left out of saved reports unless the person wants it in.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What carries all of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the members are webrtc-stats', which defines each")]
pub struct Transport {
    #[serde(flatten)]
    pub head: Head,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_candidate_pair_id: Option<&'static str>,
}

impl StatsEntry {
    /// Without what tells where somebody is.
    #[must_use]
    pub fn without_addresses(mut self) -> Self {
        if let Self::LocalCandidate(end) | Self::RemoteCandidate(end) = &mut self {
            end.address.clear();
            end.port = None;
        }
        self
    }
}
