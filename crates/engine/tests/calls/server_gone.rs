//! A server that crashes in the middle of a call, and comes back.

use std::time::Duration;

use visavis_engine::Event;
use visavis_engine::call::SignalingState;

use super::harness::{Meeting, is_rising, play};

#[test]
fn media_does_not_notice_that_the_server_is_gone() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        let gone = world.elapsed();
        server.crash();
        let offline = |event: &Event| matches!(event, Event::Signaling(SignalingState::Offline { .. })).then_some(());
        meeting.a.until("offline", offline).await;
        meeting.b.until("offline", offline).await;
        meeting.pass(Duration::from_secs(4)).await;
        server.start();
        let back = world.elapsed();
        meeting.a.until_event(&Event::Signaling(SignalingState::Online)).await;
        meeting.b.until_event(&Event::Signaling(SignalingState::Online)).await;
        let took = world.elapsed() - back;
        eprintln!("signalling was back {took:?} after the server");
        assert!(took <= Duration::from_secs(5), "{took:?}");
        meeting.pass(Duration::from_secs(2)).await;
        for party in [&meeting.a, &meeting.b] {
            let numbers = party.remote.numbers_since(gone);
            assert!(is_rising(&numbers));
            assert!(party.remote.longest_gap_since(gone) < Duration::from_millis(80), "{}", party.name);
            let left = party.time_of(|e| matches!(e, Event::State(s) if matches!(s.name(), "disconnected" | "closed")));
            assert_eq!(left, None, "{}", party.name);
        }
    });
}
