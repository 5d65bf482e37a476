//! A lost connection at any point of an exchange loses nothing, doubles nothing and costs nobody the place.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use visavis_signaling::client::{ClientEvent, ClientInput, GiveUp, Intent};
use visavis_signaling::message::{ClientMessage, ErrorCode, Resume, ServerMessage, reason};

const CALL: Duration = Duration::from_secs(40);

/// A whole call with sockets cut as told; checks that both sides saw exactly that call.
fn call_with_cuts(cuts: &[(usize, usize, bool)]) -> World {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.arrivals = 0;
    world.cuts = cuts.to_vec();
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(CALL);
    assert_eq!(world.relayed(creator), TO_CREATOR, "{cuts:?} {:?}", world.parties[creator].events);
    assert_eq!(world.relayed(joiner), TO_JOINER, "{cuts:?} {:?}", world.parties[joiner].events);
    for party in [creator, joiner] {
        assert_eq!(world.count(party, |e| *e == ClientEvent::Confirmed), 1, "{cuts:?}");
        assert_eq!(world.count(party, |e| *e == ClientEvent::Knocked), 1, "{cuts:?}");
        assert_eq!(world.count(party, |e| matches!(e, ClientEvent::PeerLeft { .. })), 0, "{cuts:?}");
        assert!(world.parties[party].client.is_in_room(), "{cuts:?}");
        assert_eq!(world.parties[party].client.ignored_messages(), 0, "{cuts:?}");
    }
    assert_eq!(world.rooms.counts().rooms, 1);
    world
}

#[test]
fn one_cut_at_every_point_of_a_call() {
    let undisturbed = call_with_cuts(&[]).arrivals;
    assert!(undisturbed > 30, "{undisturbed}");
    for after in 1..=undisturbed {
        for party in [0, 1] {
            for server_notices in [true, false] {
                call_with_cuts(&[(after, party, server_notices)]);
            }
        }
    }
}

#[test]
fn both_cut_at_the_same_point() {
    for after in 1..60 {
        call_with_cuts(&[(after, 0, true), (after, 1, false)]);
    }
}

proptest! {
    #[test]
    fn several_cuts_anywhere(cuts in prop::collection::vec((1_usize..80, 0_usize..2, any::<bool>()), 0..6)) {
        call_with_cuts(&cuts);
    }
}

#[test]
fn what_was_said_while_away_arrives_in_order() {
    let mut world = call_with_cuts(&[]);
    world.parties[1].reachable = false;
    world.cut(1, true);
    for number in 0..100 {
        world.input(0, ClientInput::Relay(format!("later {number}")));
        world.input(1, ClientInput::Relay(format!("from away {number}")));
    }
    world.run_for(Duration::from_secs(5));
    world.parties[1].reachable = true;
    world.run_for(Duration::from_secs(20));
    let later = |text: &str| (0..100).map(|number| format!("{text} {number}")).collect::<Vec<_>>();
    assert_eq!(world.relayed(1)[TO_JOINER.len()..], later("later"));
    assert_eq!(world.relayed(0)[TO_CREATOR.len()..], later("from away"));
}

#[test]
fn who_stays_away_loses_the_place_and_the_other_is_told() {
    let mut world = call_with_cuts(&[]);
    world.parties[1].reachable = false;
    world.cut(1, true);
    world.run_for(Duration::from_secs(29));
    assert_eq!(world.count(0, |e| matches!(e, ClientEvent::PeerLeft { .. })), 0);
    world.run_for(Duration::from_secs(2));
    assert_eq!(world.parties[0].events.last(), Some(&ClientEvent::PeerLeft { reason: reason::LOST.into() }));
    world.parties[1].reachable = true;
    world.run_for(Duration::from_secs(10));
    let end = world.parties[1].events.last();
    assert!(matches!(end, Some(ClientEvent::GaveUp { cause: GiveUp::RoomLost, .. })), "{end:?}");
}

