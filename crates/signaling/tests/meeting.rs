//! Rooms from the clients' side: codes, the line of knockers, deadlines, leaving, going down.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::time::Duration;

use common::*;
use visavis_signaling::Nameplate;
use visavis_signaling::client::{ClientEvent, ClientInput, GiveUp, Intent};
use visavis_signaling::message::{ErrorCode, MAX_BODY_BYTES, reason};
use visavis_signaling::server::{Limits, RoomsInput};

const SECOND: Duration = Duration::from_secs(1);

fn left(why: &str) -> ClientEvent {
    ClientEvent::PeerLeft { reason: why.into() }
}

fn refused_with(event: Option<&ClientEvent>, wanted: ErrorCode) -> bool {
    matches!(event, Some(ClientEvent::Refused { code, .. }) if *code == wanted)
}

#[test]
fn two_meet_and_speak_and_part() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    assert_eq!(nameplate.as_str().len(), 6);
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(SECOND);
    assert_eq!(world.relayed(creator), TO_CREATOR);
    assert_eq!(world.relayed(joiner), TO_JOINER);
    world.input(joiner, ClientInput::Relay("bye".into()));
    world.input(joiner, ClientInput::Leave("hung-up".into()));
    world.run_for(SECOND);
    assert_eq!(world.relayed(creator).last().unwrap(), "bye");
    assert_eq!(world.parties[creator].events.last(), Some(&left("hung-up")));
    assert!(world.parties[joiner].client.has_ended());
    assert_eq!(world.rooms.counts().rooms, 0);
    // The same connection is good for another call at once.
    world.input(creator, ClientInput::Create);
    world.run_for(SECOND);
    assert!(matches!(world.parties[creator].events.last(), Some(ClientEvent::Created { .. })));
}

#[test]
fn joining_takes_three_trips_and_the_way_in() {
    let mut world = World::new();
    let (_, nameplate) = world.creator(creator_script);
    let start = world.now;
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    while world.relayed(joiner).is_empty() {
        world.run_for(Duration::from_millis(1));
    }
    // Socket open, hello, knock: a round trip each (the last one half for the server's own); then two trips through
    // the server.
    assert!(world.now - start <= LATENCY * 9 + Duration::from_millis(2), "{:?}", world.now - start);
}

#[test]
fn where_nothing_is_hidden_a_wrong_code_is_said_to_be_one_and_another_may_follow() {
    let mut world = World::with_limits(Limits { decoys: 0, ..Limits::default() });
    let (_, nameplate) = world.creator(creator_script);
    let wrong = Nameplate::new("0000").unwrap();
    let joiner = world.add(Intent::Knock(wrong.clone()), joiner_script);
    world.run_for(SECOND);
    assert!(refused_with(world.parties[joiner].events.last(), ErrorCode::NoSuchRoom));
    assert!(!world.parties[joiner].client.is_in_room());
    world.input(joiner, ClientInput::Knock(nameplate));
    world.run_for(SECOND);
    assert_eq!(world.relayed(joiner), TO_JOINER);
    let guesser = world.add(Intent::Knock(wrong.clone()), silent);
    for _ in 0..5 {
        world.run_for(SECOND);
        world.input(guesser, ClientInput::Knock(wrong.clone()));
    }
    world.run_for(SECOND);
    let end = world.parties[guesser].events.last();
    assert!(matches!(end, Some(ClientEvent::GaveUp { cause: GiveUp::Protocol, .. })), "{end:?}");
}

