//! A server that is restarted has its rooms back as soon as its clients are: nothing is lost, and nothing that was closed
//! or used up comes back with them.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use visavis_signaling::Nameplate;
use visavis_signaling::client::{ClientEvent, ClientInput, GiveUp, Intent};
use visavis_signaling::message::{ClientMessage, ErrorCode, Resume, ServerMessage, reason};
use visavis_signaling::server::ConnectionId;

const CALL: Duration = Duration::from_secs(40);
/// As long as a client may take to be back.
const BACK: Duration = Duration::from_secs(5);
/// By then the joiner of a call has arrived and has its token.
const SEATED: usize = 7;

fn peer_left(event: &ClientEvent) -> bool {
    matches!(event, ClientEvent::PeerLeft { .. })
}

/// A whole call in which the server is restarted and sockets are cut as told; both sides see exactly that call.
fn call_with(restarts: &[usize], cuts: &[(usize, usize, bool)]) -> World {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.arrivals = 0;
    world.restarts = restarts.to_vec();
    world.cuts = cuts.to_vec();
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(CALL);
    // What was cut or restarted in the last moment is back by then.
    (world.restarts, world.cuts) = (Vec::new(), Vec::new());
    world.run_for(BACK);
    assert_eq!(world.relayed(creator), TO_CREATOR, "{restarts:?} {cuts:?} {:?}", world.parties[creator].events);
    assert_eq!(world.relayed(joiner), TO_JOINER, "{restarts:?} {cuts:?} {:?}", world.parties[joiner].events);
    for party in [creator, joiner] {
        let events = &world.parties[party].events;
        assert_eq!(world.count(party, |e| *e == ClientEvent::Confirmed), 1, "{restarts:?} {cuts:?} {events:?}");
        assert_eq!(world.count(party, peer_left), 0, "{restarts:?} {cuts:?} {events:?}");
        assert!(world.parties[party].client.is_in_room(), "{restarts:?} {cuts:?}");
    }
    assert_eq!(world.rooms.counts().rooms, 1);
    world
}

#[test]
fn a_restart_at_every_point_of_a_call() {
    let undisturbed = call_with(&[], &[]).arrivals;
    assert!(undisturbed > 30, "{undisturbed}");
    for after in SEATED..=undisturbed {
        call_with(&[after], &[]);
    }
}

/// Who has no token yet begins again. The creator may have heard of it the first time, and hears that it is gone.
#[test]
fn a_restart_before_the_joiner_has_a_place() {
    for after in 1..SEATED {
        let mut world = World::new();
        let (creator, nameplate) = world.creator(creator_script);
        world.arrivals = 0;
        world.restarts = vec![after];
        let joiner = world.add(Intent::Knock(nameplate), joiner_script);
        world.run_for(CALL);
        let last = world.parties[joiner].events.last();
        // Its knock may have come before the creator was back, and was answered by a decoy, which gave way to the creator.
        let refused = *last.unwrap() == ClientEvent::PeerLeft { reason: "left".into() };
        assert!(refused || world.relayed(joiner) == TO_JOINER, "{after}: {last:?}");
        assert!(world.parties[creator].client.is_in_room(), "{after}");
    }
}

proptest! {
    #[test]
    fn restarts_and_cuts_anywhere(
        restarts in prop::collection::vec(SEATED..120, 0..4),
        cuts in prop::collection::vec((SEATED..120, 0_usize..2, any::<bool>()), 0..4),
    ) {
        call_with(&restarts, &cuts);
    }
}

#[test]
fn bodies_that_nobody_had_yet_arrive_after_it() {
    let mut world = call_with(&[], &[]);
    for party in [0, 1] {
        world.input(party, ClientInput::Relay("under way".into()));
    }
    world.restart();
    for party in [0, 1] {
        world.input(party, ClientInput::Relay("said while it was down".into()));
    }
    world.run_for(Duration::from_secs(5));
    for party in [0, 1] {
        world.input(party, ClientInput::Relay("after".into()));
    }
    world.run_for(Duration::from_secs(1));
    for (party, before) in [(0, TO_CREATOR), (1, TO_JOINER)] {
        assert_eq!(world.relayed(party)[before.len()..], ["under way", "said while it was down", "after"]);
    }
}

#[test]
fn a_room_waits_on_under_its_number() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.restart();
    world.run_for(Duration::from_secs(3));
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(Duration::from_secs(5));
    assert_eq!(world.relayed(joiner), TO_JOINER);
    assert_eq!(world.count(creator, |e| matches!(e, ClientEvent::Created { .. })), 1);
}

