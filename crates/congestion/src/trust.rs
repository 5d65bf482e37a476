//! How far the findings of probes are believed.
//!
//! A probe lasts for 20 to 50 ms: it finds the room of that moment. Where several flows share a bottleneck, all find the same gap one after the
//! other, all take it, and the queue that follows makes all of them yield and leave a gap again. So each rise after a probe is on
//! trial. If congestion follows while its effect is still to be seen, and less comes through than was promised, the next rise takes
//! half as much of what its probe finds; a rise that was kept doubles that. Alone on a link, probes keep their word and are believed wholly.
//!
//! RFC 8298, section 4.1.1.1, likewise grows fast only while no congestion was seen of late. What is left in company is growth by the same
//! amount for everybody and cuts by the same share, which make rates equal (Chiu and Jain, "Analysis of the increase and decrease
//! algorithms for congestion avoidance in computer networks", 1989); steps that are a share of one's rate don't.

use std::time::{Duration, Instant};

/// A broken promise leaves this of the trust,
const BROKEN: f64 = 0.5;
/// but never less than this: with none left nothing would ever be tried.
const LEAST: f64 = 0.1;
/// A promise that was kept multiplies it by this.
const KEPT: f64 = 2.0;
/// A promise counts as kept once a round trip and this have passed without congestion,
const SETTLED: Duration = Duration::from_millis(200);
/// and congestion is put down to a rise within two round trips and this.
const ON_TRIAL: Duration = Duration::from_millis(600);
/// Doubt fades by this time constant, seconds: rivals leave.
const FADES: f64 = 20.0;

#[derive(Debug)]
pub(crate) struct Trust {
    share: f64,
    /// When the rate was last raised by a finding, if nothing has come of it yet.
    raised: Option<Instant>,
}

impl Default for Trust {
    fn default() -> Self {
        Self { share: 1.0, raised: None }
    }
}

impl Trust {
    /// The share of the room found that is to be taken.
    pub(crate) fn share(&self) -> f64 {
        self.share
    }

    /// The rate is about to be raised by a finding.
    pub(crate) fn on_rise(&mut self, now: Instant, round_trip: Duration) {
        let kept = |raised: Instant| now.saturating_duration_since(raised) > round_trip + SETTLED;
        if self.raised.is_some_and(kept) {
            self.share = (self.share * KEPT).min(1.0);
        }
        self.raised = Some(now);
    }

    /// A queue has built up; `short`: less comes through than is sent.
    pub(crate) fn on_congestion(&mut self, now: Instant, round_trip: Duration, short: bool) {
        let on_trial = |raised: Instant| now.saturating_duration_since(raised) < round_trip * 2 + ON_TRIAL;
        if self.raised.take().is_some_and(on_trial) && short {
            self.share = (self.share * BROKEN).max(LEAST);
        }
    }

    /// So many seconds have passed.
    pub(crate) fn fade(&mut self, passed: f64) {
        self.share += (1.0 - self.share) * (passed / FADES).clamp(0.0, 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIP: Duration = Duration::from_millis(100);

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "any instant will do: the tests count from it")]
        Instant::now()
    }

    #[test]
    fn a_broken_promise_halves_it_and_a_kept_one_doubles_it() {
        let (mut trust, now) = (Trust::default(), start());
        for broken in [0.5, 0.25] {
            trust.on_rise(now, TRIP);
            trust.on_congestion(now + TRIP, TRIP, true);
            assert!((trust.share() - broken).abs() < 1e-9, "{}", trust.share());
        }
        trust.on_rise(now + TRIP * 2, TRIP);
        trust.on_rise(now + TRIP * 8, TRIP);
        assert!((trust.share() - 0.5).abs() < 1e-9, "{}", trust.share());
    }

    #[test]
    fn congestion_long_after_a_rise_or_with_all_coming_through_is_not_its_fault() {
        let (mut trust, now) = (Trust::default(), start());
        trust.on_rise(now, TRIP);
        trust.on_congestion(now + Duration::from_secs(2), TRIP, true);
        trust.on_rise(now + Duration::from_secs(3), TRIP);
        trust.on_congestion(now + Duration::from_secs(3) + TRIP, TRIP, false);
        assert!(trust.share() >= 1.0);
    }

    #[test]
    fn some_is_always_left_and_doubt_fades() {
        let (mut trust, now) = (Trust::default(), start());
        for _ in 0..20 {
            trust.on_rise(now, TRIP);
            trust.on_congestion(now, TRIP, true);
        }
        assert!((trust.share() - LEAST).abs() < 1e-9, "{}", trust.share());
        (0..1_000).for_each(|_| trust.fade(0.1));
        assert!(trust.share() > 0.99 && trust.share() <= 1.0);
    }
}
