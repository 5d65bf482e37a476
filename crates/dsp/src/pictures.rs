//! When to show a picture, given when it came and when the sound of its moment is heard.
//!
//! Sound takes longer than pictures on a good network: it waits in the speaker's queue and in the playout buffer. What is
//! seen early is held for it, since a voice that comes after the lips have moved is what people notice; by a little less than
//! the whole, since nobody notices that and a conversation is the better for every millisecond. Nothing is ever held back
//! for a picture that is late.
//!
//! The same clock takes out the jerks that repairs leave. Where more than one picture in five comes late because a packet
//! of it had to be sent again, the others wait for as much, within bounds.

use std::time::{Duration, Instant};

use crate::playout::DelayEstimator;

/// Pictures may be seen so much before their sound is heard. A quarter of what viewers can tell (ITU-R BT.1359: 45 ms).
pub const AHEAD: Duration = Duration::from_millis(12);
/// No picture is held for longer, whatever the sound does.
pub const MOST_HELD: Duration = Duration::from_millis(200);
/// Unevenness under half a picture at 30 a second isn't seen, and isn't smoothed.
const TOLERATED: Duration = Duration::from_millis(15);
/// The most that pictures wait for one another.
const MOST_SMOOTHED: Duration = Duration::from_millis(60);
/// Share of pictures that may be waited for by the others: where fewer are late, those few are.
const USUAL: f64 = 0.8;
/// A step in RTP time beyond this, seconds, is another stream.
const MOST_STEP: i64 = 5;

/// From RTP time to the sender's own clock, as its reports tell (RFC 3550, section 6.4.1).
#[derive(Clone, Copy, Debug, Default)]
pub struct SenderClock {
    known: Option<(u32, Duration)>,
}

impl SenderClock {
    /// A packet of this RTP time was captured then, by the sender's clock; `None`: nobody knows yet.
    pub fn note(&mut self, timestamp: u32, captured: Option<Duration>) {
        if let Some(captured) = captured {
            self.known = Some((timestamp, captured));
        }
    }

    /// When what has this RTP time, on a clock of `hz`, was captured.
    #[must_use]
    pub fn time(&self, timestamp: u32, hz: u32) -> Option<Duration> {
        let (known, captured) = self.known?;
        // The shorter way round.
        let ticks = i64::from(timestamp.wrapping_sub(known).cast_signed());
        let apart = Duration::from_micros(ticks.unsigned_abs() * 1_000_000 / u64::from(hz.max(1)));
        if ticks < 0 { captured.checked_sub(apart) } else { captured.checked_add(apart) }
    }
}

/// Decides when pictures of one stream are shown.
#[derive(Debug, Default)]
pub struct PictureClock {
    line: Option<Line>,
    last_due: Option<Instant>,
}

#[derive(Debug)]
struct Line {
    began: Instant,
    timestamp: u32,
    /// Since `began`, by the sender's clock, ticks.
    ticks: i64,
    delays: DelayEstimator,
}

