//! Servers and credentials for two who have met: nobody gets any before, each gets its own, and they end with the
//! meeting.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use visavis_signaling::client::{ClientEvent, ClientInput, Intent};
use visavis_signaling::message::IceServer;
use visavis_signaling::server::{Granted, Introductions, Limits};
use visavis_signaling::{ClientMessage, Nameplate, Role, ServerMessage};

const SECOND: Duration = Duration::from_secs(1);

/// Which meetings go on, how often something was granted, and who is a pair.
#[derive(Default)]
struct Entries {
    live: Vec<[u8; 16]>,
    granted: u32,
    pairs: Vec<[u8; 16]>,
}

#[derive(Clone, Default)]
struct Book(Arc<Mutex<Entries>>);

impl Introductions for Book {
    fn grant(&mut self, meeting: [u8; 16], role: Role, unix_seconds: u64) -> Option<Granted> {
        let mut book = self.0.lock().unwrap();
        book.granted += 1;
        if !book.live.contains(&meeting) {
            book.live.push(meeting);
        }
        let username = format!("{unix_seconds}:{role:?}:{meeting:?}");
        let servers = vec![IceServer { urls: vec!["turn:192.0.2.7".into()], username, credential: "c".into() }];
        Some(Granted { servers, lifetime: Duration::from_secs(600) })
    }

    fn pretend(&mut self, _: [u8; 16], role: Role, unix_seconds: u64) -> Option<Granted> {
        let username = format!("{unix_seconds}:{role:?}:nothing");
        let servers = vec![IceServer { urls: vec!["turn:192.0.2.7".into()], username, credential: "c".into() }];
        Some(Granted { servers, lifetime: Duration::from_secs(600) })
    }

    fn pair(&mut self, meeting: [u8; 16]) {
        self.0.lock().unwrap().pairs.push(meeting);
    }

    fn withdraw(&mut self, meeting: [u8; 16]) {
        self.0.lock().unwrap().live.retain(|known| *known != meeting);
    }
}

impl Book {
    fn live(&self) -> usize {
        self.0.lock().unwrap().live.len()
    }

    fn granted(&self) -> u32 {
        self.0.lock().unwrap().granted
    }

    /// How many pairs, and whether all of them go on.
    fn pairs(&self) -> (usize, bool) {
        let book = self.0.lock().unwrap();
        (book.pairs.len(), book.pairs.iter().all(|pair| book.live.contains(pair)))
    }
}

fn world() -> (World, Book) {
    let book = Book::default();
    (World::with_introductions(Limits::default(), Box::new(book.clone())), book)
}

/// The user names that a party was given.
fn names(world: &World, party: usize) -> Vec<String> {
    let name = |event: &ClientEvent| match event {
        ClientEvent::IceServers(servers) => Some(servers[0].username.clone()),
        _ => None,
    };
    world.parties[party].events.iter().filter_map(name).collect()
}

#[test]
fn each_of_two_gets_its_own_and_nobody_gets_any_before() {
    let (mut world, book) = world();
    let (creator, nameplate) = world.creator(creator_script);
    world.run_for(60 * SECOND);
    assert_eq!((names(&world, creator).len(), book.granted()), (0, 0));
    let joiner = world.add(Intent::Knock(nameplate.clone()), joiner_script);
    let third = world.add(Intent::Knock(nameplate), |_| Vec::new());
    world.run_for(SECOND);
    let (to_creator, to_joiner) = (names(&world, creator), names(&world, joiner));
    assert!(to_creator[0].contains("Creator") && to_joiner[0].contains("Joiner"));
    assert_eq!(names(&world, third).len(), 0, "who waits in line has met nobody");
    let events = &world.parties[joiner].events;
    let at = |wanted: fn(&ClientEvent) -> bool| events.iter().position(wanted).unwrap();
    let (knocked, given) = (at(|e| matches!(e, ClientEvent::Knocked)), at(|e| matches!(e, ClientEvent::IceServers(_))));
    assert!(knocked < given && given < at(|e| matches!(e, ClientEvent::Relayed(_))));
    assert_eq!(book.live(), 1);
}

