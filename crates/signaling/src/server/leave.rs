//! How a room empties: somebody leaves or is lost, an exchange takes too long, nobody comes.

use std::time::Instant;

use super::decoy::Decoys;
use super::room::{Room, State};
use super::session::Seat;
use super::source::Sources;
use super::{RoomKey, Rooms, RoomsOutput, Timer};
use crate::message::{ErrorCode, MAX_REASON_BYTES, Role, ServerMessage, reason};
use crate::timer::Timers;
use crate::token::Id;

impl Rooms {
    pub(super) fn leave(&mut self, now: Instant, session: Id, why: &str) {
        let is_word = |why: &str| why.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let fits = !why.is_empty() && why.len() <= MAX_REASON_BYTES && is_word(why);
        self.leave_room(now, session, if fits { why } else { reason::LEFT });
    }

    /// Takes a session out of its room, whatever that means for the others.
    pub(super) fn leave_room(&mut self, now: Instant, session: Id, why: &str) {
        let Some(seat) = self.seat_of(session) else { return };
        self.unseat(session);
        let Some(room) = self.rooms.get_mut(&seat.room) else { return };
        match &room.state {
            State::Meeting { exchange, .. } if exchange.joiner == session => self.end_exchange(now, seat.room, why),
            State::Waiting | State::Meeting { .. } => match seat.role {
                Role::Creator => self.close_room(now, seat.room, why),
                Role::Joiner => {
                    room.line.retain(|joiner| *joiner != session);
                    self.advance(now, seat.room);
                }
            },
            State::Paired(_) => self.end_pair(now, seat, why),
            State::Ended { .. } => self.remove_room(now, seat.room),
        }
    }

    /// Gives up the seat in a room where the other has left, for who wants to go somewhere else.
    pub(super) fn leave_ended_room(&mut self, now: Instant, session: Id) {
        let room = self.seat_of(session).and_then(|seat| self.rooms.get(&seat.room));
        if room.is_some_and(|room| matches!(room.state, State::Ended { .. })) {
            self.leave_room(now, session, reason::LEFT);
        }
    }

