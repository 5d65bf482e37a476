//! A server that attacks. Each attack ends in its own named reason, no media flows, and where somebody could test a guess at
//! the words by it, the guess is counted and told.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use common::world::World;
use common::{fingerprint, terms};
use visavis_call::{CallEvent, Intent, Output, TransportAction};
use visavis_signaling::random::SplitMix;
use visavis_signaling::{Body, Exchange, Opened, RoomCode};

const CREATOR: usize = 0;
const JOINER: usize = 1;
/// Longer than the ten seconds of an exchange and what follows.
const LONG: Duration = Duration::from_secs(14);

/// A world in which the server does this to each body.
fn attacked(scheme: impl FnMut(usize, &str) -> Vec<String> + 'static) -> World {
    let mut world = World::new();
    world.create();
    world.attack(scheme);
    world.join();
    world.run(LONG);
    world
}

fn kind(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap();
    value["type"].as_str().unwrap().to_owned()
}

fn pass(body: &str) -> Vec<String> {
    vec![body.to_owned()]
}

/// Changes bytes of a field that is in base64.
fn edit(body: &str, field: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let mut value: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut bytes = STANDARD.decode(value[field].as_str().unwrap()).unwrap();
    change(&mut bytes);
    value[field] = STANDARD.encode(bytes).into();
    value.to_string()
}

fn swap_fingerprint(ad: &mut Vec<u8>) {
    let from = ad.len() - 32;
    ad.truncate(from);
    ad.extend_from_slice(&fingerprint(66).0);
}

/// How many tries were left after each guess that the creator was told of.
fn guesses(world: &World) -> Vec<u32> {
    let left = |event: CallEvent| match event {
        CallEvent::WrongGuess { left } => Some(left),
        _ => None,
    };
    world.events(CREATOR).into_iter().filter_map(left).collect()
}

fn dropped(world: &World, who: usize) -> Option<u32> {
    let count = |event: CallEvent| match event {
        CallEvent::Dropped { count } => Some(count),
        _ => None,
    };
    world.events(who).into_iter().rev().find_map(count)
}

/// Nobody was connected, and nothing of the other's was ever handed to a peer connection of the creator.
fn no_media(world: &World) {
    for (who, party) in world.parties.iter().enumerate() {
        assert!(!world.path_of(who).contains(&"connected"), "{who} was connected");
        assert!(party.peer.as_ref().is_none_or(|peer| !peer.up), "{who} has a path");
    }
}

/// The creator never took an answer: an exchange that failed has no say in the peer connection.
fn no_answer_taken(world: &World) {
    let taken =
        |output: &Output| matches!(output, Output::Transport { action: TransportAction::AcceptAnswer { .. }, .. });
    assert!(!world.parties[CREATOR].outputs.iter().any(taken));
}

fn wrong_words_and_a_guess(world: &World) {
    assert_eq!(world.ended(JOINER), Some("wrong-words"));
    assert_eq!((world.name(CREATOR), guesses(world)), ("waiting", vec![2]));
    no_media(world);
    no_answer_taken(world);
}

// ── swapping certificates, and sitting in between ───────────────────────────────────────────────────────────────────

#[test]
fn a_swapped_fingerprint_of_either_side() {
    for swapped in ["open", "reply"] {
        let world = attacked(
            move |_, body| {
                if kind(body) == swapped { vec![edit(body, "ad", swap_fingerprint)] } else { pass(body) }
            },
        );
        wrong_words_and_a_guess(&world);
    }
}

#[test]
fn a_swapped_point_or_session_id() {
    for (swapped, field) in [("open", "sid"), ("open", "point"), ("reply", "point")] {
        let other = point_of_somebody();
        let world = attacked(move |_, body| {
            let change = |bytes: &mut Vec<u8>| *bytes = other[..bytes.len()].to_vec();
            if kind(body) == swapped { vec![edit(body, field, change)] } else { pass(body) }
        });
        wrong_words_and_a_guess(&world);
    }
}

fn point_of_somebody() -> Vec<u8> {
    let (_, open) = Exchange::join(terms(&common::code("9999"), 7), &mut SplitMix::new(3));
    let mut point = Vec::new();
    edit(&open, "point", |bytes| point.clone_from(bytes));
    point
}

/// The server plays the creator towards the joiner, with words of its own choosing.
#[test]
fn a_server_that_plays_the_creator() {
    let guess = RefCell::new(None);
    let world = attacked(move |to, body| {
        if to == CREATOR && kind(body) == "open" {
            let mut own = Exchange::create(terms(&guessed("0000"), 66), Vec::new(), &mut SplitMix::new(5));
            own.open(body).unwrap();
            *guess.borrow_mut() = Some(own.seal(&Body::Offer { sdp: "mine".into(), restart: false }).unwrap());
        }
        let own = if to == JOINER { guess.borrow_mut().take() } else { None };
        own.map_or_else(|| pass(body), |own| vec![own])
    });
    wrong_words_and_a_guess(&world);
}

