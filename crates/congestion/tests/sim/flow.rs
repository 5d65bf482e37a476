//! A media flow: encoder model, pacer, controller; and its receiver's reports.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use visavis_congestion::{Arrival, Kind, Limits, Pacer, Sent};
use visavis_frame::BitRate;

use super::estimator::{Estimator, NewEstimator};
use super::link::Link;
use super::{Body, Event, Packet, Trace, Way, World};

const FRAME: Duration = Duration::from_nanos(33_333_333);
const AUDIO_FRAME: Duration = Duration::from_millis(20);
const FEEDBACK: Duration = Duration::from_millis(50);
/// RTP with extensions, SRTP, UDP and IP.
const OVERHEAD: usize = 12 + 8 + 10 + 8 + 20;
const PAYLOAD: usize = 1150;
/// 20 kb/s.
const AUDIO_SIZE: usize = 50 + OVERHEAD;
const AUDIO_RATE: f64 = AUDIO_SIZE as f64 * 8.0 * 50.0;
/// The encoder follows a new rate so much later (RFC 8867, section 4.3).
const ENCODER_LAG: Duration = Duration::from_millis(100);
/// A packet that is older isn't sent again.
const RESEND_AGE: Duration = Duration::from_millis(600);

#[derive(Clone, Debug)]
pub struct MediaSpec {
    pub way: Way,
    pub start: f64,
    /// From second to second.
    pub pause: Option<(f64, f64)>,
    /// Its own one-way delay beyond the link's, each way.
    pub extra: Duration,
    pub limits: Limits,
    /// Whether there is a picture to send; else there is only audio.
    pub video: bool,
}

impl MediaSpec {
    /// As RFC 8867, section 4.3 has it: 150 kb/s to 1.5 Mb/s, starting at 150 kb/s; audio beside it.
    pub fn rfc8867(start: f64) -> Self {
        Self::new(150, 150, 1_500 + (AUDIO_RATE / 1e3) as u64, start)
    }

    pub fn new(floor_kbps: u64, start_kbps: u64, ceiling_kbps: u64, start: f64) -> Self {
        let limits = Limits {
            floor: BitRate::from_kbps(floor_kbps),
            start: BitRate::from_kbps(start_kbps),
            ceiling: BitRate::from_kbps(ceiling_kbps),
        };
        Self { way: Way::Forward, start, pause: None, extra: Duration::ZERO, limits, video: true }
    }

    pub fn extra(mut self, ms: u64) -> Self {
        self.extra = Duration::from_millis(ms);
        self
    }

    pub fn backward(mut self) -> Self {
        self.way = Way::Backward;
        self
    }
}

#[derive(Clone, Copy)]
struct Unsent {
    /// When its picture was made.
    made: Duration,
}

pub struct Media {
    index: usize,
    spec: MediaSpec,
    estimator: Box<dyn Estimator>,
    pacer: Pacer<Unsent>,
    sequence: u64,
    sent: BTreeMap<u64, (Sent, Duration)>,
    /// Targets with the time from which the encoder follows them.
    targets: VecDeque<(Duration, f64)>,
    encoder: f64,
    wake: Option<Duration>,
    // The receiver.
    arrived: BTreeMap<u64, Duration>,
    reported: u64,
    late: Vec<u64>,
}

impl Media {
    pub fn new(index: usize, spec: MediaSpec, new: NewEstimator, world: &mut World) -> Self {
        let start = Duration::from_secs_f64(spec.start);
        let began = world.epoch + start;
        let estimator = new(spec.limits, began);
        let pacer = Pacer::new(estimator.estimate().pacing, began);
        // Flows that begin together don't tick together.
        let offset = Duration::from_millis(7 * index as u64);
        world.at(start + offset, Event::Frame(index));
        world.at(start + offset, Event::Audio(index));
        world.at(start + offset + FEEDBACK, Event::Feedback(index));
        let encoder = spec.limits.start.bps() as f64;
        Self {
            index,
            spec,
            estimator,
            pacer,
            sequence: 0,
            sent: BTreeMap::new(),
            targets: VecDeque::new(),
            encoder,
            wake: None,
            arrived: BTreeMap::new(),
            reported: 0,
            late: Vec::new(),
        }
    }

    pub fn event(&mut self, event: &Event, world: &mut World, links: &mut [Link; 2], trace: &mut Trace) {
        match event {
            Event::Frame(_) => self.frame(world, trace),
            Event::Audio(_) => {
                if !self.paused(world) {
                    self.pacer.push(world.instant(), Kind::Audio, AUDIO_SIZE, Unsent { made: world.now });
                }
                world.after(AUDIO_FRAME, Event::Audio(self.index));
            }
            Event::Feedback(_) => {
                self.report(world, links);
                world.after(FEEDBACK, Event::Feedback(self.index));
                return;
            }
            _ if self.wake == Some(world.now) => self.wake = None,
            // An earlier one has taken its place.
            _ => return,
        }
        self.service(world, links, trace);
    }

    pub fn arrived(&mut self, packet: Packet, way: Way, world: &mut World, links: &mut [Link; 2], trace: &mut Trace) {
        match packet.body {
            Body::Media { sequence } if way == self.spec.way => {
                if sequence < self.reported {
                    self.late.push(sequence);
                }
                self.arrived.entry(sequence).or_insert(world.now);
                if let Some((sent, _)) = self.sent.get(&sequence) {
                    trace.on_delivered(world.now, packet.size, sent.kind);
                }
            }
            Body::Feedback(arrivals) => {
                self.resend(&arrivals, world);
                self.estimator.on_feedback(world.instant(), &arrivals);
                self.service(world, links, trace);
            }
            _ => {}
        }
    }

