//! Of several servers each has some of the nameplates: it makes rooms under its own and sends whoever comes for another one's there.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use visavis_signaling::Nameplate;
use visavis_signaling::message::{ClientMessage, ErrorCode, Resume, ServerMessage};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Home, Limits, Moved, Numbers, Rooms, RoomsInput, RoomsOutput};
use visavis_signaling::token::TokenKey;

/// Numbers by their last digit.
#[derive(Clone, Default)]
struct ByDigit(Arc<Mutex<HashMap<char, Home>>>);

impl ByDigit {
    fn set(&self, digit: char, home: Home) {
        self.0.lock().unwrap().insert(digit, home);
    }
}

impl Numbers for ByDigit {
    fn home_of(&self, nameplate: &Nameplate) -> Home {
        let digit = nameplate.as_str().chars().last().unwrap();
        self.0.lock().unwrap().get(&digit).copied().unwrap_or(Home::Nobody)
    }

    fn draw(&self, random: u64) -> Option<Nameplate> {
        let homes = self.0.lock().unwrap();
        let digit = homes.iter().find(|(_, home)| **home == Home::Here)?.0;
        Nameplate::new(&format!("{:05}{digit}", random % 100_000)).ok()
    }
}

struct Server {
    now: Instant,
    rooms: Rooms,
    numbers: ByDigit,
    said: Vec<(ConnectionId, ServerMessage)>,
    closed: Vec<ConnectionId>,
    moved: Vec<Moved>,
}

impl Server {
    /// One that has the numbers with this last digit.
    fn with(digit: char) -> Self {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let now = Instant::now();
        let numbers = ByDigit::default();
        numbers.set(digit, Home::Here);
        let random = Box::new(SplitMix::new(u64::from(digit)));
        let rooms =
            Rooms::new(now, Duration::from_secs(1_800_000_000), Limits::default(), TokenKey::new([3; 32]), random)
                .with_numbers(Box::new(numbers.clone()));
        Self { now, rooms, numbers, said: Vec::new(), closed: Vec::new(), moved: Vec::new() }
    }

    fn input(&mut self, input: RoomsInput) {
        self.rooms.handle_input(self.now, input);
        while let Some(output) = self.rooms.poll_output() {
            match output {
                RoomsOutput::Send(id, text) => self.said.push((id, ServerMessage::parse(&text).unwrap())),
                RoomsOutput::Close(id, _) => self.closed.push(id),
                RoomsOutput::Move(moved) => self.moved.push(moved),
            }
        }
    }

    fn open(&mut self, id: u64) {
        self.input(RoomsInput::Opened(ConnectionId(id)));
    }

    fn say(&mut self, id: u64, message: &ClientMessage) {
        self.input(RoomsInput::Text(ConnectionId(id), message.to_json()));
    }

    fn greet(&mut self, id: u64) {
        self.open(id);
        self.say(id, &hello(None));
    }

    /// Brings one who was moved from another server, as its driver does.
    fn take_in(&mut self, id: u64, moved: &Moved) {
        self.open(id);
        for text in &moved.say {
            self.input(RoomsInput::Text(ConnectionId(id), text.clone()));
        }
    }

    fn heard(&self, id: u64) -> Vec<&ServerMessage> {
        self.said.iter().filter(|(to, _)| *to == ConnectionId(id)).map(|(_, message)| message).collect()
    }

    fn newest_token(&self, id: u64) -> String {
        let tokens = self.heard(id).into_iter().rev();
        tokens
            .filter_map(|m| if let ServerMessage::Token { token } = m { Some(token.clone()) } else { None })
            .next()
            .unwrap()
    }

    fn creates(&mut self, id: u64) -> Nameplate {
        self.greet(id);
        self.say(id, &ClientMessage::Create);
        match self.heard(id).last() {
            Some(ServerMessage::Created { nameplate }) => nameplate.clone(),
            other => panic!("{other:?}"),
        }
    }
}

fn hello(resume: Option<Resume>) -> ClientMessage {
    ClientMessage::Hello { version: 1, features: vec!["ice-servers".into()], resume }
}

fn knock(nameplate: &Nameplate) -> ClientMessage {
    ClientMessage::Knock { nameplate: nameplate.clone() }
}

/// A room on the first server, and one on the second that has knocked at it.
fn meeting() -> (Server, Server) {
    let (mut first, mut second) = (Server::with('1'), Server::with('2'));
    second.numbers.set('1', Home::Elsewhere);
    let nameplate = first.creates(1);
    assert!(nameplate.as_str().ends_with('1'), "{nameplate:?}");
    second.greet(1);
    second.say(1, &knock(&nameplate));
    let moved = second.moved.pop().unwrap();
    assert!(moved.greeted && !moved.resumes() && moved.nameplate == nameplate, "{moved:?}");
    first.take_in(2, &moved);
    (first, second)
}

