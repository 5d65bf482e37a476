//! One direction of an exchange inside the server: bodies wait here until the receiver has acknowledged them, so a lost
//! connection on either side loses none, and the sender learns of the receiver's acknowledgement alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::message::{ErrorCode, MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};

/// Bytes of bodies in all lanes of a server, and how many there may be.
#[derive(Debug, Clone)]
pub(super) struct UnderWay {
    bytes: Arc<AtomicUsize>,
    most: usize,
}

impl UnderWay {
    pub(super) fn new(most: usize) -> Self {
        Self { bytes: Arc::default(), most }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[derive(Debug)]
pub(super) struct Lane {
    /// The highest number taken from the sender.
    accepted: u64,
    /// The highest number that the receiver has.
    acknowledged: u64,
    /// The bodies `acknowledged + 1 ..= accepted`.
    queue: VecDeque<String>,
    bytes: usize,
    /// After a restart, until the receiver has told what it has: the numbers may begin anywhere.
    adrift: bool,
    under_way: UnderWay,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.under_way.remove(self.bytes);
    }
}

/// No honest client gets anywhere near this number.
const HIGHEST_SEQ: u64 = 1 << 53;

impl Lane {
    pub(super) fn new(under_way: &UnderWay) -> Self {
        let under_way = under_way.clone();
        Self { accepted: 0, acknowledged: 0, queue: VecDeque::new(), bytes: 0, adrift: false, under_way }
    }

    /// A direction of which the server knows nothing any more.
    pub(super) fn adrift(under_way: &UnderWay) -> Self {
        let mut lane = Self::new(under_way);
        lane.adrift = true;
        lane
    }

    /// The receiver is back and has everything up to `received`.
    pub(super) fn settle(&mut self, received: u64) {
        if !std::mem::take(&mut self.adrift) || received > HIGHEST_SEQ {
            return;
        }
        // No error: no more than was sent.
        let _ = self.acknowledge(received.min(self.accepted));
        self.accepted = self.accepted.max(received);
        self.acknowledged = self.acknowledged.max(received);
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Takes a body from the sender. `Ok(false)` for one that was taken before.
    pub(super) fn accept(&mut self, seq: u64, body: &str) -> Result<bool, ErrorCode> {
        if self.adrift && self.accepted == 0 && (1..=HIGHEST_SEQ).contains(&seq) {
            // The sender begins with the first body that the receiver hasn't acknowledged to it.
            (self.accepted, self.acknowledged) = (seq - 1, seq - 1);
        }
        if seq <= self.accepted {
            return Ok(false);
        }
        if seq != self.accepted + 1 {
            return Err(ErrorCode::OutOfOrder);
        }
        let too_much = self.bytes + body.len() > MAX_UNACKNOWLEDGED_BYTES
            || self.under_way.bytes() + body.len() > self.under_way.most;
        if self.queue.len() >= MAX_UNACKNOWLEDGED || too_much {
            return Err(ErrorCode::QueueFull);
        }
        self.under_way.add(body.len());
        self.accepted = seq;
        self.bytes += body.len();
        self.queue.push_back(body.to_owned());
        Ok(true)
    }

    /// The receiver has everything up to `seq`. `Ok(true)` when that is news.
    pub(super) fn acknowledge(&mut self, seq: u64) -> Result<bool, ErrorCode> {
        if seq > self.accepted {
            return Err(ErrorCode::NotAllowed);
        }
        let news = seq > self.acknowledged;
        while self.acknowledged < seq {
            self.acknowledged += 1;
            let bytes = self.queue.pop_front().map_or(0, |body| body.len());
            self.bytes -= bytes;
            self.under_way.remove(bytes);
        }
        Ok(news)
    }

    /// What the receiver hasn't acknowledged, with its numbers.
    pub(super) fn pending(&self) -> impl Iterator<Item = (u64, &str)> {
        (self.acknowledged + 1..).zip(self.queue.iter().map(String::as_str))
    }
}
