//! What is due by now, for devices that make or take media instead of waiting for hardware.
//!
//! Both pacers count from the first time they are told, with whole numbers only, so nothing drifts however long a call
//! lasts. What was missed while nobody asked is skipped, as hardware would skip it.

use std::time::Duration;

use visavis_frame::Timestamp;

/// The most sound a stand-in hands over or asks for at once; older sound would only be delay.
pub(crate) const MOST_SOUND_AT_ONCE: Duration = Duration::from_millis(200);

/// Frames at a steady rate of `numerator / denominator` a second.
#[derive(Clone, Debug)]
pub(crate) struct FramePacer {
    numerator: u64,
    denominator: u64,
    start: Option<Timestamp>,
    next: u64,
}

/// A frame whose time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// Counts from 0, frames that nobody asked for in time included.
    pub(crate) number: u64,
    /// When it was due.
    pub(crate) at: Timestamp,
}

impl FramePacer {
    pub(crate) fn new(numerator: u32, denominator: u32) -> Self {
        Self {
            numerator: u64::from(numerator.max(1)),
            denominator: u64::from(denominator.max(1)),
            start: None,
            next: 0,
        }
    }

    fn offset_micros(&self, number: u64) -> u64 {
        let micros = u128::from(number) * 1_000_000 * u128::from(self.denominator) / u128::from(self.numerator);
        u64::try_from(micros).unwrap_or(u64::MAX)
    }

    /// When the next frame is due.
    pub(crate) fn next_due(&self, now: Timestamp) -> Timestamp {
        let start = self.start.unwrap_or(now);
        start + Duration::from_micros(self.offset_micros(self.next))
    }

    /// The newest frame due by `now` that wasn't given yet.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Due> {
        let start = *self.start.get_or_insert(now);
        if now < self.next_due(now) {
            return None;
        }
        // One past the estimate, then back: the division above rounds down.
        let elapsed = u128::from(now.as_micros() - start.as_micros());
        let estimate = elapsed * u128::from(self.numerator) / (u128::from(self.denominator) * 1_000_000) + 1;
        let mut number = u64::try_from(estimate).unwrap_or(u64::MAX).max(self.next);
        while number > self.next && start + Duration::from_micros(self.offset_micros(number)) > now {
            number -= 1;
        }
        self.next = number + 1;
        Some(Due { number, at: start + Duration::from_micros(self.offset_micros(number)) })
    }
}

/// Samples at a steady rate.
#[derive(Clone, Debug)]
pub(crate) struct SamplePacer {
    rate_hz: u32,
    start: Option<Timestamp>,
    done: u64,
}

impl SamplePacer {
    pub(crate) fn new(rate_hz: u32) -> Self {
        Self { rate_hz, start: None, done: 0 }
    }

    pub(crate) fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Samples whose time came since the last call. The first call starts the clock and gives none.
    pub(crate) fn take(&mut self, now: Timestamp) -> u64 {
        let elapsed = now.since(*self.start.get_or_insert(now)).as_micros();
        let total = u64::try_from(elapsed * u128::from(self.rate_hz) / 1_000_000).unwrap_or(u64::MAX);
        let fresh = total.saturating_sub(self.done);
        self.done += fresh;
        fresh
    }

    /// Like [`SamplePacer::take`], leaving out what is older than [`MOST_SOUND_AT_ONCE`].
    pub(crate) fn take_recent(&mut self, now: Timestamp) -> usize {
        let most = u64::from(self.rate_hz) / 5;
        usize::try_from(self.take(now).min(most)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    const fn at(micros: u64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn frames_do_not_drift() {
        let mut pacer = FramePacer::new(30, 1);
        let mut now = at(77);
        for number in 0..30 * 3600 {
            assert_eq!(pacer.take(now).unwrap().number, number);
            assert_eq!(pacer.take(now), None);
            now = pacer.next_due(now);
        }
        assert_eq!(now, at(77 + 3600 * 1_000_000));
    }

    #[test]
    fn missed_frames_are_skipped() {
        let mut pacer = FramePacer::new(10, 1);
        assert_eq!(pacer.take(at(0)).unwrap().number, 0);
        assert_eq!(pacer.take(at(99_999)), None);
        assert_eq!(pacer.take(at(550_000)), Some(Due { number: 5, at: at(500_000) }));
        assert_eq!(pacer.next_due(at(550_000)), at(600_000));
    }

    #[test]
    fn sound_is_given_once_and_never_old() {
        let mut pacer = SamplePacer::new(48_000);
        assert_eq!(pacer.take_recent(at(5)), 0);
        assert_eq!(pacer.take_recent(at(10_005)), 480);
        assert_eq!(pacer.take_recent(at(10_005)), 0);
        assert_eq!(pacer.take_recent(at(5_000_005)), 9600);
        assert_eq!(pacer.take_recent(at(5_010_005)), 480);
    }

    proptest! {
        #[test]
        fn a_frame_is_never_early_and_numbers_only_rise(fps in 1u32..=120, den in 1u32..=1001, steps in prop::collection::vec(0u64..200_000, 1..200)) {
            let mut pacer = FramePacer::new(fps, den);
            let (mut now, mut last) = (0, None);
            for step in steps {
                now += step;
                if let Some(due) = pacer.take(at(now)) {
                    prop_assert!(due.at <= at(now));
                    prop_assert!(last < Some(due.number));
                    last = Some(due.number);
                    prop_assert!(pacer.next_due(at(now)) > at(now));
                }
            }
        }
    }
}
