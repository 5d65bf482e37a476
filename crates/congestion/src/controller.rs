//! The estimator.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use visavis_frame::BitRate;

use crate::packet::{Arrival, Estimate, Kind, Limits, Probe, ProbeId, Sent};

/// With data in flight and no word of it for so long, the rate is cut.
const LEAST_SILENCE: Duration = Duration::from_millis(500);
/// Packets of which nothing is heard for so long are forgotten.
const MEMORY: Duration = Duration::from_secs(10);

/// Estimates what the path carries.
#[derive(Debug)]
pub struct Controller {
    limits: Limits,
    target: f64,
    in_flight: BTreeMap<u64, Sent>,
    epoch: Instant,
    shortest_way: Option<f64>,
    queueing: Duration,
    loss: f64,
    round_trip: Option<Duration>,
    last_feedback: Instant,
    next_probe: u32,
    probe: Option<Probe>,
}

impl Controller {
    /// A controller that knows nothing of the path yet.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Self {
        let target = limits.clamp(limits.start.bps() as f64);
        let mut this = Self {
            limits,
            target,
            in_flight: BTreeMap::new(),
            epoch: now,
            shortest_way: None,
            queueing: Duration::ZERO,
            loss: 0.0,
            round_trip: None,
            last_feedback: now,
            next_probe: 0,
            probe: None,
        };
        this.ask_for_probe(3.0);
        this
    }

    /// Takes other limits; the estimate moves into them at once.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        self.target = limits.clamp(self.target);
    }

    /// A packet left.
    pub fn on_sent(&mut self, sent: Sent) {
        if self.in_flight.is_empty() {
            self.last_feedback = self.last_feedback.max(sent.at);
        }
        self.in_flight.insert(sent.sequence, sent);
        while let Some(oldest) = self.in_flight.first_entry() {
            if sent.at.saturating_duration_since(oldest.get().at) < MEMORY {
                break;
            }
            oldest.remove();
        }
    }

    /// The receiver told of packets, in any order, perhaps again.
    pub fn on_feedback(&mut self, now: Instant, arrivals: &[Arrival]) {
        self.last_feedback = now;
        let mut lost = 0.0;
        let mut total = 0.0;
        for arrival in arrivals {
            let Some(sent) = self.in_flight.remove(&arrival.sequence) else { continue };
            total += 1.0;
            let Some(received) = arrival.received else {
                lost += 1.0;
                continue;
            };
            let way = received.as_secs_f64() - sent.at.saturating_duration_since(self.epoch).as_secs_f64();
            let shortest = self.shortest_way.map_or(way, |shortest| shortest.min(way));
            self.shortest_way = Some(shortest);
            self.queueing = Duration::from_secs_f64((way - shortest).clamp(0.0, 10.0));
            if sent.kind != Kind::Audio {
                self.round_trip = Some(now.saturating_duration_since(sent.at));
            }
        }
        if total > 0.0 {
            self.loss += (lost / total - self.loss) * 0.2;
            let factor = if self.queueing > Duration::from_millis(50) { 0.9 } else { 1.02 };
            self.target = self.limits.clamp(self.target * factor);
        }
    }

    /// The round trip as RTCP measured it.
    pub fn on_round_trip(&mut self, _now: Instant, round_trip: Duration) {
        self.round_trip.get_or_insert(round_trip);
    }

    /// Another path is in use: what was learnt of the old one is void.
    pub fn on_route_change(&mut self, now: Instant) {
        *self = Self::new(self.limits, now);
    }

    /// Call it when [`Controller::poll_timeout`] has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.target = self.limits.clamp(self.target * 0.5);
            self.last_feedback = now;
        }
    }

    /// When the controller wants to be called with nothing new.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        (!self.in_flight.is_empty()).then(|| self.last_feedback + LEAST_SILENCE)
    }

    /// What is known now.
    #[must_use]
    pub fn estimate(&self) -> Estimate {
        Estimate {
            target: BitRate::from_bps(self.target as u64),
            pacing: BitRate::from_bps((self.target * 1.5) as u64),
            round_trip: self.round_trip,
            loss: self.loss,
            queueing: self.queueing,
        }
    }

    /// A probe to hand to the pacer, if one is wanted.
    pub fn poll_probe(&mut self) -> Option<Probe> {
        self.probe.take()
    }

    fn ask_for_probe(&mut self, factor: f64) {
        let rate = self.target * factor;
        self.probe = Some(Probe {
            id: ProbeId(self.next_probe),
            rate: BitRate::from_bps(rate as u64),
            packets: 5,
            bytes: (rate * 0.015 / 8.0) as usize,
        });
        self.next_probe = self.next_probe.wrapping_add(1);
    }
}
