//! Datagrams on a stream with their length before each, two bytes in network order (RFC 4571, section 2), as ICE over TCP has
//! them (RFC 6544, section 3).

/// The bytes of a length.
const LENGTH_BYTES: usize = 2;

/// What comes over a stream, cut into datagrams. It holds no more than one read and one datagram.
#[derive(Debug, Default)]
pub struct Prefixed {
    bytes: Vec<u8>,
    /// Where what wasn't taken yet begins.
    at: usize,
}

impl Prefixed {
    /// Takes what was read. Datagrams that are there already should be taken first: all that is kept is in memory.
    pub fn push(&mut self, read: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(read);
    }

    /// The next datagram, once all of it is there. Empty ones are left out: they only keep a stream open.
    pub fn next_datagram(&mut self) -> Option<&[u8]> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
            let end = LENGTH_BYTES + length;
            if rest.len() < end {
                return None;
            }
            let start = self.at + LENGTH_BYTES;
            self.at += end;
            if length > 0 {
                return self.bytes.get(start..start + length);
            }
        }
    }
}

/// Puts a datagram on a stream. `false` when it is too long for one, or empty: nothing is written then.
#[must_use]
pub fn write(datagram: &[u8], stream: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(datagram.len()) else { return false };
    if length == 0 {
        return false;
    }
    stream.extend_from_slice(&length.to_be_bytes());
    stream.extend_from_slice(datagram);
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(prefixed: &mut Prefixed) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| prefixed.next_datagram().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn the_length_comes_first_and_empty_ones_say_nothing() {
        let mut stream = Vec::new();
        assert!(write(b"hello", &mut stream));
        assert_eq!(stream, b"\x00\x05hello");
        assert!(!write(b"", &mut stream) && !write(&[0; 1 << 16], &mut stream));
        assert_eq!(stream.len(), 7);
        let mut prefixed = Prefixed::default();
        prefixed.push(b"\0\0\0\0\0\x01a\0");
        assert_eq!(all(&mut prefixed), [b"a"]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_however_it_is_cut(
            datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..12),
            cut in 1usize..90,
        ) {
            let mut stream = Vec::new();
            for datagram in &datagrams {
                prop_assert!(write(datagram, &mut stream));
            }
            let (mut prefixed, mut found) = (Prefixed::default(), Vec::new());
            for piece in stream.chunks(cut) {
                prefixed.push(piece);
                found.extend(all(&mut prefixed));
            }
            prop_assert_eq!(found, datagrams);
        }
    }
}
