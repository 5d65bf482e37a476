//! A server that has forgotten its rooms makes them again from the tokens of those who were in them, one after the other
//! as they come back. The first one's token names the room, how far it had come and whom it was with: that other one gets
//! the usual time to come back too.
//!
//! Bodies aren't remembered by the server and needn't be: each side still has what the other hasn't acknowledged.

use std::time::Instant;

use super::room::{Exchange, Room, State};
use super::session::{Seat, Session};
use super::{RoomKey, Rooms, Timer};
use crate::message::{Role, ServerMessage};
use crate::token::{ClaimedPlace, ClaimedStage, Claims, Id};

const UNKNOWN: &str = "the server doesn't know this session";
const USED_UP: &str = "the token is used up";
const CLOSED: &str = "the room is closed";
const FULL: &str = "the server has no room left";

impl Rooms {
    /// Makes the session that a token speaks of again, with its place in its room.
    pub(super) fn restore(&mut self, now: Instant, claims: &Claims) -> Result<(), &'static str> {
        let place = claims.place.as_ref().ok_or(UNKNOWN)?;
        if self.used.get(claims.session).is_some_and(|below| claims.generation < below) {
            return Err(USED_UP);
        }
        let creator = match place.role {
            Role::Creator => claims.session,
            Role::Joiner => place.other.ok_or(UNKNOWN)?,
        };
        let key = match self.room_of(place) {
            Some(key) => key,
            None => self.restore_room(now, creator, place)?,
        };
        if !self.rooms.get(&key).is_some_and(|room| room.restored && room.creator == creator) {
            return Err(UNKNOWN);
        }
        match (place.stage, place.role) {
            (ClaimedStage::Waiting, Role::Creator) => self.raise_exchanges(key, place.exchange),
            (ClaimedStage::Waiting, Role::Joiner) => self.restore_in_line(key, claims.session)?,
            (ClaimedStage::Meeting | ClaimedStage::Paired, Role::Creator) => {
                self.restore_exchange(now, key, place.other.ok_or(UNKNOWN)?, place)?;
            }
            (ClaimedStage::Meeting | ClaimedStage::Paired, Role::Joiner) => {
                self.restore_exchange(now, key, claims.session, place)?;
            }
        }
        self.foretell(now, claims.session, key, place.role);
        if let Some(session) = self.sessions.get_mut(&claims.session)
            && std::mem::take(&mut session.foretold)
        {
            session.generation = claims.generation;
            session.token_arrived = true;
        }
        Ok(())
    }

    fn room_of(&self, place: &ClaimedPlace) -> Option<RoomKey> {
        [Some(place.room), place.former_room].into_iter().flatten().find_map(|id| self.by_id.get(&id).copied())
    }

    /// The room as it was before anybody came to it.
    fn restore_room(&mut self, now: Instant, creator: Id, place: &ClaimedPlace) -> Result<RoomKey, &'static str> {
        if self.real_rooms() >= self.limits.rooms {
            return Err(FULL);
        }
        let id = match place.stage {
            ClaimedStage::Waiting | ClaimedStage::Meeting => place.room,
            ClaimedStage::Paired => place.former_room.ok_or(UNKNOWN)?,
        };
        let has_nameplate = place.stage != ClaimedStage::Paired;
        if has_nameplate {
            self.give_way(now, &place.nameplate);
        }
        if has_nameplate && self.by_nameplate.contains_key(&place.nameplate) {
            return Err(CLOSED);
        }
        self.last_room += 1;
        let key = RoomKey(self.last_room);
        self.rooms.insert(key, Room::restored(id, place.nameplate.clone(), creator));
        self.by_id.insert(id, key);
        if has_nameplate {
            self.by_nameplate.insert(place.nameplate.clone(), key);
        }
        self.timers.set(Timer::Unused(key), now + self.limits.unused_room);
        self.tally.restored += 1;
        self.foretell(now, creator, key, Role::Creator);
        Ok(key)
    }

    /// A session that was here before the restart, and has the usual time to come back.
    fn foretell(&mut self, now: Instant, id: Id, room: RoomKey, role: Role) {
        if self.sessions.contains_key(&id) {
            return;
        }
        self.sessions.insert(id, Session::foretold(Seat { room, role, told_ahead: None, fresh: false }));
        self.timers.set(Timer::Grace(id), now + self.limits.grace);
    }

    fn raise_exchanges(&mut self, key: RoomKey, exchange: u32) {
        if let Some(room) = self.rooms.get_mut(&key) {
            room.exchanges = room.exchanges.max(exchange);
        }
    }

    fn restore_in_line(&mut self, key: RoomKey, joiner: Id) -> Result<(), &'static str> {
        let room = self.rooms.get_mut(&key).ok_or(UNKNOWN)?;
        match &room.state {
            State::Waiting | State::Meeting { .. } => {}
            State::Paired(_) | State::Ended { .. } => return Err(CLOSED),
        }
        if room.inside(Role::Joiner) == Some(joiner) || room.line.contains(&joiner) {
            return Ok(());
        }
        if room.line.len() >= self.limits.line {
            return Err(FULL);
        }
        room.line.push_back(joiner);
        Ok(())
    }

    /// Brings the room to where the token says that these two were, unless it is there or beyond.
    fn restore_exchange(
        &mut self,
        now: Instant,
        key: RoomKey,
        joiner: Id,
        place: &ClaimedPlace,
    ) -> Result<(), &'static str> {
        let room = self.rooms.get(&key).ok_or(UNKNOWN)?;
        let same = |exchange: &Exchange| exchange.number == place.exchange && exchange.joiner == joiner;
        let begins = match &room.state {
            State::Waiting if place.exchange > room.exchanges => true,
            State::Meeting { exchange, .. } | State::Paired(exchange) if same(exchange) => false,
            State::Waiting | State::Meeting { .. } | State::Paired(_) | State::Ended { .. } => return Err(CLOSED),
        };
        if begins {
            self.begin_again(now, key, joiner, place.exchange);
        }
        let is_meeting = self.rooms.get(&key).is_some_and(|room| matches!(room.state, State::Meeting { .. }));
        if is_meeting && place.stage == ClaimedStage::Paired {
            self.pair_as(now, key, place.room);
        }
        Ok(())
    }

    fn begin_again(&mut self, now: Instant, key: RoomKey, joiner: Id, number: u32) {
        let meeting = self.random_id();
        let Some(room) = self.rooms.get_mut(&key) else { return };
        room.line.retain(|waiting| *waiting != joiner);
        room.exchanges = number;
        room.state =
            State::Meeting { exchange: Exchange::restored(number, joiner, meeting, &self.under_way), confirmed: None };
        let creator = room.creator;
        self.timers.clear(Timer::Unused(key));
        self.timers.set(Timer::Exchange(key), now + self.limits.exchange);
        self.foretell(now, joiner, key, Role::Joiner);
        // One who came back before had not heard of it.
        self.send_token(now, creator);
        self.send(creator, &ServerMessage::Knocked { exchange: number });
        self.introduce_one(now, key, Role::Creator);
    }
}
