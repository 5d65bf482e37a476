//! Sessions: who is behind a connection, the greeting, the token that brings a session to a new connection, and the
//! grace in which it may.

use std::time::Instant;

use super::decoy::PLAYED;
use super::numbers::Home;
use super::place::Known;
use super::room::Room;
use super::{ConnectionId, RoomKey, Rooms, RoomsOutput, Timer};
use crate::code::Nameplate;
use crate::message::{ErrorCode, PROTOCOL_VERSION, Resume, Role, ServerMessage};
use crate::token::{Claims, Id, TokenError};

/// A client, over any number of connections.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Option<ConnectionId>,
    pub(super) seat: Option<Seat>,
    /// Whether it ever had a seat.
    has_sat: bool,
    /// Whether it is known only from the token of the other one, after a restart.
    pub(super) foretold: bool,
    /// The generation of the newest token.
    pub(super) generation: u32,
    /// Whether the client is known to have that token; until then the one before it is good too, since the welcome
    /// may have been lost with its connection.
    pub(super) token_arrived: bool,
}

/// Where a session sits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seat {
    pub(super) room: RoomKey,
    pub(super) role: Role,
    /// The position in line that was told last.
    pub(super) told_ahead: Option<u32>,
    /// Whether no token was given for it yet.
    pub(super) fresh: bool,
}

/// Why a token resumes nothing here.
enum Lost {
    /// Its room is at home with another server.
    Elsewhere(Nameplate),
    Because(&'static str),
}

impl From<&'static str> for Lost {
    fn from(text: &'static str) -> Self {
        Self::Because(text)
    }
}

impl Session {
    fn new() -> Self {
        Self { connection: None, seat: None, has_sat: false, foretold: false, generation: 1, token_arrived: false }
    }

    /// One of an earlier process, that hasn't come back yet.
    pub(super) fn foretold(seat: Seat) -> Self {
        Self { seat: Some(seat), has_sat: true, foretold: true, ..Self::new() }
    }

    /// One that the server plays.
    pub(super) fn played(seat: Seat) -> Self {
        Self { connection: Some(PLAYED), seat: Some(seat), has_sat: true, ..Self::new() }
    }
}

impl Rooms {
    pub(super) fn hello(&mut self, now: Instant, connection: ConnectionId, version: u32, resume: Option<Resume>) {
        if version != PROTOCOL_VERSION {
            let text = format!("this server speaks version {PROTOCOL_VERSION}, the client speaks {version}");
            return self.fatal(now, connection, ErrorCode::UnsupportedVersion, &text);
        }
        self.timers.clear(Timer::Hello(connection));
        self.timers.set(Timer::Idle(connection), now + self.limits.idle);
        match resume.map(|resume| (self.find_session(now, &resume.token), resume)) {
            None => self.welcome_new(now, connection),
            Some((Err(Lost::Elsewhere(nameplate)), resume)) => self.resume_elsewhere(connection, &nameplate, resume),
            Some((Err(Lost::Because(text)), _)) => {
                let code = ErrorCode::ResumeRefused;
                self.send_to(connection, &ServerMessage::Error { code, text: text.into(), fatal: false });
                self.welcome_new(now, connection);
            }
            Some((Ok((session, generation)), resume)) => self.resume(now, connection, session, generation, &resume),
        }
    }

    fn welcome_new(&mut self, now: Instant, connection: ConnectionId) {
        let id = self.random_id();
        self.sessions.insert(id, Session::new());
        self.attach(now, id, connection);
        self.welcome(now, connection, id, false, 0);
    }

    fn welcome(&mut self, now: Instant, connection: ConnectionId, session: Id, resumed: bool, received: u64) {
        let message = ServerMessage::Welcome {
            version: PROTOCOL_VERSION,
            features: Vec::new(),
            heartbeat_ms: u64::try_from(self.limits.heartbeat.as_millis()).unwrap_or(u64::MAX),
            token: self.token(now, session),
            resumed,
            received,
        };
        self.send_to(connection, &message);
    }

    /// The session that a token may resume, and the token's generation.
    fn find_session(&mut self, now: Instant, token: &str) -> Result<(Id, u32), Lost> {
        let claims = self.key.verify(token, self.unix_seconds(now)).map_err(|error| match error {
            TokenError::Forged => "the token isn't from this server",
            TokenError::Expired => "the token has expired",
        })?;
        let rooms = claims.place.iter().flat_map(|place| [Some(place.room), place.former_room]).flatten();
        let is_gone =
            |id: Id| self.tombstones.get(id).is_some() || (self.key.is_decoy(&id) && !self.by_id.contains_key(&id));
        if rooms.into_iter().any(is_gone) {
            return Err("the room is closed".into());
        }
        if self.sessions.get(&claims.session).is_none_or(|session| session.foretold) {
            // Neither here nor elsewhere is anything made out of one for a decoy.
            if claims.place.as_ref().is_some_and(|place| self.key.is_decoy(&place.room)) {
                return Err("the server doesn't know this session".into());
            }
            if let Some(place) = &claims.place
                && self.numbers.home_of(&place.nameplate) != Home::Here
            {
                return Err(Lost::Elsewhere(place.nameplate.clone()));
            }
            self.restore(now, &claims)?;
        }
        let session = self.sessions.get(&claims.session).ok_or("the server doesn't know this session")?;
        let generation_holds = claims.generation == session.generation
            || (claims.generation + 1 == session.generation && !session.token_arrived);
        if !generation_holds {
            return Err("the token is used up".into());
        }
        if !self.seat_holds(session, &claims) {
            return Err("the token is for another room".into());
        }
        Ok((claims.session, claims.generation))
    }