    fn paused(&self, world: &World) -> bool {
        let second = world.now.as_secs_f64();
        self.spec.pause.is_some_and(|(from, to)| second >= from && second < to)
    }

    fn frame(&mut self, world: &mut World, trace: &mut Trace) {
        world.after(FRAME, Event::Frame(self.index));
        let now = world.instant();
        while self.targets.front().is_some_and(|(at, _)| *at <= world.now) {
            self.encoder = self.targets.pop_front().map_or(self.encoder, |(_, rate)| rate);
        }
        if !self.spec.video || self.paused(world) {
            return;
        }
        if self.pacer.is_overdue(now) {
            trace.skipped += 1;
            return;
        }
        let rate = (self.encoder - AUDIO_RATE).max(30_000.0) * (1.0 - self.estimator.estimate().loss.min(0.5));
        let size = rate / 8.0 * FRAME.as_secs_f64() * (1.0 + 0.05 * (2.0 * world.rng.share() - 1.0));
        let packets = (size / (PAYLOAD + OVERHEAD) as f64).ceil().max(1.0);
        for _ in 0..packets as usize {
            self.pacer.push(
                now,
                Kind::Video,
                ((size / packets) as usize).max(OVERHEAD + 20),
                Unsent { made: world.now },
            );
        }
    }

    fn resend(&mut self, arrivals: &[Arrival], world: &World) {
        for arrival in arrivals.iter().filter(|arrival| arrival.received.is_none()) {
            if let Some((sent, made)) = self.sent.get(&arrival.sequence)
                && matches!(sent.kind, Kind::Video | Kind::Resend)
                && world.now - *made < RESEND_AGE
            {
                self.pacer.push(world.instant(), Kind::Resend, sent.size, Unsent { made: *made });
            }
        }
    }

    fn service(&mut self, world: &mut World, links: &mut [Link; 2], trace: &mut Trace) {
        let now = world.instant();
        if world.now.as_secs_f64() < self.spec.start {
            return;
        }
        if self.estimator.poll_timeout().is_some_and(|at| at <= now) {
            self.estimator.handle_timeout(now);
        }
        while let Some(probe) = self.estimator.poll_probe() {
            self.pacer.start_probe(now, probe);
        }
        self.pacer.set_rate(self.estimator.estimate().pacing);
        loop {
            while let Some(release) = self.pacer.pop(now) {
                let sent = Sent {
                    sequence: self.sequence,
                    at: now,
                    size: release.size,
                    kind: release.kind,
                    probe: release.probe,
                };
                self.send(sent, release.payload.made, world, links, trace);
            }
            match self.pacer.wants_padding(now).filter(|_| self.sequence > 3 && !self.paused(world)) {
                Some(size) => self.pacer.push(now, Kind::Padding, size, Unsent { made: world.now }),
                None => break,
            }
        }
        self.note_target(world, trace);
        let next = [self.pacer.poll_timeout(), self.estimator.poll_timeout()].into_iter().flatten().min();
        if let Some(at) = next {
            let at = at.saturating_duration_since(world.epoch).max(world.now + Duration::from_micros(100));
            if self.wake.is_none_or(|wake| at < wake || wake <= world.now) {
                self.wake = Some(at);
                world.at(at, Event::Wake(self.index));
            }
        }
    }

    fn send(&mut self, sent: Sent, made: Duration, world: &mut World, links: &mut [Link; 2], trace: &mut Trace) {
        self.sequence += 1;
        self.estimator.on_sent(sent);
        self.sent.insert(sent.sequence, (sent, made));
        while self.sent.len() > 5_000 {
            self.sent.pop_first();
        }
        let body = Body::Media { sequence: sent.sequence };
        let packet = Packet { flow: self.index, size: sent.size, queued: world.now, body };
        trace.on_sent(world.now, sent.size, sent.kind);
        if !links[self.spec.way as usize].push(packet, self.spec.extra, world) {
            trace.dropped += 1;
        }
    }

    fn note_target(&mut self, world: &World, trace: &mut Trace) {
        let estimate = self.estimator.estimate();
        let target = estimate.target.bps() as f64;
        trace.on_target(world.now, target, estimate.queueing);
        if self.targets.back().is_none_or(|(_, last)| (last - target).abs() > 1.0) {
            self.targets.push_back((world.now + ENCODER_LAG, target));
        }
    }

    /// What a receiver says every 50 ms: all sequence numbers since its last report up to the newest that came.
    fn report(&mut self, world: &mut World, links: &mut [Link; 2]) {
        let Some((&newest, _)) = self.arrived.last_key_value() else { return };
        let clock = Duration::from_secs(1_000);
        let late = self.late.drain(..);
        let mut arrivals: Vec<Arrival> = late
            .map(|sequence| Arrival { sequence, received: self.arrived.get(&sequence).map(|at| *at + clock) })
            .collect();
        for sequence in self.reported..=newest {
            arrivals.push(Arrival { sequence, received: self.arrived.get(&sequence).map(|at| *at + clock) });
        }
        self.reported = newest + 1;
        while self.arrived.len() > 5_000 {
            self.arrived.pop_first();
        }
        if arrivals.is_empty() {
            return;
        }
        let size = 20 + OVERHEAD + arrivals.len() * 2;
        let packet = Packet { flow: self.index, size, queued: world.now, body: Body::Feedback(arrivals) };
        links[self.spec.way.other() as usize].push(packet, self.spec.extra, world);
    }
}
