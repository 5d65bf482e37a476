//! Forward error correction is agreed on by two who both know it; with anybody else the call goes on without.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::{Side, negotiate, packet};
use visavis_transport::TransportConfig;

async fn side(forward_error_correction: bool) -> Side {
    let bind = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    Side::with(TransportConfig { bind, forward_error_correction, ..TransportConfig::default() }).await
}

/// Whether the answer takes it.
async fn agreed(offers: bool, answers: bool) -> bool {
    let (a, b) = (side(offers).await, side(answers).await);
    let offer = a.transport.create_offer(false).await.unwrap();
    let told = |sdp: &str| [sdp.contains("flexfec-rlc/90000"), sdp.contains("a=ssrc-group:FEC-FR ")];
    assert_eq!(told(&offer), [offers; 2], "{offer}");
    let answer = b.transport.accept_offer(&offer, &a.transport.fingerprint()).await.unwrap();
    let told = told(&answer);
    assert_eq!(told[0], told[1], "{answer}");
    told[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn both_have_to_know_it() {
    assert!(agreed(true, true).await);
    assert!(!agreed(true, false).await);
    assert!(!agreed(false, true).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn media_flows_without_it() {
    for (offers, answers) in [(true, false), (false, true)] {
        let (mut a, mut b) = (side(offers).await, side(answers).await);
        negotiate(&mut a, &mut b, false).await;
        a.until_control_open().await;
        b.until_control_open().await;
        for sequence in 0..10 {
            a.transport.media_sender().send_video(packet(sequence)).await.unwrap();
            b.transport.media_sender().send_video(packet(sequence)).await.unwrap();
            assert_eq!((a.video().await, b.video().await), (packet(sequence), packet(sequence)));
        }
    }
}
