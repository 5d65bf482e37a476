//! VP8 into RTP payloads (RFC 7741): a picture is cut where packets are full, behind the shortest descriptor that there is.

use visavis_frame::RtpPacket;

use crate::traits::VideoPacketizer;

/// S, with partition 0 and nothing more (RFC 7741, section 4.2): the picture begins in this packet.
pub(super) const BEGINS: u8 = 0x10;
/// The same in the packets that follow.
const GOES_ON: u8 = 0;
const DESCRIPTOR: usize = 1;
/// A payload limit under this would be nothing but headers.
const LEAST_PAYLOAD: usize = 64;

/// Cuts coded pictures into RTP packets and numbers them.
#[derive(Debug)]
pub struct Packetizer {
    max_payload: usize,
    next_sequence: u16,
}

impl Packetizer {
    /// A packetizer whose payloads are at most `max_payload` bytes (at least 64) and whose first packet has the number
    /// `first_sequence`, which RFC 3550 wants random.
    #[must_use]
    pub fn new(max_payload: usize, first_sequence: u16) -> Self {
        Self { max_payload: max_payload.max(LEAST_PAYLOAD), next_sequence: first_sequence }
    }
}

impl VideoPacketizer for Packetizer {
    /// An empty picture makes no packets.
    fn packetize(&mut self, picture: &[u8], rtp_timestamp: u32, out: &mut Vec<RtpPacket>) {
        // Nearly equal lengths: a tiny last packet would cost as much overhead as a full one.
        let count = picture.len().div_ceil(self.max_payload - DESCRIPTOR).max(1);
        let each = picture.len().div_ceil(count).max(1);
        let parts = picture.chunks(each);
        let last = parts.len().saturating_sub(1);
        for (index, part) in parts.enumerate() {
            let mut payload = Vec::with_capacity(DESCRIPTOR + part.len());
            payload.push(if index == 0 { BEGINS } else { GOES_ON });
            payload.extend_from_slice(part);
            let sequence = self.next_sequence;
            self.next_sequence = sequence.wrapping_add(1);
            out.push(RtpPacket { sequence, timestamp: rtp_timestamp, marker: index == last, payload });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_cut_evenly_and_its_ends_are_marked() {
        let picture: Vec<u8> = (0..250).collect();
        let mut packets = Vec::new();
        Packetizer::new(100, 65_535).packetize(&picture, 9, &mut packets);
        assert_eq!(packets.iter().map(|p| p.payload.len()).collect::<Vec<_>>(), [85, 85, 83]);
        assert_eq!(packets.iter().map(|p| p.payload[0]).collect::<Vec<_>>(), [0x10, 0, 0]);
        assert_eq!(packets.iter().map(|p| p.marker).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!(packets.iter().map(|p| p.sequence).collect::<Vec<_>>(), [65_535, 0, 1]);
        assert_eq!(packets.iter().flat_map(|p| p.payload[1..].to_vec()).collect::<Vec<_>>(), picture);
    }

    #[test]
    fn a_full_packet_stays_within_its_limit_and_nothing_makes_none() {
        let mut packets = Vec::new();
        let mut packetizer = Packetizer::new(100, 0);
        packetizer.packetize(&[], 0, &mut packets);
        assert!(packets.is_empty());
        for len in 1..400 {
            packets.clear();
            packetizer.packetize(&vec![1; len], 0, &mut packets);
            assert!(packets.iter().all(|p| (2..=100).contains(&p.payload.len())), "{len}");
            assert_eq!(packets.len(), len.div_ceil(99));
        }
    }
}