#[test]
fn the_line_before_a_room_comes_back() {
    let mut world = World::new();
    let (_, nameplate) = world.creator(silent);
    let parties: Vec<_> = (0..3).map(|_| world.add(Intent::Knock(nameplate.clone()), silent)).collect();
    world.run_for(Duration::from_secs(1));
    world.restart();
    world.run_for(Duration::from_secs(60));
    for party in parties {
        assert_eq!(world.count(party, |e| *e == ClientEvent::Knocked), 1, "{:?}", world.parties[party].events);
    }
}

#[test]
fn who_does_not_come_back_is_lost_to_the_other() {
    for away in [0, 1] {
        let mut world = call_with(&[], &[]);
        world.parties[away].reachable = false;
        world.restart();
        world.run_for(Duration::from_secs(29));
        assert_eq!(world.count(1 - away, peer_left), 0);
        world.run_for(Duration::from_secs(5));
        let lost = ClientEvent::PeerLeft { reason: reason::LOST.into() };
        assert_eq!(world.parties[1 - away].events.last(), Some(&lost));
        world.parties[away].reachable = true;
        world.run_for(Duration::from_secs(60));
        let end = world.parties[away].events.last();
        assert!(matches!(end, Some(ClientEvent::GaveUp { cause: GiveUp::RoomLost, .. })), "{end:?}");
        assert_eq!(world.rooms.counts().rooms, 0);
    }
}

/// However long it was away: within three seconds of its return everybody is there again, and not all at once.
#[test]
fn everybody_is_back_soon_and_not_at_once() {
    let mut world = World::new();
    let parties: Vec<_> = (0..20).map(|_| world.creator(silent).0).collect();
    for party in &parties {
        world.parties[*party].reachable = false;
    }
    world.restart();
    world.run_for(Duration::from_secs(20));
    for party in &parties {
        world.parties[*party].reachable = true;
    }
    let mut back = Vec::new();
    for _ in 0..30 {
        world.run_for(Duration::from_millis(100));
        back.push(parties.iter().filter(|party| world.parties[**party].client.is_online()).count());
    }
    assert_eq!(back.last(), Some(&parties.len()), "{back:?}");
    assert!(back.windows(2).all(|pair| pair[1] - pair[0] <= parties.len() / 2), "all at once: {back:?}");
}

fn hello(token: &str, exchange: u32) -> String {
    let resume = Some(Resume { token: token.into(), exchange, received: 0 });
    ClientMessage::Hello { version: 1, features: vec![], resume }.to_json()
}

fn newest_token(world: &World, id: ConnectionId) -> String {
    let token = |message: &ServerMessage| match message {
        ServerMessage::Token { token } | ServerMessage::Welcome { token, .. } => Some(token.clone()),
        _ => None,
    };
    world.raw[&id].iter().rev().find_map(token).unwrap()
}

