//! Hanging up is seen as that by the other side, at once, whichever way the word can take.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::solo::{Solo, Stage};
use common::world::{DIRECT, LATENCY, World};
use visavis_call::{CloseReason, Command, Input, SocketAction, SocketInput, Timer, TransportAction, TransportInput};
use visavis_signaling::message::ClientMessage;
use visavis_signaling::{Body, Role};

const SOON: Duration = Duration::from_secs(1);

#[test]
fn the_other_hears_it_at_once() {
    for who in 0..2 {
        let mut world = World::connected();
        world.command(who, Command::HangUp);
        let took = world.run_until(SOON, |world| world.ended(1 - who).is_some());
        assert!(took <= DIRECT.min(LATENCY * 2), "{took:?}");
        assert_eq!((world.ended(who), world.ended(1 - who)), (Some("hung-up"), Some("peer-hung-up")));
    }
}

#[test]
fn both_end_cleanly_and_say_so_once() {
    for who in 0..2 {
        let mut world = World::connected();
        world.command(who, Command::HangUp);
        world.command(who, Command::HangUp);
        world.run(SOON);
        for party in &world.parties {
            assert!(party.session.is_finished());
            assert_eq!(party.session.poll_timeout(), None);
            assert_eq!(party.open_peers, 0);
            assert_eq!(common::states(&party.outputs).iter().filter(|name| **name == "closed").count(), 1);
        }
        assert_eq!(world.servers[0].as_ref().unwrap().counts().rooms, 0);
    }
}

#[test]
fn the_channel_is_enough_when_the_server_is_gone() {
    for who in 0..2 {
        let mut world = World::connected();
        world.stop_server(0);
        world.run(SOON);
        world.command(who, Command::HangUp);
        let took = world.run_until(SOON, |world| world.ended(1 - who) == Some("peer-hung-up"));
        assert_eq!(took, DIRECT);
    }
}

#[test]
fn the_server_is_enough_when_the_path_is_lost() {
    for who in 0..2 {
        let mut world = World::connected();
        world.cut_path();
        world.command(who, Command::HangUp);
        let took = world.run_until(SOON, |world| world.ended(1 - who) == Some("peer-hung-up"));
        assert_eq!(took, LATENCY * 2);
    }
}

#[test]
fn it_ends_every_state_on_both_sides() {
    for (role, stage) in Stage::everywhere() {
        let mut solo = Solo::at(role, stage);
        solo.input(Input::Command(Command::HangUp));
        assert_eq!(solo.closed_for(), Some(CloseReason::HungUp), "{role:?} {stage:?}");
        solo.pass(Timer::Linger.duration());
        assert!(solo.session.is_finished() || !solo.outputs.is_empty());
        solo.take();
        assert_eq!(solo.session.poll_timeout(), None, "{role:?} {stage:?}");
    }
}

#[test]
fn whoever_is_in_a_room_leaves_it_by_the_word() {
    for (role, stage) in Stage::everywhere().filter(|(_, stage)| !matches!(stage, Stage::New | Stage::Closed)) {
        let mut solo = Solo::at(role, stage);
        solo.input(Input::Command(Command::HangUp));
        let left = ClientMessage::Leave { reason: "hung-up".into() };
        assert_eq!(solo.sent().last(), Some(&left), "{role:?} {stage:?}");
        assert!(solo.outputs.contains(&visavis_call::Output::Socket(SocketAction::Disconnect)));
    }
}

#[test]
fn goodbye_goes_by_both_ways_before_leaving() {
    let mut solo = Solo::at(Role::Joiner, Stage::Connected);
    solo.input(Input::Command(Command::HangUp));
    let spoken = TransportAction::SendControl(r#"{"type":"bye","reason":"hung-up"}"#.into());
    assert_eq!(solo.actions(), [spoken]);
    assert_eq!(solo.relayed(), [Body::Bye { reason: "hung-up".into() }]);
    solo.take();
    solo.pass(Timer::Linger.duration());
    assert_eq!(solo.actions(), [TransportAction::Close], "only after the goodbye has had its time");
}

#[test]
fn a_joiner_who_hangs_up_early_leaves_the_creator_waiting() {
    let mut world = World::new();
    world.create();
    world.join();
    world.run_until(SOON, |world| world.name(0) == "verifying");
    world.command(1, Command::HangUp);
    world.run(SOON);
    assert_eq!(world.name(0), "waiting");
    let next = world.join();
    world.run(SOON);
    assert_eq!((world.name(0), world.name(next)), ("connected", "connected"));
}

#[test]
fn a_creator_who_hangs_up_early_is_said_to_have() {
    let mut world = World::new();
    world.create();
    world.join();
    world.run_until(SOON, |world| world.name(1) == "verifying");
    world.command(0, Command::HangUp);
    world.run(SOON);
    assert_eq!(world.ended(1), Some("peer-hung-up"));
}

#[test]
fn another_reason_than_hanging_up_isnt_called_that() {
    for (word, expected) in
        [("no-path", CloseReason::NoPath { obstacle: None }), ("transport-failed", CloseReason::PeerLost)]
    {
        let mut solo = Solo::at(Role::Joiner, Stage::Connecting);
        solo.body(&Body::Bye { reason: word.into() });
        assert_eq!(solo.closed_for(), Some(expected.clone()));
        let mut solo = Solo::at(Role::Joiner, Stage::Connected);
        solo.transport(TransportInput::Control(format!(r#"{{"type":"bye","reason":"{word}"}}"#)));
        assert_eq!(solo.closed_for(), Some(expected.clone()));
        let mut solo = Solo::at(Role::Creator, Stage::Connected);
        solo.peer_left(word);
        assert_eq!(solo.closed_for(), Some(expected));
    }
}

#[test]
fn nothing_reaches_a_call_that_is_over() {
    let mut solo = Solo::at(Role::Creator, Stage::Closed);
    solo.transport(TransportInput::Control(r#"{"type":"media","camera":true}"#.into()));
    solo.transport(TransportInput::Candidate(Solo::candidate()));
    solo.transport(TransportInput::OfferReady("late".into()));
    solo.socket(SocketInput::Text(r#"{"type":"pong"}"#.into()));
    assert_eq!(solo.take(), []);
}
