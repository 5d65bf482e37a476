//! The bodies of one exchange in both directions: numbered, sent at most [`MAX_UNACKNOWLEDGED`] ahead, kept until
//! the other side has them, sent again byte for byte after a lost connection, and received once each.

use std::collections::VecDeque;

use crate::message::{ClientMessage, MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES};

#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) number: u32,
    pub(super) confirm_sent: bool,
    pub(super) paired: bool,
    /// The `seq` of the first body in `unacknowledged`.
    first_seq: u64,
    unacknowledged: VecDeque<String>,
    /// How many of `unacknowledged` went out on the present socket, or are known to have arrived at the server.
    sent: usize,
    received: u64,
}

/// What to do with a body that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    New,
    Duplicate,
    /// Bodies before it are missing, which no honest server lets happen.
    Gap,
}

impl Exchange {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            confirm_sent: false,
            paired: false,
            first_seq: 1,
            unacknowledged: VecDeque::new(),
            sent: 0,
            received: 0,
        }
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn push(&mut self, body: String) {
        self.unacknowledged.push_back(body);
    }

    /// The next body that may go out, if any.
    pub(super) fn next_to_send(&mut self) -> Option<ClientMessage> {
        if self.sent >= MAX_UNACKNOWLEDGED {
            return None;
        }
        let body = self.unacknowledged.get(self.sent)?.clone();
        let under_way: usize = self.unacknowledged.iter().take(self.sent).map(String::len).sum();
        if under_way + body.len() > MAX_UNACKNOWLEDGED_BYTES {
            return None;
        }
        let seq = self.first_seq + self.sent as u64;
        self.sent += 1;
        Some(ClientMessage::Relay { exchange: self.number, seq, body })
    }

    /// The other side has everything up to `seq`.
    pub(super) fn acknowledge(&mut self, seq: u64) {
        while self.first_seq <= seq && self.sent > 0 && self.unacknowledged.pop_front().is_some() {
            self.first_seq += 1;
            self.sent -= 1;
        }
    }

    /// A new socket: the server has everything up to `seq`, the rest goes out again.
    pub(super) fn rewind(&mut self, seq: u64) {
        let kept = seq.saturating_sub(self.first_seq - 1);
        self.sent = usize::try_from(kept).unwrap_or(usize::MAX).min(self.unacknowledged.len());
    }

    pub(super) fn arrive(&mut self, seq: u64) -> Arrival {
        if seq <= self.received {
            Arrival::Duplicate
        } else if seq == self.received + 1 {
            self.received = seq;
            Arrival::New
        } else {
            Arrival::Gap
        }
    }

    pub(super) fn ack(&self) -> ClientMessage {
        ClientMessage::Ack { exchange: self.number, seq: self.received }
    }
}
