//! What two who have met are given to find a path between them: STUN and TURN servers with credentials for their meeting
//! alone. Nobody gets any before there are two, since a server that hands them to anybody is an open relay; and whoever makes
//! them hears which two are a pair, for a relay that can tell to carry nothing before.

use std::time::{Duration, Instant};

use super::{RoomKey, Rooms, Timer};
use crate::message::{IceServer, Role, ServerMessage};
use crate::token::Id;

/// What one of the two is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Servers, with credentials where they want them.
    pub servers: Vec<IceServer>,
    /// How long the credentials are good.
    pub lifetime: Duration,
}

/// Makes credentials. The rooms know who has met, and nothing of servers and secrets.
pub trait Introductions: Send {
    /// Something for one of the two in this meeting, whose name is random and told to nobody else. `None`: nothing. They may be
    /// no [pair](Self::pair) yet, and one of them a stranger who guesses at the words.
    fn grant(&mut self, meeting: [u8; 16], role: Role, unix_seconds: u64) -> Option<Granted>;

    /// What looks the same for one who is with a creator that the server plays, and never lets a packet through: a server that
    /// let a stranger alone relay would be an open relay.
    fn pretend(&mut self, meeting: [u8; 16], role: Role, unix_seconds: u64) -> Option<Granted>;

    /// Both have confirmed one another.
    fn pair(&mut self, meeting: [u8; 16]);

    /// The meeting is over: who shows its credentials has come too late.
    fn withdraw(&mut self, meeting: [u8; 16]);
}

impl Rooms {
    /// Tells both who are inside, and again before what they were told has run out.
    pub(super) fn introduce(&mut self, now: Instant, key: RoomKey) {
        let lifetimes = [Role::Creator, Role::Joiner].map(|role| self.introduce_one(now, key, role));
        if let Some(lifetime) = lifetimes.into_iter().flatten().min() {
            self.timers.set(Timer::Regrant(key), now + lifetime / 2);
        }
    }

    /// Tells one of them. How long it is good, if there was anything to tell.
    pub(super) fn introduce_one(&mut self, now: Instant, key: RoomKey, role: Role) -> Option<Duration> {
        let unix_seconds = self.unix_seconds(now);
        let room = self.rooms.get(&key)?;
        let exchange = room.live()?;
        let (number, meeting, session) = (exchange.number, exchange.meeting, room.inside(role)?);
        let introductions = self.introductions.as_mut()?;
        let granted = if self.decoys.is_one(key) {
            introductions.pretend(meeting, role, unix_seconds)?
        } else {
            introductions.grant(meeting, role, unix_seconds)?
        };
        let connection = self.sessions.get(&session).and_then(|session| session.connection);
        let connection = connection.filter(|id| self.connections.get(id).is_some_and(|c| c.takes_ice_servers));
        if let Some(connection) = connection {
            let ttl = granted.lifetime.as_secs();
            let message = ServerMessage::IceServers { exchange: number, servers: granted.servers, ttl };
            self.send_to(connection, &message);
        }
        Some(granted.lifetime)
    }

    pub(super) fn introduced_are_a_pair(&mut self, meeting: Id) {
        if let Some(introductions) = self.introductions.as_mut() {
            introductions.pair(meeting);
        }
    }

    pub(super) fn withdraw(&mut self, meeting: Id) {
        if let Some(introductions) = self.introductions.as_mut() {
            introductions.withdraw(meeting);
        }
    }
}
