//! When to send more: step by step while all is calm, at once when a probe shows room; and what loss says against it.

use std::time::{Duration, Instant};

use super::draining::HOLD_SHARE;
use super::{Controller, Phase};
use crate::loss::Verdict;
use crate::probing::{self, Finding, Prober};

/// While a small queue stands the rate yields by this share each second, for each time that the queue is longer than a calm one.
const YIELD: f64 = 0.05;
/// What is assumed of jitter before anything is known, seconds.
const UNKNOWN_JITTER: f64 = 0.003;
/// Growth near the capacity: so many bits per second each second,
const GROWTH: f64 = 40_000.0;
/// but no more than this share each second.
const GROWTH_SHARE: f64 = 0.3;
/// and than this share each round trip, since so much is sent before its queue is seen.
const GROWTH_A_TRIP: f64 = 0.04;
/// Growth while well below the capacity that was seen, each second.
const RECOVERY: f64 = 0.5;
/// The share of the target that must be used for the target to grow by itself.
const USED_SHARE: f64 = 0.7;
/// Probes send at most this share of the target.
const PROBE_COST: f64 = 0.06;

impl Controller {
    /// Bits per second to grow by each second, near that capacity.
    pub(super) fn growth(&self, capacity: f64) -> f64 {
        let share = GROWTH_A_TRIP / self.round_trip().as_secs_f64().max(0.01);
        GROWTH.min(capacity * share.min(GROWTH_SHARE))
    }

    pub(super) fn judge_loss(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Draining(_)) {
            return;
        }
        match self.loss.judge(now, self.target) {
            Verdict::Fine => {}
            Verdict::Cut => {
                let delivered = self.delivered.rate().unwrap_or(self.target * 0.7);
                self.set_target(delivered.clamp(self.target * 0.5, self.target) * HOLD_SHARE);
            }
            Verdict::Ours => {
                self.capacity = Some(self.target);
                self.phase = Phase::Holding;
            }
            Verdict::ThePaths(rate) => self.set_target(rate.max(self.target)),
        }
    }

    pub(super) fn grow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.grew).as_secs_f64().min(0.2);
        self.grew = now;
        self.trust.fade(passed);
        let draining = matches!(self.phase, Phase::Draining(_));
        let used = self.sending.rate() > self.target * USED_SHARE;
        if draining || self.loss.is_experimenting() {
            return;
        }
        let queue = self.delay.queueing() / self.calm();
        if queue > 1.0 {
            return self.set_target(self.target * (1.0 - YIELD * queue * passed));
        }
        if !used {
            return;
        }
        let below = self.capacity.is_none_or(|capacity| self.target < capacity * 0.85);
        let growth = if below { self.target * RECOVERY } else { self.growth(self.target) };
        self.set_target(self.target + growth * passed);
    }

    pub(super) fn take_finding(&mut self, now: Instant, finding: Option<Finding>) {
        let period = self.probe_period();
        self.prober.rest(now, period);
        self.prober.note(finding);
        let Some(finding) = finding else { return };
        if matches!(self.phase, Phase::Draining(_)) {
            self.capacity = self.capacity.map(|capacity| capacity.max(finding.rate.min(capacity * 1.5)));
            return;
        }
        let room = finding.rate * HOLD_SHARE - self.target;
        if finding.clean {
            self.rise(now, room.max(0.0));
            self.prober.rest(now, Duration::ZERO);
        } else if room > self.target * 0.05 {
            self.capacity = Some(finding.rate);
            self.phase = Phase::Holding;
            // So far off that the next one should be better.
            self.prober.rest(now, period / 3);
            self.rise(now, room);
        }
    }

    /// Takes as much of the room that a probe found as probes are believed.
    fn rise(&mut self, now: Instant, room: f64) {
        self.trust.on_rise(now, self.round_trip());
        self.set_target(self.target + room * self.trust.share());
    }

    /// Longer where probes come to nothing, and so long that padding costs no more than [`PROBE_COST`].
    fn probe_period(&self) -> Duration {
        let period = probing::PERIOD.mul_f64(1.0 + probing::DOUBTED * (1.0 - self.trust.share()));
        period.max(Duration::from_secs_f64(Prober::cost(self.target) / (self.target * PROBE_COST)))
    }

    pub(super) fn probe_if_due(&mut self, now: Instant) {
        let room = self.target < self.limits.clamp(f64::MAX) * 0.99;
        let calm = self.delay.queueing() < self.calm() && !self.loss.is_experimenting();
        if !room || !calm || matches!(self.phase, Phase::Draining(_)) || !self.prober.is_due(now) {
            return;
        }
        let factor = match self.phase {
            _ if self.round_trip.is_none() => 4.0,
            Phase::Seeking => 3.0,
            Phase::Holding | Phase::Draining(_) if self.prober.found_limit() => 1.6,
            Phase::Holding | Phase::Draining(_) => 2.0,
        };
        let rate = (self.target * factor).min(self.limits.clamp(f64::MAX) * 1.1);
        let jitter = if self.round_trip.is_none() { UNKNOWN_JITTER } else { self.jitter() };
        self.prober.ask(now, rate, jitter);
    }
}

/// What is being sent, smoothed over about half a second.
#[derive(Debug, Default)]
pub(super) struct SendRate {
    bits: f64,
    at: f64,
}

impl SendRate {
    const TIME: f64 = 0.5;

    pub(super) fn on_sent(&mut self, at: f64, bytes: usize) {
        let passed = (at - self.at).max(0.0);
        self.bits = self.bits * (-passed / Self::TIME).exp() + bytes as f64 * 8.0;
        self.at = self.at.max(at);
    }

    pub(super) fn rate(&self) -> f64 {
        self.bits / Self::TIME
    }
}
