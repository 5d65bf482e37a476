//! Names in place of addresses that only mean something in a local network (draft-ietf-mmusic-mdns-ice-candidates): ours,
//! where the person wants it, and the other side's.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Names of the other side that are looked up; a browser gives one to each of its addresses.
const MOST_LOOKUPS: usize = 16;

/// A name that is being looked up.
pub type Resolving = Pin<Box<dyn Future<Output = Option<IpAddr>> + Send>>;

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
    lookups: AtomicUsize,
}

impl Names {
    pub(crate) fn new(names: Arc<dyn LocalNames>) -> Self {
        Self { names, ours: Mutex::default(), lookups: AtomicUsize::new(0) }
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
    pub(crate) fn resolve(&self, name: &str) -> Option<Resolving> {
        let before = self.lookups.fetch_add(1, Ordering::Relaxed);
        (before < MOST_LOOKUPS).then(|| self.names.resolve(name))
    }

    /// The other side has new names: those of a restart count anew.
    pub(crate) fn described(&self) {
        self.lookups.store(0, Ordering::Relaxed);
    }
}
