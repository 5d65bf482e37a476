//! The work that a server asks for before it looks for a room (see [`crate::work`]), in slices, so that the caller's thread
//! is never held for long.

use std::time::{Duration, Instant};

use super::{Client, Place, Timer};
use crate::message::ClientMessage;
use crate::work::{MAX_WORK_BITS, Search};

/// Hashes in one slice: some milliseconds.
const SLICE: u64 = 1 << 14;
/// Between two slices.
const REST: Duration = Duration::from_millis(1);

impl Client {
    /// Begins. What asks for more than [`MAX_WORK_BITS`] is left unanswered, and the way into the room takes too long.
    pub(super) fn take_on(&mut self, now: Instant, bits: u8, challenge: String) {
        if !matches!(self.place, Place::Asking(Some(_))) || bits > MAX_WORK_BITS {
            self.ignored += 1;
            return;
        }
        self.work = Some(Search::new(challenge, bits));
        self.timers.set(Timer::Work, now + REST);
    }

    pub(super) fn work_on(&mut self, now: Instant) {
        let Some(search) = self.work.as_mut() else { return };
        match search.go_on(SLICE) {
            None => self.timers.set(Timer::Work, now + REST),
            Some(nonce) => {
                self.work = None;
                self.send(&ClientMessage::Work { nonce });
            }
        }
    }
}
