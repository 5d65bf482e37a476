//! Somebody who looks for rooms by knocking, at a server where somebody waits or nobody does, and an app that waits.

#![allow(dead_code, unreachable_pub, reason = "test support")]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;
use visavis_signaling::exchange::{MAX_GUESSES, Sid};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Limits};
use visavis_signaling::{
    Body, ClientMessage, Exchange, ExchangeError, Fingerprint, Nameplate, Opened, RoomCode, ServerMessage, Terms, Words,
};

use crate::common::World;

pub const SECOND: Duration = Duration::from_secs(1);
/// The longest that an app, played or not, takes for its answer.
pub const ANSWER: Duration = Duration::from_millis(600);

pub fn words(first: &str) -> Words {
    Words::find(first, "orbit").unwrap()
}

pub fn terms(nameplate: &Nameplate, first: &str) -> Terms {
    Terms::by_code(&RoomCode::new(nameplate.clone(), words(first)), Fingerprint([7; 32]))
}

/// An app that waits: what `visavis_call` does with the messages of its rooms, at a socket of its own.
pub struct Creator {
    pub id: ConnectionId,
    pub nameplate: Nameplate,
    pub read: usize,
    pub exchange: Option<(u32, Exchange)>,
    pub guesses: Vec<Sid>,
    pub seq: u64,
    pub gone: bool,
}

