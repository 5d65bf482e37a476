//! What to do about a queue: send less than the bottleneck gives until it is gone.

use std::time::{Duration, Instant};

use super::{Controller, Phase};

/// A queue of so many seconds is congestion.
const QUEUE_HIGH: f64 = 0.025;
/// A queue that stands in spite of a cut says that there is less capacity than was thought if it is so many times longer.
const LONG: f64 = 1.5;
/// Where this share of the target comes through, the target was right.
const AS_SENT: f64 = 0.95;
/// A queue that is shorter is none.
const QUEUE_LOW: f64 = 0.012;
/// With more queue than this the rate doesn't grow, it yields.
const QUEUE_CALM: f64 = 0.012;
/// A queue is to be gone after so many seconds.
const DRAIN_TIME: f64 = 0.3;
/// Never drain below this share of the capacity: speech and a picture now and then must go on.
const DRAIN_LEAST: f64 = 0.2;
/// A queue that doesn't shrink for so long although we send less isn't ours: the path has become longer.
const DRAIN_PATIENCE: Duration = Duration::from_millis(1500);
/// A cut to less than this share of the target is taken as measured,
const SHARP_CUT: f64 = 0.65;
/// a milder one isn't deeper than this share.
const MILD_CUT: f64 = 0.85;
/// Bits of the largest packet.
const LARGE_PACKET: f64 = 9_600.0;
/// Where the queue didn't move, the rate comes back to this share of what it was.
const UNMOVED_SHARE: f64 = 0.7;
/// How much jitter may lengthen what counts as a queue, seconds.
const JITTER_MOST: f64 = 0.01;
/// The share of the capacity to send at once the queue is gone.
pub(super) const HOLD_SHARE: f64 = 0.95;

#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// Packets sent from here on saw the present rate.
    cut: Instant,
    /// The shortest queue so far and when it was seen.
    least: (Instant, f64),
    /// The queue when the rate was last cut.
    queue: f64,
    /// Where it all began.
    began: Instant,
    /// The target then.
    target: f64,
}

impl Controller {
    pub(super) fn judge_delay(&mut self, now: Instant, newest: Instant) {
        let queue = self.delay.queueing();
        match self.phase {
            Phase::Seeking | Phase::Holding if queue > self.high() => {
                self.loss.on_queue();
                let capacity = self.measured_capacity();
                self.trust.on_congestion(now, self.round_trip(), capacity < self.target * AS_SENT);
                self.capacity = Some(capacity);
                let drain = Drain { cut: now, least: (now, queue), queue, began: now, target: self.target };
                self.phase = Phase::Draining(drain);
                self.drain(queue);
            }
            Phase::Draining(drain) => self.judge_drain(now, newest, queue, drain),
            Phase::Seeking | Phase::Holding => {}
        }
    }

    fn judge_drain(&mut self, now: Instant, newest: Instant, queue: f64, mut drain: Drain) {
        if queue < drain.least.1 - 0.01 {
            drain.least = (now, queue);
        }
        self.phase = Phase::Draining(drain);
        if newest < drain.cut {
            // All of this left before the cut.
            return;
        }
        let stuck = now.saturating_duration_since(drain.least.0) > DRAIN_PATIENCE + self.round_trip() * 2;
        let small = queue < self.high() && drain.queue < self.high() * 1.5;
        if stuck {
            self.delay.rebase();
            self.hold(now, &drain, drain.target * UNMOVED_SHARE);
        } else if queue < QUEUE_LOW || small {
            self.hold(now, &drain, 0.0);
        } else {
            self.drain_further(now, queue, drain);
        }
    }

    /// The queue still stands although what left after the cut has arrived.
    fn drain_further(&mut self, now: Instant, queue: f64, drain: Drain) {
        let measured = self.measured_capacity();
        let capacity = self.capacity.unwrap_or(measured);
        // What comes out of a shrinking queue, or of a short one that others keep up, is what we sent, not what we could have: whoever has the
        // longest round trip would be taken down once for each of its rivals' turns.
        if measured > capacity || queue > (drain.queue * 0.9).max(self.high() * LONG) {
            self.capacity = Some(measured);
        }
        self.phase = Phase::Draining(Drain { cut: now, queue, ..drain });
        self.drain(queue);
    }

    /// The queue is gone, or it isn't ours. Growth goes on as if there had been none: who has the longer round trip drains for longer
    /// and would fall behind its rivals for ever.
    fn hold(&mut self, now: Instant, drain: &Drain, least: f64) {
        let missed = now.saturating_duration_since(drain.began).as_secs_f64().min(1.0);
        let capacity = self.capacity.unwrap_or(self.target);
        self.phase = Phase::Holding;
        self.set_target((capacity * HOLD_SHARE + self.growth(capacity) * missed).max(least));
    }

    /// Queues shorter than this are jitter as much as anything.
    pub(super) fn calm(&self) -> f64 {
        QUEUE_CALM + self.jitter()
    }

    fn high(&self) -> f64 {
        QUEUE_HIGH + self.jitter()
    }

    /// Sends so much less than the bottleneck gives that a queue of so many seconds is gone soon.
    fn drain(&mut self, queue: f64) {
        let share = (1.0 - queue / DRAIN_TIME).clamp(DRAIN_LEAST, HOLD_SHARE);
        self.set_target(self.capacity.unwrap_or(self.target) * share);
    }

    /// What the bottleneck gives us, at most what we thought to send.
    fn measured_capacity(&self) -> f64 {
        let through = 1.0 / (1.0 - self.loss.inherent().min(0.6));
        let measured = self.delivered.rate_while_queued(QUEUE_LOW).or_else(|| self.delivered.rate());
        let most = self.target.max(self.capacity.unwrap_or(0.0));
        let measured = measured.map_or(self.target * MILD_CUT, |rate| (rate * through).min(most));
        // A little less than we sent is what rivals' bursts leave for a moment; much less is another capacity.
        if measured > self.target * SHARP_CUT { measured.max(self.target * MILD_CUT) } else { measured }
    }

    /// Jitter of the path, seconds: what is left when the time that our own large packets take is set aside.
    pub(super) fn jitter(&self) -> f64 {
        let transmission = LARGE_PACKET / self.target.max(1.0);
        (self.delay.jitter() - 0.15 * transmission).clamp(0.0, JITTER_MOST)
    }
}
