//! The estimator: how much the path carries, from the receiver's word on each packet.
//!
//! ```text
//! Seeking ── queue ──> Draining ── queue gone ──> Holding ── queue ──> Draining
//!    └── silence: cut by half, each round trip again      └── a probe shows more room: up at once
//! ```
//! - **Seeking**: no limit was met yet; probes double the rate.
//! - **Draining**: a queue stands. What comes out of it is the capacity; the rate goes below that until the queue is gone.
//! - **Holding**: near the capacity last seen; grows slowly, and a probe each second asks whether there is more.
//!
//! Congestion is told by delay as in the delay-based half of draft-ietf-rmcat-gcc-02 and in RFC 8698, but by the queue's length
//! itself. Loss with no queue is judged in [`crate::loss`].

use std::time::{Duration, Instant};

use visavis_frame::BitRate;

use crate::delay::Delay;
use crate::delivered::Delivered;
use crate::history::{Heard, History};
use crate::loss::{Loss, Verdict};
use crate::packet::{Arrival, Estimate, Limits, Probe, Sent};
use crate::probing::{self, Finding, Prober};

/// A queue of so many seconds is congestion.
const QUEUE_HIGH: f64 = 0.030;
/// A queue that is shorter is none.
const QUEUE_LOW: f64 = 0.012;
/// With more queue than this the rate doesn't grow.
const QUEUE_CALM: f64 = 0.018;
/// A queue is to be gone after so many seconds.
const DRAIN_TIME: f64 = 0.4;
/// Never drain below this share of the capacity: the picture must go on.
const DRAIN_LEAST: f64 = 0.35;
/// A queue that doesn't shrink for so long although we send less isn't ours: the path has become longer.
const DRAIN_PATIENCE: Duration = Duration::from_millis(1500);
/// The share of the capacity to send at once the queue is gone.
const HOLD_SHARE: f64 = 0.95;
/// Growth near the capacity: so many bits per second each second,
const GROWTH: f64 = 50_000.0;
/// but no more than this share each second.
const GROWTH_SHARE: f64 = 0.08;
/// Growth while well below the capacity that was seen, each second.
const RECOVERY: f64 = 0.5;
/// The share of the target that must be used for the target to grow by itself.
const USED_SHARE: f64 = 0.7;
/// How much faster than the target a picture may leave.
const PACING: f64 = 1.5;
/// With packets on their way and no word for this and three round trips, the rate is cut.
const SILENCE: Duration = Duration::from_millis(300);
/// After so long without sending the path is asked anew.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Phase {
    Seeking,
    Draining {
        /// Packets sent from here on saw the present rate.
        cut: Instant,
        /// The shortest queue so far and when it was seen.
        least: (Instant, f64),
    },
    Holding,
}

/// Estimates what the path carries.
#[derive(Debug)]
pub struct Controller {
    limits: Limits,
    epoch: Instant,
    phase: Phase,
    /// Bits per second.
    target: f64,
    /// What the bottleneck gave while a queue stood, bits per second.
    capacity: Option<f64>,
    history: History,
    delay: Delay,
    delivered: Delivered,
    loss: Loss,
    prober: Prober,
    sending: SendRate,
    round_trip: Option<Duration>,
    grew: Instant,
    heard: Instant,
    last_sent: Option<Instant>,
}