fn raw_creator(world: &mut World) -> (ConnectionId, Nameplate) {
    let (id, _) = world.raw_hello();
    world.raw_send(id, r#"{"type":"create"}"#);
    let created = world.raw[&id].iter().find_map(|message| match message {
        ServerMessage::Created { nameplate } => Some(nameplate.clone()),
        _ => None,
    });
    (id, created.unwrap())
}

fn knock(world: &mut World, nameplate: &Nameplate) -> ConnectionId {
    let (id, _) = world.raw_hello();
    world.raw_send(id, &ClientMessage::Knock { nameplate: nameplate.clone() }.to_json());
    id
}

/// Two who are a pair, and their tokens.
fn raw_pair(world: &mut World) -> ([ConnectionId; 2], [String; 2]) {
    let (creator, nameplate) = raw_creator(world);
    let joiner = knock(world, &nameplate);
    for id in [creator, joiner] {
        world.raw_send(id, r#"{"type":"confirmed","exchange":1}"#);
    }
    ([creator, joiner], [creator, joiner].map(|id| newest_token(world, id)))
}

/// What becomes of a token on a new connection.
fn resumes(world: &mut World, token: &str, exchange: u32) -> bool {
    let id = world.raw_connection();
    world.raw_send(id, &hello(token, exchange));
    let resumed = |message: &ServerMessage| matches!(message, ServerMessage::Welcome { resumed: true, .. });
    let refused = |message: &ServerMessage| matches!(message, ServerMessage::Error { code, .. } if *code == ErrorCode::ResumeRefused);
    let messages = &world.raw[&id];
    assert!(messages.iter().any(resumed) != messages.iter().any(refused), "{messages:?}");
    messages.iter().any(resumed)
}

#[test]
fn a_token_for_a_closed_room_revives_nothing_after_a_restart() {
    let mut world = World::new();
    let (creator, _) = raw_creator(&mut world);
    let alone = newest_token(&world, creator);
    world.raw_send(creator, r#"{"type":"leave"}"#);
    let (pair, tokens) = raw_pair(&mut world);
    // One has hung up; the other hasn't left yet.
    world.raw_send(pair[0], r#"{"type":"leave","reason":"hung-up"}"#);
    world.restart();
    for token in [&alone, &tokens[0], &tokens[1]] {
        assert!(!resumes(&mut world, token, 0));
    }
    assert_eq!(world.rooms.counts().rooms, 0);
}

#[test]
fn a_used_token_is_worth_nothing_after_a_restart() {
    let mut world = World::new();
    let (_, tokens) = raw_pair(&mut world);
    assert!(resumes(&mut world, &tokens[0], 1));
    let second = *world.raw.keys().last().unwrap();
    world.raw_send(second, r#"{"type":"ping"}"#);
    let newest = newest_token(&world, second);
    world.restart();
    assert!(!resumes(&mut world, &tokens[0], 1));
    assert!(resumes(&mut world, &newest, 1));
    assert!(resumes(&mut world, &tokens[1], 1));
    assert_eq!(world.rooms.counts().rooms, 1);
}

/// A server without a disk doesn't know that the older token is used up: its bearer is thrown out by who has the newest.
#[test]
fn the_newest_token_wins_even_where_nothing_was_kept() {
    let mut world = World::new();
    let (_, tokens) = raw_pair(&mut world);
    assert!(resumes(&mut world, &tokens[0], 1));
    let second = *world.raw.keys().last().unwrap();
    world.raw_send(second, r#"{"type":"ping"}"#);
    let newest = newest_token(&world, second);
    world.kept.clear();
    world.restart();
    assert!(resumes(&mut world, &tokens[0], 1));
    let thief = *world.raw.keys().last().unwrap();
    assert!(resumes(&mut world, &newest, 1));
    assert!(world.closed.contains(&thief));
}

#[test]
fn who_was_only_in_line_does_not_come_between_a_pair() {
    for first in 0..3 {
        let mut world = World::new();
        let (creator, nameplate) = raw_creator(&mut world);
        let joiner = knock(&mut world, &nameplate);
        let third = knock(&mut world, &nameplate);
        let in_line = newest_token(&world, third);
        for id in [creator, joiner] {
            world.raw_send(id, r#"{"type":"confirmed","exchange":1}"#);
        }
        let tokens = [in_line, newest_token(&world, creator), newest_token(&world, joiner)];
        world.restart();
        for index in (0..3).map(|index| (index + first) % 3) {
            resumes(&mut world, &tokens[index], u32::from(index > 0));
        }
        let pair: Vec<_> = world
            .raw
            .iter()
            .filter(|(_, messages)| messages.iter().any(|message| matches!(message, ServerMessage::Confirmed { .. })))
            .map(|(id, _)| *id)
            .collect();
        assert_eq!(pair.len(), 2, "{first}");
        world.raw_send(pair[0], r#"{"type":"relay","exchange":1,"seq":1,"body":"x"}"#);
        let heard = |messages: &[ServerMessage]| messages.iter().any(|m| matches!(m, ServerMessage::Relay { .. }));
        let who: Vec<_> = world.raw.iter().filter(|(_, messages)| heard(messages)).map(|(id, _)| *id).collect();
        assert_eq!(who, [pair[1]], "{first}");
    }
}

/// One of the two may have missed that they became a pair.
#[test]
fn a_pair_is_one_again_though_only_one_heard_of_it() {
    for late in [0, 1] {
        let mut world = World::new();
        let (creator, nameplate) = raw_creator(&mut world);
        let joiner = knock(&mut world, &nameplate);
        let ids = [creator, joiner];
        let before = newest_token(&world, ids[late]);
        for id in ids {
            world.raw_send(id, r#"{"type":"confirmed","exchange":1}"#);
        }
        let after = newest_token(&world, ids[1 - late]);
        for order in [[&before, &after], [&after, &before]] {
            world.restart();
            for token in order {
                assert!(resumes(&mut world, token, 1));
            }
            let pairs = world
                .raw
                .values()
                .filter(|messages| messages.iter().any(|message| matches!(message, ServerMessage::Confirmed { .. })));
            assert_eq!(pairs.count(), 2, "{late}");
        }
    }
}

#[test]
fn a_body_with_an_absurd_number_after_a_restart_breaks_nothing() {
    for seq in [0, u64::MAX, u64::MAX - 1] {
        let mut world = World::new();
        let (_, tokens) = raw_pair(&mut world);
        world.restart();
        assert!(resumes(&mut world, &tokens[0], 1));
        let creator = *world.raw.keys().last().unwrap();
        world.raw_send(creator, &ClientMessage::Relay { exchange: 1, seq, body: "x".into() }.to_json());
        world.raw_send(creator, &ClientMessage::Relay { exchange: 1, seq: 1, body: "x".into() }.to_json());
    }
}
