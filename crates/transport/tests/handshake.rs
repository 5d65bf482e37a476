//! Forward secrecy (RFC 8827, section 6.5): whoever keeps what went over the wire, and gets hold of a certificate's key later,
//! can read nothing. So every cipher suite that is offered makes its keys by ephemeral Diffie–Hellman.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::Side;
use tokio::net::UdpSocket;
use visavis_transport::Candidate;

/// ECDHE with ECDSA or RSA, of RFC 5289, RFC 7905 and RFC 8422.
const EPHEMERAL: [u16; 10] = [0xC009, 0xC00A, 0xC013, 0xC014, 0xC02B, 0xC02C, 0xC02F, 0xC030, 0xCCA8, 0xCCA9];
/// Says that renegotiation is safe, and is no suite (RFC 5746).
const SIGNAL: u16 = 0x00FF;

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// Stands in the way of one side and writes down all that goes by.
async fn stand_before(target: SocketAddr) -> (SocketAddr, Heard) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (address, heard) = (socket.local_addr().unwrap(), Heard::default());
    let written = Arc::clone(&heard);
    tokio::spawn(async move {
        let (mut buffer, mut other) = ([0; 2048], None);
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            written.lock().unwrap().push(buffer[..length].to_vec());
            if from != target {
                other = Some(from);
            }
            if let Some(to) = if from == target { other } else { Some(target) } {
                // What is lost is sent again.
                let _ = socket.send_to(&buffer[..length], to).await;
            }
        }
    });
    (address, heard)
}

/// The cipher suites of a DTLS 1.2 ClientHello (RFC 6347, section 4.2); none in anything else.
fn offered(datagram: &[u8]) -> Option<Vec<u16>> {
    const RECORD: usize = 13;
    const HANDSHAKE: usize = 12;
    let (is_handshake, body) = (datagram.first() == Some(&22), datagram.get(RECORD + HANDSHAKE..)?);
    if !is_handshake || datagram.get(RECORD) != Some(&1) {
        return None;
    }
    let mut rest = body.get(2 + 32..)?;
    for _ in ["session id", "cookie"] {
        let length = usize::from(*rest.first()?);
        rest = rest.get(1 + length..)?;
    }
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    Some(rest.get(2..2 + length)?.as_chunks().0.iter().map(|suite| u16::from_be_bytes(*suite)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_suite_that_is_offered_has_forward_secrecy() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let offer = a.transport.create_offer(false).await.unwrap();
    let answer = b.transport.accept_offer(&offer, &a.transport.fingerprint()).await.unwrap();
    a.transport.accept_answer(&answer, &b.transport.fingerprint()).await.unwrap();
    // One knows the other by whoever stands in between, and the other finds out.
    let behind =
        b.candidates().await.into_iter().find(|candidate| candidate.candidate.contains(" 127.0.0.1 ")).unwrap();
    let words: Vec<&str> = behind.candidate.split(' ').collect();
    let (before, heard) = stand_before(format!("{}:{}", words[4], words[5]).parse().unwrap()).await;
    let line = behind.candidate.replace(&format!(" {} ", words[5]), &format!(" {} ", before.port()));
    a.transport.add_candidate(Candidate { candidate: line, ..behind }).await.unwrap();
    a.until_control_open().await;

    let offers: Vec<Vec<u16>> = heard.lock().unwrap().iter().filter_map(|datagram| offered(datagram)).collect();
    assert!(!offers.is_empty(), "no handshake went by");
    for suite in offers.into_iter().flatten().filter(|suite| *suite != SIGNAL) {
        assert!(EPHEMERAL.contains(&suite), "{suite:#06x} has no forward secrecy");
    }
}
