//! The server restarts, is gone, or says no, in each state of a call.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::solo::{Solo, Stage};
use common::world::World;
use visavis_call::{CallEvent, Command, MediaState, SignalingState, SocketInput};
use visavis_signaling::message::ErrorCode;
use visavis_signaling::{Body, Role, ServerMessage};

fn error(code: ErrorCode, fatal: bool) -> ServerMessage {
    ServerMessage::Error { code, text: "so it is".into(), fatal }
}

#[test]
fn a_restart_leaves_the_call_alone() {
    let mut world = World::connected();
    world.stop_server(0);
    world.run(Duration::from_secs(20));
    world.start_server(0);
    world.run(Duration::from_secs(60));
    assert_eq!(world.names(), ["connected", "connected"]);
    let media = MediaState { microphone: false, camera: true };
    world.command(0, Command::Media(media));
    world.run(Duration::from_secs(1));
    assert!(world.events(1).contains(&CallEvent::RemoteMedia(media)), "the two still hear one another");
}

/// The restarted server has its rooms back from the two, so it carries what mends the path.
#[test]
fn a_path_lost_after_a_restart_is_mended_through_the_server() {
    let mut world = World::connected();
    world.stop_server(0);
    world.run(Duration::from_secs(20));
    world.start_server(0);
    world.run(Duration::from_secs(4));
    world.cut_path();
    assert_eq!(world.names(), ["disconnected", "disconnected"]);
    world.run(Duration::from_secs(3));
    world.restore_path();
    world.run(Duration::from_secs(1));
    assert_eq!(world.names(), ["connected", "connected"]);
    let restarts = world.bodies.iter().filter(|(_, body)| matches!(body, Body::Offer { restart: true, .. }));
    assert_eq!(restarts.count(), 1, "it didn't come back by itself");
}

#[test]
fn the_signalling_comes_back_after_a_lost_socket() {
    let mut world = World::connected();
    for who in 0..2 {
        world.cut_socket(who);
    }
    world.run(Duration::from_secs(3));
    for who in 0..2 {
        let last = world.events(who).into_iter().rfind(|event| matches!(event, CallEvent::Signaling(_)));
        assert_eq!(last, Some(CallEvent::Signaling(SignalingState::Online)));
    }
    world.cut_path();
    world.command(0, Command::HangUp);
    world.run(Duration::from_secs(1));
    assert_eq!(world.ended(1), Some("peer-hung-up"), "and it carries");
}

#[test]
fn a_server_that_is_never_there_ends_the_way_in_with_its_name() {
    for role in [Role::Creator, Role::Joiner] {
        let mut solo = Solo::new(role);
        let mut last = solo.now;
        while solo.closed_for().is_none() {
            solo.offline();
            solo.pass(Duration::from_millis(100));
            assert!(solo.now - last < Duration::from_secs(20));
        }
        last = solo.now;
        assert_eq!(solo.closed_for().unwrap().code(), "server-unreachable");
        solo.pass(Duration::from_secs(1));
        assert!(solo.now > last && solo.session.poll_timeout().is_none());
    }
}

/// A new server in the old one's place doesn't know the room.
#[test]
fn a_room_that_is_lost_ends_only_what_needs_it() {
    for (role, stage) in Stage::everywhere() {
        let expected = match stage {
            Stage::New => "new",
            Stage::Waiting | Stage::Verifying | Stage::Describing => "server-refused",
            Stage::Connecting => "connecting",
            Stage::Connected => "connected",
            Stage::Disconnected => "disconnected",
            Stage::Closed => "hung-up",
        };
        let mut solo = Solo::at(role, stage);
        solo.offline();
        if stage != Stage::Closed {
            solo.back_online(false);
        }
        let found = solo.closed_for().map_or(solo.state().name(), |reason| reason.code());
        assert_eq!(found, expected, "{role:?} {stage:?}");
    }
}

