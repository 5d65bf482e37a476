//! One direction of an exchange inside the server: bodies wait here until the receiver has acknowledged them, so a lost
//! connection on either side loses none, and the sender learns of the receiver's acknowledgement alone.

use std::collections::VecDeque;

use crate::message::{ErrorCode, MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};

#[derive(Debug, Default)]
pub(super) struct Lane {
    /// The highest number taken from the sender.
    accepted: u64,
    /// The highest number that the receiver has.
    acknowledged: u64,
    /// The bodies `acknowledged + 1 ..= accepted`.
    queue: VecDeque<String>,
    bytes: usize,
}

impl Lane {
    pub(super) fn accepted(&self) -> u64 {
        self.accepted
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Takes a body from the sender. `Ok(false)` for one that was taken before.
    pub(super) fn accept(&mut self, seq: u64, body: &str) -> Result<bool, ErrorCode> {
        if seq <= self.accepted {
            return Ok(false);
        }
        if seq != self.accepted + 1 {
            return Err(ErrorCode::OutOfOrder);
        }
        if self.queue.len() >= MAX_UNACKNOWLEDGED || self.bytes + body.len() > MAX_UNACKNOWLEDGED_BYTES {
            return Err(ErrorCode::QueueFull);
        }
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
            self.bytes -= self.queue.pop_front().map_or(0, |body| body.len());
        }
        Ok(news)
    }

    /// What the receiver hasn't acknowledged, with its numbers.
    pub(super) fn pending(&self) -> impl Iterator<Item = (u64, &str)> {
        (self.acknowledged + 1..).zip(self.queue.iter().map(String::as_str))
    }
}
