//! How long sound must wait so that nearly all of it is there when its turn comes.
//!
//! Every packet's transit is compared with the fastest transit of the last two seconds; what lies between is the delay
//! that the network added to it. A histogram of these that slowly forgets gives the delay which all but a few stay under.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long the fastest transit counts. Long enough to bridge a burst, short enough to follow another clock's drift.
const FASTEST_WINDOW: Duration = Duration::from_secs(2);
/// Width of a histogram step, milliseconds.
const STEP_MS: i64 = 5;
const STEPS: usize = 100;
/// What a histogram keeps of its past with each packet: about seven seconds of memory.
const KEEP: f64 = 0.997;
/// Share of packets that shall come in time.
const QUANTILE: f64 = 0.97;

/// Learns the delays of one stream.
#[derive(Debug)]
pub(crate) struct DelayEstimator {
    /// Transits that may yet be the fastest, microseconds, rising from the front.
    fastest: VecDeque<(Instant, i64)>,
    histogram: [f64; STEPS],
    total: f64,
}

impl DelayEstimator {
    pub(crate) fn new() -> Self {
        Self { fastest: VecDeque::new(), histogram: [0.0; STEPS], total: 0.0 }
    }

    /// Notes a packet that came at `now` after `transit_us`, which needs no common zero.
    pub(crate) fn observe(&mut self, now: Instant, transit_us: i64) {
        while self.fastest.back().is_some_and(|&(_, other)| other >= transit_us) {
            self.fastest.pop_back();
        }
        self.fastest.push_back((now, transit_us));
        while self.fastest.front().is_some_and(|&(at, _)| now.saturating_duration_since(at) > FASTEST_WINDOW) {
            self.fastest.pop_front();
        }
        let added_ms = (transit_us - self.fastest_us()) / 1000;
        let step = usize::try_from(added_ms / STEP_MS).unwrap_or(0).min(STEPS - 1);
        self.histogram.iter_mut().for_each(|weight| *weight *= KEEP);
        self.histogram[step] += 1.0;
        self.total = self.total * KEEP + 1.0;
    }

    /// The fastest recent transit, microseconds, on the scale of [`DelayEstimator::observe`].
    pub(crate) fn fastest_us(&self) -> i64 {
        self.fastest.front().map_or(0, |&(_, transit)| transit)
    }

    /// The delay over the fastest that nearly all packets stay under.
    pub(super) fn needed(&self) -> Duration {
        self.within(QUANTILE)
    }

    /// The delay over the fastest that this share of packets stays under.
    pub(crate) fn within(&self, share: f64) -> Duration {
        let mut below = 0.0;
        let step = self.histogram.iter().position(|weight| {
            below += weight;
            below >= share * self.total
        });
        Duration::from_millis((step.unwrap_or(0) as u64 + 1) * STEP_MS.unsigned_abs())
    }
}
