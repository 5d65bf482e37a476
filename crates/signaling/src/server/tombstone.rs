//! The ids of rooms that are gone. A token for one of them is refused even where nothing else would tell.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use crate::token::Id;

/// How many are kept at most, whatever their age: some megabytes.
const MOST: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Tombstones {
    ids: HashSet<Id>,
    /// The same, oldest first, with the time after which no token for them is good any more.
    by_age: VecDeque<(Instant, Id)>,
}

impl Tombstones {
    pub(super) fn bury(&mut self, now: Instant, id: Id, token_lifetime: Duration) {
        while self.by_age.len() >= MOST || self.by_age.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, oldest)) = self.by_age.pop_front() else { break };
            self.ids.remove(&oldest);
        }
        if self.ids.insert(id) {
            self.by_age.push_back((now + token_lifetime, id));
        }
    }

    pub(super) fn has(&self, id: Id) -> bool {
        self.ids.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_kept_for_a_time_and_never_too_many() {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        let start = Instant::now();
        let mut tombstones = Tombstones::default();
        let life = Duration::from_secs(10);
        tombstones.bury(start, [1; 16], life);
        tombstones.bury(start + life / 2, [2; 16], life);
        assert!(tombstones.has([1; 16]) && tombstones.has([2; 16]));
        tombstones.bury(start + life, [3; 16], life);
        assert!(!tombstones.has([1; 16]) && tombstones.has([2; 16]));
        for number in 0..2 * MOST as u128 {
            tombstones.bury(start + life, number.to_be_bytes(), life);
        }
        assert_eq!((tombstones.ids.len(), tombstones.by_age.len()), (MOST, MOST));
    }
}