    /// The joiner inside is out; the next one gets the turn.
    fn end_exchange(&mut self, now: Instant, key: RoomKey, why: &str) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let (creator, exchange) = (room.creator, room.exchanges);
        let meeting = room.live().map(|exchange| exchange.meeting);
        room.state = State::Waiting;
        why.clone_into(&mut room.last_end);
        self.send_token(now, creator);
        meeting.into_iter().for_each(|meeting| self.withdraw(meeting));
        self.timers.clear(Timer::Exchange(key));
        self.timers.clear(Timer::Regrant(key));
        self.timers.set(Timer::Unused(key), now + self.limits.unused_room);
        self.send(creator, &ServerMessage::PeerLeft { exchange, reason: why.to_owned() });
        self.advance(now, key);
    }

    pub(super) fn exchange_timed_out(&mut self, now: Instant, key: RoomKey) {
        let Some(joiner) = self.rooms.get(&key).and_then(|room| room.inside(Role::Joiner)) else { return };
        let exchange = self.rooms.get(&key).map_or(0, |room| room.exchanges);
        self.send(joiner, &ServerMessage::PeerLeft { exchange, reason: reason::TIMED_OUT.into() });
        self.unseat(joiner);
        self.end_exchange(now, key, reason::TIMED_OUT);
    }

    /// The creator is out before there was a pair: nobody has anything here any more.
    pub(super) fn close_room(&mut self, now: Instant, key: RoomKey, why: &str) {
        let Some(room) = self.rooms.get_mut(&key) else { return };
        let (line, number) = (std::mem::take(&mut room.line), room.exchanges);
        if let Some(joiner) = room.inside(Role::Joiner) {
            self.send(joiner, &ServerMessage::PeerLeft { exchange: number, reason: why.to_owned() });
            self.unseat(joiner);
        }
        for joiner in line {
            self.refuse(joiner, ErrorCode::RoomClosed, "whoever made this room has left it");
            self.unseat(joiner);
        }
        self.remove_room(now, key);
    }

    pub(super) fn room_unused(&mut self, now: Instant, key: RoomKey) {
        let Some(creator) = self.rooms.get(&key).map(|room| room.creator) else { return };
        self.refuse(creator, ErrorCode::Expired, "nobody came to this room for too long");
        self.unseat(creator);
        self.close_room(now, key, reason::LEFT);
    }

    /// One of a pair is out. The other is told, behind what was said before.
    fn end_pair(&mut self, now: Instant, seat: Seat, why: &str) {
        let Some(room) = self.rooms.get_mut(&seat.room) else { return };
        let State::Paired(exchange) = std::mem::replace(&mut room.state, State::Waiting) else { return };
        let (number, meeting) = (exchange.number, exchange.meeting);
        room.state = State::Ended { exchange, remaining: seat.role.other() };
        why.clone_into(&mut room.last_end);
        let (ids, nameplate) = ([Some(room.id), room.former_id], room.nameplate.clone());
        ids.into_iter().flatten().for_each(|id| self.record_closed(now, id, &nameplate));
        self.withdraw(meeting);
        self.timers.clear(Timer::Regrant(seat.room));
        self.timers.set(Timer::Linger(seat.room), now + self.limits.linger);
        let message = ServerMessage::PeerLeft { exchange: number, reason: why.to_owned() };
        self.send_inside(seat.room, seat.role.other(), &message);
    }

    /// The room is gone for good, and a token for it revives nothing.
    pub(super) fn remove_room(&mut self, now: Instant, key: RoomKey) {
        let is_decoy = self.decoys.is_one(key);
        let Some(room) = self.take_room(key) else { return };
        for id in [Some(room.id), room.former_id].into_iter().flatten().filter(|_| !is_decoy) {
            self.bury(now, id, &room.nameplate);
        }
        if let State::Ended { exchange, remaining } = room.state {
            self.unseat(if remaining == Role::Creator { room.creator } else { exchange.joiner });
        }
    }

    /// Takes a room out of all that knows it here.
    pub(super) fn take_room(&mut self, key: RoomKey) -> Option<Room> {
        let room = self.rooms.remove(&key)?;
        if self.by_nameplate.get(&room.nameplate) == Some(&key) {
            self.by_nameplate.remove(&room.nameplate);
        }
        for timer in
            [Timer::Exchange(key), Timer::Unused(key), Timer::Linger(key), Timer::Regrant(key), Timer::Play(key)]
        {
            self.timers.clear(timer);
        }
        if let Some(exchange) = room.live() {
            self.withdraw(exchange.meeting);
        }
        for id in [Some(room.id), room.former_id].into_iter().flatten() {
            self.by_id.remove(&id);
        }
        if let Some(creator) = self.decoys.forget(key) {
            self.drop_session(creator);
        }
        Some(room)
    }

    /// Everybody is told, and nothing is left.
    pub(super) fn shut_down(&mut self) {
        self.shutting_down = true;
        let code = ErrorCode::ShuttingDown;
        let message = ServerMessage::Error { code, text: "the server is going down".into(), fatal: true };
        self.sources = Sources::new();
        for id in std::mem::take(&mut self.connections).into_keys() {
            self.send_to(id, &message);
            self.outputs.push_back(RoomsOutput::Close(id, code));
        }
        self.sessions.clear();
        let meetings: Vec<Id> = self.rooms.values().filter_map(|room| room.exchange().map(|e| e.meeting)).collect();
        meetings.into_iter().for_each(|meeting| self.withdraw(meeting));
        self.rooms.clear();
        self.decoys = Decoys::default();
        self.by_nameplate.clear();
        self.by_id.clear();
        self.timers = Timers::new();
    }
}
