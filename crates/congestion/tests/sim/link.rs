//! One direction of the bottleneck: a drop-tail queue, a rate that changes on schedule, delay, jitter and loss.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Event, Packet, Way, World};

/// How much waits before packets are dropped.
#[derive(Clone, Copy, Debug)]
pub enum Queue {
    /// So long at the present rate.
    Time(Duration),
    Packets(usize),
}

/// Loss after the queue that nobody's rate changes.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    None,
    Random(f64),
    /// Gilbert's model: in the bad state everything is lost.
    Gilbert {
        to_bad: f64,
        to_good: f64,
    },
}

#[derive(Clone, Debug)]
pub struct LinkSpec {
    /// Bits per second from second.
    pub capacity: Vec<(f64, f64)>,
    pub queue: Queue,
    /// One way.
    pub delay: Duration,
    /// Standard deviation of the delay, cut at three of them; nothing is reordered (RFC 8868, section 4.5.2).
    pub jitter: Duration,
    pub loss: Loss,
    /// When the loss model is in force, seconds.
    pub loss_during: (f64, f64),
    /// Share of packets that arrive 30 ms late, behind others, and of those that arrive twice.
    pub reordered: f64,
    pub duplicated: f64,
}

impl LinkSpec {
    pub fn new(capacity: &[(f64, f64)], delay_ms: u64) -> Self {
        Self {
            capacity: capacity.to_vec(),
            queue: Queue::Time(Duration::from_millis(300)),
            delay: Duration::from_millis(delay_ms),
            jitter: Duration::ZERO,
            loss: Loss::None,
            loss_during: (0.0, f64::INFINITY),
            reordered: 0.0,
            duplicated: 0.0,
        }
    }

    pub fn jitter(mut self, ms: u64) -> Self {
        self.jitter = Duration::from_millis(ms);
        self
    }

    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    pub fn loss(mut self, loss: Loss) -> Self {
        self.loss = loss;
        self
    }

    pub fn capacity_at(&self, second: f64) -> f64 {
        self.capacity.iter().rev().find(|(from, _)| *from <= second).map_or(1e9, |(_, rate)| *rate)
    }
}

pub struct Link {
    way: Way,
    spec: LinkSpec,
    queue: VecDeque<(Packet, Duration)>,
    bytes: usize,
    last_arrival: Duration,
    bad: bool,
}

impl Link {
    pub fn new(way: Way, spec: LinkSpec) -> Self {
        Self { way, spec, queue: VecDeque::new(), bytes: 0, last_arrival: Duration::ZERO, bad: false }
    }

    /// Takes a packet whose flow has so much more delay on its own; false: the queue is full.
    pub fn push(&mut self, mut packet: Packet, extra: Duration, world: &mut World) -> bool {
        let rate = self.spec.capacity_at(world.now.as_secs_f64());
        let full = match self.spec.queue {
            Queue::Time(time) => (self.bytes + packet.size) as f64 * 8.0 > rate * time.as_secs_f64() && self.bytes > 0,
            Queue::Packets(count) => self.queue.len() >= count,
        };
        if full {
            return false;
        }
        packet.queued = world.now;
        self.bytes += packet.size;
        self.queue.push_back((packet, extra));
        if self.queue.len() == 1 {
            self.serve(world);
        }
        true
    }

    fn serve(&mut self, world: &mut World) {
        if let Some((packet, _)) = self.queue.front() {
            let rate = self.spec.capacity_at(world.now.as_secs_f64());
            world.after(Duration::from_secs_f64(packet.size as f64 * 8.0 / rate), Event::Served(self.way));
        }
    }

    /// The first packet is out; tells how long it waited for others.
    pub fn served(&mut self, world: &mut World) -> Option<(Packet, Duration)> {
        let (packet, extra) = self.queue.pop_front()?;
        self.bytes -= packet.size;
        self.serve(world);
        let own = packet.size as f64 * 8.0 / self.spec.capacity_at(world.now.as_secs_f64());
        let waited = (world.now - packet.queued).saturating_sub(Duration::from_secs_f64(own));
        if !self.loses(world) {
            self.deliver(packet.clone(), extra, world);
        }
        Some((packet, waited))
    }

    fn deliver(&mut self, packet: Packet, extra: Duration, world: &mut World) {
        let jitter = self.spec.jitter.as_secs_f64() * (world.rng.normal() + 3.0);
        let shift = 3.0 * self.spec.jitter.as_secs_f64();
        let delay = (self.spec.delay.as_secs_f64() - shift).max(0.0) + jitter;
        // Jitter is the shared path's; what a flow has of its own comes after it.
        let shared = (world.now + Duration::from_secs_f64(delay)).max(self.last_arrival);
        let late = world.rng.share() < self.spec.reordered;
        if !late {
            self.last_arrival = shared;
        }
        let at = shared + extra + if late { Duration::from_millis(30) } else { Duration::ZERO };
        if world.rng.share() < self.spec.duplicated {
            world.at(at, Event::Arrived(self.way, packet.clone()));
        }
        world.at(at, Event::Arrived(self.way, packet));
    }

    fn loses(&mut self, world: &mut World) -> bool {
        let second = world.now.as_secs_f64();
        if second < self.spec.loss_during.0 || second >= self.spec.loss_during.1 {
            return false;
        }
        match self.spec.loss {
            Loss::None => false,
            Loss::Random(share) => world.rng.share() < share,
            Loss::Gilbert { to_bad, to_good } => {
                let chance = world.rng.share();
                self.bad = if self.bad { chance >= to_good } else { chance < to_bad };
                self.bad
            }
        }
    }
}
