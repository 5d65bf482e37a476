//! How far two have come who met, as the relay sees it. It serves all who have met somebody alike, and carries packets only for
//! pairs. So whoever doesn't know the words is served the same way where somebody waits and where the server plays the creator,
//! reaches nobody by it, and doesn't learn which it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// One of the two may be a stranger, or both.
const MET: u8 = 0;
const PAIR: u8 = 1;
const OVER: u8 = 2;

/// A meeting, shared by who knows how far it has come and the allocations of the two.
#[derive(Debug, Clone, Default)]
pub struct Meeting(Arc<AtomicU8>);

impl Meeting {
    /// Both have confirmed the other: what is allocated carries packets for as long as it lives.
    pub fn pair(&self) {
        self.leave_met_for(PAIR);
    }

    /// No pair comes of it any more. One that there is goes on: a call outlives its room.
    pub fn end(&self) {
        self.leave_met_for(OVER);
    }

    fn leave_met_for(&self, next: u8) {
        // Fails where it has come further, which is final.
        let _ = self.0.compare_exchange(MET, next, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn is_pair(&self) -> bool {
        self.0.load(Ordering::Acquire) == PAIR
    }

    /// Whether what is allocated for it is of no use to anybody any more.
    pub(super) fn came_to_nothing(&self) -> bool {
        self.0.load(Ordering::Acquire) == OVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_stays_one_and_what_is_over_becomes_none() {
        let (pair, over) = (Meeting::default(), Meeting::default());
        assert!(!pair.is_pair() && !pair.came_to_nothing());
        pair.pair();
        pair.end();
        over.end();
        over.pair();
        assert!(pair.is_pair() && !pair.came_to_nothing());
        assert!(!over.is_pair() && over.came_to_nothing());
    }
}
