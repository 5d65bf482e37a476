//! What a call measures of itself, once a second.

mod entries;

use std::time::{Duration, Instant};

use serde::Serialize;
use visavis_call::{Measured, ReceiveReport};
use visavis_frame::BLOCK_SAMPLES;
use visavis_transport::{CandidateEnd, SelectedPair, TransportStats};

use self::entries::Moment;
use crate::counters::{QualityLimitation, Snapshot};
use crate::webrtc_stats::StatsEntries;

/// Rates over the last second, and totals since the call began.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallStats {
    /// The path that the media takes, once there is one.
    pub path: Option<Path>,
    /// Round trip, milliseconds.
    pub round_trip_ms: Option<f64>,
    /// What we send.
    pub outbound: Outbound,
    /// What we receive.
    pub inbound: Inbound,
    /// Level of our microphone, dBFS RMS.
    pub microphone_dbfs: f32,
    /// Everything, under the W3C's names.
    pub entries: StatsEntries,
}

/// The two ends of the path that the media takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Path {
    /// Our end.
    pub local: PathEnd,
    /// The other side's end.
    pub remote: PathEnd,
}

impl Path {
    /// Whether a relay stands in between.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        self.local.candidate_type == "relay" || self.remote.candidate_type == "relay"
    }
}

/// One end of a path, as the W3C's RTCIceCandidateStats names its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PathEnd {
    /// `host`, `srflx`, `prflx` or `relay`.
    pub candidate_type: String,
    /// Address; empty where the other side hides it.
    pub address: String,
    /// Port.
    pub port: u16,
    /// `udp` or `tcp`.
    pub protocol: String,
    /// Of a relay of ours: how it is spoken with, `udp`, `tcp` or `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relay_protocol: Option<String>,
}

impl From<CandidateEnd> for PathEnd {
    fn from(end: CandidateEnd) -> Self {
        let CandidateEnd { kind, address, port, protocol, relay_protocol } = end;
        Self { candidate_type: kind, address, port, protocol, relay_protocol }
    }
}

/// What we send.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outbound {
    /// All media, kilobits a second.
    pub kbps: u64,
    /// Pictures encoded a second.
    pub frames_per_second: f32,
    /// Pictures encoded in all.
    pub frames_encoded: u64,
    /// Pictures that the encoder dropped to hold its rate.
    pub frames_skipped: u64,
    /// Keyframes in all.
    pub key_frames_encoded: u64,
    /// From captured to encoded, mean over the last second, milliseconds.
    pub encode_ms: f64,
    /// What the path is estimated to carry, kilobits a second; 0 before there is an estimate.
    pub available_kbps: u32,
    /// What keeps the picture from being as good as the camera's.
    pub quality_limitation_reason: QualityLimitation,
}

/// What we receive.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inbound {
    /// All media, kilobits a second.
    pub kbps: u64,
    /// Pictures decoded a second.
    pub frames_per_second: f32,
    /// Pictures decoded in all.
    pub frames_decoded: u64,
    /// Width of the last picture, pixels.
    pub frame_width: u32,
    /// Height of the last picture, pixels.
    pub frame_height: u32,
    /// Video packets lost in all.
    pub packets_lost: u64,
    /// Video packets lost over the last second, percent of those expected.
    pub loss_percent: f32,
    /// Pictures given up in all.
    pub frames_dropped: u64,
    /// Packets that came twice.
    pub packets_duplicated: u64,
    /// Keyframes that we had to ask for.
    pub keyframes_requested: u64,
    /// Decoding a picture, mean over the last second, milliseconds.
    pub decode_ms: f64,
    /// Times that the picture stood still, as the W3C counts them, in all.
    pub freeze_count: u64,
    /// How much of the last second it stood still, milliseconds.
    pub frozen_ms: u32,
    /// Sound concealed over the last second, percent of the time.
    pub concealed_percent: f32,
    /// From arrival of sound to the speaker's queue, milliseconds.
    pub playout_delay_ms: u32,
}

