//! Which packets of a stream are missing, and when to ask for them (RFC 4585, section 6.2.1). Sans-IO.
//!
//! A packet that was merely overtaken isn't asked for: a gap is given as long as packets lately came late by. Nor is one that
//! repair packets may still make good, which follow their picture. What stays away is asked for once a round trip, until
//! whoever wants it has given up.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Requests for one packet aren't closer than this, however near the other side is.
const LEAST_INTERVAL: Duration = Duration::from_millis(20);
/// What an answer takes besides the round trip: timers and pacers on both sides.
const ANSWERING: Duration = Duration::from_millis(10);
/// Requests for one packet.
const MAX_REQUESTS: u8 = 10;
/// How long a gap is given to close by itself, at least and at most.
const REORDERING: (Duration, Duration) = (Duration::from_millis(3), Duration::from_millis(40));
/// How long repair packets are waited for at most: a picture's time,
const REPAIRS: Duration = Duration::from_millis(30);
/// and no more than this part of the round trip, since a resend that comes quickly is worth more than a saved one.
const REPAIRS_PART: u32 = 4;
/// Where none came for so long none are sent.
const NO_REPAIRS: Duration = Duration::from_secs(2);
/// How quickly a long patience with reordering is unlearnt: its share that each packet in order takes away.
const UNLEARN: f64 = 0.002;
/// A packet that is missing for so long is nobody's any more.
const FORGET: Duration = Duration::from_secs(3);
/// A step in the numbers beyond this is another stream, not a loss.
const MAX_STEP: i64 = 1000;
/// Packets watched at most.
const MAX_MISSING: usize = 1000;

/// The packets of one stream that haven't come.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    newest: Option<i64>,
    missing: BTreeMap<i64, Missing>,
    /// How long a gap is given to close by itself, beyond the least.
    lateness: Duration,
    /// When a repair packet last came.
    repaired: Option<Instant>,
    /// For what stands below this no repair packets are to come, but those of later pictures.
    settled: i64,
}

#[derive(Clone, Copy, Debug)]
struct Missing {
    noticed: Instant,
    asked: Option<Instant>,
    requests: u8,
}

/// How long requests for a packet are worth while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// The round trip.
    pub(crate) round_trip: Duration,
    /// What is missing for longer is wanted no more.
    pub(crate) patience: Duration,
}

/// What a packet was to the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// The next, or one beyond a gap.
    New,
    /// It had been missing.
    Late,
    /// It had come before, or is older than what is watched.
    Known,
}

impl Gaps {
    /// Takes note of a packet; `resent`: it came again, or was worked out from others.
    pub(super) fn came(&mut self, now: Instant, sequence: u16, resent: bool) -> Came {
        let Some(newest) = self.newest else {
            // A repair may come before what it is part of; it says nothing about where the stream is.
            if !resent {
                self.newest = Some(i64::from(sequence));
            }
            return Came::New;
        };
        // The low 16 bits, by truncation; as a signed number the shorter way round.
        let number = newest + i64::from(sequence.wrapping_sub(newest as u16) as i16);
        if number > newest + MAX_STEP {
            if !resent {
                *self = Self { newest: Some(number), ..Self::default() };
            }
            return Came::New;
        }
        if number > newest {
            let missing = Missing { noticed: now, asked: None, requests: 0 };
            self.missing.extend((newest + 1..number).map(|skipped| (skipped, missing)));
            // A repair of what hasn't been missed yet leaves the number itself for the stream to reach.
            self.newest = Some(number);
            self.lateness -= self.lateness.mul_f64(UNLEARN);
            return Came::New;
        }
        let Some(missing) = self.missing.remove(&number) else { return Came::Known };
        if !resent && missing.requests == 0 {
            let late = now.saturating_duration_since(missing.noticed);
            self.lateness = self.lateness.max(late + late / 4);
        }
        Came::Late
    }

