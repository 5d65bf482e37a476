//! When a picture stood still, as the W3C counts it (webrtc-stats, `freezeCount`): a picture that comes later than
//! max(3 × mean, mean + 150 ms) after the one before it ends a freeze; the mean is that of the last 30 gaps.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Over how many gaps the mean is taken.
const WINDOW: usize = 30;
/// What a gap may be longer than the mean at least.
const GRACE: Duration = Duration::from_millis(150);

/// Totals since the call began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Freezes {
    /// How many (`freezeCount`).
    pub(crate) count: u64,
    /// How long in all (`totalFreezesDuration`).
    pub(crate) length: Duration,
    /// From picture to picture, in all (`totalInterFrameDelay`).
    pub(crate) gaps: Duration,
}

/// Watches pictures come.
#[derive(Debug, Default)]
pub(crate) struct FreezeMeter {
    last: Option<Instant>,
    recent: VecDeque<Duration>,
    totals: Freezes,
}

impl FreezeMeter {
    /// A picture.
    pub(crate) fn picture(&mut self, now: Instant) -> Freezes {
        let Some(last) = self.last.replace(now) else { return self.totals };
        let gap = now.saturating_duration_since(last);
        self.totals.gaps += gap;
        if self.is_freeze(gap) {
            self.totals.count += 1;
            self.totals.length += gap;
        }
        self.recent.push_back(gap);
        if self.recent.len() > WINDOW {
            self.recent.pop_front();
        }
        self.totals
    }

    /// The other side has turned its camera off: the gap that comes is meant.
    pub(crate) fn pause(&mut self) {
        self.last = None;
    }

    fn is_freeze(&self, gap: Duration) -> bool {
        // A mean of nothing is none.
        let Some(count) = u32::try_from(self.recent.len()).ok().filter(|count| *count > 0) else { return false };
        let mean = self.recent.iter().sum::<Duration>() / count;
        gap >= (mean * 3).max(mean + GRACE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(33);

    fn steady(meter: &mut FreezeMeter, from: Instant, pictures: u32) -> (Instant, Freezes) {
        let mut totals = Freezes::default();
        let mut now = from;
        for _ in 0..pictures {
            now += FRAME;
            totals = meter.picture(now);
        }
        (now, totals)
    }

    #[test]
    fn a_gap_counts_from_three_means_and_150_ms_on() {
        // At 30 a second the 150 ms decide: 183 ms.
        for (gap_ms, count) in [(182, 0), (183, 1), (5_000, 1)] {
            let mut meter = FreezeMeter::default();
            let (last, totals) = steady(&mut meter, Instant::now(), 40);
            assert_eq!(totals.count, 0);
            let gap = Duration::from_millis(gap_ms);
            let totals = meter.picture(last + gap);
            assert_eq!((totals.count, totals.length), (count, gap * u32::try_from(count).unwrap_or(0)), "{gap_ms}");
        }
    }

    #[test]
    fn at_a_slow_rate_the_mean_decides() {
        let mut meter = FreezeMeter::default();
        let mut now = Instant::now();
        for _ in 0..10 {
            now += Duration::from_millis(200);
            meter.picture(now);
        }
        assert_eq!(meter.picture(now + Duration::from_millis(599)).count, 0);
        assert_eq!(meter.picture(now + Duration::from_millis(599 + 900)).count, 1);
    }

    #[test]
    fn a_camera_that_was_off_is_no_freeze() {
        let mut meter = FreezeMeter::default();
        let (last, before) = steady(&mut meter, Instant::now(), 40);
        meter.pause();
        assert_eq!(meter.picture(last + Duration::from_secs(60)), before);
    }
}
