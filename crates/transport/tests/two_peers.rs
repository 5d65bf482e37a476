//! Two transports over loopback: they connect, talk, show and hear one another.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{Side, connected_pair, negotiate, packet};
use visavis_transport::{MAX_CONTROL_BYTES, PeerState, TransportConfig, TransportError, TransportEvent};

#[tokio::test(flavor = "multi_thread")]
async fn they_connect_and_talk_both_ways() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let start = Instant::now();
    negotiate(&mut a, &mut b, false).await;
    a.until_control_open().await;
    b.until_control_open().await;
    eprintln!("offer to open control channel: {:?}", start.elapsed());
    for side in [&a, &b] {
        assert!(side.seen.contains(&TransportEvent::State(PeerState::Connected)), "{:?}", side.seen);
    }
    a.transport.send_control("ahoj").await.unwrap();
    b.transport.send_control("žluťoučký").await.unwrap();
    b.until(|e| *e == TransportEvent::ControlMessage("ahoj".to_owned())).await;
    a.until(|e| *e == TransportEvent::ControlMessage("žluťoučký".to_owned())).await;
    let long = "x".repeat(MAX_CONTROL_BYTES);
    a.transport.send_control(&long).await.unwrap();
    b.until(|e| *e == TransportEvent::ControlMessage(long.clone())).await;
    let refused = a.transport.send_control(&format!("{long}x")).await;
    assert!(matches!(refused, Err(TransportError::TooLarge { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn media_flows_both_ways_in_order() {
    let (mut a, mut b) = connected_pair().await;
    let (from_a, from_b) = (a.transport.media_sender(), b.transport.media_sender());
    for sequence in 65_500..=u16::MAX {
        from_a.send_video(packet(sequence)).await.unwrap();
        from_a.send_audio(packet(sequence)).await.unwrap();
        from_b.send_video(packet(sequence)).await.unwrap();
        from_b.send_audio(packet(sequence)).await.unwrap();
    }
    for side in [&mut a, &mut b] {
        for sequence in 65_500..=u16::MAX {
            assert_eq!(side.video().await, packet(sequence));
            assert_eq!(side.audio().await, packet(sequence));
        }
    }
    b.until(|e| matches!(e, TransportEvent::RemoteVideo { codec } if codec == "video/H264")).await;
    a.until(|e| matches!(e, TransportEvent::RemoteAudio { codec } if codec == "audio/opus")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyframe_request_reaches_the_sender() {
    let (mut a, mut b) = connected_pair().await;
    b.transport.request_keyframe().await.unwrap();
    a.transport.media_sender().send_video(packet(1)).await.unwrap();
    b.video().await;
    b.transport.request_keyframe().await.unwrap();
    a.until(|e| *e == TransportEvent::KeyframeWanted).await;
    assert_eq!(a.transport.stats().await.video.plis_received, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn statistics_name_the_path_and_count_the_packets() {
    let (a, mut b) = connected_pair().await;
    for sequence in 0..50 {
        a.transport.media_sender().send_video(packet(sequence)).await.unwrap();
        b.video().await;
    }
    let (sent, received) = (a.transport.stats().await, b.transport.stats().await);
    assert_eq!((sent.video.packets_sent, received.video.packets_received), (50, 50));
    assert_eq!((sent.video.bytes_sent, received.video.bytes_received), (5000, 5000));
    let pair = sent.pair.unwrap();
    assert_eq!((pair.local.kind.as_str(), pair.local.address.as_str()), ("host", "127.0.0.1"));
    assert_eq!(pair.local.protocol, "udp");
    assert!(pair.rtt.unwrap() < Duration::from_secs(1));
    assert!(sent.bytes_sent > 5000);
}

#[tokio::test(flavor = "multi_thread")]
async fn candidates_may_come_before_the_offer() {
    let (mut a, mut b) = (Side::new().await, Side::new().await);
    let offer = a.transport.create_offer(false).await.unwrap();
    for candidate in a.candidates().await {
        b.transport.add_candidate(candidate).await.unwrap();
    }
    let answer = b.transport.accept_offer(&offer, &a.transport.fingerprint()).await.unwrap();
    for candidate in b.candidates().await {
        a.transport.add_candidate(candidate).await.unwrap();
    }
    a.transport.accept_answer(&answer, &b.transport.fingerprint()).await.unwrap();
    a.until_control_open().await;
    b.until_control_open().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ice_restart_keeps_the_media() {
    let (mut a, mut b) = connected_pair().await;
    a.transport.media_sender().send_video(packet(1)).await.unwrap();
    assert_eq!(b.video().await.sequence, 1);
    let before = a.transport.stats().await.pair.unwrap();
    negotiate(&mut a, &mut b, true).await;
    let mut sequence = 2;
    // Packets sent while there is no path are lost, as they would be on a broken one.
    let got = loop {
        let _ = a.transport.media_sender().send_video(packet(sequence)).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        if let Some(received) = b.media.video.try_recv() {
            break received.packet.sequence;
        }
        sequence += 1;
        assert!(sequence < 1000, "no video after the restart: {:?} {:?}", a.seen, b.seen);
    };
    assert!(got >= 2);
    let after = a.transport.stats().await.pair.unwrap();
    assert_ne!(before.local.port, after.local.port, "the restart took new sockets");
    b.transport.send_control("still here").await.unwrap();
    a.until(|e| *e == TransportEvent::ControlMessage("still here".to_owned())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_connect_over_all_interfaces_too() {
    let (mut a, mut b) = (Side::with(TransportConfig::default()).await, Side::with(TransportConfig::default()).await);
    negotiate(&mut a, &mut b, false).await;
    a.until_state(PeerState::Connected).await;
    b.until_state(PeerState::Connected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offer_can_be_taken_back_for_the_others() {
    let (mut a, mut b) = connected_pair().await;
    let (offer_a, offer_b) =
        (a.transport.create_offer(false).await.unwrap(), b.transport.create_offer(false).await.unwrap());
    let (known_a, known_b) = (a.transport.fingerprint(), b.transport.fingerprint());
    let refused = a.transport.accept_offer(&offer_b, &known_b).await;
    assert!(matches!(refused, Err(TransportError::WrongState(_))), "{refused:?}");
    b.transport.rollback().await.unwrap();
    let answer = b.transport.accept_offer(&offer_a, &known_a).await.unwrap();
    a.transport.accept_answer(&answer, &known_b).await.unwrap();
    a.transport.media_sender().send_audio(packet(9)).await.unwrap();
    assert_eq!(b.audio().await.sequence, 9);
    b.transport.send_control("fine").await.unwrap();
    a.until(|e| *e == TransportEvent::ControlMessage("fine".to_owned())).await;
}