#[test]
fn a_goodbye_reaches_who_was_away() {
    let mut world = call_with_cuts(&[]);
    world.parties[1].reachable = false;
    world.cut(1, true);
    world.input(0, ClientInput::Relay("bye".into()));
    world.input(0, ClientInput::Leave("hung-up".into()));
    world.run_for(Duration::from_secs(5));
    world.parties[1].reachable = true;
    world.run_for(Duration::from_secs(10));
    assert_eq!(world.relayed(1).last().unwrap(), "bye");
    assert_eq!(world.parties[1].events.last(), Some(&ClientEvent::PeerLeft { reason: "hung-up".into() }));
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.rooms.counts().rooms, 0);
}

fn resume(token: &str) -> String {
    let resume = Some(Resume { token: token.into(), exchange: 0, received: 0 });
    ClientMessage::Hello { version: 1, features: vec![], resume }.to_json()
}

/// A room made by hand: the connection and the token for the seat.
fn raw_creator(world: &mut World) -> (visavis_signaling::server::ConnectionId, String) {
    let (id, _) = world.raw_hello();
    world.raw_send(id, r#"{"type":"create"}"#);
    let token = world.raw[&id].iter().rev().find_map(|message| match message {
        ServerMessage::Token { token } => Some(token.clone()),
        _ => None,
    });
    (id, token.unwrap())
}

fn refused(messages: &[ServerMessage]) -> bool {
    matches!(
        messages,
        [
            ServerMessage::Error { code: ErrorCode::ResumeRefused, fatal: false, .. },
            ServerMessage::Welcome { resumed: false, .. }
        ]
    )
}

#[test]
fn a_used_token_is_refused_once_its_successor_has_arrived() {
    let mut world = World::new();
    let (_, token) = raw_creator(&mut world);
    let second = world.raw_connection();
    world.raw_send(second, &resume(&token));
    assert!(matches!(world.raw[&second][0], ServerMessage::Welcome { resumed: true, .. }));
    // The welcome may have been lost: the same token works again...
    let third = world.raw_connection();
    world.raw_send(third, &resume(&token));
    assert!(matches!(world.raw[&third][0], ServerMessage::Welcome { resumed: true, .. }));
    // ...until the client shows that it wasn't.
    world.raw_send(third, r#"{"type":"ping"}"#);
    let fourth = world.raw_connection();
    world.raw_send(fourth, &resume(&token));
    assert!(refused(&world.raw[&fourth]), "{:?}", world.raw[&fourth]);
}

#[test]
fn an_older_connection_is_superseded() {
    let mut world = World::new();
    let (first, token) = raw_creator(&mut world);
    let second = world.raw_connection();
    world.raw_send(second, &resume(&token));
    let last = world.raw[&first].last();
    assert!(matches!(last, Some(ServerMessage::Error { code: ErrorCode::Superseded, fatal: true, .. })), "{last:?}");
    assert_eq!(world.closed, [first]);
}

#[test]
fn no_token_revives_a_closed_room() {
    let mut world = World::new();
    let (first, token) = raw_creator(&mut world);
    world.raw_send(first, r#"{"type":"leave"}"#);
    assert_eq!(world.rooms.counts().rooms, 0);
    let second = world.raw_connection();
    world.raw_send(second, &resume(&token));
    assert!(refused(&world.raw[&second]));
    let third = world.raw_connection();
    world.raw_send(third, &resume("forged"));
    assert!(refused(&world.raw[&third]));
    assert_eq!(world.rooms.counts().rooms, 0);
}

#[test]
fn a_token_expires_and_is_renewed_in_time() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.add(Intent::Knock(nameplate), joiner_script);
    // Far beyond the life of the first token: a connected client got new ones.
    world.run_for(Duration::from_secs(30 * 60 * 60));
    world.cut(creator, true);
    world.run_for(Duration::from_secs(5));
    world.input(creator, ClientInput::Relay("still here".into()));
    world.run_for(Duration::from_secs(1));
    assert_eq!(world.relayed(1).last().unwrap(), "still here");
}
