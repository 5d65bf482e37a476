//! What a server lets a source do: so many connections, rooms and tries, and work where many guess.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::net::IpAddr;
use std::time::Duration;

use common::*;
use visavis_signaling::Nameplate;
use visavis_signaling::client::{Client, ClientEvent, ClientInput, ClientOutput, Intent};
use visavis_signaling::message::{ClientMessage, ErrorCode, MAX_BODY_BYTES, ServerMessage, WORK};
use visavis_signaling::server::{ConnectionId, Limits};
use visavis_signaling::work::is_done;

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn hello(world: &mut World, id: ConnectionId, features: &[&str]) {
    let features = features.iter().map(|feature| (*feature).to_owned()).collect();
    world.raw_send(id, &ClientMessage::Hello { version: 1, features, resume: None }.to_json());
}

/// A connection from there that has been greeted.
fn from(world: &mut World, address: IpAddr, features: &[&str]) -> ConnectionId {
    let id = world.raw_connection_from(address);
    hello(world, id, features);
    id
}

fn knock(world: &mut World, id: ConnectionId, number: u32) {
    let nameplate = Nameplate::new(&format!("{number:06}")).unwrap();
    // Whoever was knocked at before is left.
    world.raw_send(id, r#"{"type":"leave"}"#);
    world.raw_send(id, &ClientMessage::Knock { nameplate }.to_json());
}

/// What there is to hear where somebody waits, and where nobody does.
fn is_let_in(message: &ServerMessage) -> bool {
    matches!(message, ServerMessage::Knocked { .. })
}

fn last(world: &World, id: ConnectionId) -> &ServerMessage {
    world.raw[&id].last().unwrap()
}

fn error(message: &ServerMessage) -> Option<(ErrorCode, bool)> {
    match message {
        ServerMessage::Error { code, fatal, .. } => Some((*code, *fatal)),
        _ => None,
    }
}

/// Tries numbers that nobody has, four over each connection.
fn guess(world: &mut World, address: IpAddr, numbers: std::ops::Range<u32>, features: &[&str]) -> ConnectionId {
    let mut id = ConnectionId(0);
    for number in numbers {
        if number % 4 == 0 {
            id = from(world, address, features);
        }
        knock(world, id, number);
    }
    id
}

/// Answers what was asked last; how much it was.
fn do_the_work(world: &mut World, id: ConnectionId) -> u8 {
    let ServerMessage::Work { bits, challenge } = last(world, id).clone() else { panic!("{:?}", last(world, id)) };
    let nonce = (0_u64..).map(|number| number.to_string()).find(|nonce| is_done(&challenge, bits, nonce)).unwrap();
    world.raw_send(id, &ClientMessage::Work { nonce }.to_json());
    bits
}

#[test]
fn connections_from_one_address_are_counted_and_given_back() {
    let mut world = World::with_limits(Limits { connections_per_source: 2, ..Limits::default() });
    let first = from(&mut world, address(1), &[]);
    from(&mut world, address(1), &[]);
    let third = world.raw_connection_from(address(1));
    assert_eq!(error(last(&world, third)), Some((ErrorCode::ServerFull, true)));
    from(&mut world, address(2), &[]);
    world.raw_close(first);
    let fourth = from(&mut world, address(1), &[]);
    assert!(matches!(last(&world, fourth), ServerMessage::Welcome { .. }));
}

#[test]
fn rooms_from_one_address_are_counted() {
    let mut world = World::with_limits(Limits { room_burst: 2, rooms_per_minute: 6, ..Limits::default() });
    let create = |world: &mut World, from_where: u8| {
        let id = from(world, address(from_where), &[]);
        world.raw_send(id, r#"{"type":"create"}"#);
        error(last(world, id))
    };
    assert_eq!([create(&mut world, 1), create(&mut world, 1)], [None, None]);
    assert_eq!(create(&mut world, 1), Some((ErrorCode::ServerFull, false)));
    assert_eq!(create(&mut world, 2), None);
    world.run_for(Duration::from_secs(10));
    assert_eq!(create(&mut world, 1), None);
}

#[test]
fn who_tries_many_numbers_has_to_work_and_in_the_end_nothing_helps() {
    let limits = Limits { nameplates_per_source: 2, misses_per_minute: 1_000_000, work_bits: 4, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let guesser = guess(&mut world, address(1), 0..2, &[WORK]);
    assert!(is_let_in(last(&world, guesser)));
    let mut wanted = Vec::new();
    for number in 2..20 {
        let id = from(&mut world, address(1), &[WORK]);
        knock(&mut world, id, number);
        wanted.push(do_the_work(&mut world, id));
        assert!(is_let_in(last(&world, id)));
    }
    assert_eq!((wanted.first(), wanted.last()), (Some(&4), Some(&7)), "more and more");
    let id = from(&mut world, address(1), &[WORK]);
    knock(&mut world, id, 20);
    assert_eq!(error(last(&world, id)), Some((ErrorCode::TooFast, true)));
    let other = from(&mut world, address(2), &[]);
    knock(&mut world, other, 0);
    assert!(is_let_in(last(&world, other)), "others don't notice");
    world.run_for(Duration::from_secs(601));
    let id = from(&mut world, address(1), &[]);
    knock(&mut world, id, 21);
    assert!(is_let_in(last(&world, id)), "it is forgotten after ten minutes");
}

/// The answer is the same for a room that is there and one that isn't.
#[test]
fn a_room_that_exists_asks_for_the_same_work() {
    let limits = Limits { nameplates_per_source: 1, misses_per_minute: 1_000_000, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let (_, nameplate) = world.creator(silent);
    guess(&mut world, address(1), 0..1, &[WORK]);
    for target in [nameplate, Nameplate::new("000002").unwrap()] {
        let id = from(&mut world, address(1), &[WORK]);
        world.raw_send(id, &ClientMessage::Knock { nameplate: target }.to_json());
        assert!(matches!(last(&world, id), ServerMessage::Work { bits: 16 | 17, .. }), "{:?}", last(&world, id));
    }
}

#[test]
fn everybody_works_while_many_guess() {
    let mut world = World::with_limits(Limits { misses_per_minute: 20, ..Limits::default() });
    let (_, nameplate) = world.creator(silent);
    for source in 1..=10 {
        guess(&mut world, address(source), 0..4, &[]);
    }
    let honest = from(&mut world, address(100), &[WORK]);
    world.raw_send(honest, &ClientMessage::Knock { nameplate: nameplate.clone() }.to_json());
    do_the_work(&mut world, honest);
    assert!(matches!(last(&world, honest), ServerMessage::Knocked { exchange: 1 }), "{:?}", last(&world, honest));
    // The answer is good once.
    world.raw_send(honest, &ClientMessage::Work { nonce: "1".into() }.to_json());
    assert_eq!(error(last(&world, honest)), Some((ErrorCode::NotAllowed, false)));
    let old = from(&mut world, address(101), &[]);
    world.raw_send(old, &ClientMessage::Knock { nameplate }.to_json());
    assert_eq!(error(last(&world, old)), Some((ErrorCode::TooFast, true)), "a program that can't");
    world.run_for(Duration::from_secs(180));
    let calm = from(&mut world, address(102), &[]);
    knock(&mut world, calm, 5);
    assert!(is_let_in(last(&world, calm)), "and then it is over");
}

#[test]
fn a_wrong_answer_is_no_answer() {
    let limits = Limits { nameplates_per_source: 1, ..Limits::default() };
    let mut world = World::with_limits(limits);
    guess(&mut world, address(1), 0..1, &[WORK]);
    for nonce in [String::new(), "x".repeat(1000)] {
        let id = from(&mut world, address(1), &[WORK]);
        knock(&mut world, id, 1);
        // Knocking again is no way around it.
        knock(&mut world, id, 1);
        world.raw_send(id, &ClientMessage::Work { nonce }.to_json());
        assert_eq!(error(last(&world, id)), Some((ErrorCode::BadMessage, true)));
    }
}

/// The client does it by itself, within its time for the way in.
#[test]
fn a_client_works_when_it_is_asked_to() {
    let limits = Limits { nameplates_per_source: 1, ..Limits::default() };
    let mut world = World::with_limits(limits);
    let (_, nameplate) = world.creator(creator_script);
    world.source = Some(address(1));
    guess(&mut world, address(1), 0..1, &[WORK]);
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(Duration::from_secs(14));
    assert_eq!(world.relayed(joiner), TO_JOINER, "{:?}", world.parties[joiner].events);
    assert_eq!(world.rooms.tally().work, 1);
}

#[test]
fn a_client_takes_on_no_absurd_work() {
    let mut world = World::new();
    let mut client = Client::new(world.now, Intent::Knock(Nameplate::new("4827").unwrap()), 1);
    let input = |client: &mut Client, text: String| client.handle_input(world.now, ClientInput::SocketText(text));
    client.handle_input(world.now, ClientInput::SocketOpened);
    let welcome = r#"{"type":"welcome","version":1,"features":[],"heartbeat_ms":10000,"token":"A"}"#;
    input(&mut client, welcome.to_owned());
    input(&mut client, ServerMessage::Work { bits: 200, challenge: "x".into() }.to_json());
    for _ in 0..1000 {
        world.now += Duration::from_millis(20);
        client.handle_timeout(world.now);
    }
    let outputs: Vec<_> = std::iter::from_fn(|| client.poll_output()).collect();
    assert!(!outputs.iter().any(|output| matches!(output, ClientOutput::Send(text) if text.contains("nonce"))));
    assert!(outputs.iter().any(|o| matches!(o, ClientOutput::Event(ClientEvent::GaveUp { .. }))), "it ends in time");
}

#[test]
fn bodies_that_nobody_takes_are_bounded_for_all_rooms_together() {
    let mut world = World::with_limits(Limits { bytes_under_way: 3 * MAX_BODY_BYTES, ..Limits::default() });
    let mut senders = Vec::new();
    for _ in 0..2 {
        let (creator, _) = world.raw_hello();
        world.raw_send(creator, r#"{"type":"create"}"#);
        let nameplate = world.raw[&creator].iter().find_map(|message| match message {
            ServerMessage::Created { nameplate } => Some(nameplate.clone()),
            _ => None,
        });
        let (joiner, _) = world.raw_hello();
        world.raw_send(joiner, &ClientMessage::Knock { nameplate: nameplate.unwrap() }.to_json());
        senders.push(joiner);
    }
    let body = "x".repeat(MAX_BODY_BYTES);
    let relay = |seq| ClientMessage::Relay { exchange: 1, seq, body: body.clone() }.to_json();
    for seq in 1..=2 {
        world.raw_send(senders[0], &relay(seq));
    }
    world.raw_send(senders[1], &relay(1));
    assert_eq!(world.rooms.counts().bytes_under_way, 3 * MAX_BODY_BYTES);
    world.raw_send(senders[1], &relay(2));
    assert_eq!(error(last(&world, senders[1])), Some((ErrorCode::QueueFull, true)));
    assert_eq!(world.rooms.counts().bytes_under_way, 2 * MAX_BODY_BYTES, "what its room held is free again");
}

#[test]
fn bytes_are_limited_like_messages() {
    let mut world = World::with_limits(Limits { byte_burst: 1000, bytes_per_second: 100, ..Limits::default() });
    let (id, _) = world.raw_hello();
    let filled = |size: usize| format!("{}{}", r#"{"type":"ping"}"#, " ".repeat(size));
    world.raw_send(id, &filled(500));
    assert_eq!(last(&world, id), &ServerMessage::Pong);
    world.raw_send(id, &filled(500));
    assert_eq!(error(last(&world, id)), Some((ErrorCode::TooFast, true)));
}