impl Creator {
    pub fn new(world: &mut World) -> Self {
        let (id, _) = world.raw_hello();
        world.raw_send(id, r#"{"type":"create"}"#);
        let Some(ServerMessage::Created { nameplate }) = world.raw[&id].last().cloned() else { panic!("no room") };
        let read = world.raw[&id].len();
        Self { id, nameplate, read, exchange: None, guesses: Vec::new(), seq: 0, gone: false }
    }

    pub fn act(&mut self, world: &mut World) {
        while let Some(message) = world.raw[&self.id].get(self.read).cloned().filter(|_| !self.gone) {
            self.read += 1;
            match message {
                ServerMessage::Knocked { exchange } => {
                    let terms = terms(&self.nameplate, "tulip");
                    let random = &mut SplitMix::new(u64::from(exchange) + 90);
                    (self.seq, self.exchange) =
                        (0, Some((exchange, Exchange::create(terms, self.guesses.clone(), random))));
                }
                ServerMessage::Relay { exchange, seq, body } => {
                    world.raw_send(self.id, &ClientMessage::Ack { exchange, seq }.to_json());
                    match self.exchange.as_mut().map(|(_, exchange)| exchange.open(&body)) {
                        Some(Ok(Opened::Opening)) => {
                            let offer = Body::Offer { sdp: "o".repeat(3000), restart: false };
                            for body in [offer, Body::EndOfCandidates] {
                                self.say(world, &body);
                            }
                        }
                        Some(Err(_)) => {
                            self.say(world, &Body::Bye { reason: "dismissed".into() });
                            self.close(world);
                        }
                        _ => {}
                    }
                }
                ServerMessage::PeerLeft { .. } => self.close(world),
                _ => {}
            }
        }
    }

    pub fn say(&mut self, world: &mut World, body: &Body) {
        let Some((number, exchange)) = &mut self.exchange else { return };
        self.seq += 1;
        let (exchange, body) = (*number, exchange.seal(body).unwrap());
        world.raw_send(self.id, &ClientMessage::Relay { exchange, seq: self.seq, body }.to_json());
    }

    pub fn close(&mut self, world: &mut World) {
        self.guesses.extend(self.exchange.take().and_then(|(_, exchange)| exchange.unanswered()));
        if self.guesses.len() >= MAX_GUESSES as usize {
            self.gone = true;
            world.raw_send(self.id, r#"{"type":"leave","reason":"burnt"}"#);
        }
    }
}

/// A server with somebody to look for, or nobody, and who looks.
pub struct Probe {
    pub world: World,
    pub creator: Option<Creator>,
    pub target: Nameplate,
    pub sockets: Vec<ConnectionId>,
    pub tried: u64,
}

impl Probe {
    pub fn new(real: bool, limits: Limits) -> Self {
        let mut world = World::with_limits(limits);
        let creator = real.then(|| Creator::new(&mut world));
        let target = creator.as_ref().map_or(Nameplate::new("482713").unwrap(), |creator| creator.nameplate.clone());
        Self { world, creator, target, sockets: Vec::new(), tried: 0 }
    }

    /// Opens a socket, by its number from now on.
    pub fn socket(&mut self) -> usize {
        let id = self.world.raw_connection_from(IpAddr::from([192, 0, 2, 1]));
        let hello = ClientMessage::Hello { version: 1, features: vec!["work".into()], resume: None };
        self.world.raw_send(id, &hello.to_json());
        self.sockets.push(id);
        self.sockets.len() - 1
    }

    pub fn say(&mut self, socket: usize, message: &ClientMessage) {
        self.world.raw_send(self.sockets[socket], &message.to_json());
        self.let_act();
    }

    pub fn let_act(&mut self) {
        if let Some(creator) = &mut self.creator {
            creator.act(&mut self.world);
        }
    }

    pub fn pass(&mut self, time: Duration) {
        let end = self.world.now + time;
        while self.world.now < end {
            self.world.run_for((end - self.world.now).min(5 * SECOND));
            if let Some(creator) = self.creator.as_ref().filter(|creator| !creator.gone) {
                self.world.raw_send(creator.id, r#"{"type":"ping"}"#);
            }
            self.let_act();
        }
    }

    pub fn knock(&mut self, socket: usize) {
        let nameplate = self.target.clone();
        self.say(socket, &ClientMessage::Knock { nameplate });
    }

    pub fn heard(&self, socket: usize) -> &[ServerMessage] {
        &self.world.raw[&self.sockets[socket]]
    }

    /// The exchange that a socket is in, by what it heard.
    pub fn exchange(&self, socket: usize) -> u32 {
        let knocked = |message: &ServerMessage| match message {
            ServerMessage::Knocked { exchange } => Some(*exchange),
            _ => None,
        };
        self.heard(socket).iter().rev().find_map(knocked).unwrap_or_default()
    }

    pub fn relay(&mut self, socket: usize, seq: u64, body: String) {
        let exchange = self.exchange(socket);
        self.say(socket, &ClientMessage::Relay { exchange, seq, body });
    }

    /// Shows its half of the exchange, with some words.
    pub fn open(&mut self, socket: usize) -> Exchange {
        self.tried += 1;
        let terms = terms(&self.target, "waffle");
        let (exchange, opening) = Exchange::join(terms, &mut SplitMix::new(self.tried));
        self.relay(socket, 1, opening);
        exchange
    }

    pub fn leave(&mut self, socket: usize, reason: &str) {
        self.say(socket, &ClientMessage::Leave { reason: reason.into() });
    }

    /// A whole guess, as an app makes it for a person.
    pub fn guess(&mut self, socket: usize) {
        self.knock(socket);
        let mut exchange = self.open(socket);
        self.pass(ANSWER);
        let reply = self.heard(socket).iter().rev().find_map(reply_in);
        if let Some(reply) = reply {
            assert_eq!(exchange.open(&reply), Err(ExchangeError::WrongTag));
        }
        self.leave(socket, "wrong-words");
        self.pass(ANSWER);
    }
}

pub fn reply_in(message: &ServerMessage) -> Option<String> {
    match message {
        ServerMessage::Relay { body, .. } if body.contains(r#""type":"reply""#) => Some(body.clone()),
        _ => None,
    }
}

/// What a socket heard: kinds of messages, sizes and reasons. How many candidates there were differs from app to app.
pub fn shape(messages: &[ServerMessage]) -> Vec<String> {
    let mut shapes: Vec<String> = messages.iter().map(shape_of).collect();
    shapes.dedup_by(|a, b| a == b && a.starts_with("relay sealed"));
    shapes
}

pub fn shape_of(message: &ServerMessage) -> String {
    match message {
        ServerMessage::Relay { exchange, body, .. } => {
            let body: Value = serde_json::from_str(body).unwrap();
            // Of an offer's class only that it is one of those that offers have: apps and browsers differ.
            let size = |field: &str| match body[field].as_str().map_or(0, str::len) {
                5464 | 10_924 if body["type"] == "reply" => 1,
                length => length,
            };
            let sizes = ["point", "ad", "tag", "sealed", "reason"].map(size);
            format!("relay {} in {exchange}: {sizes:?}", body["type"].as_str().unwrap())
        }
        ServerMessage::Token { token } => format!("token of {}", token.len()),
        ServerMessage::Welcome { token, resumed, received, .. } => {
            format!("welcome, token of {}, {resumed}, {received}", token.len())
        }
        ServerMessage::Work { bits, .. } => format!("work of {bits}"),
        other => other.to_json(),
    }
}

/// The same script where somebody waits and where nobody does sounds the same on every socket of it.
pub fn same_with(limits: &Limits, script: impl Fn(&mut Probe)) -> Vec<Vec<String>> {
    let [real, decoy] = [true, false].map(|real| {
        let mut probe = Probe::new(real, limits.clone());
        script(&mut probe);
        (0..probe.sockets.len()).map(|socket| shape(probe.heard(socket))).collect::<Vec<_>>()
    });
    assert_eq!(real, decoy);
    decoy
}

pub fn same(script: impl Fn(&mut Probe)) -> Vec<Vec<String>> {
    same_with(&Limits::default(), script)
}

pub fn says(heard: &[String], what: &str) -> usize {
    heard.iter().filter(|shape| shape.contains(what)).count()
}