impl PictureClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// When to show a picture that was complete at `complete` and can be shown from `now` on. `sound` is when the sound of
    /// its moment is heard, where that is known. RTP time in units of a clock of `hz`.
    pub fn due(&mut self, complete: Instant, now: Instant, timestamp: u32, hz: u32, sound: Option<Instant>) -> Instant {
        let even = self.even(complete, timestamp, hz);
        let together = sound.and_then(|sound| sound.checked_sub(AHEAD));
        let wanted = [even, together, self.last_due].into_iter().flatten().max().unwrap_or(now);
        let due = wanted.min(now + MOST_HELD).max(now);
        self.last_due = Some(due);
        due
    }

    /// When a picture would come that is as late as most are.
    fn even(&mut self, complete: Instant, timestamp: u32, hz: u32) -> Option<Instant> {
        let hz = i64::from(hz.max(1));
        let step = self.line.as_ref().map(|line| i64::from(timestamp.wrapping_sub(line.timestamp).cast_signed()));
        if step.is_none_or(|step| step.abs() > MOST_STEP * hz) {
            self.line = Some(Line { began: complete, timestamp, ticks: 0, delays: DelayEstimator::new() });
        }
        let line = self.line.as_mut()?;
        line.ticks += i64::from(timestamp.wrapping_sub(line.timestamp).cast_signed());
        line.timestamp = timestamp;
        let ours = i64::try_from(complete.saturating_duration_since(line.began).as_micros()).ok()?;
        let transit = ours - line.ticks * 1_000_000 / hz;
        line.delays.observe(complete, transit);
        let late = u64::try_from(transit - line.delays.fastest_us()).unwrap_or(0);
        let usual = line.delays.within(USUAL).saturating_sub(TOLERATED).min(MOST_SMOOTHED);
        complete.checked_add(usual.saturating_sub(Duration::from_micros(late)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, whose virtual time needs a zero")]

    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const PICTURE: Duration = Duration::from_micros(33_333);

    /// By how much each of ten seconds' pictures is held that comes `late(index)` after the fastest.
    fn held(late: impl Fn(u32) -> Duration, sound: impl Fn(Instant) -> Option<Instant>) -> Vec<Duration> {
        let (zero, mut clock) = (Instant::now(), PictureClock::new());
        let mut held = Vec::new();
        for index in 0..300 {
            let captured = zero + PICTURE * index;
            let now = captured + 20 * MS + late(index);
            let timestamp = u32::MAX.wrapping_add(index * 3_000);
            held.push(clock.due(now, now, timestamp, 90_000, sound(captured)) - now);
        }
        held
    }

    #[test]
    fn with_neither_sound_nor_jitter_nothing_waits() {
        assert!(held(|_| Duration::ZERO, |_| None).iter().all(Duration::is_zero));
        assert!(held(|index| MS * (index % 13), |_| None)[30..].iter().all(Duration::is_zero));
    }

    #[test]
    fn a_picture_waits_for_its_sound_but_not_for_all_of_it() {
        let held = held(|_| Duration::ZERO, |captured| Some(captured + 60 * MS));
        assert!(held.iter().all(|held| *held == 60 * MS - 20 * MS - AHEAD), "{held:?}");
    }

    #[test]
    fn sound_that_is_far_behind_is_not_waited_for_for_ever_and_early_sound_not_at_all() {
        assert!(held(|_| Duration::ZERO, |captured| Some(captured + 900 * MS)).iter().all(|held| *held == MOST_HELD));
        assert!(held(|_| Duration::ZERO, |captured| Some(captured + 10 * MS)).iter().all(Duration::is_zero));
    }

    #[test]
    fn where_many_pictures_are_repaired_all_come_evenly_and_where_few_are_only_those_are_late() {
        let repaired =
            |every: u32| move |index: u32| if index.is_multiple_of(every) { 50 * MS } else { Duration::ZERO };
        let steps = |every: u32| {
            let shown: Vec<_> = held(repaired(every), |_| None).into_iter().zip(0u32..).collect();
            let at = |(held, index): &(Duration, u32)| PICTURE * *index + repaired(every)(*index) + *held;
            let steps = shown[150..].windows(2).map(|pair| (at(&pair[1]) - at(&pair[0])).abs_diff(PICTURE));
            steps.max().unwrap()
        };
        assert!(steps(3) <= TOLERATED + 5 * MS, "{:?}", steps(3));
        let few = held(repaired(10), |_| None);
        assert!(few.iter().filter(|held| !held.is_zero()).count() < 40, "{few:?}");
    }

    #[test]
    fn pictures_keep_their_order_and_another_stream_begins_anew() {
        let (zero, mut clock) = (Instant::now(), PictureClock::new());
        let first = clock.due(zero, zero, 0, 90_000, Some(zero + 150 * MS));
        let second = clock.due(zero + MS, zero + MS, 3_000, 90_000, None);
        assert!(second >= first);
        let later = zero + 10 * PICTURE;
        assert_eq!(clock.due(later, later, 1 << 31, 90_000, None), later);
    }

    #[test]
    fn times_between_reports_are_reckoned() {
        let mut clock = SenderClock::default();
        assert_eq!(clock.time(5, 48_000), None);
        clock.note(u32::MAX, Some(Duration::from_secs(7)));
        clock.note(3, None);
        assert_eq!(clock.time(47_999, 48_000), Some(Duration::from_secs(8)));
        assert_eq!(clock.time(u32::MAX - 48_000, 48_000), Some(Duration::from_secs(6)));
    }
}
