//! Probes: short bursts above the target that show within a round trip what the path carries.
//!
//! A burst that comes out as fast as it went in says that there is at least so much room; one that comes out slower says how much
//! there is. The rate moves at once, where growing step by step would take many seconds.

use std::time::{Duration, Instant};

use visavis_frame::BitRate;

use crate::history::Heard;
use crate::packet::{Probe, ProbeId, Sent};

/// Between probes of a path whose limit is known,
pub(crate) const PERIOD: Duration = Duration::from_millis(1100);
/// and up to this share longer where their findings turned out wrong.
pub(crate) const DOUBTED: f64 = 0.6;
/// A probe of which nothing was heard for so long has failed.
const PATIENCE: Duration = Duration::from_millis(1500);
/// Fewer packets can't tell a rate.
const PACKETS: u32 = 5;
/// A probe lasts at least so long, seconds,
const SHORTEST: f64 = 0.02;
/// and on a path with jitter up to this.
const LONGEST: f64 = 0.05;
/// Of the largest packet, bytes on the wire.
const PACKET: f64 = 1250.0;
/// A probe that took this much longer to arrive than to leave, as a share of its time, was not held up,
const STRETCH: f64 = 0.12;
/// nor one that was stretched by so many times the jitter.
const STRETCH_JITTER: f64 = 1.5;

/// What a probe showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Finding {
    /// Bits per second that came out.
    pub(crate) rate: f64,
    /// The path may carry more than that.
    pub(crate) clean: bool,
}

#[derive(Debug)]
struct Out {
    probe: Probe,
    asked: Instant,
    sent: Vec<Sent>,
    /// Sent, received, both seconds.
    heard: Vec<(f64, f64, usize)>,
    lost: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Prober {
    next_id: u32,
    pending: Option<Probe>,
    out: Option<Out>,
    /// The earliest time for the next one.
    not_before: Option<Instant>,
    found_limit: bool,
}

impl Prober {
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.out.is_none() && self.not_before.is_none_or(|at| at <= now)
    }

    /// Whether the last probe found the path's limit.
    pub(crate) fn found_limit(&self) -> bool {
        self.found_limit
    }

    pub(crate) fn note(&mut self, finding: Option<Finding>) {
        self.found_limit = finding.is_some_and(|finding| !finding.clean);
    }

    /// When the probe that is out is given up. The next one is asked for with the feedback, which comes often enough.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.out.as_ref().map(|out| out.asked + PATIENCE)
    }

    pub(crate) fn rest(&mut self, now: Instant, time: Duration) {
        self.not_before = Some(now + time);
    }

    pub(crate) fn ask(&mut self, now: Instant, rate: f64, jitter: f64) {
        let time = (jitter * 10.0).clamp(SHORTEST, LONGEST);
        let id = ProbeId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        let bytes = (rate * time / 8.0).max(0.0) as usize;
        let probe = Probe { id, rate: BitRate::from_bps(rate as u64), packets: PACKETS, bytes };
        self.pending = Some(probe);
        self.out = Some(Out { probe, asked: now, sent: Vec::new(), heard: Vec::new(), lost: 0 });
    }

    /// What a probe at that rate sends, bits.
    pub(crate) fn cost(rate: f64) -> f64 {
        (rate * SHORTEST).max(f64::from(PACKETS) * PACKET * 4.0)
    }

    pub(crate) fn poll(&mut self) -> Option<Probe> {
        self.pending.take()
    }

    pub(crate) fn on_sent(&mut self, sent: Sent) {
        if let Some(out) = &mut self.out
            && sent.probe == Some(out.probe.id)
            && out.sent.len() < 1000
        {
            out.sent.push(sent);
        }
    }

    pub(crate) fn on_heard(&mut self, epoch: Instant, heard: &Heard) {
        let Some(out) = &mut self.out else { return };
        if heard.sent.probe != Some(out.probe.id) || heard.was_lost {
            return;
        }
        match heard.received {
            Some(received) => {
                let sent = heard.sent.at.saturating_duration_since(epoch).as_secs_f64();
                out.heard.push((sent, received, heard.sent.size));
            }
            None => out.lost += 1,
        }
    }

    /// The finding, once all of the probe is heard of; `Some(None)` when it failed. `inherent` is the share of packets that the path loses anyway.
    pub(crate) fn conclude(&mut self, now: Instant, inherent: f64, jitter: f64) -> Option<Option<Finding>> {
        let out = self.out.as_ref()?;
        let bytes: usize = out.sent.iter().map(|sent| sent.size).sum();
        let all_sent = out.sent.len() >= PACKETS as usize && bytes >= out.probe.bytes;
        let all_heard = out.heard.len() + out.lost >= out.sent.len();
        if all_sent && all_heard {
            let finding = measure(&out.heard, out.sent.len(), inherent, jitter);
            self.out = None;
            return Some(finding);
        }
        if now.saturating_duration_since(out.asked) >= PATIENCE {
            self.out = None;
            self.pending = None;
            return Some(None);
        }
        None
    }
}

fn measure(heard: &[(f64, f64, usize)], sent: usize, inherent: f64, jitter: f64) -> Option<Finding> {
    if heard.len() < 4 || heard.len() * 2 < sent {
        return None;
    }
    let received = heard.iter().map(|packet| packet.1);
    let (first, last) = (received.clone().fold(f64::INFINITY, f64::min), received.fold(f64::NEG_INFINITY, f64::max));
    let departed = heard.iter().map(|packet| packet.0);
    let (began, ended) = (departed.clone().fold(f64::INFINITY, f64::min), departed.fold(f64::NEG_INFINITY, f64::max));
    let (came, went) = (last - first, ended - began);
    if !(came > 1e-4 && came < 5.0 && went > 1e-4 && went < 5.0) {
        return None;
    }
    let bits: f64 = heard.iter().map(|packet| packet.2 as f64 * 8.0).sum();
    let one = bits / heard.len() as f64;
    let got_through = 1.0 / (1.0 - inherent.clamp(0.0, 0.9));
    let (rate_in, rate_out) = ((bits - one) / went * got_through, (bits - one) / came * got_through);
    let clean = came - went <= (went * STRETCH).max(jitter.min(LONGEST / 5.0) * STRETCH_JITTER);
    Some(Finding { rate: if clean { rate_in } else { rate_out.min(rate_in) }, clean })
}
