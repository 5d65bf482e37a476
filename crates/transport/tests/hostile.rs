//! What a broken or hostile other side may send: refused with a reason, and the connection goes on.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Side, negotiate};
use visavis_transport::{Candidate, Certificate, Fingerprint, TransportError, TransportEvent};

fn candidate(line: &str) -> Candidate {
    Candidate { candidate: line.to_owned(), ..Candidate::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_is_refused() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let stranger = Certificate::generate().unwrap().fingerprint();
    let offer = a.transport.create_offer(false).await.unwrap();
    assert_eq!(b.transport.accept_offer(&offer, &stranger).await, Err(TransportError::WrongFingerprint));
    let answer = b.transport.accept_offer(&offer, &a.transport.fingerprint()).await.unwrap();
    assert_eq!(a.transport.accept_answer(&answer, &stranger).await, Err(TransportError::WrongFingerprint));
    // The right one is still taken afterwards.
    a.transport.accept_answer(&answer, &b.transport.fingerprint()).await.unwrap();
    for c in a.candidates().await {
        b.transport.add_candidate(c).await.unwrap();
    }
    a.until_control_open().await;
    b.until_control_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_with_the_right_text_does_not_get_through() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let friend = Certificate::generate().unwrap().fingerprint();
    let offer = a.transport.create_offer(false).await.unwrap();
    // The offer says the friend's fingerprint; the certificate shown is another.
    let forged = offer.replace(&a.transport.fingerprint().to_string(), &friend.to_string());
    let answer = b.transport.accept_offer(&forged, &friend).await.unwrap();
    a.transport.accept_answer(&answer, &b.transport.fingerprint()).await.unwrap();
    for c in a.candidates().await {
        b.transport.add_candidate(c).await.unwrap();
    }
    for c in b.candidates().await {
        a.transport.add_candidate(c).await.unwrap();
    }
    let opened = b.until(|e| *e == TransportEvent::ControlOpen);
    assert!(tokio::time::timeout(std::time::Duration::from_secs(3), opened).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_descriptions_are_refused_and_the_right_one_is_taken() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let known = a.transport.fingerprint();
    let offer = a.transport.create_offer(false).await.unwrap();
    let without =
        |start: &str| offer.lines().filter(|l| !l.starts_with(start)).collect::<Vec<_>>().join("\r\n") + "\r\n";
    let huge = format!("{offer}a=x:{}\r\n", "y".repeat(100_000));
    let bad = [
        String::new(),
        "v=0\r\n".to_owned(),
        "☃".repeat(100),
        huge,
        without("a=mid"),
        without("a=ice-ufrag"),
        without("a=ice-pwd"),
        without("a=fingerprint"),
        without("a=ssrc"),
        offer.replace("m=audio", "m=text"),
        offer.replace("m=video 9", "m=video 99999"),
        format!("{offer}a=candidate:1 1 udp\r\n"),
        format!("{offer}a=fingerprint:sha-256 {}\r\n", Fingerprint::from([1; 32])),
        format!("{offer}a=fingerprint:sha-1 AB\r\n"),
    ];
    for sdp in &bad {
        let refused = b.transport.accept_offer(sdp, &known).await;
        assert!(refused.is_err(), "taken: {sdp}");
    }
    let answer = b.transport.accept_offer(&offer, &known).await.unwrap();
    for sdp in &bad {
        assert!(a.transport.accept_answer(sdp, &b.transport.fingerprint()).await.is_err(), "taken: {sdp}");
    }
    a.transport.accept_answer(&answer, &b.transport.fingerprint()).await.unwrap();
    for c in b.candidates().await {
        a.transport.add_candidate(c).await.unwrap();
    }
    a.until_control_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_candidates_are_refused_and_the_call_comes_up() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let bad = [
        "candidate:",
        "candidate:1 1 udp 1 10.0.0.1",
        "candidate:1 1 udp 1 example.org 9 typ host",
        "candidate:1 1 udp 1 10.0.0.1 99999 typ host",
        "candidate:1 1 udp 1 10.0.0.1 9 typ nonsense",
        "candidate:1 1 udp 1 10.0.0.1 9 typ srflx raddr",
        "☃ ☃ ☃ ☃ ☃ ☃ ☃ ☃",
    ];
    for line in &bad[1..] {
        assert!(a.transport.add_candidate(candidate(line)).await.is_err(), "{line}");
    }
    let long = format!("candidate:1 1 udp 1 10.0.0.1 9 typ host {}", "x".repeat(2000));
    assert!(matches!(a.transport.add_candidate(candidate(&long)).await, Err(TransportError::TooLarge { .. })));
    // The end of the list, and the name that a browser gives in its address's place, are nothing to try but no errors.
    a.transport.add_candidate(candidate("")).await.unwrap();
    let hidden = "candidate:1 1 udp 2113937151 3f0c4d7a-1b9e-4a54-8a0b-1c2d3e4f5a6b.local 50000 typ host";
    a.transport.add_candidate(candidate(hidden)).await.unwrap();
    negotiate(&mut a, &mut b, false).await;
    a.transport.add_candidate(candidate(hidden)).await.unwrap();
    assert!(a.transport.add_candidate(candidate(bad[4])).await.is_err());
    a.until_control_open().await;
}

/// The library dials nobody by itself: that would show what relay-only hides, and knock at any port that the other side names.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_dialled_over_tcp() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let port = trap.local_addr().unwrap().port();
    negotiate(&mut a, &mut b, false).await;
    for protocol in ["tcp", "TCP"] {
        let line = format!("candidate:1 1 {protocol} 2128609279 127.0.0.1 {port} typ host tcptype passive");
        a.transport.add_candidate(candidate(&line)).await.unwrap();
    }
    // The connection takes things in order, and this takes longer than a connection within the machine.
    a.until_control_open().await;
    assert_eq!(trap.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_candidates_has_an_end() {
    let side = Side::new().await;
    let mut results = Vec::new();
    for i in 0..200 {
        let line = format!("candidate:1 1 udp 1 10.0.0.{i} 9 typ host");
        results.push(side.transport.add_candidate(candidate(&line)).await);
    }
    assert!(matches!(results.last(), Some(Err(TransportError::TooLarge { .. }))));
}
