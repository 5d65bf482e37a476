//! Names in place of addresses that only mean something in a local network (draft-ietf-mmusic-mdns-ice-candidates): ours,
//! where the person wants it, and the other side's.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::Shared;

/// Names of the other side that are looked up; a browser gives one to each of its addresses.
const MOST_LOOKUPS: usize = 16;

/// A name that is being looked up.
pub type Resolving = Pin<Box<dyn Future<Output = Option<IpAddr>> + Send>>;

/// The same for all candidates of one name.
pub(crate) type Lookup = Shared<Resolving>;

/// Gives names to addresses and looks them up. What it has named stays so while it lives.
pub trait LocalNames: Send + Sync + Debug {
    /// A new name for an address of ours, which ends in `.local`; `None` where names can't be given.
    fn publish(&self, ip: IpAddr) -> Option<String>;

    /// The address behind a name of the other side. It ends after some seconds at the latest.
    fn resolve(&self, name: &str) -> Resolving;

    /// Whether an address is to be named: whether it means nothing outside the networks that this machine is in.
    fn is_local(&self, ip: IpAddr) -> bool;
}

/// The names of one connection.
#[derive(Debug)]
pub(crate) struct Names {
    names: Arc<dyn LocalNames>,
    ours: Mutex<HashMap<IpAddr, Option<String>>>,
    /// Candidates share names: one for datagrams and one for streams stand at the same address.
    lookups: Mutex<HashMap<String, Lookup>>,
}

impl Names {
    pub(crate) fn new(names: Arc<dyn LocalNames>) -> Self {
        Self { names, ours: Mutex::default(), lookups: Mutex::default() }
    }

    /// What the other side is told in the place of that address: itself, or a name, or nothing at all.
    pub(crate) fn told(&self, address: &str) -> Option<String> {
        let Ok(ip) = address.parse::<IpAddr>() else { return Some(address.to_owned()) };
        if !self.names.is_local(ip) {
            return Some(address.to_owned());
        }
        let mut ours = self.ours.lock().unwrap_or_else(PoisonError::into_inner);
        ours.entry(ip).or_insert_with(|| self.names.publish(ip)).clone()
    }

    /// Looks a name up; `None` when there have been too many.
    pub(crate) fn resolve(&self, name: &str) -> Option<Lookup> {
        let mut lookups = self.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        let name = name.to_ascii_lowercase();
        if let Some(known) = lookups.get(&name) {
            return Some(known.clone());
        }
        if lookups.len() >= MOST_LOOKUPS {
            return None;
        }
        let lookup = self.names.resolve(&name).shared();
        lookups.insert(name, lookup.clone());
        Some(lookup)
    }

    /// The other side has new names: those of a restart count anew.
    pub(crate) fn described(&self) {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counted(AtomicUsize);

    impl LocalNames for Counted {
        fn publish(&self, _: IpAddr) -> Option<String> {
            None
        }

        fn resolve(&self, _: &str) -> Resolving {
            self.0.fetch_add(1, Ordering::Relaxed);
            Box::pin(std::future::ready(Some(IpAddr::from([192, 168, 1, 5]))))
        }

        fn is_local(&self, _: IpAddr) -> bool {
            true
        }
    }

    #[test]
    fn a_name_is_looked_up_once_for_all_its_candidates_and_only_so_many_are() {
        let counted = Arc::<Counted>::default();
        let names = Names::new(Arc::clone(&counted) as _);
        for name in ["a.local", "A.local", "a.local"] {
            let found = names.resolve(name).and_then(futures::FutureExt::now_or_never).flatten();
            assert_eq!(found, Some(IpAddr::from([192, 168, 1, 5])));
        }
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
        let taken = (0..100).filter(|i| names.resolve(&format!("{i}.local")).is_some()).count();
        assert_eq!(taken, MOST_LOOKUPS - 1);
        names.described();
        assert!(names.resolve("b.local").is_some());
    }
}
