//! ChannelData (RFC 8656, section 12.4): four bytes before the payload, in place of a whole STUN message.

/// Channels that a client may bind: those of RFC 5766, section 11, since clients of its time are still about (RFC 8656
/// ends at 0x4FFF).
pub const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7FFF;
/// The bytes before the payload.
pub const HEADER_BYTES: usize = 4;

/// The channel and the payload of a datagram. `None` when it isn't one, or says more than it has. Over UDP there may be
/// padding behind the payload, which is left out.
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let channel = u16::from_be_bytes([header[0], header[1]]);
    let length = usize::from(u16::from_be_bytes([header[2], header[3]]));
    CHANNELS.contains(&channel).then(|| rest.get(..length)).flatten().map(|payload| (channel, payload))
}

/// Writes a datagram over what `out` holds. A payload of more than 65 535 bytes can't be.
pub fn write(channel: u16, payload: &[u8], out: &mut Vec<u8>) {
    out.clear();
    let Ok(length) = u16::try_from(payload.len()) else { return };
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_says_more_than_it_has_is_none() {
        assert_eq!(parse(&[0x40, 0, 0, 3, 1, 2]), None);
        assert_eq!(parse(&[0x40, 0, 0, 3, 1, 2, 3, 0]), Some((0x4000, &[1, 2, 3][..])));
        assert_eq!(parse(&[0x80, 0, 0, 0]), None);
        assert_eq!(parse(&[0x40, 0, 0]), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(channel in CHANNELS, payload in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut out = vec![9];
            write(channel, &payload, &mut out);
            prop_assert_eq!(parse(&out), Some((channel, payload.as_slice())));
        }
    }
}
