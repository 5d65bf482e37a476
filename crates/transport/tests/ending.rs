//! How a connection ends: nothing of it stays, and the other side notices.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{Side, connected_pair, packet};
use visavis_transport::{PeerState, TransportError, TransportEvent};

/// Polls until nothing but the test itself runs: what ends does so in a moment, not at once.
async fn until_alone() {
    let metrics = tokio::runtime::Handle::current().metrics();
    let deadline = Instant::now() + Duration::from_secs(5);
    while metrics.num_alive_tasks() > 0 && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(metrics.num_alive_tasks(), 0, "tasks outlive their connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_leaves_no_task_and_no_socket() {
    let (mut a, mut b) = connected_pair().await;
    a.transport.media_sender().send_video(packet(1)).await.unwrap();
    b.video().await;
    let port = a.transport.stats().await.pair.unwrap().local.port;
    assert!(std::net::UdpSocket::bind(("127.0.0.1", port)).is_err());
    a.transport.close().await;
    a.transport.close().await;
    a.until_state(PeerState::Closed).await;
    assert_eq!(a.transport.media_sender().send_video(packet(2)).await, Err(TransportError::NotConnected));
    assert_eq!(a.transport.send_control("hello?").await, Err(TransportError::ControlClosed));
    assert_eq!(a.transport.create_offer(false).await, Err(TransportError::Closed));
    assert!(a.media.video.recv().await.is_none(), "the queue of a closed connection ends");
    b.transport.close().await;
    until_alone().await;
    assert!(std::net::UdpSocket::bind(("127.0.0.1", port)).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn dropping_closes() {
    let (a, b) = connected_pair().await;
    drop(a);
    drop(b);
    until_alone().await;
    drop(Side::new().await);
    until_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_side_notices_a_close_at_once() {
    let (a, mut b) = connected_pair().await;
    let start = Instant::now();
    a.transport.close().await;
    b.until(|event| matches!(event, TransportEvent::ControlClosed | TransportEvent::State(_))).await;
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
