//! The sending half: keeps what was sent lately and adds it up when a repair packet is due.

use std::collections::VecDeque;

use super::{FIELDS, HEAD, HORIZON, LAST, MOST_COVERED, Source, coefficient};

/// Within a large picture a repair packet is due after so many packets at the latest, so that nothing slides out of the window
/// unprotected.
const LONGEST_RUN: usize = 32;

/// Makes repair packets for one stream of media.
#[derive(Debug)]
pub struct RepairEncoder<P> {
    window: VecDeque<Source<P>>,
    /// Repair packets that are due, and a part of one.
    credit: f64,
    /// Packets since the last repair packet.
    run: usize,
}

impl<P> Default for RepairEncoder<P> {
    fn default() -> Self {
        Self { window: VecDeque::new(), credit: 0.0, run: 0 }
    }
}

impl<P: AsRef<[u8]>> RepairEncoder<P> {
    /// Takes a packet that is sent now, where there are to be so many repair packets for each; returns how many are due.
    pub fn protect(&mut self, packet: Source<P>, repairs: f64) -> usize {
        let follows = |last: &Source<P>| packet.sequence.wrapping_sub(last.sequence) == 1;
        if packet.fields().is_none() || !self.window.back().is_none_or(follows) {
            self.window.clear();
            self.credit = 0.0;
        }
        let (marker, now) = (packet.marker, packet.timestamp);
        if packet.fields().is_some() {
            self.window.push_back(packet);
        }
        let old = |source: &Source<P>| now.wrapping_sub(source.timestamp) > HORIZON;
        while self.window.len() > MOST_COVERED || self.window.front().is_some_and(old) {
            self.window.pop_front();
        }
        if repairs > 0.0 {
            self.credit += repairs
        } else {
            self.credit = 0.0
        }
        self.run += 1;
        if !marker && self.run < LONGEST_RUN {
            return 0;
        }
        self.run = 0;
        // A credit is never much over what a window is worth.
        let due = self.credit.clamp(0.0, MOST_COVERED as f64).floor();
        self.credit -= due;
        if self.window.is_empty() { 0 } else { due as usize }
    }

    /// How many packets a repair packet made now would be the sum of.
    #[must_use]
    pub fn covered(&self) -> usize {
        self.window.len()
    }

    /// The payload of the repair packet with this number; `None` while there is nothing to protect.
    #[must_use]
    pub fn repair(&self, number: u16, last: bool) -> Option<Vec<u8>> {
        let first = self.window.front()?.sequence;
        let count = u8::try_from(self.window.len()).ok()?;
        let longest = self.window.iter().map(|source| source.payload.as_ref().len()).max()?;
        let mut sum = Vec::with_capacity(FIELDS + longest);
        for source in &self.window {
            source.add_to(&mut sum, coefficient(number, source.sequence));
        }
        let mut payload = Vec::with_capacity(HEAD + sum.len());
        payload.extend([if last { LAST } else { 0 }, count]);
        payload.extend(first.to_be_bytes());
        payload.extend(sum);
        Some(payload)
    }
}