#[test]
fn who_knocks_at_a_room_elsewhere_is_let_in_there() {
    let (first, second) = meeting();
    assert!(matches!(first.heard(1).last(), Some(ServerMessage::Knocked { exchange: 1 })));
    assert!(matches!(first.heard(2).last(), Some(ServerMessage::Knocked { exchange: 1 })));
    let counts = second.rooms.counts();
    assert_eq!((counts.connections, counts.sessions), (0, 0), "nothing of it stays behind");
}

#[test]
fn who_knocks_at_a_room_of_nobody_meets_a_decoy() {
    let mut server = Server::with('1');
    server.greet(1);
    server.say(1, &knock(&Nameplate::new("123459").unwrap()));
    assert!(matches!(server.heard(1).last(), Some(ServerMessage::Knocked { exchange: 1 })));
    assert_eq!((server.rooms.counts().rooms, server.rooms.counts().decoys), (0, 1));
    assert!(server.moved.is_empty());
}

/// Or a stranger could make this server take the numbers of all that have none.
#[test]
fn a_token_of_a_decoy_at_a_number_of_nobody_moves_nobody() {
    let mut server = Server::with('1');
    server.greet(1);
    server.say(1, &knock(&Nameplate::new("123459").unwrap()));
    let token = server.newest_token(1);
    server.say(1, &ClientMessage::Leave { reason: String::new() });
    server.input(RoomsInput::Closed(ConnectionId(1)));
    for (id, wait) in [(5, Duration::ZERO), (6, Limits::default().unused_room)] {
        server.now += wait;
        server.rooms.handle_timeout(server.now);
        server.open(id);
        server.say(id, &hello(Some(Resume { token: token.clone(), exchange: 1, received: 0 })));
        let refused = ServerMessage::Error { code: ErrorCode::ResumeRefused, text: String::new(), fatal: false };
        assert_eq!(without_text(server.heard(id)[0]), refused);
    }
    assert_eq!(server.rooms.counts().decoys, 0, "it is gone by then");
    assert!(server.moved.is_empty());
}

fn without_text(message: &ServerMessage) -> ServerMessage {
    match message.clone() {
        ServerMessage::Error { code, fatal, .. } => ServerMessage::Error { code, text: String::new(), fatal },
        other => other,
    }
}

#[test]
fn a_token_of_a_room_elsewhere_is_shown_there() {
    let (mut first, mut second) = meeting();
    let token = first.newest_token(2);
    second.open(5);
    second.say(5, &hello(Some(Resume { token, exchange: 1, received: 0 })));
    let moved = second.moved.pop().unwrap();
    assert!(moved.resumes(), "{moved:?}");
    first.take_in(6, &moved);
    assert!(matches!(first.heard(6).first(), Some(ServerMessage::Welcome { resumed: true, .. })));
    assert!(first.closed.contains(&ConnectionId(2)), "the older connection is superseded");
}

#[test]
fn who_takes_the_numbers_of_a_server_that_is_gone_makes_its_rooms_again() {
    let (first, mut second) = meeting();
    let tokens = [first.newest_token(1), first.newest_token(2)];
    second.numbers.set('1', Home::Here);
    for (id, token) in (10..).zip(tokens) {
        second.open(id);
        second.say(id, &hello(Some(Resume { token, exchange: 1, received: 0 })));
        assert!(matches!(second.heard(id).first(), Some(ServerMessage::Welcome { resumed: true, .. })));
        assert!(second.heard(id).iter().any(|m| matches!(m, ServerMessage::Knocked { exchange: 1 })));
    }
    assert_eq!(second.rooms.counts().rooms, 1);
}

#[test]
fn rooms_whose_numbers_were_taken_are_let_go_and_closed_for_nobody() {
    let (mut first, _) = meeting();
    let token = first.newest_token(1);
    first.creates(7);
    first.numbers.set('1', Home::Elsewhere);
    first.input(RoomsInput::NumbersLost);
    let mut closed = first.closed.clone();
    closed.sort();
    assert_eq!(closed, [1, 2, 7].map(ConnectionId));
    let counts = first.rooms.counts();
    assert_eq!((counts.rooms, counts.sessions, counts.connections), (0, 0, 0));
    first.open(20);
    first.say(20, &hello(Some(Resume { token, exchange: 1, received: 0 })));
    assert_eq!(first.moved.len(), 1, "its token is still good where the room is now");
}

#[test]
fn without_numbers_of_its_own_a_server_makes_no_rooms() {
    let mut server = Server::with('1');
    server.numbers.set('1', Home::Elsewhere);
    server.greet(1);
    server.say(1, &ClientMessage::Create);
    assert!(matches!(server.heard(1).last(), Some(ServerMessage::Error { code: ErrorCode::ServerFull, .. })));
}
