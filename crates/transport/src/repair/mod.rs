//! Forward error correction of video: repair packets from which lost packets can be worked out, without a round trip.
//!
//! The code is a sliding-window random linear one over GF(256), as in RFC 8681: a repair packet is the sum of all packets
//! of the last [`HORIZON`], each multiplied by a number of its own, and as many lost packets can be worked out as repair
//! packets came, whichever they were. What one picture's repairs can't make good those of the next ones can. Flexible FEC
//! (RFC 8627 and its draft 03), of which the libraries have a part, adds without multiplying, picture by picture: at the
//! same cost it leaves many times the freezes, most of all with bursts of loss (docs/NETWORK.md). Its shape is kept: a
//! stream of its own with its own SSRC, grouped by FEC-FR (RFC 5956), and the header fields of what is protected.
//!
//! A repair packet is an RTP packet (RFC 3550) with the time stamp of the picture that it follows. Its payload:
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |L|      0      |     count     |         first number          |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |M|        length (sum)         |       time stamp (sum)        |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |      time stamp, ended        |      payloads (sum) ...       |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! - L: it is the last one of its picture.
//! - count, first number: it is the sum of `count` packets, numbered from there.
//! - M, length, time stamp, payload: the sums of the packets' markers, payload lengths, time stamps and payloads, shorter ones
//!   filled up with zeros.
//!
//! What a packet is multiplied by follows from its own number and from that of the repair packet (`coefficient`).
//! Payload types aren't carried: all that is protected has one.
//!
//! Both halves are sans-IO and bounded, and read whatever bytes come.

mod decoder;
mod encoder;
mod field;

pub use self::decoder::{Covered, RepairDecoder};
pub use self::encoder::RepairEncoder;

/// What a repair packet is the sum of: what was sent in so long, as RTP time stamps tell (90 kHz). So late a picture may be shown
/// and nobody calls it a freeze.
pub const HORIZON: u32 = 11_700;
/// A repair packet is the sum of at most so many.
pub const MOST_COVERED: usize = 128;
/// In front of the sums: flags, count and first number.
const HEAD: usize = 4;
/// The sums of marker, length and time stamp, in front of that of the payloads.
const FIELDS: usize = 6;
/// What a repair packet's payload is longer than the longest that it protects.
pub const OVERHEAD: usize = HEAD + FIELDS;
/// It is the last one of its picture.
const LAST: u8 = 0x80;
/// The marker stands above the length.
const MARKER: u16 = 0x8000;

/// A packet of media, as far as it is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source<P> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP time stamp.
    pub timestamp: u32,
    /// The marker bit: the last packet of a picture.
    pub marker: bool,
    /// RTP payload.
    pub payload: P,
}

impl<P: AsRef<[u8]>> Source<P> {
    /// The fields in front of the payload; `None` for what is too long to be protected.
    fn fields(&self) -> Option<[u8; FIELDS]> {
        let length = u16::try_from(self.payload.as_ref().len()).ok().filter(|length| length & MARKER == 0)?;
        let length = (length | if self.marker { MARKER } else { 0 }).to_be_bytes();
        let timestamp = self.timestamp.to_be_bytes();
        Some([length[0], length[1], timestamp[0], timestamp[1], timestamp[2], timestamp[3]])
    }

    /// Adds the packet, multiplied, to a sum.
    fn add_to(&self, sum: &mut Vec<u8>, factor: u8) {
        let Some(fields) = self.fields() else { return };
        let payload = self.payload.as_ref();
        if sum.len() < FIELDS + payload.len() {
            sum.resize(FIELDS + payload.len(), 0);
        }
        field::add(sum, &fields, factor);
        field::add(sum.get_mut(FIELDS..).unwrap_or_default(), payload, factor);
    }
}

impl Source<Vec<u8>> {
    /// The packet of that number that a sum of one is; `None` where it can't be one.
    fn from_sum(sequence: u16, sum: &[u8]) -> Option<Self> {
        let (&[l0, l1, t0, t1, t2, t3], rest) = sum.split_first_chunk::<FIELDS>()?;
        let word = u16::from_be_bytes([l0, l1]);
        let (payload, filling) = rest.split_at_checked(usize::from(word & !MARKER))?;
        // What was filled up with zeros has to end in them.
        let sound = filling.iter().all(|&byte| byte == 0);
        sound.then(|| Self {
            sequence,
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            marker: word & MARKER != 0,
            payload: payload.to_vec(),
        })
    }
}

/// What the packet of a number is multiplied by in the repair packet of a number: never zero, and for no two repair packets
/// alike. The mixing is that of SplitMix64.
fn coefficient(repair: u16, sequence: u16) -> u8 {
    let mut mixed = (u64::from(repair) << 16 | u64::from(sequence)).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    // The remainder fits, and so does one more.
    (mixed >> 32) as u8 % u8::MAX + 1
}

#[cfg(test)]
mod tests;