/// Turns totals into rates.
#[derive(Debug)]
pub(crate) struct Meter {
    began: Instant,
    at: Instant,
    sound: SoundTotals,
    counted: Snapshot,
    carried: TransportStats,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            began: now,
            at: now,
            sound: SoundTotals::default(),
            counted: Snapshot::default(),
            carried: TransportStats::default(),
        }
    }

    /// The rates since the last reading.
    pub(crate) fn read(&mut self, now: Instant, counted: Snapshot, carried: TransportStats) -> CallStats {
        let seconds = now.saturating_duration_since(self.at).max(Duration::from_millis(1)).as_secs_f64();
        let before = std::mem::replace(&mut self.counted, counted);
        let carried_before = std::mem::replace(&mut self.carried, carried.clone());
        self.at = now;
        self.sound.add(&before, &counted);
        let mut stats = CallStats {
            round_trip_ms: round_trip(&carried).map(|rtt| rtt.as_secs_f64() * 1000.0),
            outbound: outbound(
                seconds,
                &before,
                &counted,
                kbps(seconds, carried_before.bytes_sent, carried.bytes_sent),
                &carried,
            ),
            inbound: inbound(seconds, &before, &counted, &carried_before, &carried),
            microphone_dbfs: counted.level_dbfs,
            path: carried
                .pair
                .clone()
                .map(|SelectedPair { local, remote, .. }| Path { local: local.into(), remote: remote.into() }),
            entries: Vec::new(),
        };
        let timestamp = now.saturating_duration_since(self.began).as_secs_f64() * 1000.0;
        stats.entries =
            Moment { timestamp, counted: &counted, carried: &carried, rates: &stats, sound: self.sound }.entries();
        stats
    }
}

/// What was played, in samples, since the call began.
#[derive(Clone, Copy, Debug, Default)]
struct SoundTotals {
    played: u64,
    concealed: u64,
    /// Sum over all samples of what each waited, seconds.
    buffer_delay: f64,
}

impl SoundTotals {
    fn add(&mut self, before: &Snapshot, now: &Snapshot) {
        let samples = |before: u64, now: u64| now.saturating_sub(before) * SAMPLES_PER_PACKET;
        let (played, concealed) = (samples(before.played, now.played), samples(before.concealed, now.concealed));
        self.played += played;
        self.concealed += concealed;
        self.buffer_delay += f64::from(now.playout_delay_ms) / 1000.0 * (played + concealed) as f64;
    }
}

/// A packet of sound is 20 ms, two blocks.
const SAMPLES_PER_PACKET: u64 = 2 * BLOCK_SAMPLES as u64;
/// A machine that spends more than this on a picture can't keep up with 30 a second.
const BUSY_MS: f64 = 30.0;

fn outbound(seconds: f64, before: &Snapshot, now: &Snapshot, kbps: u64, carried: &TransportStats) -> Outbound {
    let frames = now.encoded.saturating_sub(before.encoded);
    let micros = now.encode_micros.saturating_sub(before.encode_micros);
    Outbound {
        kbps,
        frames_per_second: per_second(seconds, frames),
        frames_encoded: now.encoded,
        frames_skipped: now.skipped,
        key_frames_encoded: now.keyframes,
        encode_ms: mean_ms(micros, frames),
        available_kbps: u32::try_from(carried.available_outgoing_bitrate.kbps()).unwrap_or(u32::MAX),
        quality_limitation_reason: now.limitation,
    }
}