/// A code of the same form with words that nobody drew; the number is made to fit by the caller.
fn guessed(number: &str) -> RoomCode {
    RoomCode::parse(&format!("{number}-waffle-kayak")).unwrap()
}

#[test]
fn a_server_that_plays_the_joiner_burns_the_code_with_the_third_guess() {
    let mut world = World::new();
    world.create();
    world.run(Duration::from_secs(1));
    for left in [2, 1, 0] {
        let number = world.code().nameplate().to_string();
        let guesser = world.add(Intent::Join(guessed(&number)), &[0]);
        world.run(Duration::from_secs(2));
        assert_eq!(world.ended(guesser), Some("wrong-words"));
        assert_eq!(guesses(&world).last(), Some(&left));
    }
    assert_eq!(world.ended(CREATOR), Some("burnt"));
    no_media(&world);
    no_answer_taken(&world);
    let friend = world.join();
    world.run(Duration::from_secs(2));
    assert_eq!(world.ended(friend), Some("wrong-words"), "a burnt code lets nobody in");
}

#[test]
fn who_takes_the_tag_and_vanishes_has_guessed() {
    let mut world = World::new();
    world.create();
    let gone = world.join();
    world.run_until(LONG, |world| world.bodies.iter().any(|(who, _)| *who == CREATOR));
    world.parties[gone].alive = false;
    world.cut_socket(gone);
    world.run(LONG);
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]));
    let friend = world.join();
    world.run(Duration::from_secs(2));
    assert_eq!((world.name(CREATOR), world.name(friend)), ("connected", "connected"));
}

#[test]
fn who_vanishes_before_the_tag_has_guessed_nothing() {
    let world = attacked(|_, body| if kind(body) == "open" { Vec::new() } else { pass(body) });
    assert_eq!((world.name(CREATOR), world.ended(JOINER)), ("waiting", Some("no-answer")));
    assert!(guesses(&world).is_empty());
    no_media(&world);
}

// ── reflecting and replaying ────────────────────────────────────────────────────────────────────────────────────────

/// The joiner's own half comes back to it, dressed as the creator's.
#[test]
fn a_half_that_comes_back() {
    let open = Rc::new(RefCell::new(String::new()));
    let world = attacked(move |to, body| match (to, kind(body).as_str()) {
        (CREATOR, "open") => {
            *open.borrow_mut() = body.to_owned();
            pass(body)
        }
        (JOINER, "reply") => {
            let own: serde_json::Value = serde_json::from_str(&open.borrow()).unwrap();
            let mut reply: serde_json::Value = serde_json::from_str(body).unwrap();
            (reply["point"], reply["ad"]) = (own["point"].clone(), own["ad"].clone());
            vec![reply.to_string()]
        }
        _ => pass(body),
    });
    assert_eq!(world.ended(JOINER), Some("tampered"));
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]));
    no_media(&world);
}

/// What the creator said comes back to it.
#[test]
fn a_reply_that_comes_back() {
    let reply = Rc::new(RefCell::new(None));
    let world = attacked(move |to, body| match (to, kind(body).as_str()) {
        (JOINER, "reply") => {
            *reply.borrow_mut() = Some(body.to_owned());
            pass(body)
        }
        (CREATOR, "confirm") => reply.borrow_mut().take().into_iter().collect(),
        _ => pass(body),
    });
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]));
    no_media(&world);
    no_answer_taken(&world);
}

/// What a joiner said in one exchange is said again in the next.
#[test]
fn an_exchange_that_is_played_again() {
    let mut world = World::new();
    world.create();
    let first = Rc::new(RefCell::new(None));
    world.attack(move |to, body| {
        if (to, kind(body).as_str()) != (CREATOR, "open") {
            return pass(body);
        }
        vec![first.borrow_mut().get_or_insert_with(|| body.to_owned()).clone()]
    });
    let gone = world.join();
    world.run_until(LONG, |world| world.bodies.iter().any(|(who, _)| *who == CREATOR));
    world.parties[gone].alive = false;
    world.cut_socket(gone);
    world.run(LONG);
    let second = world.join();
    world.run(LONG);
    assert_eq!(world.ended(second), Some("dismissed"), "the creator refuses the half that it has seen");
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]), "no tag has left a second time");
    no_media(&world);
}

