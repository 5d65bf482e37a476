//! Rooms whose creator the server itself plays, so that nobody learns by knocking which rooms exist: a nameplate that nobody
//! waits under answers like one whose words the joiner doesn't know.
//!
//! A decoy is a [`Room`] like any other, and line, deadlines, acknowledgements, tokens and limits are those of every room.
//! Only its creator has no connection: what it would be sent is heard here, and what it does follows after the time that a
//! network and an app take. It runs the real [`Exchange`], and counts guesses and leaves as an app does. But it speaks about
//! *another* nameplate, so that no words are the right ones, and nobody who mistypes a number is ever let in by a server.
//!
//! A stranger makes them, so they are few ([`super::Limits::decoys`], the oldest goes first), they give way to whoever makes a
//! room, they stand in no journal, and a token for one revives nothing: their ids say to who has the server's key, and to nobody
//! else, what they are.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::room::Room;
use super::session::{Seat, Session};
use super::tempo::{Tempo, between, millis};
use super::{ConnectionId, RoomKey, Rooms, Timer};
use crate::body::Body;
use crate::code::{Nameplate, RoomCode};
use crate::exchange::{Exchange, MAX_GUESSES, Opened, Sid, Terms};
use crate::fingerprint::Fingerprint;
use crate::message::{Role, ServerMessage, reason};
use crate::random::Randomness;
use crate::token::Id;
use crate::words::Words;

/// Where the played creators seem to be connected; no socket ever has this number.
pub(super) const PLAYED: ConnectionId = ConnectionId(u64::MAX);

/// How much longer than its own time each answer may take, milliseconds.
const JITTER: (u64, u64) = (0, 8);
/// Candidates that are known when the offer is.
const CANDIDATES: (u64, u64) = (1, 6);
/// Of how many bytes: what is sealed falls into the class of real ones.
const CANDIDATE_BYTES: usize = 90;
/// The same of offers: most who start a call have the app, some a browser, whose description is longer.
const OFFER_BYTES: [usize; 4] = [3200, 3200, 3200, 6200];

/// The creators that are played.
#[derive(Debug, Default)]
pub(super) struct Decoys {
    /// The oldest first.
    played: BTreeMap<RoomKey, Played>,
    /// What they were sent and haven't taken in.
    heard: VecDeque<(RoomKey, Heard)>,
}

#[derive(Debug)]
struct Played {
    creator: Id,
    tempo: Tempo,
    candidates: u64,
    offer_bytes: usize,
    /// Session ids under which its tag has left and no good one came back: guesses.
    guesses: Vec<Sid>,
    /// The number of the present exchange in its room, and how many bodies it has sent there.
    number: u32,
    sent: u64,
    exchange: Option<Exchange>,
    /// When it reacted last: nothing overtakes anything on its connection.
    heard: Option<Instant>,
    /// What it does next, the soonest first.
    due: VecDeque<(Instant, Act)>,
}

/// What an app does something about.
#[derive(Debug)]
enum Heard {
    Knocked { number: u32 },
    Body { number: u32, seq: u64, body: String },
    Left,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    /// Acknowledges a body.
    Ack(u64),
    /// Answers the joiner's opening.
    Offer,
    /// Tells one of its addresses.
    Candidate,
    /// Tells that these were all.
    EndOfCandidates,
    /// Couldn't use what the joiner sent.
    Dismiss,
    /// Leaves the room: its code is burnt.
    Leave,
}

impl Decoys {
    pub(super) fn len(&self) -> usize {
        self.played.len()
    }

    pub(super) fn is_one(&self, room: RoomKey) -> bool {
        self.played.contains_key(&room)
    }

