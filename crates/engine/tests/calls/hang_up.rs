//! The end of a call: who sees it when, and that nothing outlives it.

use std::time::Duration;

use visavis_engine::Event;
use visavis_engine::call::{CallState, CloseReason};
use visavis_testkit::net::{SignalingServer, World};

use super::harness::{MEDIA_DELAY, Meeting, play};

const SOON: Duration = Duration::from_millis(10);

#[test]
fn the_other_sees_at_once_that_one_hung_up() {
    play(|world, server| ended(world, server, |meeting| meeting.a.call().hang_up()));
}

#[test]
fn the_joiner_may_hang_up_too() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(1)).await;
        meeting.b.call().hang_up();
        meeting.a.until_event(&Event::State(CallState::Closed(CloseReason::PeerHungUp))).await;
        meeting.a.until_event(&Event::Finished).await;
        meeting.b.until_event(&Event::Finished).await;
    });
}

#[test]
fn dropping_the_call_hangs_up() {
    play(|world, server| ended(world, server, |meeting| drop(meeting.a.call.take())));
}

async fn ended(world: World, server: SignalingServer, end: impl FnOnce(&mut Meeting)) {
    let mut meeting = Meeting::connected(&world, &server).await;
    meeting.pass(Duration::from_secs(1)).await;
    let ended = world.elapsed();
    end(&mut meeting);
    meeting.b.until_event(&Event::State(CallState::Closed(CloseReason::PeerHungUp))).await;
    let seen = world.elapsed() - ended;
    assert!(seen <= MEDIA_DELAY + SOON, "{seen:?}");
    meeting.a.until_event(&Event::State(CallState::Closed(CloseReason::HungUp))).await;
    for party in [&mut meeting.a, &mut meeting.b] {
        party.until_event(&Event::Finished).await;
        assert_released(party.log());
        party.call = None;
    }
    assert!(world.elapsed() - ended < Duration::from_secs(1), "{:?}", world.elapsed() - ended);
    // Nothing outlives the call: no loop, no device, no socket.
    meeting.pass(Duration::from_secs(1)).await;
    assert_eq!(world.tasks(), 0);
}

/// All devices are said to be closed before the end is.
fn assert_released(log: Vec<(Duration, Event)>) {
    let local = log.iter().rev().find_map(|(_, event)| match event {
        Event::Local(local) => Some(local.clone()),
        _ => None,
    });
    let local = local.unwrap();
    assert_eq!((local.camera, local.microphone, local.speaker), (None, None, None));
    assert_eq!(log.last().map(|(_, event)| event.clone()), Some(Event::Finished));
}
