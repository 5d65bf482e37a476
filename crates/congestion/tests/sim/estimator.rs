//! What a media flow asks of an estimator: ours, or another put in its place for comparison.

use std::time::Instant;

use visavis_congestion::{Arrival, Controller, Estimate, Limits, Probe, Sent};

/// The [`Controller`]'s surface, as far as a flow uses it.
pub trait Estimator {
    fn on_sent(&mut self, sent: Sent);
    fn on_feedback(&mut self, now: Instant, arrivals: &[Arrival]);
    fn handle_timeout(&mut self, now: Instant);
    fn poll_timeout(&self) -> Option<Instant>;
    fn poll_probe(&mut self) -> Option<Probe>;
    fn estimate(&self) -> Estimate;
}

/// Makes one for a flow that begins now.
pub type NewEstimator = fn(Limits, Instant) -> Box<dyn Estimator>;

pub fn ours(limits: Limits, now: Instant) -> Box<dyn Estimator> {
    Box::new(Controller::new(limits, now))
}

impl Estimator for Controller {
    fn on_sent(&mut self, sent: Sent) {
        self.on_sent(sent);
    }

    fn on_feedback(&mut self, now: Instant, arrivals: &[Arrival]) {
        self.on_feedback(now, arrivals);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn poll_probe(&mut self) -> Option<Probe> {
        self.poll_probe()
    }

    fn estimate(&self) -> Estimate {
        self.estimate()
    }
}