    /// What the server sends to the creator of that room.
    pub(super) fn hear(&mut self, room: RoomKey, message: &ServerMessage) {
        let heard = match message {
            ServerMessage::Knocked { exchange } => Heard::Knocked { number: *exchange },
            ServerMessage::Relay { exchange, seq, body } => {
                Heard::Body { number: *exchange, seq: *seq, body: body.clone() }
            }
            ServerMessage::PeerLeft { .. } => Heard::Left,
            // An app does nothing in answer to these.
            ServerMessage::Welcome { .. }
            | ServerMessage::Token { .. }
            | ServerMessage::Created { .. }
            | ServerMessage::Waiting { .. }
            | ServerMessage::Work { .. }
            | ServerMessage::IceServers { .. }
            | ServerMessage::Ack { .. }
            | ServerMessage::Confirmed { .. }
            | ServerMessage::Error { .. }
            | ServerMessage::Pong => return,
        };
        self.heard.push_back((room, heard));
    }

    /// Forgets a room that is gone. The session of its creator.
    pub(super) fn forget(&mut self, room: RoomKey) -> Option<Id> {
        self.played.remove(&room).map(|played| played.creator)
    }
}

impl Played {
    fn new(creator: Id, tempo: Tempo, random: &mut dyn Randomness) -> Self {
        Self {
            creator,
            tempo,
            candidates: between(random, CANDIDATES),
            offer_bytes: OFFER_BYTES[between(random, (0, 3)) as usize],
            guesses: Vec::new(),
            number: 0,
            sent: 0,
            exchange: None,
            heard: None,
            due: VecDeque::new(),
        }
    }

    fn is_burnt(&self) -> bool {
        self.guesses.len() >= MAX_GUESSES as usize
    }

    fn will(&mut self, at: Instant, act: Act) {
        let place = self.due.partition_point(|(due, _)| *due <= at);
        self.due.insert(place, (at, act));
    }

    fn take_in(&mut self, now: Instant, heard: Heard, nameplate: &Nameplate, random: &mut dyn Randomness) {
        let soon = (now + self.tempo.trip + millis(random, JITTER)).max(self.heard.unwrap_or(now));
        self.heard = Some(soon);
        match heard {
            // It has left, or is about to.
            _ if self.is_burnt() => {}
            Heard::Knocked { number } => {
                (self.number, self.sent) = (number, 0);
                self.exchange = Some(Exchange::create(terms(nameplate, random), self.guesses.clone(), random));
            }
            Heard::Body { number, seq, body } if number == self.number => {
                self.will(soon, Act::Ack(seq));
                match self.exchange.as_mut().map(|exchange| exchange.open(&body)) {
                    Some(Ok(Opened::Opening)) => self.will_offer(soon, random),
                    Some(Err(_)) => self.will(soon, Act::Dismiss),
                    // Nobody has the right words for the rest.
                    Some(Ok(Opened::Body(_) | Opened::Refused { .. })) | None => {}
                }
            }
            Heard::Body { .. } => {}
            Heard::Left => {
                self.due.clear();
                if self.close_exchange() {
                    self.will(soon, Act::Leave);
                }
            }
        }
    }

    fn will_offer(&mut self, heard: Instant, random: &mut dyn Randomness) {
        let ready = heard + self.tempo.offer + millis(random, JITTER);
        self.will(ready, Act::Offer);
        (0..self.candidates).for_each(|_| self.will(ready, Act::Candidate));
        self.will(ready, Act::EndOfCandidates);
    }

    /// The joiner is out of the door. Whether the code is burnt by it: see `guessed` in the app's session.
    fn close_exchange(&mut self) -> bool {
        let guess = self.exchange.take().and_then(|exchange| exchange.unanswered());
        let is_guess = guess.is_some();
        self.guesses.extend(guess);
        is_guess && self.is_burnt()
    }

    /// What it says by doing that, if anything.
    fn say(&mut self, act: Act) -> Option<(u64, String)> {
        let body = match act {
            Act::Offer => Body::Offer { sdp: "-".repeat(self.offer_bytes), restart: false },
            Act::Candidate => Body::Candidate {
                candidate: "-".repeat(CANDIDATE_BYTES),
                sdp_mid: Some("0".into()),
                sdp_mline_index: Some(0),
                username_fragment: None,
            },
            Act::EndOfCandidates => Body::EndOfCandidates,
            Act::Dismiss => Body::Bye { reason: "dismissed".into() },
            Act::Ack(_) | Act::Leave => return None,
        };
        let sealed = self.exchange.as_mut()?.seal(&body).ok()?;
        self.sent += 1;
        Some((self.sent, sealed))
    }
}