/// A sealed message doubled: while the two connect it ends the call, once they are connected it is dropped and told.
#[test]
fn a_message_that_comes_twice() {
    let world = attacked(|to, body| {
        let twice = to == JOINER && kind(body) == "sealed";
        if twice { vec![body.to_owned(), body.to_owned()] } else { pass(body) }
    });
    assert_eq!(world.ended(JOINER), Some("tampered"));
    no_media(&world);

    let mut world = World::connected();
    let heard = Rc::new(RefCell::new(Vec::new()));
    let kept = Rc::clone(&heard);
    world.attack(move |_, body| {
        kept.borrow_mut().push(body.to_owned());
        pass(body)
    });
    in_a_call(&mut world, &heard);
}

/// The path is lost so that something goes through the server; that is then played again, now and after a resume.
fn in_a_call(world: &mut World, heard: &Rc<RefCell<Vec<String>>>) {
    // The honest part of the server has counted the relays before the attack began.
    for who in [CREATOR, JOINER] {
        world.skip_to_present(who, 1);
    }
    world.cut_path();
    world.run(Duration::from_secs(6));
    let old = heard.borrow().first().cloned().expect("nothing went through the server");
    for who in [CREATOR, JOINER] {
        world.inject(who, 1, &old);
        assert_eq!(dropped(world, who), Some(1), "played again");
    }
    world.cut_socket(JOINER);
    world.run(Duration::from_secs(3));
    world.inject(JOINER, 1, &old);
    assert_eq!(dropped(world, JOINER), Some(2), "played again after a resume");
    world.restore_path();
    world.run(Duration::from_secs(12));
    assert_eq!(world.names(), ["connected", "connected"], "the call goes on");
}

// ── dropping, reordering, cutting, making up ────────────────────────────────────────────────────────────────────────

#[test]
fn a_reply_that_never_comes() {
    let world = attacked(|_, body| if kind(body) == "reply" { Vec::new() } else { pass(body) });
    // What came behind it fits nowhere.
    assert_eq!(world.ended(JOINER), Some("tampered"));
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]));
    no_media(&world);
}

#[test]
fn everything_of_the_creators_held_back() {
    let world = attacked(|to, body| if to == JOINER { Vec::new() } else { pass(body) });
    assert_eq!(world.ended(JOINER), Some("no-answer"));
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]));
    no_media(&world);
}

#[test]
fn a_confirmation_that_never_comes() {
    let world = attacked(|_, body| if kind(body) == "confirm" { Vec::new() } else { pass(body) });
    assert_eq!((world.name(CREATOR), guesses(&world)), ("waiting", vec![2]));
    no_media(&world);
    no_answer_taken(&world);
}

#[test]
fn one_address_held_back() {
    let mut first = true;
    let world = attacked(move |to, body| {
        let held = to == JOINER && kind(body) == "sealed" && std::mem::take(&mut first);
        if held { Vec::new() } else { pass(body) }
    });
    assert_eq!(world.ended(JOINER), Some("tampered"));
    no_media(&world);
}

#[test]
fn two_messages_in_the_wrong_order() {
    let mut held: Option<String> = None;
    let world = attacked(move |to, body| {
        if to != JOINER || kind(body) != "sealed" {
            return pass(body);
        }
        match held.take() {
            Some(first) => vec![body.to_owned(), first],
            None => {
                held = Some(body.to_owned());
                Vec::new()
            }
        }
    });
    assert_eq!(world.ended(JOINER), Some("tampered"));
    no_media(&world);
}

#[test]
fn a_message_cut_short() {
    let cut = |body: &str| edit(body, "sealed", |bytes| bytes.truncate(100));
    for (to, cut_kind, joiner, creator) in [
        (JOINER, "reply", "tampered", vec![2]),
        // The tag was good: it is no guess.
        (CREATOR, "confirm", "tampered", vec![]),
        // It comes while the joiner's answer is being made.
        (JOINER, "sealed", "tampered", vec![2]),
    ] {
        let world =
            attacked(move |who, body| if who == to && kind(body) == cut_kind { vec![cut(body)] } else { pass(body) });
        assert_eq!(world.ended(JOINER), Some(joiner), "{cut_kind}");
        assert_eq!(guesses(&world), creator, "{cut_kind}");
        no_media(&world);
    }
    let world = attacked(|_, body| if kind(body) == "reply" { vec![body[..60].to_owned()] } else { pass(body) });
    assert_eq!(world.ended(JOINER), Some("bad-message"));
    no_media(&world);
}

