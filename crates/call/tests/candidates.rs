//! Candidates never overtake the description that they belong to, and none is lost.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::solo::{Solo, Stage};
use common::world::World;
use visavis_call::{Candidate, TransportAction, TransportInput};
use visavis_signaling::{Body, Role};

fn candidate(ufrag: &str) -> Candidate {
    Candidate { username_fragment: Some(ufrag.into()), ..Solo::candidate() }
}

/// What was sent, a candidate by its ufrag.
fn ufrags(bodies: &[Body]) -> Vec<&str> {
    bodies.iter().map(name).collect()
}

fn name(body: &Body) -> &str {
    match body {
        Body::Candidate { username_fragment, .. } => username_fragment.as_deref().unwrap_or(""),
        Body::Offer { .. } => "offer",
        Body::Answer { .. } => "answer",
        Body::EndOfCandidates => "end",
        Body::Control { .. } | Body::Bye { .. } | Body::Again => "other",
    }
}

#[test]
fn those_found_before_the_description_follow_it() {
    for (role, ready, description) in [
        (Role::Creator, TransportInput::OfferReady("o".into()), "offer"),
        (Role::Joiner, TransportInput::AnswerReady("a".into()), "answer"),
    ] {
        let mut solo = Solo::at(role, Stage::Describing);
        solo.transport(TransportInput::Candidate(candidate("a")));
        solo.transport(TransportInput::Candidate(candidate("b")));
        solo.transport(TransportInput::EndOfCandidates);
        assert_eq!(solo.relayed(), [], "nobody could use them yet");
        solo.transport(ready);
        assert_eq!(ufrags(&solo.relayed()), [description, "a", "b", "end"]);
    }
}

#[test]
fn those_found_later_go_at_once() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connecting);
    solo.transport(TransportInput::Candidate(candidate("a")));
    assert_eq!(ufrags(&solo.relayed()), ["a"]);
}

#[test]
fn those_of_a_restart_wait_for_its_offer_too() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.pass(visavis_call::Timer::Restart.duration());
    assert_eq!(solo.actions(), [TransportAction::CreateOffer { ice_restart: true }]);
    solo.transport(TransportInput::Candidate(candidate("new")));
    assert_eq!(solo.relayed(), []);
    solo.transport(TransportInput::OfferReady("o".into()));
    assert_eq!(ufrags(&solo.relayed()), ["offer", "new"]);
}

#[test]
fn those_held_for_an_offer_that_fails_go_all_the_same() {
    let mut solo = Solo::at(Role::Creator, Stage::Disconnected);
    solo.pass(visavis_call::Timer::Restart.duration());
    solo.transport(TransportInput::Candidate(candidate("old")));
    solo.transport(TransportInput::Failed { reason: "no offer".into() });
    assert_eq!(ufrags(&solo.relayed()), ["old"]);
}

#[test]
fn the_others_reach_the_peer_connection_in_order_even_early() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connected);
    solo.body(&Body::from(candidate("early")));
    solo.body(&Solo::offer(true));
    solo.body(&Body::from(candidate("late")));
    let names: Vec<_> = solo
        .actions()
        .into_iter()
        .map(|action| match action {
            TransportAction::AddCandidate(candidate) => candidate.username_fragment.unwrap(),
            TransportAction::AcceptOffer { sdp, .. } => sdp,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(names, ["early", "their offer", "late"]);
}

#[test]
fn the_end_of_the_others_candidates_changes_nothing() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connecting);
    solo.body(&Body::EndOfCandidates);
    assert_eq!(solo.take(), solo_ack());
}

/// All that follows is that the server learns that it has arrived.
fn solo_ack() -> Vec<visavis_call::Output> {
    let ack = visavis_signaling::ClientMessage::Ack { exchange: 1, seq: 2 };
    vec![visavis_call::Output::Socket(visavis_call::SocketAction::Send(ack.to_json()))]
}

#[test]
fn one_that_cant_be_sent_is_left_out() {
    for stage in [Stage::Connecting, Stage::Connected] {
        let mut solo = Solo::at(Role::Creator, stage);
        let before = solo.state().name();
        solo.transport(TransportInput::Candidate(Candidate { candidate: "x".repeat(2000), ..Candidate::default() }));
        assert_eq!((solo.relayed(), solo.state().name()), (vec![], before));
    }
}

#[test]
fn addresses_found_before_anything_else_still_connect() {
    let mut world = World::new();
    world.create();
    world.parties[0].pace.gather = Duration::from_millis(1);
    let joiner = world.join();
    world.parties[joiner].pace.gather = Duration::from_millis(1);
    world.run(Duration::from_secs(1));
    assert_eq!(world.names(), ["connected", "connected"]);
}
