//! Loss, and whose it is.
//!
//! A radio link loses packets whatever we send; a full queue loses them because of us. Both look alike in one report, so the rate
//! is cut once to what gets through: loss that goes away was ours, and the cut stays; loss that stays is the path's, the cut is
//! taken back and only loss beyond that share counts from then on.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The share of lost packets is taken over the packets sent in so long,
const WINDOW: Duration = Duration::from_millis(600);
/// and from so many packets on.
const LEAST_PACKETS: usize = 20;
/// Loss up to this share is nobody's trouble.
const HARMLESS: f64 = 0.03;
/// Loss must pass the path's own share by this much to count again.
const BEYOND: f64 = 0.06;
/// The encoder and the pacer need so long to follow a cut.
const LAG: Duration = Duration::from_millis(250);
/// After an experiment the next one waits so long.
const REST: Duration = Duration::from_secs(2);
/// The path's own share is forgotten by this factor a second.
const FORGET: f64 = 0.03;

/// What is to be done with the rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// Nothing.
    Fine,
    /// Cut it to what gets through: the experiment begins.
    Cut,
    /// The loss went away: stay where we are.
    Ours,
    /// The loss stayed: back to this rate.
    ThePaths(f64),
}

#[derive(Debug)]
struct Experiment {
    /// Packets sent from here on tell.
    since: Instant,
    loss: f64,
    rate: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Loss {
    /// Sent at, and whether lost.
    packets: VecDeque<(Instant, bool)>,
    lost: usize,
    /// The path's own share.
    inherent: f64,
    experiment: Option<Experiment>,
    rest_until: Option<Instant>,
    forgot_at: Option<Instant>,
}

impl Loss {
    pub(crate) fn on_packet(&mut self, sent: Instant, lost: bool) {
        self.packets.push_back((sent, lost));
        self.lost += usize::from(lost);
        while self.packets.len() > LEAST_PACKETS
            && self.packets.front().is_some_and(|(at, _)| sent.saturating_duration_since(*at) > WINDOW)
        {
            self.lost -= usize::from(self.packets.pop_front().is_some_and(|(_, lost)| lost));
        }
    }

    /// A packet that was called lost arrived after all.
    pub(crate) fn on_late(&mut self, sent: Instant) {
        if let Some(packet) = self.packets.iter_mut().find(|packet| packet.0 == sent && packet.1) {
            packet.1 = false;
            self.lost -= 1;
        }
    }

    /// Share of packets lost lately.
    pub(crate) fn share(&self) -> f64 {
        self.lost as f64 / self.packets.len().max(LEAST_PACKETS) as f64
    }

    /// Share of packets that the path loses whatever is sent.
    pub(crate) fn inherent(&self) -> f64 {
        self.inherent.min(self.share())
    }

    pub(crate) fn judge(&mut self, now: Instant, rate: f64) -> Verdict {
        self.forget(now);
        if let Some(experiment) = &self.experiment {
            return self.conclude(now, experiment.since);
        }
        let resting = self.rest_until.is_some_and(|until| now < until);
        if resting || self.packets.len() < LEAST_PACKETS || self.share() <= HARMLESS.max(self.inherent + BEYOND) {
            return Verdict::Fine;
        }
        self.experiment = Some(Experiment { since: now + LAG, loss: self.share(), rate });
        Verdict::Cut
    }

    pub(crate) fn is_experimenting(&self) -> bool {
        self.experiment.is_some()
    }

    /// The queue's delay has already told that we send too much: the loss is ours, and nothing is to be learnt.
    pub(crate) fn on_queue(&mut self) {
        self.experiment = None;
    }

    fn conclude(&mut self, now: Instant, since: Instant) -> Verdict {
        let after = self.packets.iter().filter(|(sent, _)| *sent >= since);
        let (count, lost) = after.fold((0_u32, 0_u32), |(count, lost), packet| (count + 1, lost + u32::from(packet.1)));
        let span = self.packets.back().map_or(Duration::ZERO, |(sent, _)| sent.saturating_duration_since(since));
        if (count as usize) < LEAST_PACKETS || span < WINDOW / 2 {
            return Verdict::Fine;
        }
        let Some(experiment) = self.experiment.take() else { return Verdict::Fine };
        self.rest_until = Some(now + REST);
        let share = f64::from(lost) / f64::from(count);
        if share < experiment.loss * 0.5 {
            return Verdict::Ours;
        }
        self.inherent = self.inherent.max(share.max(experiment.loss));
        Verdict::ThePaths(experiment.rate)
    }

    fn forget(&mut self, now: Instant) {
        let since = self.forgot_at.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        self.inherent *= 1.0 - (FORGET * since.as_secs_f64()).min(1.0);
    }
}
