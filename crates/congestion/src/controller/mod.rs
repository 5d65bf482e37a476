//! The estimator: how much the path carries, from the receiver's word on each packet.
//!
//! ```text
//! Seeking ── queue ──> Draining ── queue gone ──> Holding ── queue ──> Draining
//!    └── silence: cut by half, each round trip again      └── a probe shows more room: up at once
//! ```
//! - **Seeking**: no limit was met yet; probes double the rate.
//! - **Draining**: a queue stands. What comes out of it is the capacity; the rate goes below that until the queue is gone.
//! - **Holding**: near the capacity last seen; grows slowly, and a probe each second or two asks whether there is more. How much of what it
//!   finds is taken depends on how earlier ones turned out ([`crate::trust`]).
//!
//! Congestion is told by delay as in the delay-based half of draft-ietf-rmcat-gcc-02 and in RFC 8698, but by the queue's length
//! itself. Loss with no queue is judged in [`crate::loss`].

mod draining;
mod growing;

use std::time::{Duration, Instant};

use visavis_frame::BitRate;

use self::draining::Drain;
use self::growing::SendRate;
use crate::delay::Delay;
use crate::delivered::Delivered;
use crate::history::{Heard, History};
use crate::loss::Loss;
use crate::packet::{Arrival, Estimate, Limits, Probe, Sent};
use crate::probing::Prober;
use crate::trust::Trust;

/// How much faster than the target a picture may leave while the path may carry more,
const PACING: f64 = 1.5;
/// and near its limit: what leaves faster only waits in the path's queue, where it looks like congestion to us and to others.
const PACING_AT_LIMIT: f64 = 1.25;
/// With packets on their way and no word for this and three round trips, the rate is cut.
const SILENCE: Duration = Duration::from_millis(300);
/// Beyond the round trip, so much may be on its way unheard of: the receiver's interval and a queue that is still bearable.
const IN_FLIGHT: f64 = 0.2;
/// The pacer's share of the target while more than that is on its way.
const HELD_BACK: f64 = 0.2;
/// After so long without sending the path is asked anew.
const IDLE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
enum Phase {
    Seeking,
    Draining(Drain),
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
    trust: Trust,
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
            trust: Trust::default(),
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
        if let Some(finding) = self.prober.conclude(now, self.loss.inherent(), self.jitter()) {
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
        if let Some(finding) = self.prober.conclude(now, self.loss.inherent(), self.jitter()) {
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
        let pacing = match self.phase {
            _ if self.too_much_in_flight() => HELD_BACK,
            Phase::Draining(_) => 1.1,
            Phase::Seeking => PACING,
            Phase::Holding => PACING_AT_LIMIT,
        };
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
        let sample = sample.min(Duration::from_secs(60));
        self.round_trip = Some(old.mul_f64(0.8) + sample.mul_f64(0.2));
    }

    fn too_much_in_flight(&self) -> bool {
        let bearable = self.target / 8.0 * (self.round_trip().as_secs_f64() + IN_FLIGHT);
        self.history.bytes_in_flight() as f64 > bearable.max(6_000.0)
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
