//! What a connection counts, in the units of the W3C's `webrtc-stats`.

#![allow(clippy::wildcard_enum_match_arm, reason = "the enums matched here are the library's, and open")]

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::feedback::RemoteView;
use crate::relays::{ServerReport, Standing};
use crate::shared::Shared;
use rtc::peer_connection::transport::RTCIceCandidatePair;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use visavis_frame::{AUDIO_CLOCK_HZ, BitRate, VIDEO_CLOCK_HZ, VideoCodec};
use webrtc::peer_connection::{RTCIceCandidate, RTCStatsReport, RTCStatsReportEntry};

/// What a connection has counted since it began.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TransportStats {
    /// The path in use, once there is one.
    pub pair: Option<SelectedPair>,
    /// Bytes sent on the path, of all kinds, above UDP.
    pub bytes_sent: u64,
    /// Bytes received on the path, of all kinds, above UDP.
    pub bytes_received: u64,
    /// What the path is estimated to carry, headers included; zero before there is an estimate
    /// (`availableOutgoingBitrate`).
    pub available_outgoing_bitrate: BitRate,
    /// What pictures are coded with; `None` before that is agreed on, and where there are none.
    pub video_codec: Option<VideoCodec>,
    /// Video.
    pub video: MediaStats,
    /// Audio.
    pub audio: MediaStats,
    /// How the STUN and TURN servers stand.
    pub servers: Vec<ServerReport>,
}

/// The two ends of the path in use.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectedPair {
    /// Our end.
    pub local: CandidateEnd,
    /// The other side's end.
    pub remote: CandidateEnd,
    /// Round trip of the latest connectivity check on it.
    pub rtt: Option<Duration>,
}

/// One end of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CandidateEnd {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub kind: String,
    /// IP address.
    pub address: String,
    /// Port.
    pub port: u16,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// Of a relay of ours: how it is spoken with, `udp`, `tcp` or `tls`.
    pub relay_protocol: Option<String>,
}

/// What is counted for one kind of media.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MediaStats {
    /// RTP packets sent, without those of the repair stream.
    pub packets_sent: u64,
    /// Payload bytes sent.
    pub bytes_sent: u64,
    /// Packets sent again because the other side missed them (`retransmittedPacketsSent`).
    pub retransmitted_packets_sent: u64,
    /// Their payload bytes (`retransmittedBytesSent`).
    pub retransmitted_bytes_sent: u64,
    /// Packets that were missing and came when we had asked for them (`retransmittedPacketsReceived`).
    pub retransmitted_packets_received: u64,
    /// Their payload bytes (`retransmittedBytesReceived`).
    pub retransmitted_bytes_received: u64,
    /// Repair packets sent, beside `packets_sent`.
    pub fec_packets_sent: u64,
    /// Their payload bytes.
    pub fec_bytes_sent: u64,
    /// Repair packets received (`fecPacketsReceived`).
    pub fec_packets_received: u64,
    /// Their payload bytes (`fecBytesReceived`).
    pub fec_bytes_received: u64,
    /// Repair packets received from which nothing was left to learn (`fecPacketsDiscarded`).
    pub fec_packets_discarded: u64,
    /// Packets that were lost and worked out from repair packets.
    pub fec_packets_recovered: u64,
    /// What the encoder was last asked to hold (`targetBitrate`).
    pub target_bitrate: BitRate,
    /// RTP packets received.
    pub packets_received: u64,
    /// Payload bytes received.
    pub bytes_received: u64,
    /// Packets that never came (RFC 3550, section 6.4.1); below zero where duplicates came.
    pub packets_lost: i64,
    /// Variation of the arrival times (RFC 3550, section 6.4.1).
    pub jitter: Duration,
    /// Packets of ours that the other side reports as lost.
    pub remote_packets_lost: i64,
    /// Share of our packets lost in the other side's latest report, 0 to 1.
    pub remote_fraction_lost: f64,
    /// Variation of the arrival times there.
    pub remote_jitter: Duration,
    /// Round trip by the other side's latest report.
    pub rtt: Option<Duration>,
    /// Retransmission requests: theirs to us.
    pub nacks_received: u32,
    /// Retransmission requests: ours to them.
    pub nacks_sent: u32,
    /// Requests for a keyframe, PLI or FIR: theirs to us.
    pub plis_received: u32,
    /// Requests for a keyframe, PLI or FIR: ours to them.
    pub plis_sent: u32,
}

