//! Gets the DTLS handshake through a network that loses, from below ICE.
//!
//! The library repeats a lost flight after a second, seven times at most; two copies of each datagram of the handshake,
//! [`COPIES_AFTER`], make that rare. A copy whose original has arrived is dropped by the anti-replay check that every
//! DTLS has (RFC 6347, section 4.1.2.6).
//!
//! And it keeps a client from being silenced by what it has answered already. The library's DTLS stops its timer whenever
//! a handshake message arrives, even one that only repeats what it has. So when a client's last flight is lost, the
//! server's repetition of its own silences the client for good, and after eight seconds the connection is given up. Once a
//! client has sent its last flight (RFC 6347, section 4.2.4: flight 5), all that a server still sends unencrypted is such
//! repetition. It is made unrecognisable here, and the client goes on repeating until it is heard.

use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use webrtc::runtime::{AsyncUdpSocket, RecvMeta, Runtime, Transmit};

/// When a datagram of the handshake is sent again: each is behind the one before.
const COPIES_AFTER: [Duration; 2] = [Duration::from_millis(80), Duration::from_millis(160)];

/// A record's header (RFC 6347, section 4.1): type, version, epoch, sequence number, length.
const RECORD_HEADER: usize = 13;
/// The record types of the handshake.
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
/// The handshake message that only a client sends, and only in its last flight.
const CLIENT_KEY_EXCHANGE: u8 = 16;
/// No protocol that shares the port begins with it (RFC 7983).
const NOTHING: u8 = 255;

/// Whether this side is a DTLS client that has sent its last flight; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered(Arc<AtomicBool>);

impl Answered {
    /// The socket, with copies of what it sends of the handshake, and repetitions taken out of what it receives.
    pub(crate) fn guard(&self, socket: Arc<dyn AsyncUdpSocket>, runtime: Arc<dyn Runtime>) -> Arc<dyn AsyncUdpSocket> {
        Arc::new(Guarded { inner: socket, runtime, answered: self.clone() })
    }

    fn note_sent(&self, datagrams: &[u8], segment: usize) {
        if !self.0.load(Ordering::Relaxed) && datagrams.chunks(segment.max(1)).any(is_last_flight) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    fn spoil_repeated(&self, datagrams: &mut [u8], segment: usize) {
        if self.0.load(Ordering::Relaxed) {
            for datagram in datagrams.chunks_mut(segment.max(1)) {
                let at = payload_at(datagram);
                if is_plain_handshake(&datagram[at..]) {
                    datagram[at] = NOTHING;
                }
            }
        }
    }
}

#[derive(Debug)]
struct Guarded {
    inner: Arc<dyn AsyncUdpSocket>,
    runtime: Arc<dyn Runtime>,
    answered: Answered,
}

impl AsyncUdpSocket for Guarded {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let sent = self.inner.poll_send(cx, transmit);
        if matches!(sent, Poll::Ready(Ok(_))) {
            let segment = transmit.segment_size.unwrap_or(transmit.contents.len());
            self.answered.note_sent(transmit.contents, segment);
            for datagram in transmit.contents.chunks(segment.max(1)).filter(|datagram| is_handshake(datagram)) {
                self.copy_later(datagram.to_vec(), transmit.destination);
            }
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = received {
            for (buffer, meta) in bufs.iter_mut().zip(meta).take(count) {
                let length = meta.len.min(buffer.len());
                self.answered.spoil_repeated(&mut buffer[..length], meta.stride);
            }
        }
        received
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}

impl Guarded {
    fn copy_later(&self, datagram: Vec<u8>, to: SocketAddr) {
        let (socket, runtime) = (Arc::downgrade(&self.inner), Arc::clone(&self.runtime));
        let copies = async move {
            for after in COPIES_AFTER {
                runtime.sleep(after).await;
                // A connection that was closed meanwhile has no socket, and one that can't send says so elsewhere.
                let Some(socket) = socket.upgrade() else { return };
                let _ = socket.send_to(&datagram, to).await;
            }
        };
        self.runtime.spawn(Box::pin(copies)).detach();
    }
}

/// Whether it begins with a record of the handshake, encrypted or not.
fn is_handshake(datagram: &[u8]) -> bool {
    let first = records(&datagram[payload_at(datagram)..]).next();
    first.is_some_and(|(kind, ..)| matches!(kind, CHANGE_CIPHER_SPEC | HANDSHAKE))
}

/// The records of a datagram: type, epoch and content. Ends where the bytes make no sense.
fn records(datagram: &[u8]) -> impl Iterator<Item = (u8, u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_at_checked(RECORD_HEADER)?;
        let content = behind.get(..usize::from(u16::from_be_bytes([header[11], header[12]])))?;
        rest = &behind[content.len()..];
        Some((header[0], u16::from_be_bytes([header[3], header[4]]), content))
    })
}

