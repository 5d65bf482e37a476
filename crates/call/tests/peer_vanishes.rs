//! The other is gone without a word, or the server believes so.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::deadlines;
use common::solo::{Solo, Stage};
use common::world::World;
use visavis_call::{CallEvent, CloseReason, PeerState, SignalingState, Timer};
use visavis_signaling::Role;
use visavis_signaling::message::{ClientMessage, reason};

const GRACE: Duration = Duration::from_secs(30);

#[test]
fn the_call_ends_when_the_server_gives_the_other_up() {
    for who in 0..2 {
        let mut world = World::connected();
        world.vanish(who);
        assert_eq!(world.name(1 - who), "disconnected");
        world.run(GRACE - Duration::from_secs(1));
        assert_eq!(world.name(1 - who), "disconnected", "it could still come back");
        world.run(Duration::from_secs(2));
        assert_eq!(world.ended(1 - who), Some("peer-lost"));
        world.run(Duration::from_secs(1));
        assert!(world.parties[1 - who].session.is_finished());
    }
}

#[test]
fn media_doesnt_depend_on_the_others_socket() {
    for who in 0..2 {
        let mut world = World::connected();
        world.parties[who].reachable = false;
        world.cut_socket(who);
        world.run(GRACE * 3);
        assert_eq!(world.names(), ["connected", "connected"]);
        let state = world.events(1 - who).into_iter().rfind(|event| matches!(event, CallEvent::Signaling(_)));
        assert!(matches!(state, Some(CallEvent::Signaling(SignalingState::Offline { .. }))), "told: {state:?}");
    }
}

#[test]
fn with_no_server_left_the_old_path_may_still_come_back() {
    for role in [Role::Creator, Role::Joiner] {
        let mut solo = Solo::at(role, Stage::Connected);
        solo.lost();
        assert_eq!(solo.state().name(), "connected");
        solo.path_down();
        solo.pass(Timer::Alone.duration() / 2);
        assert_eq!(solo.actions(), [], "nobody could bring an offer");
        solo.peer(PeerState::Connected);
        assert_eq!(solo.state().name(), "connected");
    }
}

#[test]
fn but_it_isnt_waited_for_for_ever() {
    for role in [Role::Creator, Role::Joiner] {
        let mut solo = Solo::at(role, Stage::Connected);
        solo.lost();
        solo.path_down();
        solo.take();
        solo.pass(Timer::Alone.duration());
        assert_eq!(deadlines(&solo.outputs), [Timer::Alone]);
        assert_eq!(solo.closed_for(), Some(CloseReason::PeerLost));
    }
}

#[test]
fn in_each_state_it_means_what_it_should() {
    let (waiting, up) = ("waiting", "connected");
    let table = [
        (Role::Creator, Stage::New, reason::LOST, "new"),
        (Role::Creator, Stage::Waiting, reason::LOST, waiting),
        (Role::Creator, Stage::Verifying, reason::LOST, waiting),
        (Role::Creator, Stage::Verifying, "hung-up", waiting),
        (Role::Creator, Stage::Describing, reason::TIMED_OUT, waiting),
        (Role::Creator, Stage::Connecting, reason::LOST, "peer-lost"),
        (Role::Creator, Stage::Connecting, "hung-up", "peer-hung-up"),
        (Role::Creator, Stage::Connected, reason::LOST, up),
        (Role::Creator, Stage::Connected, reason::TIMED_OUT, up),
        (Role::Creator, Stage::Connected, "hung-up", "peer-hung-up"),
        (Role::Creator, Stage::Connected, reason::LEFT, "peer-hung-up"),
        (Role::Creator, Stage::Connected, "peer-lost", "peer-lost"),
        (Role::Creator, Stage::Disconnected, reason::LOST, "peer-lost"),
        (Role::Creator, Stage::Disconnected, "hung-up", "peer-hung-up"),
        (Role::Creator, Stage::Closed, "hung-up", "hung-up"),
        (Role::Joiner, Stage::New, reason::LOST, "new"),
        (Role::Joiner, Stage::Verifying, reason::LOST, "no-answer"),
        (Role::Joiner, Stage::Verifying, reason::TIMED_OUT, "no-answer"),
        (Role::Joiner, Stage::Verifying, "hung-up", "peer-hung-up"),
        (Role::Joiner, Stage::Describing, reason::TIMED_OUT, "no-answer"),
        (Role::Joiner, Stage::Connecting, reason::TIMED_OUT, "no-answer"),
        (Role::Joiner, Stage::Connecting, reason::LOST, "peer-lost"),
        (Role::Joiner, Stage::Connecting, "hung-up", "peer-hung-up"),
        (Role::Joiner, Stage::Connected, reason::LOST, up),
        (Role::Joiner, Stage::Disconnected, reason::LOST, "peer-lost"),
    ];
    for (role, stage, word, expected) in table {
        let mut solo = Solo::at(role, stage);
        solo.peer_left(word);
        let found = solo.closed_for().map_or(solo.state().name(), |reason| reason.code());
        assert_eq!(found, expected, "{role:?} {stage:?} {word}");
    }
}

/// The joiner's `confirmed` never arrived, so for the server there is no pair, and the code is still good.
#[test]
fn a_creator_whose_pair_was_never_made_waits_on() {
    let mut solo = Solo::new(Role::Creator);
    solo.go_to(Stage::Describing);
    solo.transport(visavis_call::TransportInput::OfferReady("our offer".into()));
    solo.body(&Solo::answer());
    solo.transport(visavis_call::TransportInput::AnswerAccepted);
    assert_eq!(solo.state().name(), "connecting");
    solo.peer_left(reason::TIMED_OUT);
    assert_eq!(solo.state().name(), "waiting");
    solo.knocked();
    assert_eq!(solo.state().name(), "verifying");
    assert_eq!(solo.generation, 2);
}

/// And when the call is up already, nobody else is to be let into the room.
#[test]
fn a_call_that_is_up_takes_its_room_down() {
    let mut solo = Solo::new(Role::Creator);
    solo.go_to(Stage::Describing);
    solo.transport(visavis_call::TransportInput::OfferReady("our offer".into()));
    solo.body(&Solo::answer());
    solo.transport(visavis_call::TransportInput::AnswerAccepted);
    solo.path_up();
    solo.take();
    solo.peer_left(reason::TIMED_OUT);
    assert_eq!(solo.state().name(), "connected");
    assert!(matches!(solo.sent()[..], [ClientMessage::Leave { .. }]));
}
