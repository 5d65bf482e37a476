//! Whatever is sent, in whatever state: no panic, nobody else disturbed, nothing left behind.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::time::Duration;

use common::*;
use proptest::prelude::*;
use visavis_signaling::Nameplate;
use visavis_signaling::client::{Client, ClientInput, ClientOutput, Intent};
use visavis_signaling::message::{
    ClientMessage, ErrorCode, MAX_BODY_BYTES, MAX_MESSAGE_BYTES, MAX_UNACKNOWLEDGED, Resume, ServerMessage,
};
use visavis_signaling::server::{ConnectionId, Counts, RoomsInput};

fn fatal(world: &World, id: ConnectionId) -> Option<ErrorCode> {
    match world.raw[&id].last() {
        Some(ServerMessage::Error { code, fatal: true, .. }) => Some(*code),
        _ => None,
    }
}

#[test]
fn every_kind_of_malformed_message_is_named_and_fatal() {
    let long = format!(r#"{{"type":"relay","exchange":1,"seq":1,"body":"{}"}}"#, "x".repeat(MAX_BODY_BYTES + 1));
    for (text, code) in [
        ("", ErrorCode::BadMessage),
        ("{}", ErrorCode::BadMessage),
        (r#"{"type":"dance"}"#, ErrorCode::BadMessage),
        (r#"{"type":"knock","nameplate":"12"}"#, ErrorCode::BadMessage),
        (r#"{"type":"knock","nameplate":482713}"#, ErrorCode::BadMessage),
        (r#"{"type":"relay","exchange":-1,"seq":1,"body":""}"#, ErrorCode::BadMessage),
        (r#"{"type":"relay","exchange":1,"seq":1}"#, ErrorCode::BadMessage),
        (r#"{"type":"hello","version":1}"#, ErrorCode::OutOfOrder),
        (&long, ErrorCode::TooLarge),
        (&" ".repeat(MAX_MESSAGE_BYTES + 1), ErrorCode::TooLarge),
        (&"[".repeat(60_000), ErrorCode::BadMessage),
    ] {
        let mut world = World::new();
        let (id, _) = world.raw_hello();
        world.raw_send(id, text);
        assert_eq!(fatal(&world, id), Some(code), "{}", &text[..text.len().min(80)]);
        assert_eq!(world.closed, [id]);
        assert_eq!(world.rooms.counts(), Default::default());
    }
}

#[test]
fn unknown_fields_are_ignored() {
    let mut world = World::new();
    let id = world.raw_connection();
    world.raw_send(id, r#"{"type":"hello","version":1,"features":["x"],"colour":"red"}"#);
    world.raw_send(id, r#"{"type":"create","name":"mine"}"#);
    assert!(matches!(world.raw[&id].last(), Some(ServerMessage::Created { .. })));
}

#[test]
fn what_belongs_to_no_exchange_is_refused() {
    let mut world = World::new();
    let (id, _) = world.raw_hello();
    for message in [
        ClientMessage::Relay { exchange: 1, seq: 1, body: "x".into() },
        ClientMessage::Confirmed { exchange: 1 },
        ClientMessage::Relay { exchange: 0, seq: 1, body: "x".into() },
    ] {
        world.raw_send(id, &message.to_json());
        let last = world.raw[&id].last();
        assert!(
            matches!(last, Some(ServerMessage::Error { code: ErrorCode::NotAllowed, fatal: false, .. })),
            "{last:?}"
        );
    }
}

#[test]
fn a_flood_and_a_stuffed_queue_are_cut_off() {
    let mut world = World::new();
    let (id, _) = world.raw_hello();
    for _ in 0..300 {
        world.raw_send(id, r#"{"type":"ping"}"#);
    }
    assert_eq!(fatal(&world, id), Some(ErrorCode::TooFast));

    let mut world = World::new();
    let (_, nameplate) = world.creator(silent);
    world.parties[0].reachable = false;
    let (id, _) = world.raw_hello();
    world.raw_send(id, &ClientMessage::Knock { nameplate }.to_json());
    world.cut(0, true);
    for seq in 1..=MAX_UNACKNOWLEDGED as u64 {
        world.raw_send(id, &ClientMessage::Relay { exchange: 1, seq, body: "x".into() }.to_json());
        assert_eq!(fatal(&world, id), None);
    }
    let seq = MAX_UNACKNOWLEDGED as u64 + 1;
    world.raw_send(id, &ClientMessage::Relay { exchange: 1, seq, body: "x".into() }.to_json());
    assert_eq!(fatal(&world, id), Some(ErrorCode::QueueFull));
}

#[test]
fn a_third_can_neither_speak_nor_confirm_in_a_room_of_two() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(silent);
    let joiner = world.add(Intent::Knock(nameplate.clone()), silent);
    world.run_for(Duration::from_secs(1));
    let (third, _) = world.raw_hello();
    world.raw_send(third, &ClientMessage::Knock { nameplate }.to_json());
    for message in [
        ClientMessage::Relay { exchange: 1, seq: 1, body: "intruding".into() },
        ClientMessage::Confirmed { exchange: 1 },
        ClientMessage::Ack { exchange: 1, seq: 0 },
    ] {
        world.raw_send(third, &message.to_json());
    }
    world.input(joiner, ClientInput::Confirm);
    world.run_for(Duration::from_secs(1));
    assert!(world.relayed(creator).is_empty() && world.relayed(joiner).is_empty());
    assert!(world.parties[creator].client.is_in_room());
    assert_eq!(world.raw[&third].last(), Some(&ServerMessage::Waiting { ahead: 0 }));
}

#[derive(Debug, Clone)]
enum Act {
    Open,
    Text(usize, String),
    Replay(usize, usize),
    Close(usize),
    Wait(u64),
}

fn client_message(nameplates: Vec<Nameplate>) -> impl Strategy<Value = String> {
    let exchange = 0_u32..4;
    let seq = prop_oneof![0_u64..6, Just(u64::MAX)];
    prop_oneof![
        Just(ClientMessage::Hello { version: 1, features: vec![], resume: None }),
        Just(ClientMessage::Create),
        prop::sample::select(nameplates).prop_map(|nameplate| ClientMessage::Knock { nameplate }),
        (exchange.clone(), seq.clone(), ".{0,8}").prop_map(|(exchange, seq, body)| ClientMessage::Relay {
            exchange,
            seq,
            body
        }),
        (exchange.clone(), seq).prop_map(|(exchange, seq)| ClientMessage::Ack { exchange, seq }),
        exchange.prop_map(|exchange| ClientMessage::Confirmed { exchange }),
        Just(ClientMessage::Leave { reason: "x".into() }),
        Just(ClientMessage::Ping),
    ]
    .prop_map(|message| message.to_json())
}

/// The nameplates that the seeded randomness of the test world gives first.
fn first_nameplates() -> Vec<Nameplate> {
    let mut world = World::new();
    (0..3).map(|_| world.creator(silent).1).collect()
}

fn act() -> impl Strategy<Value = Act> {
    let message = client_message(first_nameplates());
    prop_oneof![
        3 => Just(Act::Open),
        20 => (0_usize..8, message).prop_map(|(index, text)| Act::Text(index, text)),
        1 => (0_usize..8, ".{0,40}").prop_map(|(index, text)| Act::Text(index, text)),
        3 => (0_usize..8, 0_usize..8).prop_map(|(index, of)| Act::Replay(index, of)),
        2 => (0_usize..8).prop_map(Act::Close),
        2 => (0_u64..40).prop_map(Act::Wait),
    ]
}

/// The newest token that a connection was given.
fn token_of(world: &World, id: ConnectionId) -> Option<String> {
    world.raw[&id].iter().rev().find_map(|message| match message {
        ServerMessage::Token { token } | ServerMessage::Welcome { token, .. } => Some(token.clone()),
        _ => None,
    })
}

proptest! {
    #[test]
    fn any_messages_in_any_order_leave_a_sound_server(acts in prop::collection::vec(act(), 1..120)) {
        let mut world = World::new();
        let mut open = vec![world.raw_connection()];
        for act in acts {
            match act {
                Act::Open => open.push(world.raw_hello().0),
                Act::Text(index, text) => world.raw_send(open[index % open.len()], &text),
                Act::Replay(index, of) => {
                    if let Some(token) = token_of(&world, open[of % open.len()]) {
                        let resume = Some(Resume { token, exchange: 1, received: 0 });
                        let hello = ClientMessage::Hello { version: 1, features: vec![], resume };
                        world.raw_send(open[index % open.len()], &hello.to_json());
                    }
                }
                Act::Close(index) => {
                    world.rooms.handle_input(world.now, RoomsInput::Closed(open[index % open.len()]));
                    world.drain_rooms();
                }
                Act::Wait(seconds) => world.run_for(Duration::from_secs(seconds)),
            }
            let counts = world.rooms.counts();
            prop_assert!(counts.rooms <= counts.sessions, "{counts:?}");
        }
        for (id, messages) in &world.raw {
            let relayed = messages.iter().filter(|message| matches!(message, ServerMessage::Relay { .. })).count();
            let knocked = messages.iter().any(|message| matches!(message, ServerMessage::Knocked { .. }));
            prop_assert!(relayed == 0 || knocked, "{id:?} got bodies before an exchange");
        }
        // With nobody left, nothing is left.
        for id in open {
            world.rooms.handle_input(world.now, RoomsInput::Closed(id));
        }
        world.drain_rooms();
        world.run_for(Duration::from_secs(120));
        let counts = world.rooms.counts();
        prop_assert_eq!(counts, Counts { decoys: counts.decoys, ..Counts::default() });
        world.run_for(Duration::from_secs(24 * 60 * 60));
        prop_assert_eq!(world.rooms.counts(), Counts::default());
        prop_assert_eq!(world.rooms.poll_timeout(), None);
    }

    #[test]
    fn any_server_is_survived_by_a_client(
        texts in prop::collection::vec(server_text(), 0..60),
        waits in prop::collection::vec(0_u64..8, 60),
    ) {
        let mut world = World::new();
        let mut now = world.now;
        let mut client = Client::new(now, Intent::Create, 1);
        for (text, wait) in texts.into_iter().zip(waits) {
            while let Some(output) = client.poll_output() {
                if output == ClientOutput::Connect {
                    client.handle_input(now, ClientInput::SocketOpened);
                    let welcome = r#"{"type":"welcome","version":1,"heartbeat_ms":0,"token":"t","resumed":true}"#;
                    client.handle_input(now, ClientInput::SocketText(welcome.into()));
                }
            }
            client.handle_input(now, ClientInput::Relay("x".into()));
            client.handle_input(now, ClientInput::SocketText(text));
            now += Duration::from_secs(wait);
            client.handle_timeout(now);
            prop_assert!(client.has_ended() || client.poll_timeout().is_some_and(|due| due > now));
        }
        world.now = now;
    }
}

fn server_text() -> impl Strategy<Value = String> {
    let nameplate = Nameplate::new("482713").unwrap();
    let number = 0_u32..4;
    prop_oneof![
        Just(ServerMessage::Created { nameplate }),
        number.clone().prop_map(|ahead| ServerMessage::Waiting { ahead }),
        number.clone().prop_map(|exchange| ServerMessage::Knocked { exchange }),
        (number.clone(), 0_u64..4).prop_map(|(exchange, seq)| ServerMessage::Relay { exchange, seq, body: "b".into() }),
        (number.clone(), any::<u64>()).prop_map(|(exchange, seq)| ServerMessage::Ack { exchange, seq }),
        number.clone().prop_map(|exchange| ServerMessage::Confirmed { exchange, room: "r".into() }),
        number.prop_map(|exchange| ServerMessage::PeerLeft { exchange, reason: "r".into() }),
        Just(ServerMessage::Token { token: "t2".into() }),
        Just(ServerMessage::Pong),
        Just(ServerMessage::Error { code: ErrorCode::RoomFull, text: String::new(), fatal: false }),
        Just(ServerMessage::Error { code: ErrorCode::ShuttingDown, text: String::new(), fatal: true }),
    ]
    .prop_map(|message| message.to_json())
}
