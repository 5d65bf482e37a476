//! Named deadlines. Every timeout of both machines is a name in a table like this one, so that each says which fired.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// A set of deadlines, at most one per name, cheap to ask for the earliest.
#[derive(Debug)]
pub(crate) struct Timers<K> {
    due: BTreeSet<(Instant, K)>,
    by_name: HashMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Timers<K> {
    pub(crate) fn new() -> Self {
        Self { due: BTreeSet::new(), by_name: HashMap::new() }
    }

    /// Sets or moves a deadline.
    pub(crate) fn set(&mut self, name: K, at: Instant) {
        self.clear(name);
        self.due.insert((at, name));
        self.by_name.insert(name, at);
    }

    pub(crate) fn clear(&mut self, name: K) {
        if let Some(at) = self.by_name.remove(&name) {
            self.due.remove(&(at, name));
        }
    }

    pub(crate) fn is_set(&self, name: K) -> bool {
        self.by_name.contains_key(&name)
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes one deadline that has passed, the earliest first.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<K> {
        let &(at, name) = self.due.first()?;
        if at > now {
            return None;
        }
        self.clear(name);
        Some(name)
    }
}
