//! What a run leaves behind, in bins of 200 ms as RFC 8868, section 4.1 samples it.

use std::time::Duration;

use visavis_congestion::Kind;

use super::{Body, Packet};

/// A bin, seconds.
pub const BIN: f64 = 0.2;

/// One flow's run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    /// Bits sent in each bin, with padding.
    pub sent: Vec<f64>,
    /// Bits of media (audio, video, resends) delivered in each bin.
    pub delivered: Vec<f64>,
    /// The target at the end of each bin, bits per second.
    pub target: Vec<f64>,
    /// When a packet left the queue and how long it had been there, seconds.
    pub queue: Vec<(f64, f64)>,
    pub padding: f64,
    pub resent: f64,
    pub dropped: u64,
    pub skipped: u64,
    last_target: f64,
}

impl Trace {
    pub fn new(seconds: f64) -> Self {
        let bins = (seconds / BIN).ceil() as usize + 1;
        Self { sent: vec![0.0; bins], delivered: vec![0.0; bins], target: vec![f64::NAN; bins], ..Self::default() }
    }

    /// All of them together.
    pub fn sum(traces: &[&Self]) -> Self {
        let mut all = Self::default();
        let add = |values: fn(&Self) -> &Vec<f64>| -> Vec<f64> {
            let bins = traces.iter().map(|trace| values(trace).len()).max().unwrap_or(0);
            let at = |trace: &Self, bin: usize| {
                values(trace).get(bin).copied().filter(|value| value.is_finite()).unwrap_or(0.0)
            };
            (0..bins).map(|bin| traces.iter().map(|trace| at(trace, bin)).sum()).collect()
        };
        all.sent = add(|trace| &trace.sent);
        all.delivered = add(|trace| &trace.delivered);
        all.target = add(|trace| &trace.target);
        all.padding = traces.iter().map(|trace| trace.padding).sum();
        all
    }

    pub fn on_sent(&mut self, now: Duration, size: usize, kind: Kind) {
        let bits = size as f64 * 8.0;
        self.sent[bin(now)] += bits;
        match kind {
            Kind::Padding => self.padding += bits,
            Kind::Resend => self.resent += bits,
            Kind::Audio | Kind::Video | Kind::Repair => {}
        }
    }

    pub fn on_delivered(&mut self, now: Duration, size: usize, kind: Kind) {
        if kind != Kind::Padding {
            self.delivered[bin(now)] += size as f64 * 8.0;
        }
    }

    pub fn on_target(&mut self, now: Duration, target: f64, _queueing: Duration) {
        let at = bin(now);
        self.target[at] = target;
    }

    pub fn on_queue(&mut self, now: Duration, waited: Duration, packet: &Packet) {
        if matches!(packet.body, Body::Media { .. } | Body::Data { .. }) {
            self.queue.push((now.as_secs_f64(), waited.as_secs_f64()));
        }
    }

    /// Mean of what was delivered between two seconds, kb/s.
    pub fn delivered_kbps(&self, from: f64, to: f64) -> f64 {
        mean(&self.delivered, from, to) / BIN / 1e3
    }

    /// Mean target between two seconds, kb/s.
    pub fn target_kbps(&self, from: f64, to: f64) -> f64 {
        mean(&self.target, from, to) / 1e3
    }

    /// The share `part` of all packets waited no longer than this, ms, between two seconds.
    pub fn queue_ms(&self, part: f64, from: f64, to: f64) -> f64 {
        let mut waits: Vec<f64> =
            self.queue.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, wait)| wait * 1e3).collect();
        waits.sort_by(f64::total_cmp);
        waits.get(((waits.len() as f64 * part) as usize).min(waits.len().saturating_sub(1))).copied().unwrap_or(0.0)
    }

    /// Seconds after `from` until the target is at least `kbps`.
    pub fn reaches(&self, from: f64, kbps: f64) -> f64 {
        self.first(&self.target, from, |target| target >= kbps * 1e3)
    }

    /// Seconds after `from` until no more than `kbps` is sent.
    pub fn gets_under(&self, from: f64, kbps: f64) -> f64 {
        self.first(&self.sent, from, |bits| bits / BIN <= kbps * 1e3)
    }

    fn first(&self, values: &[f64], from: f64, good: impl Fn(f64) -> bool) -> f64 {
        let start = (from / BIN).round() as usize;
        let found = values.iter().skip(start).position(|value| good(*value));
        found.map_or(f64::INFINITY, |count| (count + 1) as f64 * BIN)
    }
}

fn bin(now: Duration) -> usize {
    (now.as_secs_f64() / BIN) as usize
}

fn mean(values: &[f64], from: f64, to: f64) -> f64 {
    let (from, to) = ((from / BIN).round() as usize, (to / BIN).round() as usize);
    let slice: Vec<f64> = values.iter().skip(from).take(to - from).copied().filter(|value| value.is_finite()).collect();
    slice.iter().sum::<f64>() / slice.len().max(1) as f64
}
