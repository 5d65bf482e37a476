//! STUN messages and ChannelData one after the other on a stream, which has no borders of its own: each says its length, and
//! ChannelData is padded to a multiple of four (RFC 8656, section 12.5). A STUN message is one already (RFC 8489, section 5).

use std::ops::Range;

use crate::channel_data::{self, CHANNELS};
use crate::message::MAGIC_COOKIE;

/// The bytes that tell how long a frame is.
const LENGTH_BYTES: usize = 4;
/// What a STUN message has besides what its length counts.
const STUN_HEADER_BYTES: usize = 20;
/// A STUN message begins with two zero bits (RFC 8489, section 5), ChannelData with others.
const CHANNEL_BITS: u8 = 0xC0;
/// The largest frame: a ChannelData of 65 535 bytes with header and padding.
pub const MAX_FRAME_BYTES: usize = channel_data::HEADER_BYTES + (1 << 16);

/// The stream holds something that is neither a STUN message nor ChannelData. Where the next one begins isn't known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFramed;

/// What comes over a stream, cut into frames. It holds no more than one read and one frame.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    /// Where what wasn't taken yet begins.
    at: usize,
    /// The longest frame that is taken.
    limit: usize,
}

impl Frames {
    /// With no bytes yet. A frame of more than `limit` bytes counts as nonsense.
    #[must_use]
    pub fn with_limit(limit: usize) -> Self {
        Self { bytes: Vec::new(), at: 0, limit }
    }

    /// Takes what was read. Frames that are there already should be taken first: all that is kept is in memory.
    pub fn push(&mut self, read: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(read);
    }

    /// The next frame without its padding, once all of it is there.
    ///
    /// # Errors
    /// [`NotFramed`] when the stream makes no sense, from then on each time.
    pub fn next_frame(&mut self) -> Result<Option<&[u8]>, NotFramed> {
        let Some(range) = self.next_range()? else { return Ok(None) };
        Ok(self.bytes.get(range))
    }

    /// Whether the beginning of a frame waits for its end.
    #[must_use]
    pub fn is_within(&self) -> bool {
        self.at < self.bytes.len()
    }

    fn next_range(&mut self) -> Result<Option<Range<usize>>, NotFramed> {
        let rest = &self.bytes[self.at..];
        let Some(head) = rest.first_chunk() else { return Ok(None) };
        let Lengths { frame, padded } = lengths(*head).ok_or(NotFramed)?;
        let is_stun = CHANNEL_BITS & head[0] == 0;
        let cookie = rest.get(LENGTH_BYTES..).unwrap_or_default();
        let spoilt = is_stun && cookie.iter().zip(MAGIC_COOKIE.to_be_bytes()).any(|(a, b)| *a != b);
        if frame > self.limit || spoilt {
            return Err(NotFramed);
        }
        if rest.len() < padded {
            return Ok(None);
        }
        let start = self.at;
        self.at += padded;
        Ok(Some(start..start + frame))
    }
}

struct Lengths {
    frame: usize,
    padded: usize,
}

fn lengths(head: [u8; LENGTH_BYTES]) -> Option<Lengths> {
    let (kind, length) = (u16::from_be_bytes([head[0], head[1]]), usize::from(u16::from_be_bytes([head[2], head[3]])));
    if CHANNEL_BITS & head[0] == 0 {
        let whole = STUN_HEADER_BYTES + length;
        return length.is_multiple_of(4).then_some(Lengths { frame: whole, padded: whole });
    }
    let frame = channel_data::HEADER_BYTES + length;
    CHANNELS.contains(&kind).then_some(Lengths { frame, padded: frame.next_multiple_of(4) })
}

/// Puts a datagram on a stream, padded. `false` when it is none that a stream can carry: the other side would lose its place.
#[must_use]
pub fn write(datagram: &[u8], stream: &mut Vec<u8>) -> bool {
    let Some(Lengths { frame, padded }) = datagram.first_chunk().copied().and_then(lengths) else { return false };
    // Over UDP there may be padding already.
    let Some(frame) = datagram.get(..frame).filter(|_| datagram.len() <= padded) else { return false };
    stream.extend_from_slice(frame);
    stream.resize(stream.len() + padded - frame.len(), 0);
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;
    use crate::message::{Builder, Class, attribute, method};

    fn channel(payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        channel_data::write(0x4001, payload, &mut out);
        out
    }

    fn indication(data: &[u8]) -> Vec<u8> {
        Builder::new(Class::Indication, method::DATA, &[7; 12]).attribute(attribute::DATA, data).unsigned()
    }

    fn all(frames: &mut Frames) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        while let Some(frame) = frames.next_frame().unwrap() {
            found.push(frame.to_vec());
        }
        found
    }

    #[test]
    fn channel_data_is_padded_on_a_stream() {
        let mut stream = Vec::new();
        assert!(write(&channel(b"hello"), &mut stream));
        assert_eq!(stream, b"\x40\x01\x00\x05hello\0\0\0");
        // What came padded over UDP isn't padded twice.
        let padded = stream.clone();
        stream.clear();
        assert!(write(&padded, &mut stream));
        assert_eq!(stream, padded);
    }

    #[test]
    fn what_has_no_length_of_its_own_stays_off_the_stream() {
        let mut stream = Vec::new();
        for datagram in
            [&b""[..], b"\x40\x01\x00", b"\x80\x60\x00\x00", b"\x40\x01\x00\x05hell", b"\x00\x01\x00\x03abc"]
        {
            assert!(!write(datagram, &mut stream), "{datagram:?}");
        }
        assert!(stream.is_empty());
    }

    #[test]
    fn a_stream_that_makes_no_sense_stays_so() {
        for nonsense in
            [&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..], b"\x00\x01\x00\x00\x00", b"\x80\0\0\0", b"\0\x01\0\x03"]
        {
            let mut frames = Frames::with_limit(MAX_FRAME_BYTES);
            frames.push(nonsense);
            assert_eq!(frames.next_frame(), Err(NotFramed), "{nonsense:?}");
            frames.push(&channel(b"hello"));
            assert_eq!(frames.next_frame(), Err(NotFramed), "{nonsense:?}");
        }
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_there() {
        let mut frames = Frames::with_limit(100);
        frames.push(&channel(&[1; 97])[..4]);
        assert_eq!(frames.next_frame(), Err(NotFramed));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            datagrams in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 0..60)), 0..12),
            cut in 1usize..90,
        ) {
            let datagrams: Vec<_> =
                datagrams.iter().map(|(stun, data)| if *stun { indication(data) } else { channel(data) }).collect();
            let mut stream = Vec::new();
            for datagram in &datagrams {
                prop_assert!(write(datagram, &mut stream));
            }
            let (mut frames, mut found) = (Frames::with_limit(MAX_FRAME_BYTES), Vec::new());
            for piece in stream.chunks(cut) {
                frames.push(piece);
                found.extend(all(&mut frames));
            }
            prop_assert_eq!(found, datagrams);
            prop_assert!(!frames.is_within());
        }

        #[test]
        fn any_bytes_do(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 1usize..50) {
            let mut frames = Frames::with_limit(200);
            for piece in bytes.chunks(cut) {
                frames.push(piece);
                while let Ok(Some(frame)) = frames.next_frame() {
                    prop_assert!(frame.len() <= 200);
                }
            }
        }
    }
}