#[test]
fn they_are_renewed_while_the_two_are_there_and_end_with_them() {
    let (mut world, book) = world();
    let (creator, nameplate) = world.creator(creator_script);
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(SECOND);
    world.run_for(Duration::from_secs(301));
    let renewed = names(&world, creator);
    assert_eq!(renewed.len(), 2);
    assert_ne!(renewed[0], renewed[1], "good for longer");
    world.input(joiner, ClientInput::Leave("hung-up".into()));
    world.run_for(SECOND);
    assert_eq!(book.live(), 0);
    let granted = book.granted();
    world.run_for(Duration::from_secs(900));
    assert_eq!(book.granted(), granted);
}

#[test]
fn each_exchange_has_its_own_meeting() {
    let (mut world, book) = world();
    let (creator, nameplate) = world.creator(|_| Vec::new());
    let first = world.add(Intent::Knock(nameplate.clone()), |_| Vec::new());
    world.run_for(SECOND);
    world.input(first, ClientInput::Leave("left".into()));
    world.run_for(SECOND);
    assert_eq!(book.live(), 0);
    world.add(Intent::Knock(nameplate), |_| Vec::new());
    world.run_for(SECOND);
    let meetings: Vec<_> =
        names(&world, creator).iter().map(|n| n.split(':').next_back().unwrap().to_owned()).collect();
    assert_eq!(meetings.len(), 2);
    assert_ne!(meetings[0], meetings[1]);
    world.input(creator, ClientInput::Leave("left".into()));
    world.run_for(SECOND);
    assert_eq!(book.live(), 0);
}

#[test]
fn who_doesnt_know_the_message_isnt_sent_it() {
    let (mut world, _) = world();
    let (creator, nameplate) = world.creator(|_| Vec::new());
    let (old, _) = world.raw_hello();
    world.raw_send(old, &ClientMessage::Knock { nameplate }.to_json());
    world.run_for(SECOND);
    assert!(world.raw[&old].iter().any(|message| matches!(message, ServerMessage::Knocked { .. })));
    assert!(!world.raw[&old].iter().any(|message| matches!(message, ServerMessage::IceServers { .. })));
    assert_eq!(names(&world, creator).len(), 1);
}

/// It looks the same, and nothing is granted by it.
#[test]
fn who_has_met_nobody_is_granted_nothing() {
    let (mut world, book) = world();
    let alone = world.add(Intent::Knock(Nameplate::new("123456").unwrap()), |_| Vec::new());
    world.run_for(SECOND);
    let names = names(&world, alone);
    assert!(names.len() == 1 && names[0].ends_with("Joiner:nothing"), "{names:?}");
    assert_eq!((book.granted(), book.live()), (0, 0));
}

#[test]
fn they_are_a_pair_once_both_have_confirmed() {
    let (mut world, book) = world();
    let (creator, nameplate) = world.creator(|_| Vec::new());
    let joiner = world.add(Intent::Knock(nameplate), |_| Vec::new());
    world.run_for(SECOND);
    world.input(joiner, ClientInput::Confirm);
    world.run_for(SECOND);
    assert_eq!((book.live(), book.pairs()), (1, (0, true)), "one alone may be a stranger");
    world.input(creator, ClientInput::Confirm);
    world.run_for(SECOND);
    assert_eq!((book.live(), book.pairs()), (1, (1, true)));
}

/// Whatever a stranger says, a creator that the server plays never confirms.
#[test]
fn nobody_is_a_pair_with_a_played_creator() {
    let (mut world, book) = world();
    let alone = world.add(Intent::Knock(Nameplate::new("123456").unwrap()), joiner_script);
    world.run_for(SECOND);
    world.input(alone, ClientInput::Confirm);
    world.run_for(20 * SECOND);
    assert_eq!((names(&world, alone).len(), book.pairs().0), (1, 0));
}

/// A server that was restarted takes the word of their tokens.
#[test]
fn a_pair_is_one_after_a_restart_too() {
    let (mut world, _) = world();
    let (creator, nameplate) = world.creator(creator_script);
    let joiner = world.add(Intent::Knock(nameplate), joiner_script);
    world.run_for(SECOND);
    world.restart();
    let book = Book::default();
    let mut world = world.introducing(Box::new(book.clone()));
    world.run_for(10 * SECOND);
    assert_eq!((book.live(), book.pairs()), (1, (1, true)));
    assert_eq!([creator, joiner].map(|party| names(&world, party).len()), [2, 2]);
}