    /// A repair packet came that covers what was sent up to that number; `last`: its picture has no more of them.
    pub(super) fn repairs(&mut self, now: Instant, newest: u16, last: bool) {
        self.repaired = Some(now);
        let Some(before) = self.newest else { return };
        // As in `came`: what it covers was sent, whether it came or not.
        let number = before + i64::from(newest.wrapping_sub(before as u16) as i16);
        if (before + 1..=before + MAX_STEP).contains(&number) {
            let missing = Missing { noticed: now, asked: None, requests: 0 };
            self.missing.extend((before + 1..=number).map(|skipped| (skipped, missing)));
            self.newest = Some(number);
        }
        if last && number <= before + MAX_STEP {
            self.settled = self.settled.max(number + 1);
        }
    }

    /// The packets to ask for now, which counts as asking.
    pub(super) fn ask(&mut self, now: Instant, terms: Terms) -> Vec<u16> {
        self.forget(now);
        let waits = self.waits(now, terms);
        let due = self.missing.iter_mut().filter_map(|(&number, missing)| {
            (missing.due(waits.of(number), terms)? <= now).then(|| {
                missing.asked = Some(now);
                missing.requests += 1;
                // Truncated as on the wire.
                number as u16
            })
        });
        due.collect()
    }

    /// When there is something to ask for.
    pub(super) fn poll_timeout(&self, now: Instant, terms: Terms) -> Option<Instant> {
        let waits = self.waits(now, terms);
        self.missing.iter().filter_map(|(&number, missing)| missing.due(waits.of(number), terms)).min()
    }

    fn waits(&self, now: Instant, terms: Terms) -> Waits {
        let first = self.first_wait();
        let repairs = self.repaired.is_some_and(|at| now.saturating_duration_since(at) < NO_REPAIRS);
        let unsettled = if repairs { first.max((terms.round_trip / REPAIRS_PART).min(REPAIRS)) } else { first };
        Waits { first, unsettled, settled: self.settled }
    }

    fn first_wait(&self) -> Duration {
        self.lateness.clamp(REORDERING.0, REORDERING.1)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(oldest) = self.missing.first_entry() {
            let old = now.saturating_duration_since(oldest.get().noticed) > FORGET;
            if !old && self.missing.len() <= MAX_MISSING {
                break;
            }
            self.missing.pop_first();
        }
    }
}

/// How long what is missing is given before it is asked for first.
#[derive(Clone, Copy)]
struct Waits {
    first: Duration,
    /// Where repair packets may still come.
    unsettled: Duration,
    /// From which number on they may.
    settled: i64,
}

impl Waits {
    const fn of(&self, number: i64) -> Duration {
        if number < self.settled { self.first } else { self.unsettled }
    }
}

impl Missing {
    /// When to ask for it next; `None`: no more.
    fn due(&self, first: Duration, terms: Terms) -> Option<Instant> {
        let at = match self.asked {
            None => self.noticed + first,
            Some(asked) => asked + (terms.round_trip + ANSWERING).max(LEAST_INTERVAL),
        };
        let worth = self.requests < MAX_REQUESTS && at < self.noticed + terms.patience;
        worth.then_some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TERMS: Terms = Terms { round_trip: Duration::from_millis(50), patience: Duration::from_millis(300) };

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn after(start: Instant, numbers: &[u16]) -> Gaps {
        let mut gaps = Gaps::default();
        for &number in numbers {
            gaps.came(start, number, false);
        }
        gaps
    }

    /// Lets time pass and tells when something was asked for.
    fn requests(gaps: &mut Gaps, start: Instant) -> Vec<(u64, Vec<u16>)> {
        let asked = (0..3000).map(|millis| (millis, gaps.ask(start + ms(millis), TERMS)));
        asked.filter(|(_, numbers)| !numbers.is_empty()).collect()
    }

    #[test]
    fn a_gap_is_asked_for_quickly_and_then_once_a_round_trip() {
        let start = Instant::now();
        let mut gaps = after(start, &[65_534, 2]);
        assert_eq!(gaps.poll_timeout(start, TERMS), Some(start + REORDERING.0));
        let asked = requests(&mut gaps, start);
        assert_eq!(asked[0], (3, vec![65_535, 0, 1]));
        assert_eq!(asked.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 63, 123, 183, 243]);
        assert_eq!(gaps.poll_timeout(start, TERMS), None, "given up");
    }

