//! How many frames this server has sent to each other one and heard from it, so that a missing one is noticed.

use std::collections::HashMap;

use super::table::ServerId;

#[derive(Debug, Default)]
struct Counters {
    sent: u64,
    /// The number of the last frame heard; before the first one any may come.
    heard: Option<u64>,
}

/// The other servers that something was said to or heard from.
#[derive(Debug, Default)]
pub(super) struct Neighbours(HashMap<ServerId, Counters>);

impl Neighbours {
    /// The number of the next frame to a server.
    pub(super) fn count(&mut self, server: ServerId) -> u64 {
        let counters = self.0.entry(server).or_default();
        counters.sent += 1;
        counters.sent
    }

    /// A frame has come. Whether it is the one behind the last.
    pub(super) fn hear(&mut self, server: ServerId, number: u64) -> bool {
        let last = self.0.entry(server).or_default().heard.replace(number);
        last.is_none_or(|last| last.checked_add(1) == Some(number))
    }

    /// Whatever was under way is lost. Those who don't know may be all of these.
    pub(super) fn reset(&mut self) -> Vec<ServerId> {
        self.0.values_mut().for_each(|counters| counters.heard = None);
        self.0.keys().copied().collect()
    }

    /// It is gone and won't be heard of again, or will begin anew.
    pub(super) fn forget(&mut self, server: ServerId) {
        self.0.remove(&server);
    }
}