#[test]
fn a_refusal_ends_only_what_needs_the_server() {
    for (role, stage) in Stage::everywhere() {
        for fatal in [false, true] {
            let mut solo = Solo::at(role, stage);
            solo.server(&error(ErrorCode::TooLarge, fatal));
            let found = solo.closed_for().map_or(solo.state().name(), |reason| reason.code());
            let expected = match stage {
                Stage::New | Stage::Waiting | Stage::Verifying | Stage::Describing => "server-refused",
                Stage::Connecting => "connecting",
                Stage::Connected => "connected",
                Stage::Disconnected => "disconnected",
                Stage::Closed => "hung-up",
            };
            assert_eq!(found, expected, "{role:?} {stage:?} fatal: {fatal}");
        }
    }
}

#[test]
fn a_refusal_at_the_door_has_its_own_reason() {
    let table = [
        (Role::Creator, Stage::New, ErrorCode::ServerFull, "server-refused"),
        (Role::Creator, Stage::Waiting, ErrorCode::Expired, "expired"),
        (Role::Joiner, Stage::New, ErrorCode::NoSuchRoom, "no-such-room"),
        (Role::Joiner, Stage::New, ErrorCode::RoomFull, "room-full"),
        (Role::Joiner, Stage::New, ErrorCode::RoomClosed, "no-answer"),
        (Role::Joiner, Stage::New, ErrorCode::LineFull, "server-refused"),
    ];
    for (role, stage, code, expected) in table {
        let mut solo = Solo::at(role, stage);
        solo.server(&error(code, false));
        assert_eq!(solo.closed_for().map(|reason| reason.code()), Some(expected), "{code}");
    }
}

#[test]
fn another_version_or_another_program_is_no_server_of_ours() {
    for text in [error(ErrorCode::UnsupportedVersion, true).to_json(), "<html>".to_owned()] {
        let mut solo = Solo::new(Role::Joiner);
        solo.socket(SocketInput::Opened);
        solo.socket(SocketInput::Text(text));
        assert_eq!(solo.closed_for().map(|reason| reason.code()), Some("server-unreachable"));
    }
}

#[test]
fn a_call_without_server_says_so() {
    let mut solo = Solo::at(Role::Creator, Stage::Connected);
    solo.offline();
    solo.back_online(false);
    let last = solo.take().into_iter().rfind(|output| matches!(output, visavis_call::Output::Event(_)));
    let offline = |state: &SignalingState| matches!(state, SignalingState::Offline { .. });
    assert!(matches!(last, Some(visavis_call::Output::Event(CallEvent::Signaling(state))) if offline(&state)));
}

/// Else it could keep a creator for ever in a room that nobody can come to.
#[test]
fn a_server_makes_no_pair_without_us() {
    for stage in [Stage::Verifying, Stage::Describing] {
        let mut solo = Solo::at(Role::Creator, stage);
        solo.server(&ServerMessage::Confirmed { exchange: 1, room: "00".repeat(16) });
        solo.offline();
        solo.pass(Duration::from_secs(60));
        assert_eq!(solo.closed_for().map(|reason| reason.code()), Some("server-refused"), "{stage:?}");
    }
}

#[test]
fn what_answers_but_is_no_server_is_named_at_once() {
    for (role, stage) in Stage::everywhere() {
        let mut solo = Solo::at(role, stage);
        let refused = SocketInput::Refused { reason: "it isn't a Visavis server".into() };
        if stage == Stage::New {
            solo = Solo::new(role);
            solo.socket(refused);
            assert_eq!(solo.closed_for().map(|reason| reason.code()), Some("server-unreachable"));
        } else {
            // A login page that a network puts in between passes.
            let before = solo.state();
            solo.offline();
            solo.pass(Duration::from_millis(300));
            solo.socket(refused);
            assert!(solo.state() == before || stage == Stage::Closed, "{role:?} {stage:?}");
        }
    }
}

/// The joiner would otherwise wait for an offer until its deadline.
#[test]
fn a_joiner_whose_words_are_of_no_use_is_told_so() {
    let mut creator = Solo::at(Role::Creator, Stage::Verifying);
    creator.body(&Solo::answer());
    assert_eq!(creator.state().name(), "waiting");
    let goodbye = Body::Bye { reason: "dismissed".into() };
    assert_eq!(creator.relayed(), std::slice::from_ref(&goodbye));
    let mut joiner = Solo::at(Role::Joiner, Stage::Verifying);
    joiner.body(&goodbye);
    assert_eq!(joiner.closed_for().map(|reason| reason.code()), Some("dismissed"));
}
