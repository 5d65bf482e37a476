//! The repair stream of one of our streams: packets of its own SSRC and numbers, made by the code of [`crate::repair`].

use rtc::rtp::header::Header;
use rtc::rtp::packet::Packet;

use crate::protected::{Payload, source};
use crate::repair::RepairEncoder;

/// Makes repair packets.
#[derive(Debug)]
pub(super) struct Shield {
    ssrc: u32,
    payload_type: u8,
    next: u16,
    encoder: RepairEncoder<Payload>,
}

impl Shield {
    pub(super) fn new(ssrc: u32, payload_type: u8) -> Self {
        // The SSRC is random already; the numbers may begin anywhere.
        Self { ssrc, payload_type, next: (ssrc >> 16) as u16, encoder: RepairEncoder::default() }
    }

    /// Takes a packet that is sent now; gives the repair packets that follow it, where there are to be so many for each packet
    /// of media.
    pub(super) fn protect(&mut self, packet: &Packet, repairs: f64) -> Vec<Packet> {
        let due = self.encoder.protect(source(packet), repairs);
        let (timestamp, ends) = (packet.header.timestamp, packet.header.marker);
        (1..=due).filter_map(|nth| self.repair(timestamp, ends && nth == due)).collect()
    }

    /// How many packets a repair packet is the sum of.
    pub(super) fn covered(&self) -> f64 {
        // A count below 2^53.
        self.encoder.covered() as f64
    }

    fn repair(&mut self, timestamp: u32, last: bool) -> Option<Packet> {
        let payload = self.encoder.repair(self.next, last)?;
        let header = Header {
            version: 2,
            payload_type: self.payload_type,
            sequence_number: self.next,
            timestamp,
            ssrc: self.ssrc,
            ..Header::default()
        };
        self.next = self.next.wrapping_add(1);
        Some(Packet { header, payload: payload.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(sequence_number: u16, marker: bool) -> Packet {
        let header = Header { version: 2, marker, sequence_number, timestamp: 77, ssrc: 1, ..Header::default() };
        Packet { header, payload: vec![5; 100].into() }
    }

    #[test]
    fn repairs_are_packets_of_a_stream_of_their_own_behind_the_picture() {
        let mut shield = Shield::new(0x1234_5678, 118);
        assert!(shield.protect(&media(9, false), 1.0).is_empty());
        let repairs = shield.protect(&media(10, true), 1.0);
        let heads =
            repairs.iter().map(|repair| (repair.header.ssrc, repair.header.payload_type, repair.header.timestamp));
        assert_eq!(heads.collect::<Vec<_>>(), [(0x1234_5678, 118, 77); 2]);
        assert_eq!(repairs.iter().map(|repair| repair.header.sequence_number).collect::<Vec<_>>(), [0x1234, 0x1235]);
        assert_ne!(repairs[0].payload, repairs[1].payload);
    }

    #[test]
    fn nothing_is_made_where_nothing_is_wanted() {
        let mut shield = Shield::new(1, 118);
        assert!((0..100).all(|number| shield.protect(&media(number, number % 3 == 2), 0.0).is_empty()));
    }
}
