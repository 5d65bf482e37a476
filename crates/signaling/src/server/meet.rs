//! How two come together: a room made, a knock, one exchange at a time while others wait in line, and the pair.

use std::time::Instant;

use super::numbers::Home;
use super::place::Known;
use super::room::{Exchange, Room, State};
use super::{ConnectionId, RoomKey, Rooms, Timer};
use crate::code::Nameplate;
use crate::message::{ErrorCode, Role, ServerMessage};
use crate::token::{Id, hex};

/// Tries to find a free nameplate before the server counts as full.
const NAMEPLATE_TRIES: usize = 64;

impl Rooms {
    pub(super) fn create(&mut self, now: Instant, connection: ConnectionId, session: Id) {
        self.leave_ended_room(now, session);
        if let Some(seat) = self.seat_of(session) {
            return match seat.role {
                Role::Creator => self.tell_place(now, connection, session, Known::default()),
                Role::Joiner => self.refuse(session, ErrorCode::NotAllowed, "already in a room"),
            };
        }
        if !self.may_create(now, connection) {
            return self.refuse(session, ErrorCode::ServerFull, "too many rooms were made from this address");
        }
        let Some(nameplate) = self.free_nameplate().filter(|_| self.real_rooms() < self.limits.rooms) else {
            return self.refuse(session, ErrorCode::ServerFull, "the server has no room left");
        };
        self.tally.created += 1;
        self.give_way(now, &nameplate);
        let id = self.random_id();
        let key = self.insert_room(now, Room::new(id, nameplate.clone(), session));
        self.seat(session, key, Role::Creator);
        self.send_token(now, session);
        self.send(session, &ServerMessage::Created { nameplate });
    }

    /// Puts a room under its nameplate.
    pub(super) fn insert_room(&mut self, now: Instant, room: Room) -> RoomKey {
        self.last_room += 1;
        let key = RoomKey(self.last_room);
        self.by_nameplate.insert(room.nameplate.clone(), key);
        self.by_id.insert(room.id, key);
        self.rooms.insert(key, room);
        self.timers.set(Timer::Unused(key), now + self.limits.unused_room);
        key
    }

    /// How many rooms somebody has made.
    pub(super) fn real_rooms(&self) -> usize {
        self.rooms.len() - self.decoys.len()
    }

    fn may_create(&mut self, now: Instant, connection: ConnectionId) -> bool {
        let source = self.connections.get(&connection).and_then(|known| known.source);
        source.is_none_or(|source| self.sources.may_create(now, source))
    }

    /// One that nobody waits under; where there is no other, one with a decoy under it.
    fn free_nameplate(&mut self) -> Option<Nameplate> {
        let mut second_best = None;
        for _ in 0..NAMEPLATE_TRIES {
            let mut bytes = [0; 8];
            self.random.fill(&mut bytes);
            let Some(drawn) = self.numbers.draw(u64::from_le_bytes(bytes)) else { continue };
            match self.by_nameplate.get(&drawn) {
                None => return Some(drawn),
                Some(key) if self.decoys.is_one(*key) => second_best = Some(drawn),
                Some(_) => {}
            }
        }
        second_best
    }

    pub(super) fn knock(&mut self, now: Instant, connection: ConnectionId, session: Id, nameplate: &Nameplate) {
        self.leave_ended_room(now, session);
        let target = self.by_nameplate.get(nameplate).copied();
        if let Some(seat) = self.seat_of(session) {
            let again = seat.role == Role::Joiner && Some(seat.room) == target;
            return if again {
                self.tell_place(now, connection, session, Known::default());
            } else {
                self.refuse(session, ErrorCode::NotAllowed, "already in a room");
            };
        }
        if self.admits(now, connection, session, nameplate) {
            self.knock_on(now, connection, session, nameplate);
        }
    }

    /// The knock itself, once nothing is in its way.
    pub(super) fn knock_on(&mut self, now: Instant, connection: ConnectionId, session: Id, nameplate: &Nameplate) {
        self.tally.knocks += 1;
        if self.seat_of(session).is_some() {
            return self.refuse(session, ErrorCode::NotAllowed, "already in a room");
        }
        let found = self.by_nameplate.get(nameplate).copied();
        if found.is_none() && self.numbers.home_of(nameplate) == Home::Elsewhere {
            return self.knock_elsewhere(connection, nameplate);
        }
        if !self.counts_knock(now, connection) {
            return;
        }
        if found.is_none_or(|key| self.decoys.is_one(key)) {
            self.tally.misses += 1;
        }
        if found.is_none() && self.limits.decoys == 0 {
            return self.refuse(session, ErrorCode::NoSuchRoom, "nobody waits under this number");
        }
        let key = found.unwrap_or_else(|| self.make_decoy(now, nameplate));
        let Some(room) = self.rooms.get_mut(&key) else { return };
        if room.line.len() >= self.limits.line {
            return self.refuse(session, ErrorCode::LineFull, "too many are waiting for this room");
        }
        room.line.push_back(session);
        self.seat(session, key, Role::Joiner);
        self.advance(now, key);
    }

