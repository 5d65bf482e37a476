//! A TCP-like competitor: slow start, congestion avoidance and one halving for each loss (RFC 5681), acknowledged packet by packet.

use std::collections::BTreeSet;
use std::time::Duration;

use super::link::Link;
use super::{Body, Event, Packet, Trace, Way, World};

const SEGMENT: usize = 1500;
const ACK: usize = 40;

#[derive(Clone, Debug)]
pub struct TcpSpec {
    pub start: f64,
    /// Bytes of each connection, least and most, and the mean of the exponential pause after it, seconds; `None`: one endless connection.
    pub short: Option<(u64, u64, f64)>,
}

pub struct Tcp {
    index: usize,
    spec: TcpSpec,
    window: f64,
    threshold: f64,
    /// Next segment to send, first unacknowledged, one past the last of this connection.
    next: u64,
    acknowledged: u64,
    end: u64,
    repeats: u32,
    recover: u64,
    timer: u64,
    // The receiver.
    expected: u64,
    beyond: BTreeSet<u64>,
}

impl Tcp {
    pub fn new(index: usize, spec: TcpSpec, world: &mut World) -> Self {
        let wait = spec.short.map_or(0.0, |(_, _, mean)| world.rng.exponential(mean));
        world.at(Duration::from_secs_f64(spec.start + wait), Event::TcpStart(index));
        Self {
            index,
            spec,
            window: 10.0,
            threshold: 1e9,
            next: 0,
            acknowledged: 0,
            end: 0,
            repeats: 0,
            recover: 0,
            timer: 0,
            expected: 0,
            beyond: BTreeSet::new(),
        }
    }

    pub fn event(&mut self, event: &Event, world: &mut World, links: &mut [Link; 2]) {
        match event {
            Event::TcpStart(_) => {
                let bytes =
                    self.spec.short.map_or(u64::MAX / 4, |(least, most, _)| least + world.rng.next() % (most - least));
                self.end = self.next + bytes.div_ceil(SEGMENT as u64);
                (self.window, self.threshold) = (10.0, 1e9);
                self.fill(world, links);
                self.arm(world);
            }
            Event::TcpTimer(_, timer)
                if *timer == self.timer && self.acknowledged < self.end && self.next > self.acknowledged =>
            {
                self.threshold = (self.window / 2.0).max(2.0);
                self.window = 1.0;
                self.next = self.acknowledged;
                self.fill(world, links);
                self.arm(world);
            }
            _ => {}
        }
    }

    pub fn arrived(&mut self, packet: &Packet, world: &mut World, links: &mut [Link; 2], trace: &mut Trace) {
        match packet.body {
            Body::Data { number } => {
                trace.on_delivered(world.now, packet.size, visavis_congestion::Kind::Video);
                self.beyond.insert(number);
                while self.beyond.remove(&self.expected) {
                    self.expected += 1;
                }
                self.beyond.retain(|number| *number > self.expected);
                let ack =
                    Packet { flow: self.index, size: ACK, queued: world.now, body: Body::Ack { next: self.expected } };
                links[Way::Backward as usize].push(ack, Duration::ZERO, world);
            }
            Body::Ack { next } => self.acked(next, world, links),
            Body::Media { .. } | Body::Feedback(_) => {}
        }
    }

    fn acked(&mut self, next: u64, world: &mut World, links: &mut [Link; 2]) {
        if next > self.acknowledged {
            let count = (next - self.acknowledged) as f64;
            let recovering = next < self.recover;
            self.acknowledged = next;
            self.next = self.next.max(next);
            self.repeats = 0;
            if recovering {
                self.send(next, world, links);
            } else if self.window < self.threshold {
                self.window += count;
            } else {
                self.window += count / self.window;
            }
            self.arm(world);
        } else {
            self.repeats += 1;
            if self.repeats == 3 && self.acknowledged >= self.recover {
                self.threshold = (self.window / 2.0).max(2.0);
                self.window = self.threshold;
                self.recover = self.next;
                self.send(self.acknowledged, world, links);
            }
        }
        if self.acknowledged >= self.end {
            if let Some((_, _, mean)) = self.spec.short {
                let wait = world.rng.exponential(mean);
                (self.end, self.timer) = (0, self.timer + 1);
                world.after(Duration::from_secs_f64(wait), Event::TcpStart(self.index));
            }
            return;
        }
        self.fill(world, links);
    }

    fn fill(&mut self, world: &mut World, links: &mut [Link; 2]) {
        while self.next < self.end && ((self.next - self.acknowledged) as f64) < self.window + f64::from(self.repeats) {
            self.send(self.next, world, links);
            self.next += 1;
        }
    }

    fn send(&self, number: u64, world: &mut World, links: &mut [Link; 2]) {
        let packet = Packet { flow: self.index, size: SEGMENT, queued: world.now, body: Body::Data { number } };
        links[Way::Forward as usize].push(packet, Duration::ZERO, world);
    }

    fn arm(&mut self, world: &mut World) {
        self.timer += 1;
        world.after(Duration::from_secs(1), Event::TcpTimer(self.index, self.timer));
    }
}