#[test]
fn a_changed_bit_anywhere_in_what_is_sealed() {
    for at in [0, 128, 255] {
        let world = attacked(move |to, body| {
            let changed = to == JOINER && kind(body) == "sealed";
            if changed { vec![edit(body, "sealed", |bytes| bytes[at] ^= 4)] } else { pass(body) }
        });
        assert_eq!(world.ended(JOINER), Some("tampered"), "byte {at}");
        no_media(&world);
    }
}

#[test]
fn an_address_made_up() {
    let plain = r#"{"type":"candidate","candidate":"candidate:1 1 udp 1 203.0.113.66 9 typ host"}"#;
    let sealed = format!(r#"{{"type":"sealed","number":2,"sealed":"{}"}}"#, "A".repeat(344));
    for (made_up, why) in [(plain.to_owned(), "bad-message"), (sealed, "tampered")] {
        let world = attacked(move |to, body| {
            let behind = to == JOINER && kind(body) == "reply";
            if behind { vec![body.to_owned(), made_up.clone()] } else { pass(body) }
        });
        assert_eq!(world.ended(JOINER), Some(why));
        no_media(&world);
        let added = world.parties.iter().flat_map(|party| &party.outputs).any(|output| {
            matches!(output, Output::Transport { action: TransportAction::AddCandidate(candidate), .. }
                if candidate.candidate.contains("203.0.113.66"))
        });
        assert!(!added);
    }
}

// ── two at the door ─────────────────────────────────────────────────────────────────────────────────────────────────

/// Two friends knock; the server gives the creator the second one's half in the first one's exchange.
#[test]
fn the_half_of_another_in_a_joiners_exchange() {
    let mut world = World::new();
    world.create();
    let other = world.code();
    world.attack(move |to, body| {
        if (to, kind(body).as_str()) != (CREATOR, "open") {
            return pass(body);
        }
        let (_, open) = Exchange::join(terms(&other, 77), &mut SplitMix::new(8));
        vec![open]
    });
    world.join();
    world.run(LONG);
    wrong_words_and_a_guess(&world);
}

#[test]
fn of_two_who_know_the_words_one_gets_in() {
    let mut world = World::new();
    world.create();
    let (one, other) = (world.join(), world.join());
    world.run(LONG);
    let inside = [one, other].into_iter().filter(|who| world.name(*who) == "connected").count();
    assert_eq!((world.name(CREATOR), inside), ("connected", 1));
    assert!(guesses(&world).is_empty());
    assert!([one, other].into_iter().any(|who| world.ended(who) == Some("room-full")));
}

// ── what everybody may see ──────────────────────────────────────────────────────────────────────────────────────────

#[test]
fn the_server_sees_neither_words_nor_addresses_nor_descriptions() {
    let mut world = World::new();
    world.create();
    let seen = Rc::new(RefCell::new(String::new()));
    let all = Rc::clone(&seen);
    world.attack(move |_, body| {
        all.borrow_mut().push_str(body);
        pass(body)
    });
    world.join();
    world.run(LONG);
    assert_eq!(world.names(), ["connected", "connected"]);
    let words: Vec<_> = world.code().words().each().to_vec();
    let seen = seen.borrow();
    assert!(seen.len() > 1000);
    for secret in words.into_iter().chain(["candidate", "192.0.2", "offer", "answer"]) {
        assert!(!seen.contains(secret), "{secret}");
    }
    for party in &world.parties {
        let told = party.outputs.iter().filter(|output| matches!(output, Output::Socket(_)));
        let frames = format!("{:?}", told.collect::<Vec<_>>());
        for word in world.code().words().each() {
            assert!(!frames.contains(word), "{word} went to the server");
        }
    }
}

#[test]
fn both_see_the_same_pictures_and_others_see_others() {
    let pictures = |world: &World, who: usize| {
        let of = |event: CallEvent| match event {
            CallEvent::Verified(pictures) => Some(pictures),
            _ => None,
        };
        world.events(who).into_iter().find_map(of).unwrap()
    };
    let world = World::connected();
    assert_eq!(pictures(&world, CREATOR), pictures(&world, JOINER));
    let terms = |who| terms(&common::code("4827"), who);
    let (mut joiner, open) = Exchange::join(terms(1), &mut SplitMix::new(1));
    let mut creator = Exchange::create(terms(2), Vec::new(), &mut SplitMix::new(2));
    creator.open(&open).unwrap();
    let reply = creator.seal(&Body::Offer { sdp: String::new(), restart: false }).unwrap();
    assert!(matches!(joiner.open(&reply), Ok(Opened::Body(_))));
    assert_ne!(joiner.proof().unwrap().pictures, pictures(&world, CREATOR));
}