    /// Whether a session still sits where a token says. A token from before the room, or from before its pair, may
    /// be the newest that arrived.
    fn seat_holds(&self, session: &Session, claims: &Claims) -> bool {
        let Some(place) = claims.place.as_ref() else { return true };
        let is_there = |room: &Room| room.is_or_was(place.room);
        session.seat.is_some_and(|seat| seat.role == place.role && self.rooms.get(&seat.room).is_some_and(is_there))
    }

    fn resume(&mut self, now: Instant, connection: ConnectionId, id: Id, generation: u32, resume: &Resume) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let old = session.connection.take();
        if generation == session.generation {
            session.generation = generation.wrapping_add(1);
        }
        session.token_arrived = false;
        if let Some(old) = old {
            self.supersede(old);
        }
        if resume.exchange == 0 {
            self.leave_ended_room(now, id); // It has heard the end already.
        }
        let Some(seat) = self.seat_of(id) else {
            // Nothing to go on with: a request on the old connection never arrived.
            self.drop_session(id);
            return self.welcome_new(now, connection);
        };
        self.tally.resumed += 1;
        self.attach(now, id, connection);
        self.settle(id, resume.exchange, resume.received);
        let received = self.received_from(id, seat, resume.exchange);
        self.welcome(now, connection, id, true, received);
        self.tell_place(now, connection, id, Known { exchange: resume.exchange, received: resume.received });
    }

    fn supersede(&mut self, connection: ConnectionId) {
        let code = ErrorCode::Superseded;
        let text = "the session goes on over a newer connection".into();
        self.send_to(connection, &ServerMessage::Error { code, text, fatal: true });
        self.outputs.push_back(RoomsOutput::Close(connection, code));
        self.forget_connection(connection);
    }

    fn attach(&mut self, now: Instant, id: Id, connection: ConnectionId) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.connection = Some(connection);
        }
        if let Some(connection) = self.connections.get_mut(&connection) {
            connection.session = Some(id);
        }
        self.timers.clear(Timer::Grace(id));
        self.timers.set(Timer::Renew(id), now + self.limits.token_lifetime / 2);
    }

    /// A connection is gone. Who sat in a room keeps the seat for a while.
    pub(super) fn detach(&mut self, now: Instant, connection: ConnectionId) {
        let Some(id) = self.forget_connection(connection).and_then(|connection| connection.session) else { return };
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.connection = None;
        if session.seat.is_none() {
            return self.drop_session(id);
        }
        self.timers.clear(Timer::Renew(id));
        self.timers.set(Timer::Grace(id), now + self.limits.grace);
    }

    /// Ends a session, wherever it sits.
    pub(super) fn end_session(&mut self, now: Instant, id: Id, reason: &str) {
        self.leave_room(now, id, reason);
        self.drop_session(id);
    }

    pub(super) fn drop_session(&mut self, id: Id) {
        self.timers.clear(Timer::Grace(id));
        self.timers.clear(Timer::Renew(id));
        self.sessions.remove(&id);
    }

    /// Takes the seat away; a session without seat and connection is nothing any more.
    pub(super) fn unseat(&mut self, id: Id) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.seat = None;
        if session.connection.is_none() {
            self.drop_session(id);
        }
    }

    pub(super) fn is_connected(&self, id: Id) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.connection.is_some())
    }

    pub(super) fn seat_of(&self, id: Id) -> Option<Seat> {
        self.sessions.get(&id).and_then(|session| session.seat)
    }

    pub(super) fn has_sat(&self, id: Id) -> bool {
        self.sessions.get(&id).is_some_and(|session| session.has_sat)
    }

    /// Seats a session. The token that says so follows with the first word about it.
    pub(super) fn seat(&mut self, id: Id, room: RoomKey, role: Role) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.has_sat = true;
            session.seat = Some(Seat { room, role, told_ahead: None, fresh: true });
        }
    }

    pub(super) fn send_token(&mut self, now: Instant, id: Id) {
        let token = self.token(now, id);
        self.send(id, &ServerMessage::Token { token });
    }

    pub(super) fn renew_token(&mut self, now: Instant, id: Id) {
        self.timers.set(Timer::Renew(id), now + self.limits.token_lifetime / 2);
        self.send_token(now, id);
    }

    fn token(&self, now: Instant, id: Id) -> String {
        let session = self.sessions.get(&id);
        let seat = session.and_then(|session| session.seat);
        self.key.sign(&Claims {
            session: id,
            place: seat.and_then(|seat| self.rooms.get(&seat.room).map(|room| room.claim(id, seat.role))),
            generation: session.map_or(0, |session| session.generation),
            expires_unix_seconds: self.unix_seconds(now) + self.limits.token_lifetime.as_secs(),
        })
    }
}
