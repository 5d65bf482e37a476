//! What was sent and not yet heard of: joins the receiver's word with the sender's.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::packet::{Arrival, Sent};

/// Packets of which nothing was heard for so long are forgotten.
const MEMORY: Duration = Duration::from_secs(8);
/// More than a second of packets at any rate that a call reaches; the oldest go first.
const CAPACITY: usize = 20_000;

/// A packet with what the receiver said of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) sent: Sent,
    /// When it arrived on the receiver's clock, seconds; `None`: lost.
    pub(crate) received: Option<f64>,
    /// It had been reported lost before.
    pub(crate) was_lost: bool,
}

#[derive(Debug, Default)]
pub(crate) struct History {
    packets: BTreeMap<u64, Entry>,
    unheard: usize,
    /// The newest packet that was heard of.
    newest: Option<u64>,
    /// Bytes sent after it.
    beyond: usize,
}

#[derive(Debug)]
struct Entry {
    sent: Sent,
    lost: bool,
}

impl History {
    /// Whether packets are on their way of which nothing is known.
    pub(crate) fn in_flight(&self) -> bool {
        self.unheard > 0
    }

    /// Bytes sent after the newest packet that was heard of: what is surely on its way. Older ones may be lost, or the word of them.
    pub(crate) fn bytes_in_flight(&self) -> usize {
        self.beyond
    }

    pub(crate) fn insert(&mut self, sent: Sent) {
        self.beyond = self.beyond.saturating_add(sent.size);
        if let Some(old) = self.packets.insert(sent.sequence, Entry { sent, lost: false })
            && !old.lost
        {
            self.unheard -= 1;
        }
        self.unheard += 1;
        while let Some(oldest) = self.packets.first_entry() {
            let age = sent.at.saturating_duration_since(oldest.get().sent.at);
            if age < MEMORY && self.packets.len() <= CAPACITY {
                break;
            }
            if self.packets.pop_first().is_some_and(|(_, entry)| !entry.lost) {
                self.unheard -= 1;
            }
        }
    }

    /// What is new in a report, in the order of arrival; lost packets first. A packet that was called lost may still arrive.
    pub(crate) fn resolve(&mut self, arrivals: &[Arrival]) -> Vec<Heard> {
        let mut heard: Vec<Heard> = arrivals.iter().filter_map(|arrival| self.resolve_one(arrival)).collect();
        let newest = heard.iter().map(|heard| heard.sent.sequence).max();
        if newest > self.newest {
            self.newest = newest;
            let after = newest.and_then(|newest| newest.checked_add(1)).map(|from| self.packets.range(from..));
            self.beyond = after.into_iter().flatten().map(|(_, entry)| entry.sent.size).sum();
        }
        heard.sort_by(|a, b| match (a.received, b.received) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        heard
    }

    fn resolve_one(&mut self, arrival: &Arrival) -> Option<Heard> {
        let entry = self.packets.get_mut(&arrival.sequence)?;
        let (sent, was_lost) = (entry.sent, entry.lost);
        match arrival.received {
            None if was_lost => return None,
            None => entry.lost = true,
            Some(_) => drop(self.packets.remove(&arrival.sequence)),
        }
        if !was_lost {
            self.unheard -= 1;
        }
        Some(Heard { sent, received: arrival.received.map(|at| at.as_secs_f64()), was_lost })
    }
}