#[test]
fn one_exchange_at_a_time_and_each_has_ten_seconds() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    let mute = world.add(Intent::Knock(nameplate.clone()), silent);
    world.run_for(SECOND);
    let second = world.add(Intent::Knock(nameplate.clone()), silent);
    world.run_for(SECOND);
    let friend = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(SECOND);
    assert_eq!(world.parties[second].events.last(), Some(&ClientEvent::Waiting { ahead: 0 }));
    assert_eq!(world.parties[friend].events.last(), Some(&ClientEvent::Waiting { ahead: 1 }));
    world.run_for(7 * SECOND);
    assert_eq!(world.parties[mute].events.last(), Some(&ClientEvent::Knocked));
    world.run_for(SECOND);
    assert_eq!(world.parties[mute].events.last(), Some(&left(reason::TIMED_OUT)));
    assert_eq!(
        world.parties[creator].events[2..],
        [ClientEvent::Knocked, left(reason::TIMED_OUT), ClientEvent::Knocked]
    );
    assert_eq!(world.parties[friend].events.last(), Some(&ClientEvent::Waiting { ahead: 0 }));
    // The second gives up by itself: the friend's turn comes at once.
    world.input(second, ClientInput::Leave("changed-my-mind".into()));
    world.run_for(SECOND);
    assert_eq!(world.relayed(creator), TO_CREATOR);
    assert_eq!(world.count(creator, |e| *e == ClientEvent::Confirmed), 1);
}

#[test]
fn who_waits_in_line_hears_that_the_room_is_full_or_closed() {
    let mut world = World::new();
    let (_, nameplate) = world.creator(creator_script);
    world.add(Intent::Knock(nameplate.clone()), joiner_script);
    let late = world.add(Intent::Knock(nameplate), silent);
    world.run_for(SECOND);
    assert!(refused_with(world.parties[late].events.last(), ErrorCode::RoomFull));

    let mut world = World::new();
    let (creator, nameplate) = world.creator(silent);
    let inside = world.add(Intent::Knock(nameplate.clone()), silent);
    let waiting = world.add(Intent::Knock(nameplate), silent);
    world.run_for(SECOND);
    world.input(creator, ClientInput::Leave(String::new()));
    world.run_for(SECOND);
    assert_eq!(world.parties[inside].events.last(), Some(&left(reason::LEFT)));
    assert!(refused_with(world.parties[waiting].events.last(), ErrorCode::RoomClosed));
    assert_eq!(world.rooms.counts().rooms, 0);
}

#[test]
fn a_joiner_waits_for_a_creator_who_is_away() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.parties[creator].reachable = false;
    world.cut(creator, true);
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(5 * SECOND);
    assert_eq!(world.parties[joiner].events.last(), Some(&ClientEvent::Waiting { ahead: 0 }));
    world.parties[creator].reachable = true;
    world.run_for(10 * SECOND);
    assert_eq!(world.relayed(joiner), TO_JOINER);
}

