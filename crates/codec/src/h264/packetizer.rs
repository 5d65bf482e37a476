//! H.264 into RTP payloads (RFC 6184, packetization-mode 1): single NAL units, STAP-A for parameter sets, FU-A for what
//! doesn't fit.

use visavis_frame::RtpPacket;

use super::nal;
use crate::traits::VideoPacketizer;

/// `nal_unit_type` of an aggregation packet (RFC 6184, section 5.7.1).
pub(super) const STAP_A: u8 = 24;
/// `nal_unit_type` of a fragment (RFC 6184, section 5.8).
pub(super) const FU_A: u8 = 28;
/// A payload limit under this can't carry a parameter set in any useful way.
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
    /// An access unit without NAL units makes no packets.
    fn packetize(&mut self, annexb: &[u8], rtp_timestamp: u32, out: &mut Vec<RtpPacket>) {
        let first = out.len();
        let mut units = nal::units(annexb).peekable();
        let mut sets = Vec::new();
        while let Some(unit) = units.next() {
            if is_parameter_set(unit) {
                sets.push(unit);
                if units.peek().is_some_and(|next| is_parameter_set(next)) {
                    continue;
                }
                self.aggregate(&sets, rtp_timestamp, out);
                sets.clear();
            } else {
                self.unit(unit, rtp_timestamp, out);
            }
        }
        if let Some(last) = out.get_mut(first..).and_then(<[RtpPacket]>::last_mut) {
            last.marker = true;
        }
    }
}

impl Packetizer {
    fn aggregate(&mut self, units: &[&[u8]], timestamp: u32, out: &mut Vec<RtpPacket>) {
        let len = 1 + units.iter().map(|unit| 2 + unit.len()).sum::<usize>();
        if units.len() < 2 || len > self.max_payload {
            for unit in units {
                self.unit(unit, timestamp, out);
            }
            return;
        }
        let importance = units.iter().map(|unit| unit[0] & 0x60).max().unwrap_or(0);
        let mut payload = Vec::with_capacity(len);
        payload.push(importance | STAP_A);
        for unit in units {
            // The sum fits a payload, so each part fits 16 bits.
            payload.extend((unit.len() as u16).to_be_bytes());
            payload.extend_from_slice(unit);
        }
        self.packet(payload, timestamp, out);
    }

    fn unit(&mut self, unit: &[u8], timestamp: u32, out: &mut Vec<RtpPacket>) {
        if unit.len() <= self.max_payload {
            self.packet(unit.to_vec(), timestamp, out);
        } else {
            self.fragment(unit, timestamp, out);
        }
    }

    /// Fragments of nearly equal length: a tiny last one would cost a whole packet's overhead.
    fn fragment(&mut self, unit: &[u8], timestamp: u32, out: &mut Vec<RtpPacket>) {
        let (header, body) = (unit[0], &unit[1..]);
        let count = body.len().div_ceil(self.max_payload - 2);
        let each = body.len().div_ceil(count);
        for (index, part) in body.chunks(each).enumerate() {
            let start = u8::from(index == 0) << 7;
            let end = u8::from((index + 1) * each >= body.len()) << 6;
            let mut payload = Vec::with_capacity(2 + part.len());
            payload.extend([header & 0xe0 | FU_A, start | end | nal::kind(header)]);
            payload.extend_from_slice(part);
            self.packet(payload, timestamp, out);
        }
    }

    fn packet(&mut self, payload: Vec<u8>, timestamp: u32, out: &mut Vec<RtpPacket>) {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        out.push(RtpPacket { sequence, timestamp, marker: false, payload });
    }
}

fn is_parameter_set(unit: &[u8]) -> bool {
    matches!(nal::kind(unit[0]), nal::SPS | nal::PPS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(units: &[Vec<u8>]) -> Vec<u8> {
        units.iter().flat_map(|unit| nal::START_CODE.into_iter().chain(unit.iter().copied())).collect()
    }

    fn packets(units: &[Vec<u8>], max_payload: usize) -> Vec<RtpPacket> {
        let mut out = Vec::new();
        Packetizer::new(max_payload, 65_535).packetize(&stream(units), 7, &mut out);
        out
    }

    #[test]
    fn parameter_sets_travel_together_and_the_marker_is_last() {
        let out = packets(&[vec![0x67, 1], vec![0x68, 2], vec![0x65, 3]], 1200);
        assert_eq!(out.len(), 2);
        assert_eq!(out[0].payload, [0x78, 0, 2, 0x67, 1, 0, 2, 0x68, 2]);
        assert_eq!(out[1].payload, [0x65, 3]);
        assert_eq!(out.iter().map(|p| p.marker).collect::<Vec<_>>(), [false, true]);
        assert_eq!(out.iter().map(|p| p.sequence).collect::<Vec<_>>(), [65_535, 0]);
        assert!(out.iter().all(|p| p.timestamp == 7));
    }

    #[test]
    fn long_units_become_even_fragments_within_the_limit() {
        let mut unit = vec![0x41];
        unit.extend((0..299).map(|i| (i % 250) as u8 + 1));
        let out = packets(&[unit.clone()], 100);
        assert_eq!(out.iter().map(|p| p.payload.len()).collect::<Vec<_>>(), [77, 77, 77, 76]);
        assert!(out.iter().all(|p| p.payload[0] == 0x40 | FU_A));
        let headers: Vec<u8> = out.iter().map(|p| p.payload[1]).collect();
        assert_eq!(headers, [0x81, 0x01, 0x01, 0x41]);
        let body: Vec<u8> = out.iter().flat_map(|p| p.payload[2..].to_vec()).collect();
        assert_eq!(body, unit[1..]);
    }

    #[test]
    fn no_units_make_no_packets() {
        assert!(packets(&[], 1200).is_empty());
        let mut out = packets(&[vec![0x41, 1]], 1200);
        Packetizer::new(1200, 0).packetize(&[1, 2, 3], 9, &mut out);
        assert_eq!(out.len(), 1);
    }
}
