//! The pacer: packets leave at the estimate's pace, whatever bursts the encoder makes.
//!
//! Audio passes by everything. Resends leave before new pictures: somebody waits for them already. Nothing is dropped
//! here, because half a picture is worth nothing and its absence costs a keyframe; instead [`Pacer::is_overdue`] tells
//! the encoder to skip pictures until the queue has drained. A probe raises the pace for a moment and asks for padding
//! where there is too little to send.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use visavis_frame::BitRate;

use crate::packet::{Kind, Probe, ProbeId};

/// How far behind its schedule the pacer may catch up at once: what a late timer costs.
const CATCH_UP: Duration = Duration::from_millis(5);
/// Speech puts pictures off by at most so much.
const AUDIO_DEBT: Duration = Duration::from_millis(40);
/// Video that has waited for longer than this makes the encoder skip pictures.
const VIDEO_AGE_LIMIT: Duration = Duration::from_millis(120);
/// A probe that found nothing to send for so long is given up.
const PROBE_PATIENCE: Duration = Duration::from_millis(1000);
/// A padding packet is at most so large, bytes on the wire.
const PADDING_SIZE: usize = 1200;

/// A packet that may leave now.
#[derive(Debug, PartialEq, Eq)]
pub struct Release<P> {
    /// What was pushed.
    pub payload: P,
    /// As it was pushed.
    pub kind: Kind,
    /// As it was pushed, bytes on the wire.
    pub size: usize,
    /// The probe that it is part of, for [`Sent::probe`](crate::Sent::probe).
    pub probe: Option<ProbeId>,
}

/// What waits in the pacer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How long the oldest video packet has waited.
    pub oldest_video: Option<Duration>,
    /// Bytes of video and resends that wait.
    pub bytes: usize,
    /// How long they need at the present pace.
    pub drain: Duration,
}

struct Waiting<P> {
    since: Instant,
    kind: Kind,
    size: usize,
    payload: P,
}

struct Running {
    probe: Probe,
    since: Instant,
    packets: u32,
    bytes: usize,
}

/// Holds packets until their time has come.
pub struct Pacer<P> {
    audio: VecDeque<Waiting<P>>,
    resends: VecDeque<Waiting<P>>,
    video: VecDeque<Waiting<P>>,
    padding: VecDeque<Waiting<P>>,
    /// Bytes of resends and video that wait.
    bytes: usize,
    rate: BitRate,
    /// Bits that left ahead of the pace, at `settled`; below zero: behind it.
    debt: f64,
    settled: Instant,
    probes: VecDeque<Probe>,
    running: Option<Running>,
}

impl<P> Pacer<P> {
    /// A pacer at so many bits per second.
    #[must_use]
    pub fn new(rate: BitRate, now: Instant) -> Self {
        Self {
            audio: VecDeque::new(),
            resends: VecDeque::new(),
            video: VecDeque::new(),
            padding: VecDeque::new(),
            bytes: 0,
            rate,
            debt: 0.0,
            settled: now,
            probes: VecDeque::new(),
            running: None,
        }
    }

    /// Takes the estimate's [`pacing`](crate::Estimate::pacing) rate.
    pub fn set_rate(&mut self, rate: BitRate) {
        self.rate = rate;
    }

    /// Queues a probe; it begins with the next packet that isn't audio, or with padding.
    pub fn start_probe(&mut self, now: Instant, probe: Probe) {
        self.settle(now);
        self.probes.push_back(probe);
        self.begin_probe(now);
    }

    /// Takes a packet of `size` bytes on the wire.
    pub fn push(&mut self, now: Instant, kind: Kind, size: usize, payload: P) {
        let waiting = Waiting { since: now, kind, size, payload };
        match kind {
            Kind::Audio => self.audio.push_back(waiting),
            Kind::Resend => {
                self.bytes += size;
                self.resends.push_back(waiting);
            }
            Kind::Video | Kind::Repair => {
                self.bytes += size;
                self.video.push_back(waiting);
            }
            Kind::Padding => self.padding.push_back(waiting),
        }
    }