    #[test]
    fn requests_to_a_near_side_have_a_cap() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 3]);
        let terms = Terms { round_trip: Duration::ZERO, patience: ms(5000) };
        let asked = (0..3000).filter(|&millis| !gaps.ask(start + ms(millis), terms).is_empty()).collect::<Vec<_>>();
        assert_eq!((asked.len(), asked[1] - asked[0]), (usize::from(MAX_REQUESTS), 20));
    }

    #[test]
    fn what_came_is_not_asked_for() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 4]);
        assert_eq!(gaps.came(start + ms(1), 2, false), Came::Late);
        assert_eq!(requests(&mut gaps, start)[0].1, [3]);
        assert_eq!(gaps.came(start + ms(60), 3, true), Came::Late);
        assert_eq!(gaps.came(start + ms(61), 3, true), Came::Known);
        assert_eq!(gaps.came(start + ms(61), 4, false), Came::Known);
        assert_eq!(gaps.poll_timeout(start, TERMS), None);
    }

    #[test]
    fn a_path_that_reorders_is_given_time() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 3]);
        gaps.came(start + ms(2), 2, false);
        gaps.came(start + ms(2), 5, false);
        let first = gaps.poll_timeout(start, TERMS);
        assert_eq!(first, Some(start + ms(2) + REORDERING.0));
        let mut gaps = after(start, &[1, 3]);
        gaps.came(start + ms(20), 2, false);
        gaps.came(start + ms(30), 5, false);
        let wait = gaps.poll_timeout(start, TERMS).map(|at| at - start - ms(30));
        assert!(wait.is_some_and(|wait| wait > ms(20) && wait <= ms(25)), "{wait:?}");
        for number in 6..3000 {
            gaps.came(start + ms(40), number, false);
        }
        assert!(gaps.first_wait() < ms(5), "{:?}", gaps.first_wait());
    }

    #[test]
    fn what_repairs_may_make_good_is_given_their_time() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 3]);
        gaps.repairs(start, 1, true);
        assert_eq!(gaps.poll_timeout(start, TERMS), Some(start + TERMS.round_trip / REPAIRS_PART));
        // Those of this picture have come, and not made it good.
        gaps.repairs(start + ms(5), 3, true);
        assert_eq!(gaps.poll_timeout(start + ms(5), TERMS), Some(start + REORDERING.0));
        assert_eq!(gaps.came(start + ms(6), 2, true), Came::Late);
        assert_eq!(gaps.poll_timeout(start + ms(6), TERMS), None);
    }

    #[test]
    fn repairs_tell_of_an_end_that_was_lost() {
        let start = Instant::now();
        let mut gaps = after(start, &[65_534]);
        gaps.repairs(start, 0, true);
        assert_eq!(gaps.ask(start + REORDERING.0, TERMS), [65_535, 0]);
    }

    #[test]
    fn where_no_repairs_come_any_more_none_are_waited_for() {
        let start = Instant::now();
        let mut gaps = after(start, &[1]);
        gaps.repairs(start, 1, true);
        let later = start + NO_REPAIRS;
        gaps.came(later, 3, false);
        assert_eq!(gaps.poll_timeout(later, TERMS), Some(later + REORDERING.0));
    }

    #[test]
    fn a_jump_is_another_stream_and_not_a_loss() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 5000, 5001]);
        assert_eq!(gaps.poll_timeout(start, TERMS), None);
        assert_eq!(gaps.came(start, 5003, false), Came::New);
        assert_eq!(gaps.ask(start + ms(10), TERMS), [5002]);
    }

    proptest! {
        #[test]
        fn no_order_of_numbers_breaks_us(steps in prop::collection::vec((any::<u16>(), any::<bool>(), 0..200_u64), 0..200)) {
            let (mut gaps, mut now) = (Gaps::default(), Instant::now());
            for (number, resent, wait) in steps {
                now += ms(wait);
                if resent && number % 7 == 0 {
                    gaps.repairs(now, number, number % 2 == 0);
                } else {
                    gaps.came(now, number, resent);
                }
                let asked = gaps.ask(now, TERMS);
                prop_assert!(asked.len() <= MAX_MISSING);
                prop_assert!(gaps.poll_timeout(now, TERMS).is_none_or(|at| at > now));
            }
        }
    }
}