fn is_last_flight(datagram: &[u8]) -> bool {
    records(&datagram[payload_at(datagram)..])
        .any(|(kind, epoch, content)| (kind, epoch) == (HANDSHAKE, 0) && content.first() == Some(&CLIENT_KEY_EXCHANGE))
}

/// Whether all of it is handshake in the clear.
fn is_plain_handshake(datagram: &[u8]) -> bool {
    let mut bytes = 0;
    let plain = records(datagram).all(|(kind, epoch, content)| {
        bytes += RECORD_HEADER + content.len();
        (kind, epoch) == (HANDSHAKE, 0)
    });
    plain && bytes > 0 && bytes == datagram.len()
}

/// Where what a TURN server relays begins in its datagram (RFC 8656, sections 11.6 and 12.4); 0 where nothing is wrapped.
fn payload_at(datagram: &[u8]) -> usize {
    /// The fixed part of a STUN message (RFC 8489, section 5).
    const STUN_HEADER: usize = 20;
    const DATA: u16 = 0x0013;
    let word = |at: usize| datagram.get(at..at + 2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]));
    match word(0) {
        Some(0x4000..=0x4fff) if datagram.len() > 4 => 4,
        // Send and Data indications.
        Some(0x0016 | 0x0017) => {
            let mut at = STUN_HEADER;
            while let (Some(kind), Some(length)) = (word(at), word(at + 2)) {
                if kind == DATA && at + 4 < datagram.len() {
                    return at + 4;
                }
                at += 4 + usize::from(length).next_multiple_of(4);
            }
            0
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const SERVER_HELLO_DONE: u8 = 14;

    fn record(kind: u8, epoch: u8, message: u8) -> Vec<u8> {
        let mut bytes = vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, 1, 0, 12, message];
        bytes.extend_from_slice(&[0; 11]);
        bytes
    }

    fn indication(payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x00, 0x17, 0, 0];
        bytes.resize(20, 7);
        // XOR-PEER-ADDRESS, then DATA.
        bytes.extend_from_slice(&[0x00, 0x12, 0, 8, 0, 1, 2, 3, 4, 5, 6, 7, 0x00, 0x13, 0, payload.len() as u8]);
        bytes.extend_from_slice(payload);
        bytes
    }

    fn channel_data(payload: &[u8]) -> Vec<u8> {
        [&[0x40, 0x01, 0, payload.len() as u8], payload].concat()
    }

    fn spoilt(answered: &Answered, datagram: &[u8]) -> bool {
        let mut after = datagram.to_vec();
        answered.spoil_repeated(&mut after, datagram.len());
        after != datagram
    }

    #[test]
    fn a_repeated_flight_is_spoilt_only_once_it_was_answered() {
        for wrap in [<[u8]>::to_vec, indication, channel_data] {
            let answered = Answered::default();
            let repeated = wrap(&[record(HANDSHAKE, 0, 2), record(HANDSHAKE, 0, SERVER_HELLO_DONE)].concat());
            assert!(!spoilt(&answered, &repeated));
            let answer = wrap(&[record(HANDSHAKE, 0, 11), record(HANDSHAKE, 0, CLIENT_KEY_EXCHANGE)].concat());
            answered.note_sent(&answer, answer.len());
            assert!(spoilt(&answered, &repeated));
        }
    }

    #[test]
    fn what_is_encrypted_or_of_another_kind_passes() {
        let answered = Answered::default();
        let answer = record(HANDSHAKE, 0, CLIENT_KEY_EXCHANGE);
        answered.note_sent(&answer, answer.len());
        let last = [record(20, 0, 1), record(HANDSHAKE, 1, 20)].concat();
        for datagram in [last, record(23, 1, 0), vec![0x80, 96, 0, 1], record(HANDSHAKE, 0, 2)[..20].to_vec()] {
            assert!(!spoilt(&answered, &datagram), "{datagram:?}");
        }
    }

    #[test]
    fn a_server_hears_a_client_that_repeats_itself() {
        let answered = Answered::default();
        let flight = record(HANDSHAKE, 0, SERVER_HELLO_DONE);
        answered.note_sent(&flight, flight.len());
        assert!(!spoilt(&answered, &record(HANDSHAKE, 0, CLIENT_KEY_EXCHANGE)));
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes in proptest::collection::vec(any::<u8>(), 0..80), segment in 0usize..90, turn: bool) {
            let mut bytes = bytes;
            if turn && bytes.len() > 1 {
                (bytes[0], bytes[1]) = (0, 0x17);
            }
            let answered = Answered::default();
            answered.note_sent(&bytes, segment);
            answered.0.store(true, Ordering::Relaxed);
            let length = bytes.len();
            answered.spoil_repeated(&mut bytes, segment);
            prop_assert_eq!(bytes.len(), length);
        }
    }
}
