//! Two who share a code come together, in three trips through the server.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::world::{LATENCY, World};
use visavis_call::{CallEvent, MediaState};
use visavis_signaling::Body;

#[test]
fn both_go_through_the_states_of_the_drawing() {
    let world = World::connected();
    assert_eq!(world.path_of(0), ["new", "waiting", "verifying", "connecting", "connected"]);
    assert_eq!(world.path_of(1), ["new", "verifying", "connecting", "connected"]);
}

#[test]
fn three_trips_join_two_people() {
    let mut world = World::new();
    world.create();
    world.join();
    world.run_until(Duration::from_secs(2), |world| world.name(1) == "verifying");
    let work = world.parties[0].pace.work;
    let took = world.run_until(Duration::from_secs(2), |world| world.name(0) == "connecting");
    assert_eq!(took, LATENCY * 2 * 3 + work * 3, "three times through the server, and three descriptions handled");
    let trips: Vec<_> = world.bodies.iter().filter(|(_, body)| !is_trickle(body)).collect();
    assert!(matches!(trips[..], [(0, Body::Offer { restart: false, .. }), (1, Body::Answer { .. })]));
}

fn is_trickle(body: &Body) -> bool {
    matches!(body, Body::Candidate { .. } | Body::EndOfCandidates)
}

#[test]
fn each_learns_what_the_other_sends() {
    let world = World::connected();
    let media = CallEvent::RemoteMedia(MediaState { microphone: true, camera: true });
    for who in 0..2 {
        assert_eq!(world.events(who).iter().filter(|event| **event == media).count(), 1);
    }
}

#[test]
fn a_path_that_is_up_before_the_descriptions_are_done_counts() {
    let mut solo = common::solo::Solo::at(visavis_signaling::Role::Creator, common::solo::Stage::Describing);
    solo.transport(visavis_call::TransportInput::OfferReady("our offer".into()));
    solo.body(&common::solo::Solo::answer());
    solo.peer(visavis_call::PeerState::Connected);
    assert_eq!(solo.state().name(), "verifying");
    solo.transport(visavis_call::TransportInput::AnswerAccepted);
    assert_eq!(common::states(&solo.take()), ["connecting", "connected"]);
}