/// Sorts the connection's report into ours. `selected` is asked of ICE itself: in the report a pair of an earlier ICE
/// generation looks as if it were in use still, and what the other side's checks revealed has no address.
///
/// What the other side tells about our media the report leaves at zero; [`RemoteView`] has it.
pub(crate) fn digest(
    report: &RTCStatsReport,
    selected: Option<&RTCIceCandidatePair>,
    shared: &Shared,
) -> TransportStats {
    let pair = selected.map(|pair| SelectedPair {
        local: end(pair.local()),
        remote: end(pair.remote()),
        rtt: rtt(report, pair),
    });
    let mut stats = TransportStats { pair, ..TransportStats::default() };
    for entry in report.iter() {
        if let RTCStatsReportEntry::Transport(transport) = entry {
            stats.bytes_sent = transport.bytes_sent;
            stats.bytes_received = transport.bytes_received;
        }
        add_media(&mut stats, entry);
    }
    let [video, audio] = shared.remote_views();
    add_view(&mut stats.video, &video);
    add_view(&mut stats.audio, &audio);
    add_own(&mut stats, shared);
    stats
}

/// What we alone know: our side of resending, and the rates.
fn add_own(stats: &mut TransportStats, shared: &Shared) {
    let (video, repairs) = (&mut stats.video, &shared.repairs);
    (video.retransmitted_packets_received, video.retransmitted_bytes_received) = repairs.resent.get();
    (video.fec_packets_sent, video.fec_bytes_sent) = repairs.sent.get();
    (video.fec_packets_received, video.fec_bytes_received) = repairs.received.get();
    (video.fec_packets_discarded, _) = repairs.discarded.get();
    (video.fec_packets_recovered, _) = repairs.recovered.get();
    stats.available_outgoing_bitrate = shared.outlook.available();
    let [video, audio] = shared.encoding_at.each_ref().map(|rate| BitRate::from_bps(rate.load(Ordering::Relaxed)));
    (stats.video.target_bitrate, stats.audio.target_bitrate) = (video, audio);
}

const fn add_view(media: &mut MediaStats, view: &RemoteView) {
    media.retransmitted_packets_sent = view.resent;
    media.retransmitted_bytes_sent = view.resent_bytes;
    media.nacks_received = view.nacks;
    media.plis_received = view.keyframe_requests;
    media.remote_packets_lost = view.packets_lost;
    media.remote_fraction_lost = view.fraction_lost;
    media.remote_jitter = view.jitter;
    media.rtt = view.rtt;
}

fn rtt(report: &RTCStatsReport, selected: &RTCIceCandidatePair) -> Option<Duration> {
    report.iter().find_map(|entry| match entry {
        RTCStatsReportEntry::IceCandidatePair(pair)
            if pair.local_candidate_id == selected.local().id && pair.remote_candidate_id == selected.remote().id =>
        {
            positive(pair.current_round_trip_time)
        }
        _ => None,
    })
}

fn of_kind(stats: &mut TransportStats, kind: RtpCodecKind) -> &mut MediaStats {
    if kind == RtpCodecKind::Video { &mut stats.video } else { &mut stats.audio }
}

fn add_media(stats: &mut TransportStats, entry: &RTCStatsReportEntry) {
    match entry {
        RTCStatsReportEntry::OutboundRtp(out) => {
            let media = of_kind(stats, out.sent_rtp_stream_stats.rtp_stream_stats.kind);
            media.packets_sent += out.sent_rtp_stream_stats.packets_sent;
            media.bytes_sent += out.sent_rtp_stream_stats.bytes_sent;
        }
        RTCStatsReportEntry::InboundRtp(inbound) => {
            let received = &inbound.received_rtp_stream_stats;
            let kind = received.rtp_stream_stats.kind;
            // The library leaves it in units of the RTP clock.
            let clock_hz = f64::from(if kind == RtpCodecKind::Video { VIDEO_CLOCK_HZ } else { AUDIO_CLOCK_HZ });
            let media = of_kind(stats, kind);
            media.packets_received += received.packets_received;
            media.bytes_received += inbound.bytes_received;
            media.packets_lost += received.packets_lost;
            media.jitter = media.jitter.max(seconds(received.jitter / clock_hz));
            media.nacks_sent += inbound.nack_count;
            media.plis_sent += inbound.pli_count + inbound.fir_count;
        }
        _ => {}
    }
}

fn end(candidate: &RTCIceCandidate) -> CandidateEnd {
    CandidateEnd {
        kind: candidate.typ.to_string(),
        address: candidate.address.clone(),
        port: candidate.port,
        protocol: candidate.protocol.to_string(),
        relay_protocol: None,
    }
}

/// How the relay at our end of the path is spoken with.
pub(crate) fn relay_protocol(local: &CandidateEnd, servers: &[ServerReport]) -> Option<String> {
    let gave_it = |report: &&ServerReport| match report.standing {
        Standing::Works(address) => address.ip().to_string() == local.address && address.port() == local.port,
        Standing::Unasked
        | Standing::Asked
        | Standing::Challenged
        | Standing::Refused(..)
        | Standing::Failed(_)
        | Standing::Silent => false,
    };
    let server = servers.iter().filter(|_| local.kind == "relay").find(gave_it)?;
    Some(server.server.carrier.name().to_ascii_lowercase())
}

fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or_default()
}

fn positive(value: f64) -> Option<Duration> {
    (value > 0.0).then(|| seconds(value))
}