impl Rooms {
    /// A decoy under this nameplate, which nobody has.
    pub(super) fn make_decoy(&mut self, now: Instant, nameplate: &Nameplate) -> RoomKey {
        if self.decoys.len() >= self.limits.decoys
            && let Some(oldest) = self.decoys.played.first_key_value().map(|(key, _)| *key)
        {
            self.end_decoy(now, oldest);
        }
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        let (id, creator) = (self.key.decoy(bytes), self.random_id());
        let key = self.insert_room(now, Room::new(id, nameplate.clone(), creator));
        let seat = Seat { room: key, role: Role::Creator, told_ahead: None, fresh: false };
        self.sessions.insert(creator, Session::played(seat));
        let tempo = self.tempos.draw(&mut *self.random);
        let played = Played::new(creator, tempo, &mut *self.random);
        self.decoys.played.insert(key, played);
        key
    }

    /// Makes room for somebody: whoever is with a decoy there hears that its creator has left.
    pub(super) fn give_way(&mut self, now: Instant, nameplate: &Nameplate) {
        if let Some(key) = self.by_nameplate.get(nameplate).copied().filter(|key| self.decoys.is_one(*key)) {
            self.end_decoy(now, key);
        }
    }

    fn end_decoy(&mut self, now: Instant, key: RoomKey) {
        self.close_room(now, key, reason::LEFT);
    }

    /// Lets the played creators take in what they were sent.
    pub(super) fn take_in(&mut self, now: Instant) {
        while let Some((key, heard)) = self.decoys.heard.pop_front() {
            let Some(nameplate) = self.rooms.get(&key).map(|room| &room.nameplate) else { continue };
            if let Some(played) = self.decoys.played.get_mut(&key) {
                played.take_in(now, heard, nameplate, &mut *self.random);
                self.set_play_timer(key);
            }
        }
    }

    fn set_play_timer(&mut self, key: RoomKey) {
        match self.decoys.played.get(&key).and_then(|played| played.due.front()) {
            Some((at, _)) => self.timers.set(Timer::Play(key), *at),
            None => self.timers.clear(Timer::Play(key)),
        }
    }

    /// Does what is due.
    pub(super) fn play(&mut self, now: Instant, key: RoomKey) {
        while let Some(played) = self.decoys.played.get_mut(&key)
            && let Some((_, act)) = played.due.pop_front_if(|(at, _)| *at <= now)
        {
            let (creator, number) = (played.creator, played.number);
            if let Some((seq, body)) = played.say(act) {
                self.relay(now, PLAYED, creator, number, seq, body);
            }
            match act {
                Act::Ack(seq) => self.acknowledge(now, PLAYED, creator, number, seq),
                Act::Leave => self.leave(now, creator, "burnt"),
                Act::Dismiss => self.dismissed(now, key),
                Act::Offer | Act::Candidate | Act::EndOfCandidates => {}
            }
        }
        self.set_play_timer(key);
    }

    fn dismissed(&mut self, now: Instant, key: RoomKey) {
        let Some(played) = self.decoys.played.get_mut(&key) else { return };
        if played.close_exchange() {
            let creator = played.creator;
            self.leave(now, creator, "burnt");
        }
    }
}

/// Of some code under another nameplate, with whatever certificate.
fn terms(nameplate: &Nameplate, random: &mut dyn Randomness) -> Terms {
    let mut fingerprint = Fingerprint([0; 32]);
    random.fill(&mut fingerprint.0);
    Terms::by_code(&RoomCode::new(nameplate.another(), Words::draw(random)), fingerprint)
}
