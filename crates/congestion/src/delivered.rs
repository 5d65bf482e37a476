//! The delivered rate: what came out at the other end, on its own clock.
//!
//! While a queue stands, what comes out of it is what the bottleneck gives us. That is the one direct measure of capacity there is
//! (draft-cardwell-iccrg-bbr-congestion-control-02, section 4.1, takes the same on the sender's clock).

use std::collections::VecDeque;

/// Packets are kept for so many seconds.
const MEMORY: f64 = 1.0;
/// A rate is taken over no more than so many seconds while a queue stands,
const QUEUED_WINDOW: f64 = 0.5;
/// and is believed from so many seconds,
const QUEUED_SPAN: f64 = 0.05;
/// and so many packets on.
const QUEUED_PACKETS: usize = 5;
/// The rate regardless of a queue is taken over so many seconds.
const WINDOW: f64 = 0.25;

#[derive(Clone, Copy, Debug)]
struct Packet {
    received: f64,
    way: f64,
    bits: f64,
}

#[derive(Debug, Default)]
pub(crate) struct Delivered {
    packets: VecDeque<Packet>,
}

impl Delivered {
    pub(crate) fn on_packet(&mut self, received: f64, way: f64, bytes: usize) {
        if self.packets.back().is_some_and(|last| received < last.received) {
            // Out of order: it tells of the past, and its bytes count where it fell.
            let at = self.packets.partition_point(|packet| packet.received <= received);
            self.packets.insert(at, Packet { received, way, bits: bytes as f64 * 8.0 });
        } else {
            self.packets.push_back(Packet { received, way, bits: bytes as f64 * 8.0 });
        }
        let newest = self.packets.back().map_or(received, |packet| packet.received);
        while self.packets.front().is_some_and(|packet| packet.received < newest - MEMORY) {
            self.packets.pop_front();
        }
    }

    /// Bits per second of late, if enough arrived to tell.
    pub(crate) fn rate(&self) -> Option<f64> {
        let newest = self.packets.back()?.received;
        let since = self.packets.partition_point(|packet| packet.received < newest - WINDOW);
        self.rate_from(since, 0.1, 4)
    }

    /// Bits per second while packets took longer than `way`, up to now.
    pub(crate) fn rate_while_queued(&self, way: f64) -> Option<f64> {
        let newest = self.packets.back()?.received;
        let run = self.packets.iter().rev();
        let run = run.take_while(|packet| packet.way > way && packet.received >= newest - QUEUED_WINDOW).count();
        self.rate_from(self.packets.len() - run, QUEUED_SPAN, QUEUED_PACKETS)
    }

    fn rate_from(&self, since: usize, span: f64, packets: usize) -> Option<f64> {
        let (first, last) = (self.packets.get(since)?, self.packets.back()?);
        let took = last.received - first.received;
        if took < span || self.packets.len() - since < packets {
            return None;
        }
        // The first packet's bytes came before the span begins.
        let bits: f64 = self.packets.iter().skip(since + 1).map(|packet| packet.bits).sum();
        Some(bits / took)
    }
}
