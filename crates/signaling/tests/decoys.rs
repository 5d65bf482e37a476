//! Who doesn't know the words can't tell a room from none: the same messages to an empty nameplate and to one under which
//! somebody waits are answered by the same messages, of the same sizes, for the same reasons.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;
mod probe;

use std::net::IpAddr;
use std::time::Duration;

use common::*;
use probe::*;
use serde_json::Value;
use visavis_signaling::client::{ClientEvent, Intent};
use visavis_signaling::message::{ErrorCode, Resume};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Limits, RoomsInput};
use visavis_signaling::{ClientMessage, Exchange, Nameplate, ServerMessage};

#[test]
fn one_to_three_guesses_sound_the_same() {
    for guesses in 1..=3 {
        let heard = same(|probe| {
            for _ in 0..guesses {
                let socket = probe.socket();
                probe.guess(socket);
            }
        });
        for socket in &heard {
            assert_eq!([says(socket, "relay reply"), says(socket, "relay sealed")], [1, 1], "{socket:?}");
        }
    }
}

/// After the third the code is burnt, and the number leads to nobody, by whomever it was used.
#[test]
fn a_fourth_knock_begins_anew() {
    let heard = same(|probe| {
        for _ in 0..4 {
            let socket = probe.socket();
            probe.guess(socket);
        }
    });
    assert_eq!(says(&heard[2], r#""type":"knocked","exchange":3"#), 1);
    assert_eq!(says(&heard[3], r#""type":"knocked","exchange":1"#), 1);
}

#[test]
fn two_at_once_wait_for_one_another() {
    let heard = same(|probe| {
        let [first, second] = [probe.socket(), probe.socket()];
        probe.knock(first);
        probe.knock(second);
        probe.open(first);
        probe.pass(ANSWER);
        probe.leave(first, "wrong-words");
        probe.pass(ANSWER);
        probe.open(second);
        probe.pass(ANSWER);
    });
    assert_eq!([says(&heard[1], r#""type":"waiting","ahead":0"#), says(&heard[1], "relay reply in 2")], [1, 1]);
}

/// Whoever is in line when the code burns hears of it like everywhere.
#[test]
fn who_is_next_when_the_code_burns_hears_so() {
    let heard = same(|probe| {
        let sockets = [0; 5].map(|_| probe.socket());
        sockets.iter().for_each(|socket| probe.knock(*socket));
        for socket in &sockets[..3] {
            probe.open(*socket);
            probe.pass(ANSWER);
            probe.leave(*socket, "wrong-words");
            probe.pass(ANSWER / 3);
        }
        probe.pass(SECOND);
    });
    assert_eq!(says(&heard[3], r#""reason":"burnt""#), 1, "{:?}", heard[3]);
    assert_eq!(says(&heard[4], "room-closed"), 1, "{:?}", heard[4]);
}

#[test]
fn a_line_is_full_where_it_is_full_everywhere() {
    let heard = same_with(&Limits { line: 2, ..Limits::default() }, |probe| {
        for _ in 0..4 {
            let socket = probe.socket();
            probe.knock(socket);
        }
    });
    assert_eq!(says(&heard[3], "line-full"), 1);
}

#[test]
fn who_takes_the_tag_and_vanishes_has_guessed() {
    let heard = same(|probe| {
        for _ in 0..4 {
            let socket = probe.socket();
            probe.knock(socket);
            probe.open(socket);
            probe.pass(ANSWER);
            let id = probe.sockets[socket];
            probe.world.rooms.handle_input(probe.world.now, RoomsInput::Closed(id));
            probe.world.drain_rooms();
            probe.let_act();
            probe.pass(31 * SECOND);
        }
    });
    assert_eq!(says(&heard[3], r#""type":"knocked","exchange":1"#), 1, "a new room, or a new decoy");
}

#[test]
fn who_stays_silent_is_out_after_ten_seconds_and_has_guessed_nothing() {
    let heard = same(|probe| {
        let sockets = [0; 4].map(|_| probe.socket());
        for socket in sockets {
            probe.say(socket, &ClientMessage::Ping);
            probe.knock(socket);
            probe.pass(11 * SECOND);
            (0..sockets.len()).for_each(|socket| probe.say(socket, &ClientMessage::Ping));
        }
    });
    assert!(heard.iter().all(|socket| says(socket, "timed-out") == 1));
    assert_eq!(says(&heard[3], r#""type":"knocked","exchange":4"#), 1);
}

#[test]
fn nonsense_and_made_up_tags_are_dismissed() {
    let confirm = r#"{"type":"confirm","tag":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==","number":1,"sealed":"AAAA"}"#;
    let heard = same(|probe| {
        for _ in 0..4 {
            let socket = probe.socket();
            probe.knock(socket);
            probe.open(socket);
            probe.pass(ANSWER);
            probe.relay(socket, 2, confirm.to_owned());
            probe.pass(ANSWER);
            probe.leave(socket, "left");
            probe.pass(ANSWER);
        }
    });
    assert_eq!(says(&heard[2], r#""reason":"burnt""#), 1, "{:?}", heard[2]);
    for nonsense in ["", "{}", "knock", r#"{"type":"refuse","reason":"no"}"#, confirm] {
        let heard = same(|probe| {
            let socket = probe.socket();
            probe.knock(socket);
            probe.relay(socket, 1, nonsense.to_owned());
            probe.relay(socket, 2, nonsense.to_owned());
            probe.pass(ANSWER);
            probe.open(socket);
            probe.pass(ANSWER);
        });
        assert_eq!(says(&heard[0], "relay refuse"), 1, "{nonsense}: {:?}", heard[0]);
    }
}

/// A point that is none, another version, an opening that was seen before.
#[test]
fn what_is_wrong_with_an_opening_doesnt_matter() {
    let open = |probe: &Probe| Exchange::join(terms(&probe.target, "waffle"), &mut SplitMix::new(5)).1;
    let edits: [fn(&mut Value); 3] = [
        |body| body["point"] = "/////////////////////////////////////////w==".into(),
        |body| body["ad"] = "AAAA".into(),
        |_| {},
    ];
    for edit in edits {
        same(|probe| {
            for _ in 0..2 {
                let socket = probe.socket();
                probe.knock(socket);
                let mut body: Value = serde_json::from_str(&open(probe)).unwrap();
                edit(&mut body);
                probe.relay(socket, 1, body.to_string());
                probe.pass(ANSWER);
                probe.leave(socket, "left");
                probe.pass(ANSWER);
            }
        });
    }
}

#[test]
fn a_place_with_a_decoy_is_kept_over_a_lost_connection() {
    let heard = same(|probe| {
        let socket = probe.socket();
        probe.knock(socket);
        probe.open(socket);
        probe.pass(ANSWER);
        let (id, exchange) = (probe.sockets[socket], probe.exchange(socket));
        let token = probe.heard(socket).iter().rev().find_map(|message| match message {
            ServerMessage::Token { token } => Some(token.clone()),
            _ => None,
        });
        probe.world.rooms.handle_input(probe.world.now, RoomsInput::Closed(id));
        for _ in 0..2 {
            let again = probe.world.raw_connection_from(IpAddr::from([192, 0, 2, 1]));
            let resume = Some(Resume { token: token.clone().unwrap(), exchange, received: 0 });
            let hello = ClientMessage::Hello { version: 1, features: Vec::new(), resume };
            probe.world.raw_send(again, &hello.to_json());
            probe.sockets.push(again);
            // The second time it is used up, and everything is over.
            probe.leave(probe.sockets.len() - 1, "left");
        }
        probe.pass(31 * SECOND);
    });
    assert_eq!([says(&heard[1], "true, 1"), says(&heard[2], "resume-refused")], [1, 1], "{heard:?}");
}

/// A limit that only misses ran into would tell misses from hits.
#[test]
fn limits_are_met_alike() {
    let heard = same(|probe| {
        let socket = probe.socket();
        for _ in 0..5 {
            probe.knock(socket);
            probe.leave(socket, "left");
        }
    });
    assert_eq!(says(&heard[0], "too-fast"), 1);
    let heard = same_with(&Limits { misses_per_minute: 8, ..Limits::default() }, |probe| {
        for _ in 0..10 {
            let socket = probe.socket();
            probe.knock(socket);
            probe.leave(socket, "left");
        }
    });
    assert_eq!([says(&heard[7], "work"), says(&heard[8], "work of")], [0, 1], "{heard:?}");
}

#[test]
fn a_pair_is_no_miss() {
    let mut world = World::with_limits(Limits { misses_per_minute: 3, ..Limits::default() });
    world.source = Some(IpAddr::from([192, 0, 2, 1]));
    for _ in 0..10 {
        let (_, nameplate) = world.creator(creator_script);
        let joiner = world.add(Intent::Knock(nameplate), joiner_script);
        world.run_for(SECOND);
        assert_eq!(world.relayed(joiner), TO_JOINER);
    }
    assert_eq!((world.rooms.tally().work, world.rooms.tally().misses), (0, 0));
}

/// Two meet; the one who waits takes so long for each step.
fn meets(world: &mut World, from: [u8; 4], trip: Duration, offer: Duration) {
    let hello = ClientMessage::Hello { version: 1, features: Vec::new(), resume: None }.to_json();
    let [creator, joiner] = [(); 2].map(|()| world.raw_connection_from(IpAddr::from(from)));
    [creator, joiner].iter().for_each(|id| world.raw_send(*id, &hello));
    world.raw_send(creator, &ClientMessage::Create.to_json());
    let Some(ServerMessage::Created { nameplate }) = world.raw[&creator].last().cloned() else { panic!("no room") };
    world.raw_send(joiner, &ClientMessage::Knock { nameplate }.to_json());
    let relay = ClientMessage::Relay { exchange: 1, seq: 1, body: "x".into() }.to_json();
    world.raw_send(joiner, &relay);
    world.run_for(trip);
    world.raw_send(creator, &ClientMessage::Ack { exchange: 1, seq: 1 }.to_json());
    world.run_for(offer);
    world.raw_send(creator, &relay);
    for id in [joiner, creator] {
        world.raw_send(id, &ClientMessage::Confirmed { exchange: 1 }.to_json());
    }
    assert!(matches!(world.raw[&creator].last(), Some(ServerMessage::Confirmed { .. })));
    [creator, joiner].iter().for_each(|id| world.raw_send(*id, r#"{"type":"leave","reason":"hung-up"}"#));
}

/// How long a played creator takes to acknowledge, and from there to its offer, milliseconds.
fn tempo(probe: &mut Probe, number: u32) -> [u128; 2] {
    probe.target = Nameplate::new(&format!("{number:06}")).unwrap();
    let socket = probe.socket();
    probe.knock(socket);
    probe.open(socket);
    let start = probe.world.now;
    let mut after = |wanted: fn(&ServerMessage) -> bool| {
        while !probe.heard(socket).iter().any(wanted) {
            probe.pass(Duration::from_millis(1));
        }
        (probe.world.now - start).as_millis()
    };
    let trip = after(|message| matches!(message, ServerMessage::Ack { .. }));
    let answer = after(|message| matches!(message, ServerMessage::Relay { .. }));
    [trip, answer - trip]
}

/// So that nobody knows them by their times.
#[test]
fn they_take_as_long_as_those_who_were_there() {
    let mut probe = Probe::new(false, Limits::default());
    for number in 0..100 {
        meets(&mut probe.world, [7, number, 0, 1], Duration::from_millis(400), Duration::from_millis(200));
    }
    for number in 0..20 {
        let [trip, offer] = tempo(&mut probe, number);
        assert!((320..=520).contains(&trip) && (160..=270).contains(&offer), "{trip} and {offer} ms");
    }
}

/// Somebody who plays many creators in one network, and then looks for times that only those have.
#[test]
fn one_network_doesnt_set_the_pace() {
    let mut probe = Probe::new(false, Limits::default());
    for number in 0..100 {
        meets(&mut probe.world, [7, 7, number, 1], Duration::from_millis(900), Duration::from_millis(900));
    }
    let slow = (0..20).filter(|number| tempo(&mut probe, *number)[0] > 300).count();
    assert!(slow <= 3, "{slow}");
}

fn knock_at(world: &mut World, number: u32) -> ConnectionId {
    let (id, _) = world.raw_hello();
    let nameplate = Nameplate::new(&format!("{number:06}")).unwrap();
    world.raw_send(id, &ClientMessage::Knock { nameplate }.to_json());
    id
}

#[test]
fn they_are_few_and_the_oldest_goes_first() {
    let mut world = World::with_limits(Limits { decoys: 3, rooms: 1, ..Limits::default() });
    let sockets: Vec<_> = (0..10).map(|number| knock_at(&mut world, number)).collect();
    let counts = world.rooms.counts();
    assert_eq!((counts.decoys, counts.rooms, counts.sessions, counts.connections), (3, 0, 10, 10));
    let left = |id: &ConnectionId| matches!(world.raw[id].last(), Some(ServerMessage::PeerLeft { .. }));
    assert_eq!(sockets.iter().filter(|id| left(id)).count(), 7);
    assert!(sockets[..7].iter().all(left), "as if whoever made the room had left it");
    // They take no room from anybody.
    world.creator(silent);
    assert_eq!(world.rooms.counts().rooms, 1);
}

#[test]
fn nothing_of_them_stays() {
    let mut world = World::new();
    let id = knock_at(&mut world, 1);
    world.raw_close(id);
    world.run_for(Limits::default().unused_room + 60 * SECOND);
    assert_eq!(world.rooms.counts(), Default::default());
    assert_eq!(world.rooms.poll_timeout(), None);
    assert!(world.kept.all().is_empty(), "a stranger fills no disk");
}

/// Whoever is at the door when the server comes back keeps nobody out of the room that they had.
#[test]
fn a_room_of_before_comes_back_where_a_decoy_is() {
    let mut world = World::new();
    let (creator, nameplate) = world.creator(creator_script);
    world.parties[creator].reachable = false;
    world.restart();
    let (early, _) = world.raw_hello();
    world.raw_send(early, &ClientMessage::Knock { nameplate: nameplate.clone() }.to_json());
    assert_eq!(world.rooms.counts().decoys, 1);
    world.parties[creator].reachable = true;
    world.run_for(20 * SECOND);
    assert_eq!((world.rooms.counts().decoys, world.rooms.counts().rooms), (0, 1));
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(2 * SECOND);
    assert_eq!(world.relayed(joiner), TO_JOINER);
}

/// A server that was restarted makes no room out of a token for a decoy.
#[test]
fn a_token_for_a_decoy_revives_nothing() {
    let mut world = World::new();
    let joiner = world.add(Intent::Knock(Nameplate::new("482713").unwrap()), silent);
    world.run_for(SECOND);
    assert_eq!(world.parties[joiner].events.last(), Some(&ClientEvent::Knocked));
    world.restart();
    world.run_for(10 * SECOND);
    assert_eq!((world.rooms.counts().rooms, world.rooms.tally().restored), (0, 0));
    assert!(world.parties[joiner].client.has_ended());
}

#[test]
fn the_right_words_still_open_the_door() {
    let mut world = World::new();
    for number in 0..20 {
        knock_at(&mut world, number);
    }
    let (creator, nameplate) = world.creator(creator_script);
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(SECOND);
    assert_eq!(
        (world.relayed(creator), world.relayed(joiner)),
        (TO_CREATOR.map(String::from).to_vec(), TO_JOINER.map(String::from).to_vec())
    );
}

/// An app's own server says that nobody is there, so that who looks for a call in the network looks on.
#[test]
fn where_nothing_is_hidden_it_is_said() {
    let mut world = World::with_limits(Limits { decoys: 0, ..Limits::default() });
    let id = knock_at(&mut world, 1);
    assert!(matches!(world.raw[&id].last(), Some(ServerMessage::Error { code: ErrorCode::NoSuchRoom, .. })));
}
