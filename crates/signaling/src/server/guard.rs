//! What stands between a knock and the rooms: whoever looks for rooms by trying numbers is slowed down before the server
//! looks, so that neither the answer nor the time that it takes says whether there is one.

use std::time::{Duration, Instant};

use super::source::Tried;
use super::{ConnectionId, Rooms};
use crate::code::Nameplate;
use crate::message::{ErrorCode, ServerMessage};
use crate::token::{Id, hex};
use crate::work::{MAX_WORK_BITS, is_done};

/// The most doublings of the least work: with that of 16 bits, seconds of a program's time.
const MOST_DOUBLINGS: u8 = 6;
/// How long misses are counted together.
const MINUTE: Duration = Duration::from_secs(60);

/// A knock that waits for its work.
#[derive(Debug)]
pub(super) struct Pending {
    nameplate: Nameplate,
    challenge: String,
    bits: u8,
}

/// Knocks of everybody that came to no pair, by the minute. Those at rooms that exist count like the others, or the count would
/// tell.
#[derive(Debug)]
pub(super) struct Misses {
    since: Instant,
    now: u32,
    before: u32,
}

impl Misses {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, now: 0, before: 0 }
    }

    fn roll(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since);
        if passed >= MINUTE {
            self.before = if passed < 2 * MINUTE { self.now } else { 0 };
            (self.since, self.now) = (now, 0);
        }
    }

    pub(super) fn count(&mut self, now: Instant) {
        self.roll(now);
        self.now = self.now.saturating_add(1);
    }

    /// One of them wasn't one.
    pub(super) fn forgive(&mut self, now: Instant) {
        self.roll(now);
        self.now = self.now.saturating_sub(1);
    }

    /// How many times as many as there should be; 0 for not too many.
    fn excess(&mut self, now: Instant, per_minute: u32) -> u32 {
        self.roll(now);
        self.now.max(self.before) / per_minute.max(1)
    }
}

impl Rooms {
    /// Whether a knock may go on at once. If not, its connection has been told why, or what to do first.
    pub(super) fn admits(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        session: Id,
        nameplate: &Nameplate,
    ) -> bool {
        let Some(known) = self.connections.get(&connection) else { return false };
        // A server inside an app knows no sources, and has one room for a short time.
        let Some(source) = known.source else { return true };
        let can_work = known.does_work;
        let everybody = self.misses.excess(now, self.limits.misses_per_minute);
        let times = match self.sources.try_nameplate(now, source, nameplate, &self.limits) {
            Tried::Few => everybody,
            Tried::Many(times) => times.max(everybody),
            Tried::TooMany => {
                self.refuse_fatally(now, connection, "too many different codes were tried from this address");
                return false;
            }
        };
        if times == 0 {
            return true;
        }
        if !can_work {
            self.refuse_fatally(
                now,
                connection,
                "many guess at codes now, and this program can't show that it doesn't",
            );
            return false;
        }
        let doublings = u8::try_from(times.ilog2()).unwrap_or(u8::MAX).min(MOST_DOUBLINGS);
        let bits = self.limits.work_bits.saturating_add(doublings).min(MAX_WORK_BITS);
        self.ask_for_work(connection, session, nameplate.clone(), bits);
        false
    }

    fn refuse_fatally(&mut self, now: Instant, connection: ConnectionId, text: &str) {
        self.fatal(now, connection, ErrorCode::TooFast, text);
    }

    fn ask_for_work(&mut self, connection: ConnectionId, session: Id, nameplate: Nameplate, bits: u8) {
        let challenge = hex(self.random_id());
        self.send(session, &ServerMessage::Work { bits, challenge: challenge.clone() });
        self.tally.work += 1;
        if let Some(known) = self.connections.get_mut(&connection) {
            known.pending = Some(Pending { nameplate, challenge, bits });
        }
    }

    /// The answer to a challenge, good once.
    pub(super) fn work_done(&mut self, now: Instant, connection: ConnectionId, session: Id, nonce: &str) {
        let pending = self.connections.get_mut(&connection).and_then(|known| known.pending.take());
        let Some(pending) = pending else {
            return self.refuse(session, ErrorCode::NotAllowed, "no work was asked for");
        };
        if !is_done(&pending.challenge, pending.bits, nonce) {
            return self.fatal(now, connection, ErrorCode::BadMessage, "that isn't what was asked for");
        }
        if let Some(source) = self.connections.get(&connection).and_then(|known| known.source) {
            self.sources.worked_for(source, &pending.nameplate);
        }
        self.knock_on(now, connection, session, &pending.nameplate);
    }
}
