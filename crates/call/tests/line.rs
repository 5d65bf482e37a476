//! Several knock: one exchange at a time, and whoever comes too late or too often keeps nobody else out.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::Duration;

use common::solo::{Solo, Stage};
use common::world::World;
use visavis_call::{CallEvent, Intent, PeerState, Timer, TransportAction, TransportInput};
use visavis_signaling::Role;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_third_waits_and_is_told_that_two_have_met() {
    let mut world = World::new();
    world.create();
    let slow = world.join();
    world.parties[slow].pace.work = SECOND;
    world.run(SECOND / 2);
    let third = world.join();
    world.run(SECOND / 4);
    assert!(world.events(third).contains(&CallEvent::InLine { ahead: 0 }));
    world.run(SECOND * 3);
    assert_eq!(world.names(), ["connected", "connected", "closed"]);
    assert_eq!(world.ended(third), Some("room-full"));
}

#[test]
fn a_code_is_good_for_one_meeting() {
    let mut world = World::connected();
    let late = world.join();
    world.run(SECOND);
    assert_eq!(world.ended(late), Some("wrong-words"));
    assert_eq!(world.names()[..2], ["connected", "connected"]);
}

#[test]
fn one_who_takes_too_long_loses_his_turn() {
    let mut world = World::new();
    world.create();
    let slow = world.join();
    world.parties[slow].pace.work = SECOND * 60;
    world.run(SECOND);
    let next = world.join();
    world.run(SECOND * 11);
    assert_eq!(world.ended(slow), Some("no-answer"));
    assert_eq!((world.name(0), world.name(next)), ("connected", "connected"));
    world.run(SECOND * 120);
    assert_eq!((world.name(0), world.name(next)), ("connected", "connected"), "what the slow one still says is late");
}

/// The answer arrives around the very moment when the time is up, at each point of the two clocks.
#[test]
fn at_the_last_moment_exactly_one_gets_in() {
    for millis in (9_800..10_100).step_by(4) {
        let mut world = World::new();
        world.create();
        let slow = world.join();
        world.parties[slow].pace.work = Duration::from_millis(millis);
        world.run(SECOND);
        let next = world.join();
        world.run(SECOND * 14);
        assert_eq!(world.name(0), "connected", "{millis} ms: {:?}", world.names());
        let inside = [slow, next].into_iter().filter(|who| world.name(*who) == "connected").count();
        let out = [slow, next].into_iter().find(|who| world.name(*who) == "closed").map(|who| world.ended(who));
        assert_eq!(inside, 1, "{millis} ms: {:?}", world.names());
        assert!(matches!(out, Some(Some("no-answer" | "room-full" | "peer-lost"))), "{millis} ms: {out:?}");
        assert_eq!(world.parties[0].open_peers, 1);
    }
}

#[test]
fn a_line_of_slow_ones_ends_with_the_friend() {
    let mut world = World::new();
    world.create();
    for _ in 0..2 {
        let slow = world.join();
        world.parties[slow].pace.work = SECOND * 600;
    }
    let friend = world.join();
    world.run(SECOND * 25);
    assert_eq!((world.name(0), world.name(friend)), ("connected", "connected"));
    assert_eq!(world.parties[0].peer.as_ref().unwrap().generation, 3);
}

#[test]
fn one_who_vanishes_in_his_turn_makes_room() {
    let mut world = World::new();
    world.create();
    let gone = world.join();
    world.run_until(SECOND, |world| world.name(0) == "verifying");
    let next = world.join();
    world.parties[gone].alive = false;
    world.cut_socket(gone);
    world.run(SECOND * 12);
    assert_eq!((world.name(0), world.name(next)), ("connected", "connected"));
}

#[test]
fn results_for_an_older_peer_connection_are_skipped() {
    let mut solo = Solo::at(Role::Creator, Stage::Describing);
    let old = solo.generation;
    solo.pass(Timer::Exchange.duration());
    solo.peer_left("timed-out");
    solo.knocked();
    solo.open();
    assert_eq!((solo.generation, solo.state().name()), (old + 1, "verifying"));
    solo.take();
    for input in [
        TransportInput::OfferReady("old".into()),
        TransportInput::State(PeerState::Connected),
        TransportInput::State(PeerState::Closed),
        TransportInput::Failed { reason: "old".into() },
        TransportInput::Control(r#"{"type":"bye","reason":"hung-up"}"#.into()),
    ] {
        solo.input(visavis_call::Input::Transport { generation: old, input });
    }
    assert_eq!(solo.take(), []);
    solo.transport(TransportInput::OfferReady("new".into()));
    assert_eq!(solo.relayed().len(), 1);
}

#[test]
fn messages_of_an_older_exchange_are_skipped() {
    let mut solo = Solo::at(Role::Creator, Stage::Describing);
    solo.transport(TransportInput::OfferReady("our offer".into()));
    solo.pass(Timer::Exchange.duration());
    assert_eq!(solo.state().name(), "waiting");
    assert_eq!(solo.actions().last(), Some(&TransportAction::Close));
    solo.take();
    solo.body(&Solo::answer());
    assert_eq!((solo.actions(), solo.state().name()), (vec![], "waiting"), "the server may not know yet");
    solo.peer_left("timed-out");
    assert_eq!(solo.state().name(), "waiting");
}

#[test]
fn a_wrong_number_is_like_a_wrong_word() {
    let mut world = World::new();
    world.create();
    let lost = world.add(Intent::Join(common::code("0000")), &[0]);
    world.run(SECOND);
    assert_eq!(world.ended(lost), Some("wrong-words"));
    assert_eq!(world.name(0), "waiting");
}
