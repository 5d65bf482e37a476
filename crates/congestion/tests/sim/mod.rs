//! A seeded link simulator in virtual time: packets and rates, no pictures.
//!
//! Flows share one link each way. A media flow is the real [`Controller`](visavis_congestion::Controller) and
//! [`Pacer`](visavis_congestion::Pacer) under a model of an encoder (RFC 8867, section 4.3: its rate follows the target 100 ms late, each
//! picture ± 5%); its receiver reports every 50 ms through the other link. The same case and seed give the same run.

#![allow(dead_code, unreachable_pub, reason = "each test and the example use a part of it")]
#![allow(clippy::wildcard_enum_match_arm, reason = "events that are meant for others")]

pub mod cases;
pub mod estimator;
mod flow;
mod link;
pub mod report;
mod tcp;
mod trace;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use visavis_congestion::Arrival;

pub use flow::MediaSpec;
pub use link::{LinkSpec, Loss, Queue};
pub use tcp::TcpSpec;
pub use trace::{BIN, Trace};

use flow::Media;
use link::Link;
use tcp::Tcp;

/// What shares the links.
#[derive(Clone, Debug)]
pub enum Traffic {
    Media(MediaSpec),
    Tcp(TcpSpec),
}

/// One run.
#[derive(Clone, Debug)]
pub struct Case {
    pub seed: u64,
    pub seconds: f64,
    pub forward: LinkSpec,
    pub backward: LinkSpec,
    pub traffic: Vec<Traffic>,
}

/// Which link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    Forward,
    Backward,
}

impl Way {
    fn other(self) -> Self {
        match self {
            Self::Forward => Self::Backward,
            Self::Backward => Self::Forward,
        }
    }
}

#[derive(Clone, Debug)]
pub enum Body {
    Media { sequence: u64 },
    Feedback(Vec<Arrival>),
    Data { number: u64 },
    Ack { next: u64 },
}

#[derive(Clone, Debug)]
pub struct Packet {
    pub flow: usize,
    pub size: usize,
    pub queued: Duration,
    pub body: Body,
}

#[derive(Debug)]
pub enum Event {
    /// The link has sent its first packet out.
    Served(Way),
    /// A packet came out at the far end.
    Arrived(Way, Packet),
    Frame(usize),
    Audio(usize),
    Wake(usize),
    Feedback(usize),
    TcpStart(usize),
    TcpTimer(usize, u64),
}

struct Scheduled {
    at: Duration,
    order: u64,
    event: Event,
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Scheduled {}
impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// What every part of the run may touch: the time, what is to come, chance.
pub struct World {
    pub now: Duration,
    pub epoch: Instant,
    pub rng: Rng,
    events: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
}

impl World {
    pub fn at(&mut self, at: Duration, event: Event) {
        self.order += 1;
        self.events.push(Reverse(Scheduled { at: at.max(self.now), order: self.order, event }));
    }

    pub fn after(&mut self, time: Duration, event: Event) {
        self.at(self.now + time, event);
    }

    pub fn instant(&self) -> Instant {
        self.epoch + self.now
    }
}

enum Flow {
    Media(Box<Media>),
    Tcp(Box<Tcp>),
}

/// Runs a case to its end.
pub fn run(case: &Case) -> Vec<Trace> {
    run_with(case, estimator::ours)
}

/// The same with another estimator.
pub fn run_with(case: &Case, new: estimator::NewEstimator) -> Vec<Trace> {
    #[allow(clippy::disallowed_methods, reason = "the zero of virtual time; nothing depends on which")]
    let epoch = Instant::now();
    let mut world = World {
        now: Duration::ZERO,
        epoch,
        rng: Rng(case.seed ^ 0x9E37_79B9_7F4A_7C15),
        events: BinaryHeap::new(),
        order: 0,
    };
    let mut links = [Link::new(Way::Forward, case.forward.clone()), Link::new(Way::Backward, case.backward.clone())];
    let mut traces: Vec<Trace> = case.traffic.iter().map(|_| Trace::new(case.seconds)).collect();
    let mut flows: Vec<Flow> = Vec::new();
    for (index, traffic) in case.traffic.iter().enumerate() {
        flows.push(match traffic {
            Traffic::Media(spec) => Flow::Media(Box::new(Media::new(index, spec.clone(), new, &mut world))),
            Traffic::Tcp(spec) => Flow::Tcp(Box::new(Tcp::new(index, spec.clone(), &mut world))),
        });
    }
    let end = Duration::from_secs_f64(case.seconds);
    while let Some(Reverse(scheduled)) = world.events.pop() {
        if scheduled.at > end {
            break;
        }
        world.now = scheduled.at;
        step(scheduled.event, &mut world, &mut links, &mut flows, &mut traces);
    }
    traces
}

fn step(event: Event, world: &mut World, links: &mut [Link; 2], flows: &mut [Flow], traces: &mut [Trace]) {
    match event {
        Event::Served(way) => {
            if let Some((packet, waited)) = links[way as usize].served(world) {
                traces[packet.flow].on_queue(world.now, waited, &packet);
            }
        }
        Event::Arrived(way, packet) => {
            let index = packet.flow;
            match &mut flows[index] {
                Flow::Media(media) => media.arrived(packet, way, world, links, &mut traces[index]),
                Flow::Tcp(tcp) => tcp.arrived(&packet, world, links, &mut traces[index]),
            }
        }
        Event::Frame(index) | Event::Audio(index) | Event::Wake(index) | Event::Feedback(index) => {
            if let Flow::Media(media) = &mut flows[index] {
                media.event(&event, world, links, &mut traces[index]);
            }
        }
        Event::TcpStart(index) | Event::TcpTimer(index, _) => {
            if let Flow::Tcp(tcp) = &mut flows[index] {
                tcp.event(&event, world, links);
            }
        }
    }
}

/// SplitMix64.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and deviation 1, cut at ± 3.
    pub fn normal(&mut self) -> f64 {
        loop {
            let radius = (-2.0 * self.share().max(1e-12).ln()).sqrt();
            let value = radius * (std::f64::consts::TAU * self.share()).cos();
            if value.abs() <= 3.0 {
                return value;
            }
        }
    }

    /// Exponential with that mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * self.share().max(1e-12).ln()
    }
}