    /// Counts a knock, which is taken back where it comes to a pair. `false` where there were too many on this connection.
    fn counts_knock(&mut self, now: Instant, connection: ConnectionId) -> bool {
        let Some(known) = self.connections.get_mut(&connection) else { return false };
        known.knocks += 1;
        let few = known.knocks < self.limits.knocks;
        self.misses.count(now);
        if !few {
            self.fatal(now, connection, ErrorCode::TooFast, "too many wrong codes");
        }
        few
    }

    fn forgive_knock(&mut self, now: Instant, joiner: Id) {
        self.misses.forgive(now);
        let connection = self.sessions.get(&joiner).and_then(|session| session.connection);
        if let Some(known) = connection.and_then(|connection| self.connections.get_mut(&connection)) {
            known.knocks = 0;
        }
    }

    /// Begins the next exchange if nobody is inside and both are there, and tells the others in line where they are.
    pub(super) fn advance(&mut self, now: Instant, key: RoomKey) {
        let Some(room) = self.rooms.get(&key) else { return };
        let next = matches!(room.state, State::Waiting)
            .then(|| room.line.iter().position(|joiner| self.is_connected(*joiner)))
            .flatten()
            .filter(|_| self.is_connected(room.creator));
        if let Some(index) = next {
            self.begin_exchange(now, key, index);
        }
        let line = self.rooms.get(&key).map(|room| room.line.clone()).unwrap_or_default();
        for (ahead, joiner) in (0..).zip(line) {
            self.tell_position(now, joiner, ahead);
        }
    }

    fn begin_exchange(&mut self, now: Instant, key: RoomKey, index: usize) {
        let meeting = self.random_id();
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let Some(joiner) = room.line.remove(index) else { return };
        room.exchanges += 1;
        if !self.decoys.is_one(key) {
            self.tally.exchanges += 1;
        }
        let (number, creator) = (room.exchanges, room.creator);
        room.state =
            State::Meeting { exchange: Exchange::new(number, joiner, meeting, &self.under_way), confirmed: None };
        self.timers.clear(Timer::Unused(key));
        self.timers.set(Timer::Exchange(key), now + self.limits.exchange);
        for session in [creator, joiner] {
            self.send_token(now, session);
            self.send(session, &ServerMessage::Knocked { exchange: number });
        }
        self.introduce(now, key);
    }

    fn tell_position(&mut self, now: Instant, joiner: Id, ahead: u32) {
        let Some(session) = self.sessions.get_mut(&joiner) else { return };
        let Some(seat) = session.seat.as_mut().filter(|seat| seat.told_ahead != Some(ahead)) else { return };
        if session.connection.is_some() {
            seat.told_ahead = Some(ahead);
            if std::mem::take(&mut seat.fresh) {
                self.send_token(now, joiner);
            }
            self.send(joiner, &ServerMessage::Waiting { ahead });
        }
    }

    pub(super) fn confirm(&mut self, now: Instant, session: Id, number: u32) {
        let Some((seat, _)) = self.live_exchange(session, number) else {
            return self.not_inside(session, number);
        };
        let Some(room) = self.rooms.get_mut(&seat.room) else { return };
        let State::Meeting { confirmed, .. } = &mut room.state else { return };
        match confirmed {
            Some(other) if *other != seat.role => self.pair(now, seat.room),
            Some(_) => {}
            None => *confirmed = Some(seat.role),
        }
    }

    /// Both have confirmed: they go on under a new name, and the nameplate is free.
    fn pair(&mut self, now: Instant, key: RoomKey) {
        if let Some(joiner) = self.rooms.get(&key).and_then(|room| room.inside(Role::Joiner)) {
            self.forgive_knock(now, joiner);
        }
        self.learn_tempo(key);
        let id = self.random_id();
        self.pair_as(now, key, id);
    }

    /// Of one who really was a creator: so nobody is heard who only knocks.
    fn learn_tempo(&mut self, key: RoomKey) {
        let Some(room) = self.rooms.get(&key) else { return };
        let connection = self.sessions.get(&room.creator).and_then(|session| session.connection);
        let source = connection.and_then(|id| self.connections.get(&id)).and_then(|known| known.source);
        let tempo = room.exchange().and_then(|exchange| exchange.beginning.tempo());
        if let Some((source, tempo)) = source.zip(tempo) {
            self.tempos.keep(source, tempo);
        }
    }

    /// The same under a name that they had before a restart.
    pub(super) fn pair_as(&mut self, now: Instant, key: RoomKey, id: Id) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let State::Meeting { exchange, .. } = std::mem::replace(&mut room.state, State::Waiting) else { return };
        let (pair, number, meeting) = ([room.creator, exchange.joiner], exchange.number, exchange.meeting);
        room.state = State::Paired(exchange);
        self.tally.paired += 1;
        room.former_id = Some(std::mem::replace(&mut room.id, id));
        let line = std::mem::take(&mut room.line);
        if self.by_nameplate.get(&room.nameplate) == Some(&key) {
            self.by_nameplate.remove(&room.nameplate);
        }
        self.by_id.insert(id, key);
        self.timers.clear(Timer::Exchange(key));
        self.introduced_are_a_pair(meeting);
        for joiner in line {
            self.refuse(joiner, ErrorCode::RoomFull, "two others have met in this room");
            self.unseat(joiner);
        }
        for session in pair {
            self.send_token(now, session);
            self.send(session, &ServerMessage::Confirmed { exchange: number, room: hex(id) });
        }
    }
}