impl Controller {
    /// A controller that knows nothing of the path yet.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Self {
        let mut this = Self {
            limits,
            epoch: now,
            phase: Phase::Seeking,
            target: limits.clamp(limits.start.bps() as f64),
            capacity: None,
            history: History::default(),
            delay: Delay::default(),
            delivered: Delivered::default(),
            loss: Loss::default(),
            prober: Prober::default(),
            sending: SendRate::default(),
            round_trip: None,
            grew: now,
            heard: now,
            last_sent: None,
        };
        this.probe_if_due(now);
        this
    }

    /// Takes other limits; the estimate moves into them at once.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.target = limits.clamp(self.target);
    }

    /// A packet left.
    pub fn on_sent(&mut self, sent: Sent) {
        let idle = self.last_sent.is_none_or(|last| sent.at.saturating_duration_since(last) > IDLE);
        if idle && self.last_sent.is_some() {
            self.phase = Phase::Seeking;
            self.set_target(self.target * 0.5);
        }
        if !self.history.in_flight() {
            self.heard = self.heard.max(sent.at);
        }
        self.last_sent = Some(sent.at);
        self.history.insert(sent);
        self.prober.on_sent(sent);
        self.sending.on_sent(self.since_epoch(sent.at), sent.size);
    }

    /// The receiver told of packets, in any order, perhaps again.
    pub fn on_feedback(&mut self, now: Instant, arrivals: &[Arrival]) {
        let heard = self.history.resolve(arrivals);
        if heard.is_empty() {
            return;
        }
        self.heard = now;
        let newest = heard.iter().map(|heard| heard.sent.at).max().unwrap_or(now);
        for heard in &heard {
            self.take(heard);
        }
        self.measure_round_trip(now.saturating_duration_since(newest));
        self.judge_delay(now, newest);
        self.judge_loss(now);
        self.grow(now);
        if let Some(finding) = self.prober.conclude(now, self.loss.inherent()) {
            self.take_finding(now, finding);
        }
        self.probe_if_due(now);
    }

    /// The round trip as RTCP measured it; counts until feedback tells better.
    pub fn on_round_trip(&mut self, _now: Instant, round_trip: Duration) {
        self.round_trip.get_or_insert(round_trip);
    }

    /// Another path is in use: what was learnt of the old one is void.
    pub fn on_route_change(&mut self, now: Instant) {
        let start = self.limits.clamp(self.target.min(self.limits.start.bps() as f64));
        *self = Self::new(self.limits, now);
        self.target = start;
    }

    /// Call it when [`Controller::poll_timeout`] has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.silence_ends().is_some_and(|at| at <= now) {
            self.heard = now;
            self.set_target(self.target * 0.5);
            self.phase = Phase::Holding;
        }
        if let Some(finding) = self.prober.conclude(now, self.loss.inherent()) {
            self.take_finding(now, finding);
        }
        self.probe_if_due(now);
    }

    /// When the controller wants to be called with nothing new.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let probe = self.prober.poll_timeout().filter(|_| self.history.in_flight());
        [self.silence_ends(), probe].into_iter().flatten().min()
    }

    /// What is known now.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        let pacing = if matches!(self.phase, Phase::Draining { .. }) { 1.1 } else { PACING };
        Estimate {
            target: BitRate::from_bps(self.target as u64),
            pacing: BitRate::from_bps((self.target * pacing) as u64),
            round_trip: self.round_trip,
            loss: self.loss.share(),
            queueing: Duration::from_secs_f64(self.delay.queueing().clamp(0.0, 60.0)),
        }
    }

    /// A probe to hand to the pacer, if one is wanted.
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.prober.poll()
    }

    fn take(&mut self, heard: &Heard) {
        self.prober.on_heard(self.epoch, heard);
        if heard.was_lost {
            self.loss.on_late(heard.sent.at);
        } else {
            self.loss.on_packet(heard.sent.at, heard.received.is_none());
        }
        if let Some(received) = heard.received {
            let sent = self.since_epoch(heard.sent.at);
            let way = received - sent;
            self.delay.on_packet(sent, way);
            self.delivered.on_packet(received, self.delay.over_base(way), heard.sent.size);
        }
    }

    fn measure_round_trip(&mut self, sample: Duration) {
        let old = self.round_trip.unwrap_or(sample);
        self.round_trip = Some(old.mul_f64(0.8) + sample.min(Duration::from_secs(60)).mul_f64(0.2));
    }

    fn judge_delay(&mut self, now: Instant, newest: Instant) {
        let queue = self.delay.queueing();
        match self.phase {
            Phase::Seeking | Phase::Holding if queue > QUEUE_HIGH => {
                self.loss.on_queue();
                self.phase = Phase::Draining { cut: now, least: (now, queue) };
                self.drain(queue);
            }
            Phase::Draining { cut, least } => {
                let least = if queue < least.1 - 0.01 { (now, queue) } else { least };
                let stuck = now.saturating_duration_since(least.0) > DRAIN_PATIENCE + self.round_trip() * 2;
                if newest < cut {
                    self.phase = Phase::Draining { cut, least };
                } else if queue < QUEUE_LOW || stuck {
                    self.hold(stuck);
                } else {
                    self.phase = Phase::Draining { cut, least };
                    self.drain(queue);
                }
            }
            Phase::Seeking | Phase::Holding => {}
        }
    }

    /// The queue is gone, or it isn't ours.
    fn hold(&mut self, stuck: bool) {
        if stuck {
            self.delay.rebase();
        }
        self.phase = Phase::Holding;
        self.set_target(self.capacity.unwrap_or(self.target) * HOLD_SHARE);
    }

    /// Sends so much less than the bottleneck gives that a queue of so many seconds is gone soon.
    fn drain(&mut self, queue: f64) {
        let through = 1.0 / (1.0 - self.loss.inherent().min(0.6));
        let measured = self.delivered.rate_while_queued(QUEUE_LOW).or_else(|| self.delivered.rate());
        let capacity = measured
            .map_or(self.target * 0.85, |rate| rate * through)
            .min(self.target.max(self.capacity.unwrap_or(0.0)));
        self.capacity = Some(capacity);
        let share = (1.0 - queue / DRAIN_TIME).clamp(DRAIN_LEAST, HOLD_SHARE);
        self.set_target(capacity * share);
    }

    fn judge_loss(&mut self, now: Instant) {
        if matches!(self.phase, Phase::Draining { .. }) {
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

    fn grow(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.grew).as_secs_f64().min(0.2);
        self.grew = now;
        let draining = matches!(self.phase, Phase::Draining { .. });
        let used = self.sending.rate() > self.target * USED_SHARE;
        if draining || !used || self.loss.is_experimenting() || self.delay.queueing() > QUEUE_CALM {
            return;
        }
        let below = self.capacity.is_none_or(|capacity| self.target < capacity * 0.85);
        let growth = if below { self.target * RECOVERY } else { GROWTH.min(self.target * GROWTH_SHARE) };
        self.set_target(self.target + growth * passed);
    }

    fn take_finding(&mut self, now: Instant, finding: Option<Finding>) {
        let period = probing::PERIOD.max(Duration::from_secs_f64(Prober::cost(self.target) / (self.target * 0.06)));
        self.prober.rest(now, period);
        let Some(finding) = finding else { return };
        if matches!(self.phase, Phase::Draining { .. }) {
            return;
        }
        if finding.clean {
            self.set_target(self.target.max(finding.rate * HOLD_SHARE));
            self.prober.rest(now, Duration::ZERO);
        } else if finding.rate * HOLD_SHARE > self.target * 1.05 {
            self.capacity = Some(finding.rate);
            self.phase = Phase::Holding;
            self.set_target(finding.rate * 0.9);
        }
    }

    fn probe_if_due(&mut self, now: Instant) {
        let room = self.target < self.limits.clamp(f64::MAX) * 0.99;
        let calm = self.delay.queueing() < QUEUE_CALM && !self.loss.is_experimenting();
        if !room || !calm || matches!(self.phase, Phase::Draining { .. }) || !self.prober.is_due(now) {
            return;
        }
        let factor = if self.round_trip.is_none() { 3.0 } else { 2.0 };
        let rate = (self.target * factor).min(self.limits.clamp(f64::MAX) * 1.1);
        self.prober.ask(now, rate, self.delay.jitter());
    }

    fn silence_ends(&self) -> Option<Instant> {
        self.history.in_flight().then(|| self.heard + SILENCE + self.round_trip() * 3)
    }

    fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(Duration::from_millis(200)).min(Duration::from_secs(3))
    }

    fn set_target(&mut self, rate: f64) {
        self.target = self.limits.clamp(if rate.is_finite() { rate } else { 0.0 });
    }

    fn since_epoch(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.epoch).as_secs_f64()
    }
}

/// What is being sent, smoothed over about half a second.
#[derive(Debug, Default)]
struct SendRate {
    bits: f64,
    at: f64,
}

impl SendRate {
    const TIME: f64 = 0.5;

    fn on_sent(&mut self, at: f64, bytes: usize) {
        let passed = (at - self.at).max(0.0);
        self.bits = self.bits * (-passed / Self::TIME).exp() + bytes as f64 * 8.0;
        self.at = self.at.max(at);
    }

    fn rate(&self) -> f64 {
        self.bits / Self::TIME
    }
}
