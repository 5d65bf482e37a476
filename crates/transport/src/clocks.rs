//! What RTP times mean: sender reports tie those of sound and pictures to one clock of the sender (RFC 3550, section 6.4.1).
//!
//! The stock reports tie an RTP time to the moment at which its packet left. Ours tie it to the moment at which it was
//! captured, so that coding and pacing, which take longer for pictures than for sound, don't part lips from voices. The
//! clock counts from the connection's beginning: what time it is here is nobody's business.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use visavis_frame::{AUDIO_CLOCK_HZ, VIDEO_CLOCK_HZ};

/// Zero means "no clock" to a receiver (RFC 3550, section 6.4.1), so ours begins somewhat later, seconds.
const BEGINNING: u64 = 3600;
/// Sources whose reports are kept: a call has two, and a source may change.
const MOST_SOURCES: usize = 8;
/// RTP times so far from their source's report, seconds, are of another timeline.
const FARTHEST: i64 = 120;

/// Our reports and theirs.
#[derive(Debug)]
pub(crate) struct Clocks {
    began: Instant,
    /// Video, then audio: an RTP time and when it was captured.
    ours: Mutex<[Option<(u32, Instant)>; 2]>,
    theirs: Mutex<Vec<Report>>,
}

#[derive(Clone, Copy, Debug)]
struct Report {
    ssrc: u32,
    rtp: u32,
    ntp: u64,
}

impl Clocks {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, ours: Mutex::default(), theirs: Mutex::default() }
    }

    /// What has this RTP time was captured then. `index` is 0 for video and 1 for audio.
    pub(crate) fn captured(&self, index: usize, rtp: u32, at: Instant) {
        if let Some(ours) = self.ours.lock().unwrap_or_else(PoisonError::into_inner).get_mut(index) {
            *ours = Some((rtp, at));
        }
    }

    /// The NTP and RTP times of a report that leaves now, where captures are known.
    pub(crate) fn report(&self, index: usize, now: Instant) -> Option<(u64, u32)> {
        let (rtp, at) = (*self.ours.lock().unwrap_or_else(PoisonError::into_inner).get(index)?)?;
        let hz = if index == 0 { VIDEO_CLOCK_HZ } else { AUDIO_CLOCK_HZ };
        let ticks = |time: Duration| (time.as_nanos() * u128::from(hz) / 1_000_000_000) as u32;
        let rtp = rtp.wrapping_add(ticks(now.saturating_duration_since(at)));
        let since = now.saturating_duration_since(self.began);
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        Some(((since.as_secs() + BEGINNING) << 32 | fraction, rtp))
    }

    /// The other side has reported.
    pub(crate) fn reported(&self, ssrc: u32, rtp: u32, ntp: u64) {
        let mut theirs = self.theirs.lock().unwrap_or_else(PoisonError::into_inner);
        theirs.retain(|report| report.ssrc != ssrc);
        theirs.truncate(MOST_SOURCES - 1);
        if ntp != 0 {
            theirs.insert(0, Report { ssrc, rtp, ntp });
        }
    }

    /// When what has this RTP time was captured, by the other side's clock, once that is known.
    pub(crate) fn sender_time(&self, ssrc: u32, rtp: u32, hz: u32) -> Option<Duration> {
        let theirs = self.theirs.lock().unwrap_or_else(PoisonError::into_inner);
        let report = *theirs.iter().find(|report| report.ssrc == ssrc)?;
        drop(theirs);
        // The shorter way round.
        let ticks = i64::from(rtp.wrapping_sub(report.rtp).cast_signed());
        if ticks.abs() > FARTHEST * i64::from(hz) {
            return None;
        }
        let fraction = Duration::from_nanos(((report.ntp & 0xffff_ffff) * 1_000_000_000) >> 32);
        let reported = Duration::from_secs(report.ntp >> 32) + fraction;
        let apart = Duration::from_micros(ticks.unsigned_abs() * 1_000_000 / u64::from(hz.max(1)));
        if ticks < 0 { reported.checked_sub(apart) } else { reported.checked_add(apart) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, whose virtual time needs a zero")]

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn sound_and_pictures_of_one_moment_have_one_time() {
        let zero = Instant::now();
        let (here, there) = (Clocks::new(zero), Clocks::new(zero));
        here.captured(0, u32::MAX - 100, zero + 1_000 * MS);
        here.captured(1, 77, zero + 1_250 * MS);
        for (index, ssrc) in [(0, 10), (1, 11)] {
            let (ntp, rtp) = here.report(index, zero + (1_300 + 200 * index as u32) * MS).unwrap();
            there.reported(ssrc, rtp, ntp);
        }
        // Both were captured 2 s after zero: the picture a second after what was noted, the sound three quarters.
        let picture = there.sender_time(10, (u32::MAX - 100).wrapping_add(90_000), 90_000).unwrap();
        let sound = there.sender_time(11, 77 + 36_000, 48_000).unwrap();
        assert!(picture.abs_diff(sound) < MS, "{picture:?} {sound:?}");
        let before = there.sender_time(11, 77, 48_000).unwrap();
        assert!((sound - before).abs_diff(750 * MS) < MS, "{before:?}");
    }

    #[test]
    fn what_nobody_reported_has_no_time_and_reports_from_anybody_are_bounded() {
        let clocks = Clocks::new(Instant::now());
        assert_eq!(clocks.report(0, Instant::now()), None);
        (0..1_000).for_each(|ssrc| clocks.reported(ssrc, 0, u64::MAX));
        assert_eq!(clocks.theirs.lock().unwrap().len(), MOST_SOURCES);
        assert_eq!(clocks.sender_time(0, 0, 48_000), None);
        assert_eq!(clocks.sender_time(999, 1 << 30, 48_000), None, "hours away");
        assert!(clocks.sender_time(999, 0, 0).is_some());
        clocks.reported(999, 0, 0);
        assert_eq!(clocks.sender_time(999, 0, 48_000), None, "no clock");
    }
}
