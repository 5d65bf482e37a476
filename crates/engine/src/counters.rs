//! Numbers that the media threads count and the event loop reads once a second. Atomics only: counting never waits.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use serde::Serialize;
use visavis_codec::AssemblerCounters;
use visavis_dsp::PlayoutStats;
use visavis_frame::Size;

use crate::freeze::Freezes;

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
    keyframes_decoded: AtomicU64,
    decode_micros: AtomicU64,
    freezes: AtomicU64,
    frozen_micros: AtomicU64,
    gap_micros: AtomicU64,
    remote_camera_off: AtomicBool,
    width: AtomicU32,
    height: AtomicU32,
    keyframes_wanted: AtomicU64,
    lost: AtomicU64,
    duplicates: AtomicU64,
    dropped: AtomicU64,
    level_centi_dbfs: AtomicI32,
    concealed: AtomicU64,
    played: AtomicU64,
    recovered: AtomicU64,
    late: AtomicU64,
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
    pub(crate) keyframes_decoded: u64,
    pub(crate) decode_micros: u64,
    pub(crate) freezes: Freezes,
    pub(crate) remote_camera_off: bool,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) keyframes_wanted: u64,
    pub(crate) lost: u64,
    pub(crate) duplicates: u64,
    pub(crate) dropped: u64,
    pub(crate) level_dbfs: f32,
    pub(crate) concealed: u64,
    pub(crate) played: u64,
    pub(crate) recovered: u64,
    pub(crate) late: u64,
    pub(crate) playout_delay_ms: u32,
}

impl Counters {
    /// Another call begins.
    pub(crate) fn restart(&self) {
        let totals = [
            &self.encoded,
            &self.keyframes,
            &self.skipped,
            &self.encode_micros,
            &self.decoded,
            &self.keyframes_decoded,
            &self.decode_micros,
            &self.freezes,
            &self.frozen_micros,
            &self.gap_micros,
            &self.keyframes_wanted,
            &self.lost,
            &self.duplicates,
            &self.dropped,
            &self.concealed,
            &self.played,
            &self.recovered,
            &self.late,
        ];
        totals.into_iter().for_each(|total| total.store(0, Relaxed));
        self.remote_camera(true);
    }

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

    pub(crate) fn frame_decoded(&self, size: Size, keyframe: bool, spent: Duration, freezes: Freezes) {
        self.decoded.fetch_add(1, Relaxed);
        self.keyframes_decoded.fetch_add(u64::from(keyframe), Relaxed);
        self.decode_micros.fetch_add(u64::try_from(spent.as_micros()).unwrap_or(0), Relaxed);
        self.freezes.store(freezes.count, Relaxed);
        self.frozen_micros.store(u64::try_from(freezes.length.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.gap_micros.store(u64::try_from(freezes.gaps.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.width.store(u32::try_from(size.width()).unwrap_or(0), Relaxed);
        self.height.store(u32::try_from(size.height()).unwrap_or(0), Relaxed);
    }

    /// The other side says whether its camera is on.
    pub(crate) fn remote_camera(&self, on: bool) {
        self.remote_camera_off.store(!on, Relaxed);
    }

    pub(crate) fn is_remote_camera_off(&self) -> bool {
        self.remote_camera_off.load(Relaxed)
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
        self.recovered.store(stats.recovered, Relaxed);
        self.late.store(stats.late, Relaxed);
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
            keyframes_decoded: self.keyframes_decoded.load(Relaxed),
            decode_micros: self.decode_micros.load(Relaxed),
            remote_camera_off: self.is_remote_camera_off(),
            freezes: Freezes {
                count: self.freezes.load(Relaxed),
                length: Duration::from_micros(self.frozen_micros.load(Relaxed)),
                gaps: Duration::from_micros(self.gap_micros.load(Relaxed)),
            },
            width: self.width.load(Relaxed),
            height: self.height.load(Relaxed),
            keyframes_wanted: self.keyframes_wanted.load(Relaxed),
            lost: self.lost.load(Relaxed),
            duplicates: self.duplicates.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            level_dbfs: self.level_centi_dbfs.load(Relaxed) as f32 / 100.0,
            concealed: self.concealed.load(Relaxed),
            played: self.played.load(Relaxed),
            recovered: self.recovered.load(Relaxed),
            late: self.late.load(Relaxed),
            playout_delay_ms: self.playout_delay_ms.load(Relaxed),
        }
    }
}
