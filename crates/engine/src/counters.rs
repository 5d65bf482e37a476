//! Numbers that the media threads count and the event loop reads once a second. Atomics only: counting never waits.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;
use visavis_codec::h264::AssemblerCounters;
use visavis_dsp::PlayoutStats;
use visavis_frame::Size;

/// What keeps our picture from being as good as the camera's (W3C webrtc-stats, `qualityLimitationReason`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum QualityLimitation {
    /// Nothing does.
    #[default]
    None,
    /// The path doesn't carry more.
    Bandwidth,
}

/// Totals since the call began.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    limited: AtomicBool,
    encoded: AtomicU64,
    keyframes: AtomicU64,
    skipped: AtomicU64,
    encode_micros: AtomicU64,
    decoded: AtomicU64,
    decoded_bytes: AtomicU64,
    width: AtomicU32,
    height: AtomicU32,
    keyframes_wanted: AtomicU64,
    lost: AtomicU64,
    duplicates: AtomicU64,
    dropped: AtomicU64,
    level_centi_dbfs: AtomicI32,
    concealed: AtomicU64,
    played: AtomicU64,
    playout_delay_ms: AtomicU32,
}

/// The counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) limitation: QualityLimitation,
    pub(crate) encoded: u64,
    pub(crate) keyframes: u64,
    pub(crate) skipped: u64,
    pub(crate) encode_micros: u64,
    pub(crate) decoded: u64,
    pub(crate) decoded_bytes: u64,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) keyframes_wanted: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) dropped: u64,
    pub(crate) level_dbfs: f32,
    pub(crate) concealed: u64,
    pub(crate) played: u64,
    pub(crate) playout_delay_ms: u32,
}

impl Counters {
    pub(crate) fn frame_encoded(&self, keyframe: bool, spent: Duration) {
        self.encoded.fetch_add(1, Relaxed);
        self.keyframes.fetch_add(u64::from(keyframe), Relaxed);
        self.encode_micros.fetch_add(u64::try_from(spent.as_micros()).unwrap_or(0), Relaxed);
    }

    /// Whether the picture is worse than what the camera gives.
    pub(crate) fn limited_by_bandwidth(&self, limited: bool) {
        self.limited.store(limited, Relaxed);
    }

    pub(crate) fn frame_skipped(&self) {
        self.skipped.fetch_add(1, Relaxed);
    }

    pub(crate) fn frame_decoded(&self, size: Size, bytes: usize) {
        self.decoded.fetch_add(1, Relaxed);
        self.decoded_bytes.fetch_add(bytes as u64, Relaxed);
        self.width.store(u32::try_from(size.width()).unwrap_or(0), Relaxed);
        self.height.store(u32::try_from(size.height()).unwrap_or(0), Relaxed);
    }

    pub(crate) fn keyframe_wanted(&self) {
        self.keyframes_wanted.fetch_add(1, Relaxed);
    }

    pub(crate) fn assembler(&self, counters: AssemblerCounters) {
        self.lost.store(counters.lost, Relaxed);
        self.duplicates.store(counters.duplicates, Relaxed);
        self.dropped.store(counters.dropped_frames, Relaxed);
    }

    pub(crate) fn microphone_level(&self, dbfs: f32) {
        // Saturates far outside of what a meter shows.
        self.level_centi_dbfs.store((dbfs * 100.0) as i32, Relaxed);
    }

    pub(crate) fn playout(&self, stats: PlayoutStats) {
        self.concealed.store(stats.concealed, Relaxed);
        self.played.store(stats.played, Relaxed);
        self.playout_delay_ms.store(u32::try_from(stats.delay.as_millis()).unwrap_or(u32::MAX), Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let limited = self.limited.load(Relaxed);
        Snapshot {
            limitation: if limited { QualityLimitation::Bandwidth } else { QualityLimitation::None },
            encoded: self.encoded.load(Relaxed),
            keyframes: self.keyframes.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            encode_micros: self.encode_micros.load(Relaxed),
            decoded: self.decoded.load(Relaxed),
            decoded_bytes: self.decoded_bytes.load(Relaxed),
            width: self.width.load(Relaxed),
            height: self.height.load(Relaxed),
            keyframes_wanted: self.keyframes_wanted.load(Relaxed),
            lost: self.lost.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            level_dbfs: self.level_centi_dbfs.load(Relaxed) as f32 / 100.0,
            concealed: self.concealed.load(Relaxed),
            played: self.played.load(Relaxed),
            playout_delay_ms: self.playout_delay_ms.load(Relaxed),
        }
    }
}