#[test]
fn the_line_and_the_server_have_limits() {
    let limits = Limits { line: 1, rooms: 1, connections: 4, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let (_, nameplate) = world.creator(silent);
    for _ in 0..2 {
        world.add(Intent::Knock(nameplate.clone()), silent);
    }
    let third = world.add(Intent::Knock(nameplate), silent);
    let fifth = world.add(Intent::Create, silent);
    world.run_for(SECOND);
    assert!(refused_with(world.parties[third].events.last(), ErrorCode::LineFull));
    let end = world.parties[fifth].events.last();
    assert!(matches!(end, Some(ClientEvent::GaveUp { cause: GiveUp::ServerFull, .. })), "{end:?}");
    world.input(third, ClientInput::Create);
    world.run_for(SECOND);
    assert!(refused_with(world.parties[third].events.last(), ErrorCode::ServerFull));
}

#[test]
fn a_room_where_nobody_comes_expires() {
    let mut world = World::new();
    let (creator, _) = world.creator(silent);
    world.run_for(29 * 60 * SECOND);
    assert!(world.parties[creator].client.is_in_room());
    world.run_for(2 * 60 * SECOND);
    assert!(refused_with(world.parties[creator].events.last(), ErrorCode::Expired));
    assert_eq!(world.rooms.counts().rooms, 0);
}

#[test]
fn an_unreachable_server_is_given_up_before_a_room_and_never_within_a_call() {
    let mut world = World::new();
    let lonely = world.add(Intent::Create, silent);
    world.parties[lonely].reachable = false;
    world.cut(lonely, true);
    world.run_for(14 * SECOND);
    assert!(!world.parties[lonely].client.has_ended());
    world.run_for(2 * SECOND);
    let end = world.parties[lonely].events.last();
    assert!(
        matches!(end, Some(ClientEvent::GaveUp { cause: GiveUp::Unreachable, reason }) if reason == "connection refused"),
        "{end:?}"
    );

    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(SECOND);
    world.parties[creator].reachable = false;
    world.cut(creator, true);
    world.run_for(60 * 60 * SECOND);
    assert!(!world.parties[creator].client.has_ended());
    assert!(world.parties[creator].client.poll_timeout().unwrap() <= world.now + 4 * SECOND);
}

#[test]
fn a_waiting_place_is_given_up_when_the_server_has_forgotten_it() {
    let mut world = World::new();
    let (creator, _) = world.creator(silent);
    world.parties[creator].reachable = false;
    world.cut(creator, true);
    world.run_for(36 * SECOND);
    let end = world.parties[creator].events.last();
    assert!(matches!(end, Some(ClientEvent::GaveUp { cause: GiveUp::RoomLost, .. })), "{end:?}");
}

#[test]
fn clients_of_a_server_that_goes_down_try_again() {
    let mut world = World::new();
    let (creator, _) = world.creator(silent);
    world.rooms.handle_input(world.now, RoomsInput::Shutdown);
    world.drain_rooms();
    world.run_for(SECOND);
    assert!(matches!(world.parties[creator].events.last(), Some(ClientEvent::Offline { .. })));
    assert!(!world.parties[creator].client.has_ended());
    assert_eq!(world.rooms.counts().rooms, 0);
}

#[test]
fn another_version_and_another_service_are_told_apart() {
    for (text, cause) in [
        (r#"{"type":"error","code":"unsupported-version","text":"speak 2","fatal":true}"#, GiveUp::Version),
        (r#"{"type":"error","code":"something-new","text":"?","fatal":true}"#, GiveUp::Protocol),
        ("hello, this is an echo service", GiveUp::NotAServer),
        (r#"{"type":"pong"}"#, GiveUp::NotAServer),
    ] {
        let mut world = World::new();
        let party = world.add(Intent::Create, silent);
        world.input(party, ClientInput::SocketOpened);
        world.input(party, ClientInput::SocketText(text.into()));
        let end = world.parties[party].events.last();
        assert!(matches!(end, Some(ClientEvent::GaveUp { cause: found, .. }) if *found == cause), "{text} {end:?}");
    }
}

#[test]
fn what_makes_no_sense_now_is_refused_on_the_spot() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(silent);
    for input in
        [ClientInput::Relay("x".into()), ClientInput::Confirm, ClientInput::Create, ClientInput::Knock(nameplate)]
    {
        world.input(creator, input);
        assert!(refused_with(world.parties[creator].events.last(), ErrorCode::NotAllowed));
    }
    world.input(creator, ClientInput::Relay("x".repeat(MAX_BODY_BYTES + 1)));
    assert!(refused_with(world.parties[creator].events.last(), ErrorCode::TooLarge));
}

#[test]
fn pings_keep_a_connection_open_and_find_a_dead_one() {
    let mut world = World::new();
    let (creator, _) = world.creator(silent);
    let before = world.rooms.counts();
    world.run_for(10 * 60 * SECOND);
    assert_eq!(world.count(creator, |e| matches!(e, ClientEvent::Offline { .. })), 0);
    world.parties[creator].deaf = true;
    world.run_for(20 * SECOND);
    assert!(matches!(&world.parties[creator].events[2..], [ClientEvent::Offline { .. }, ClientEvent::Online]));
    assert_eq!(world.rooms.counts(), before);
}

#[test]
fn a_connection_on_which_nothing_comes_is_closed_and_its_place_kept_for_a_while() {
    let mut world = World::new();
    let (id, _) = world.raw_hello();
    world.raw_send(id, r#"{"type":"create"}"#);
    world.run_for(26 * SECOND);
    assert_eq!(world.closed, [id]);
    assert_eq!(world.rooms.counts().rooms, 1);
    world.run_for(30 * SECOND);
    assert_eq!(world.rooms.counts(), Default::default());
    let silent = world.raw_connection();
    world.run_for(11 * SECOND);
    assert_eq!(world.closed, [id, silent]);
}
