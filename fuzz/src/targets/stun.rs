//! What is spoken on streams, cut anyhow, or not what it should be: STUN and TURN as a relay's clients and a relay itself send it,
//! and ICE over TCP.

use visavis_stun::framing::{Frames, write};
use visavis_stun::{Message, attribute, channel_data, prefixed};

use crate::Bytes;

const LIMIT: usize = 2048;

/// What comes over the stream, in pieces. What is cut out of it goes back onto a stream, and comes out the same.
pub(crate) fn stream(data: &[u8]) {
    let mut input = Bytes::new(data);
    let (mut frames, mut again, mut expected) = (Frames::with_limit(LIMIT), Vec::new(), Vec::new());
    'stream: while !input.is_empty() {
        frames.push(input.chunk());
        loop {
            let frame = match frames.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => break 'stream,
            };
            assert!(frame.len() <= LIMIT, "a frame is longer than it may be");
            assert!(write(frame, &mut again), "a frame can't go back onto a stream");
            expected.push(frame.to_vec());
            read(frame);
        }
    }
    let mut frames = Frames::with_limit(LIMIT);
    frames.push(&again);
    for frame in &expected {
        assert_eq!(frames.next_frame(), Ok(Some(frame.as_slice())));
    }
    assert_eq!(frames.next_frame(), Ok(None));
    assert!(!frames.is_within(), "padding is left over");
}

fn read(frame: &[u8]) {
    if channel_data::parse(frame).is_none()
        && let Some(message) = Message::parse(frame)
    {
        // Whatever it says, it can be asked.
        let _ = (message.error_code(), message.is_signed_with(b"key"), message.unknown(&[]));
        let _ = (message.address(attribute::XOR_PEER_ADDRESS), message.text(attribute::NONCE));
    }
}

/// Datagrams with their lengths before them, in pieces. They go back onto a stream, and come out the same.
pub(crate) fn lengths(data: &[u8]) {
    let mut input = Bytes::new(data);
    let (mut cut, mut again, mut expected) = (prefixed::Prefixed::default(), Vec::new(), Vec::new());
    while !input.is_empty() {
        cut.push(input.chunk());
        while let Some(datagram) = cut.next_datagram() {
            assert!(prefixed::write(datagram, &mut again), "a datagram can't go back onto a stream");
            expected.push(datagram.to_vec());
            read(datagram);
        }
    }
    let mut cut = prefixed::Prefixed::default();
    cut.push(&again);
    for datagram in &expected {
        assert_eq!(cut.next_datagram(), Some(datagram.as_slice()));
    }
    assert_eq!(cut.next_datagram(), None);
}
