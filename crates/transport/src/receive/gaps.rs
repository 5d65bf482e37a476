//! Which packets of a stream are missing, and when to ask for them (RFC 4585, section 6.2.1). Sans-IO.
//!
//! A packet that was merely overtaken isn't asked for: a gap is given as long as packets lately came late by. What stays
//! away is asked for once a round trip, until whoever wants it has given up.

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
    /// Takes note of a packet; `resent`: it came over the repair stream.
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

    /// The packets to ask for now, which counts as asking.
    pub(super) fn ask(&mut self, now: Instant, terms: Terms) -> Vec<u16> {
        self.forget(now);
        let first = self.first_wait();
        let due = self.missing.iter_mut().filter_map(|(&number, missing)| {
            (missing.due(first, terms)? <= now).then(|| {
                missing.asked = Some(now);
                missing.requests += 1;
                // Truncated as on the wire.
                number as u16
            })
        });
        due.collect()
    }

    /// When there is something to ask for.
    pub(super) fn poll_timeout(&self, terms: Terms) -> Option<Instant> {
        let first = self.first_wait();
        self.missing.values().filter_map(|missing| missing.due(first, terms)).min()
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
        assert_eq!(gaps.poll_timeout(TERMS), Some(start + REORDERING.0));
        let asked = requests(&mut gaps, start);
        assert_eq!(asked[0], (3, vec![65_535, 0, 1]));
        assert_eq!(asked.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [3, 63, 123, 183, 243]);
        assert_eq!(gaps.poll_timeout(TERMS), None, "given up");
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
        assert_eq!(gaps.poll_timeout(TERMS), None);
    }

    #[test]
    fn a_path_that_reorders_is_given_time() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 3]);
        gaps.came(start + ms(2), 2, false);
        gaps.came(start + ms(2), 5, false);
        let first = gaps.poll_timeout(TERMS);
        assert_eq!(first, Some(start + ms(2) + REORDERING.0));
        let mut gaps = after(start, &[1, 3]);
        gaps.came(start + ms(20), 2, false);
        gaps.came(start + ms(30), 5, false);
        let wait = gaps.poll_timeout(TERMS).map(|at| at - start - ms(30));
        assert!(wait.is_some_and(|wait| wait > ms(20) && wait <= ms(25)), "{wait:?}");
        for number in 6..3000 {
            gaps.came(start + ms(40), number, false);
        }
        assert!(gaps.first_wait() < ms(5), "{:?}", gaps.first_wait());
    }

    #[test]
    fn a_jump_is_another_stream_and_not_a_loss() {
        let start = Instant::now();
        let mut gaps = after(start, &[1, 5000, 5001]);
        assert_eq!(gaps.poll_timeout(TERMS), None);
        assert_eq!(gaps.came(start, 5003, false), Came::New);
        assert_eq!(gaps.ask(start + ms(10), TERMS), [5002]);
    }

    proptest! {
        #[test]
        fn no_order_of_numbers_breaks_us(steps in prop::collection::vec((any::<u16>(), any::<bool>(), 0..200_u64), 0..200)) {
            let (mut gaps, mut now) = (Gaps::default(), Instant::now());
            for (number, resent, wait) in steps {
                now += ms(wait);
                gaps.came(now, number, resent);
                let asked = gaps.ask(now, TERMS);
                prop_assert!(asked.len() <= MAX_MISSING);
                prop_assert!(gaps.poll_timeout(TERMS).is_none_or(|at| at > now));
            }
        }
    }
}
