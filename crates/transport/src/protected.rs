//! How packets of the connection go into the code of [`crate::repair`], and what is counted of it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet;

use crate::repair::Source;

/// A payload that is shared with the packet that it is of, not copied.
#[derive(Clone, Debug)]
pub(crate) struct Payload(Packet);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0.payload
    }
}

impl From<Vec<u8>> for Payload {
    fn from(payload: Vec<u8>) -> Self {
        Self(Packet { header: Header::default(), payload: payload.into() })
    }
}

/// A packet of media as it is protected.
pub(crate) fn source(packet: &Packet) -> Source<Payload> {
    Source {
        sequence: packet.header.sequence_number,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        payload: Payload(packet.clone()),
    }
}

/// What a resend (RFC 4588, section 4) brings again.
pub(crate) fn resent_source(packet: &Packet, sequence: u16) -> Source<Payload> {
    let payload = packet.payload.slice(packet.payload.len().min(2)..);
    Source {
        sequence,
        timestamp: packet.header.timestamp,
        marker: packet.header.marker,
        payload: Payload(Packet { header: Header::default(), payload }),
    }
}

/// Counts of one kind of packet and their payload bytes.
#[derive(Debug, Default)]
pub(crate) struct Count([AtomicU64; 2]);

impl Count {
    pub(crate) fn add(&self, bytes: usize) {
        self.0[0].fetch_add(1, Relaxed);
        self.0[1].fetch_add(bytes as u64, Relaxed);
    }

    /// Packets and bytes.
    pub(crate) fn get(&self) -> (u64, u64) {
        (self.0[0].load(Relaxed), self.0[1].load(Relaxed))
    }
}

/// What is counted of repairs, ours and theirs.
#[derive(Debug, Default)]
pub(crate) struct RepairCounts {
    /// Repair packets that left.
    pub(crate) sent: Count,
    /// Repair packets that came.
    pub(crate) received: Count,
    /// Those of them from which nothing was left to learn.
    pub(crate) discarded: Count,
    /// Packets of media that were worked out.
    pub(crate) recovered: Count,
    /// Packets of media that were lost and came when we had asked for them.
    pub(crate) resent: Count,
}