fn inbound(
    seconds: f64,
    before: &Snapshot,
    now: &Snapshot,
    carried_before: &TransportStats,
    carried: &TransportStats,
) -> Inbound {
    let lost = now.lost.saturating_sub(before.lost);
    let came = carried.video.packets_received.saturating_sub(carried_before.video.packets_received);
    let concealed = now.concealed.saturating_sub(before.concealed);
    let played = now.played.saturating_sub(before.played);
    let decoded = now.decoded.saturating_sub(before.decoded);
    Inbound {
        kbps: kbps(seconds, carried_before.bytes_received, carried.bytes_received),
        frames_per_second: per_second(seconds, decoded),
        frames_decoded: now.decoded,
        frame_width: now.width,
        frame_height: now.height,
        packets_lost: now.lost,
        loss_percent: percent(lost, lost + came),
        frames_dropped: now.dropped,
        packets_duplicated: now.duplicates,
        keyframes_requested: now.keyframes_wanted,
        decode_ms: mean_ms(now.decode_micros.saturating_sub(before.decode_micros), decoded),
        freeze_count: now.freezes.count,
        frozen_ms: frozen_ms(before, now, decoded),
        concealed_percent: percent(concealed, concealed + played),
        playout_delay_ms: now.playout_delay_ms,
    }
}

/// A freeze is counted when it ends. One that goes on shows in that no picture came; a camera that is off is none.
fn frozen_ms(before: &Snapshot, now: &Snapshot, decoded: u64) -> u32 {
    if decoded == 0 && now.decoded > 0 && !now.remote_camera_off {
        return 1000;
    }
    let length = now.freezes.length.saturating_sub(before.freezes.length);
    u32::try_from(length.as_millis()).unwrap_or(u32::MAX).min(1000)
}

fn mean_ms(micros: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { micros as f64 / count as f64 / 1000.0 }
}

impl CallStats {
    /// What the call is judged by.
    pub(crate) fn measured(&self) -> Measured {
        Measured {
            report: self.report(),
            round_trip: self.round_trip_ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1000.0).ok()),
            frozen: Duration::from_millis(u64::from(self.inbound.frozen_ms)),
        }
    }

    /// What the other side is told.
    fn report(&self) -> ReceiveReport {
        ReceiveReport {
            frames_per_second: self.inbound.frames_per_second,
            width: self.inbound.frame_width,
            height: self.inbound.frame_height,
            video_kbps: u32::try_from(self.inbound.kbps).unwrap_or(u32::MAX),
            loss_percent: self.inbound.loss_percent,
            concealed_percent: self.inbound.concealed_percent,
            available_kbps: self.outbound.available_kbps,
            overloaded: self.outbound.encode_ms > BUSY_MS || self.inbound.decode_ms > BUSY_MS,
        }
    }
}

/// By the latest connectivity check, else by the other side's latest report.
fn round_trip(carried: &TransportStats) -> Option<Duration> {
    carried.pair.as_ref().and_then(|pair| pair.rtt).or(carried.video.rtt).or(carried.audio.rtt)
}

fn kbps(seconds: f64, before: u64, now: u64) -> u64 {
    (now.saturating_sub(before) as f64 * 8.0 / seconds / 1000.0) as u64
}

fn per_second(seconds: f64, count: u64) -> f32 {
    (count as f64 / seconds) as f32
}

fn percent(part: u64, whole: u64) -> f32 {
    if whole == 0 { 0.0 } else { part as f32 * 100.0 / whole as f32 }
}

#[cfg(test)]
mod tests {
    use visavis_transport::MediaStats;

    use super::*;

    #[test]
    fn totals_become_rates() {
        let start = Instant::now();
        let mut meter = Meter::new(start);
        let counted = Snapshot { encoded: 60, encode_micros: 300_000, lost: 5, ..Snapshot::default() };
        let video = MediaStats { packets_received: 95, ..MediaStats::default() };
        let carried = TransportStats { bytes_sent: 250_000, video, ..TransportStats::default() };
        let stats = meter.read(start + Duration::from_secs(2), counted, carried.clone());
        assert_eq!(stats.outbound.kbps, 1000);
        assert!((stats.outbound.frames_per_second - 30.0).abs() < 0.01);
        assert!((stats.outbound.encode_ms - 5.0).abs() < 0.01);
        assert!((stats.inbound.loss_percent - 5.0).abs() < 0.01);
        let still = meter.read(start + Duration::from_secs(3), counted, carried);
        assert_eq!(still.outbound.kbps, 0);
        assert_eq!(still.outbound.frames_encoded, 60);
    }
}
