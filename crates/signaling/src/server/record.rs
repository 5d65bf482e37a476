//! What must outlive the server's process, or a replayed token would be worth something again: the rooms that are gone,
//! and the tokens that are used up. Everything else comes back with the clients and their tokens.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Rooms;
use crate::code::Nameplate;
use crate::token::Id;

/// How many are kept at most, whatever their age: some megabytes.
const MOST: usize = 100_000;

/// One thing to be remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    fact: Fact,
    /// When the last token that it is about has expired, seconds since 1970.
    until: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Closed { room: Id },
    Used { session: Id, below: u32 },
}

impl Record {
    /// The size of a record on a disk.
    pub const BYTES: usize = 1 + 16 + 4 + 8;

    /// The record as it is kept.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let (kind, id, below) = match self.fact {
            Fact::Closed { room } => (1, room, 0),
            Fact::Used { session, below } => (2, session, below),
        };
        let mut bytes = [0; Self::BYTES];
        bytes[0] = kind;
        bytes[1..17].copy_from_slice(&id);
        bytes[17..21].copy_from_slice(&u32::to_be_bytes(below));
        bytes[21..].copy_from_slice(&self.until.to_be_bytes());
        bytes
    }

    /// Reads one. `None`: these bytes are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (below, rest) = rest.split_first_chunk::<4>()?;
        let until = u64::from_be_bytes(rest.try_into().ok()?);
        let fact = match kind {
            1 => Fact::Closed { room: *id },
            2 => Fact::Used { session: *id, below: u32::from_be_bytes(*below) },
            _ => return None,
        };
        Some(Self { fact, until })
    }

    /// Whether nobody needs it any more.
    #[must_use]
    pub fn is_over(&self, unix_seconds: u64) -> bool {
        self.until <= unix_seconds
    }
}

/// Keeps records beyond the life of this process.
pub trait Records: Send {
    /// Keeps one, about a room that had this nameplate. It is done, or on its way, before anything that depends on it is sent.
    fn keep(&mut self, record: &Record, nameplate: &Nameplate);
}

/// Ids that are remembered for a time, and never too many of them.
#[derive(Debug, Default)]
pub(super) struct Memory<T> {
    known: HashMap<Id, (Instant, T)>,
    /// The same, oldest first, with the time after which nobody asks for it.
    by_age: VecDeque<(Instant, Id)>,
}

impl<T: Copy> Memory<T> {
    pub(super) fn keep(&mut self, now: Instant, id: Id, until: Instant, value: T) {
        while self.by_age.len() >= MOST || self.by_age.front().is_some_and(|(until, _)| *until <= now) {
            let Some((until, oldest)) = self.by_age.pop_front() else { break };
            // It may have been told again since.
            if self.known.get(&oldest).is_some_and(|(newest, _)| *newest == until) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(id, (until, value));
        self.by_age.push_back((until, id));
    }

    pub(super) fn get(&self, id: Id) -> Option<T> {
        self.known.get(&id).map(|(_, value)| *value)
    }
}

impl Rooms {
    /// Lets the rooms keep what must outlive this process, and tells them what was kept before.
    #[must_use]
    pub fn with_records(mut self, records: Box<dyn Records>, kept: impl IntoIterator<Item = Record>) -> Self {
        self.records = Some(records);
        let now = self.started;
        kept.into_iter().for_each(|record| self.recall(now, record));
        self
    }

    /// Tells the rooms what was kept before, by this server or another one.
    pub fn recall(&mut self, now: Instant, record: Record) {
        let left = Duration::from_secs(record.until.saturating_sub(self.unix_seconds(now)));
        // A record from a clock that ran ahead isn't kept for longer than any token lives.
        let until = now + left.min(self.limits.token_lifetime);
        match record.fact {
            _ if left.is_zero() => {}
            Fact::Closed { room } => self.tombstones.keep(now, room, until, ()),
            Fact::Used { session, below } => self.used.keep(now, session, until, below),
        }
    }

    fn record(&mut self, now: Instant, fact: Fact, nameplate: &Nameplate) {
        let until = self.unix_seconds(now) + self.limits.token_lifetime.as_secs();
        if let Some(records) = self.records.as_mut() {
            records.keep(&Record { fact, until }, nameplate);
        }
    }

    /// The room is closed for whoever comes after a restart, though one who is still in it may fetch what was said last.
    pub(super) fn record_closed(&mut self, now: Instant, room: Id, nameplate: &Nameplate) {
        self.record(now, Fact::Closed { room }, nameplate);
    }

    /// No token for the room is good any more.
    pub(super) fn bury(&mut self, now: Instant, room: Id, nameplate: &Nameplate) {
        self.tombstones.keep(now, room, now + self.limits.token_lifetime, ());
        self.record(now, Fact::Closed { room }, nameplate);
    }

    /// The client has shown that it has the newest token: those before it are used up.
    pub(super) fn token_has_arrived(&mut self, now: Instant, id: Id) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let news = !std::mem::replace(&mut session.token_arrived, true);
        let (below, seat) = (session.generation, session.seat);
        let room = seat.filter(|_| news && below > 1).and_then(|seat| self.rooms.get(&seat.room));
        if let Some(nameplate) = room.map(|room| room.nameplate.clone()) {
            self.record(now, Fact::Used { session: id, below }, &nameplate);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn they_are_kept_for_a_time_and_never_too_many() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let mut memory = Memory::default();
        let life = Duration::from_secs(10);
        memory.keep(start, [1; 16], start + life, ());
        memory.keep(start + life / 2, [2; 16], start + life / 2 + life, ());
        assert!(memory.get([1; 16]).is_some() && memory.get([2; 16]).is_some());
        memory.keep(start + life, [3; 16], start + 2 * life, ());
        assert!(memory.get([1; 16]).is_none() && memory.get([2; 16]).is_some());
        for number in 0..2 * MOST as u128 {
            memory.keep(start + life, number.to_be_bytes(), start + 2 * life, ());
        }
        assert_eq!((memory.known.len(), memory.by_age.len()), (MOST, MOST));
    }

    #[test]
    fn what_is_told_again_is_kept_longer() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let mut memory = Memory::default();
        let second = Duration::from_secs(1);
        memory.keep(start, [1; 16], start + second, 1);
        memory.keep(start, [1; 16], start + 3 * second, 2);
        memory.keep(start + 2 * second, [2; 16], start + 4 * second, 0);
        assert_eq!(memory.get([1; 16]), Some(2));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        for fact in [Fact::Closed { room: [1; 16] }, Fact::Used { session: [2; 16], below: 7 }] {
            let record = Record { fact, until: 1000 };
            assert_eq!(Record::from_bytes(&record.to_bytes()), Some(record));
            assert!(record.is_over(1000) && !record.is_over(999));
        }
        assert_eq!(Record::from_bytes(&[0; Record::BYTES]), None);
    }
}
