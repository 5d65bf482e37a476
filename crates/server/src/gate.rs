//! What a connection may cost before it has said anything: so many at one time, so many from one source, so many new ones
//! from it in a while; and, where a server is for its own machine or network, from where at all. Whoever comes through a proxy is counted once the proxy has told whom it brings.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use visavis_signaling::server::{Limits, source_of};

use crate::Audience;
use crate::relay::Cidr;

/// Sockets beyond the connections that the rooms take: on their way in or out, or asking how the server is.
const SPARE_SOCKETS: usize = 256;
/// How long new sockets are counted together.
const WINDOW: Duration = Duration::from_secs(10);
/// How many times its sockets at one time a source may open within that.
const TURNOVER: u32 = 2;
/// Sources counted in one such while; where more come, the rest isn't.
const MOST_SOURCES: usize = 100_000;

/// Who is let in. Clones are the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    most: usize,
    per_source: u32,
    audience: Audience,
    proxies: Vec<Cidr>,
    turned_away: AtomicU64,
    counts: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    all: usize,
    at_once: HashMap<IpAddr, u32>,
    opened: HashMap<IpAddr, u32>,
    since: Instant,
}

/// A socket's place. Dropping it gives the place back.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Gate,
    source: Option<IpAddr>,
}

impl Gate {
    pub(crate) fn new(limits: &Limits, audience: Audience, proxies: Vec<Cidr>, now: Instant) -> Self {
        let counts = Counts { all: 0, at_once: HashMap::new(), opened: HashMap::new(), since: now };
        let per_source = u32::try_from(limits.connections_per_source).unwrap_or(u32::MAX);
        let most = limits.connections.saturating_add(SPARE_SOCKETS);
        let (turned_away, counts) = (AtomicU64::new(0), Mutex::new(counts));
        Self(Arc::new(Inner { most, per_source, audience, proxies, turned_away, counts }))
    }

    /// Lets a socket in, or not.
    pub(crate) fn enter(&self, now: Instant, peer: IpAddr) -> Option<Pass> {
        let admitted =
            self.0.audience.has(peer) && self.lock().admit(now, self.source(peer), self.0.most, self.0.per_source);
        if !admitted {
            self.0.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        admitted.then(|| Pass { gate: self.clone(), source: self.source(peer) })
    }

    /// For whom a socket counts. A proxy is nobody, and neither is an app's own machine to the app's server.
    fn source(&self, peer: IpAddr) -> Option<IpAddr> {
        let is_own = self.0.audience.is_embedded() && peer.to_canonical().is_loopback();
        (!is_own && !self.is_proxy(peer)).then(|| source_of(peer))
    }

    pub(crate) fn is_proxy(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.proxies.iter().any(|range| range.contains(peer))
    }

    /// Sockets that weren't let in since the start.
    pub(crate) fn turned_away(&self) -> u64 {
        self.0.turned_away.load(Ordering::Relaxed)
    }

    /// Sockets that are open.
    pub(crate) fn sockets(&self) -> usize {
        self.lock().all
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    fn admit(&mut self, now: Instant, source: Option<IpAddr>, most: usize, per_source: u32) -> bool {
        if now.saturating_duration_since(self.since) >= WINDOW {
            self.since = now;
            self.opened.clear();
        }
        if self.all >= most {
            return false;
        }
        if let Some(source) = source {
            let at_once = self.at_once.get(&source).copied().unwrap_or_default();
            let opened = self.opened.get(&source).copied().unwrap_or_default();
            if at_once >= per_source || opened >= per_source.saturating_mul(TURNOVER) {
                return false;
            }
            self.at_once.insert(source, at_once + 1);
            if opened > 0 || self.opened.len() < MOST_SOURCES {
                self.opened.insert(source, opened + 1);
            }
        }
        self.all += 1;
        true
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut counts = self.gate.lock();
        counts.all = counts.all.saturating_sub(1);
        let Some(source) = self.source else { return };
        match counts.at_once.get_mut(&source) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                counts.at_once.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn gate(connections: usize, per_source: usize, audience: Audience, proxies: Vec<Cidr>, now: Instant) -> Gate {
        let limits = Limits { connections, connections_per_source: per_source, ..Limits::default() };
        Gate::new(&limits, audience, proxies, now)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_source_has_so_many_places_and_gets_them_back() {
        let now = Instant::now();
        let gate = gate(100, 2, Audience::Everybody, Vec::new(), now);
        let first = gate.enter(now, ip("2001:db8::1"));
        let second = gate.enter(now, ip("2001:db8::2"));
        assert!(first.is_some() && second.is_some());
        assert!(gate.enter(now, ip("2001:db8::3")).is_none());
        assert!(gate.enter(now, ip("192.0.2.1")).is_some());
        drop(first);
        assert!(gate.enter(now, ip("2001:db8::3")).is_some());
        assert_eq!((gate.sockets(), gate.turned_away()), (1, 1));
    }

    #[test]
    fn opening_and_closing_in_a_hurry_is_counted_too() {
        let now = Instant::now();
        let gate = gate(100, 2, Audience::Everybody, Vec::new(), now);
        let opened = (0..10).filter(|_| gate.enter(now, ip("192.0.2.1")).is_some()).count();
        assert_eq!(opened, 4);
        assert!(gate.enter(now + WINDOW, ip("192.0.2.1")).is_some());
    }

    #[test]
    fn a_proxy_is_no_source_but_takes_a_place() {
        let now = Instant::now();
        let gate = gate(0, 1, Audience::Everybody, vec!["10.0.0.0/8".parse().unwrap()], now);
        let passes: Vec<_> = std::iter::from_fn(|| gate.enter(now, ip("10.0.0.1"))).collect();
        assert_eq!(passes.len(), SPARE_SOCKETS);
    }

    #[test]
    fn a_server_of_an_app_lets_in_its_machine_and_if_asked_its_network() {
        let now = Instant::now();
        let let_in = |audience: Audience| {
            let gate = gate(100, 1, audience, Vec::new(), now);
            let sources =
                ["127.0.0.1", "127.0.0.1", "::1", "192.168.1.7", "::ffff:192.168.1.7", "fe80::7", "192.0.2.1"];
            let passes: Vec<_> = sources.into_iter().map(|source| gate.enter(now, ip(source))).collect();
            passes.iter().map(Option::is_some).collect::<Vec<_>>()
        };
        assert_eq!(let_in(Audience::Machine), [true, true, true, false, false, false, false]);
        assert_eq!(
            let_in(Audience::Network),
            [true, true, true, true, false, true, false],
            "one socket for each neighbour"
        );
    }
}