    /// The next packet whose time has come; call it until `None`.
    pub fn pop(&mut self, now: Instant) -> Option<Release<P>> {
        self.expire_probe(now);
        self.settle(now);
        if let Some(packet) = self.audio.pop_front() {
            // Speech alone may be more than the pace; pictures must not wait for ever for that.
            let most = self.pace_bps() * AUDIO_DEBT.as_secs_f64();
            self.debt = (self.debt + bits(packet.size)).min(most.max(self.debt));
            return Some(Release { payload: packet.payload, kind: packet.kind, size: packet.size, probe: None });
        }
        // Padding was charged when it was asked for.
        if let Some(packet) = self.padding.pop_front() {
            let probe = self.count_in_probe(now, packet.size);
            return Some(Release { payload: packet.payload, kind: packet.kind, size: packet.size, probe });
        }
        if self.debt > 0.0 {
            return None;
        }
        let packet = self.resends.pop_front().or_else(|| self.video.pop_front())?;
        self.bytes = self.bytes.saturating_sub(packet.size);
        self.debt += bits(packet.size);
        let probe = self.count_in_probe(now, packet.size);
        Some(Release { payload: packet.payload, kind: packet.kind, size: packet.size, probe })
    }

    /// How many bytes of padding a running probe could send now, when there is nothing else to send. Whoever has padding pushes it as
    /// [`Kind::Padding`]; whoever has none does nothing, and is asked again a little later. Call it once [`Pacer::pop`] gave `None`, until `None`.
    pub fn wants_padding(&mut self, now: Instant) -> Option<usize> {
        self.expire_probe(now);
        self.settle(now);
        let running = self.running.as_ref()?;
        if self.debt > 0.0 || self.bytes > 0 || !self.padding.is_empty() {
            return None;
        }
        // Small enough that the probe gets its number of packets without becoming longer.
        let wanted = (running.probe.bytes / running.probe.packets.max(1) as usize).clamp(200, PADDING_SIZE);
        self.debt += bits(wanted);
        Some(wanted)
    }

    /// When [`Pacer::pop`] or [`Pacer::wants_padding`] has something again; a time in the past means now.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let at_once = self.audio.front().or_else(|| self.padding.front()).map(|packet| packet.since);
        at_once.or_else(|| (self.bytes > 0 || self.running.is_some()).then(|| self.debt_free()))
    }

    /// What waits, and for how long.
    #[must_use]
    pub fn backlog(&self, now: Instant) -> Backlog {
        Backlog {
            oldest_video: self.video.front().map(|packet| now.saturating_duration_since(packet.since)),
            bytes: self.bytes,
            drain: Duration::from_secs_f64(bits(self.bytes) / self.rate.bps().max(1_000) as f64),
        }
    }

    /// Whether the encoder should skip pictures until what waits has left.
    #[must_use]
    pub fn is_overdue(&self, now: Instant) -> bool {
        self.backlog(now).oldest_video.is_some_and(|age| age > VIDEO_AGE_LIMIT)
    }

    fn pace_bps(&self) -> f64 {
        let pace = self.running.as_ref().map_or(self.rate, |running| running.probe.rate.max(self.rate));
        pace.bps().max(1_000) as f64
    }

    /// Pays the debt for the time that has passed.
    fn settle(&mut self, now: Instant) {
        let pace = self.pace_bps();
        let passed = now.saturating_duration_since(self.settled).as_secs_f64();
        self.debt = (self.debt - passed * pace).max(-CATCH_UP.as_secs_f64() * pace);
        self.settled = self.settled.max(now);
    }

    fn debt_free(&self) -> Instant {
        // A microsecond more, so that rounding doesn't wake anybody for nothing.
        let wait = if self.debt > 0.0 { self.debt / self.pace_bps() + 1e-6 } else { 0.0 };
        self.settled + Duration::from_secs_f64(wait.min(10.0))
    }

    fn begin_probe(&mut self, now: Instant) {
        if self.running.is_none() {
            self.running = self.probes.pop_front().map(|probe| Running { probe, since: now, packets: 0, bytes: 0 });
        }
    }

    fn count_in_probe(&mut self, now: Instant, size: usize) -> Option<ProbeId> {
        let running = self.running.as_mut()?;
        running.packets += 1;
        running.bytes += size;
        let id = running.probe.id;
        if running.packets >= running.probe.packets && running.bytes >= running.probe.bytes {
            self.running = None;
            self.begin_probe(now);
        }
        Some(id)
    }

    fn expire_probe(&mut self, now: Instant) {
        let expired = |running: &Running| now.saturating_duration_since(running.since) > PROBE_PATIENCE;
        if self.running.as_ref().is_some_and(expired) {
            self.running = None;
            self.begin_probe(now);
        }
    }
}

fn bits(bytes: usize) -> f64 {
    bytes as f64 * 8.0
}
