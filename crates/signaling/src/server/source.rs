//! Where connections come from, and what each source may do: a household or an office is one source, and so is whoever
//! guesses at rooms from one machine. An IPv6 source is a /64, since everybody has at least that many addresses (RFC 6177).

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::limit::{Bucket, Limits};
use crate::code::Nameplate;

/// How long a tried nameplate counts.
const WINDOW: Duration = Duration::from_secs(600);
/// Sources told apart. Where more come at one time, the rest share one account: that is a flood.
const MOST: usize = 50_000;
/// How often those are looked for who have been quiet for long.
const SWEEP: Duration = Duration::from_secs(10);
/// How many times [`Limits::nameplates_per_source`] is the end, work or not.
const FEW_TIMES: usize = 10;

/// A source, told apart from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Source {
    One(IpAddr),
    /// Everybody for whom there is no account.
    Rest,
}

/// The address behind which one source is: of IPv6 the /64 that everybody has.
#[must_use]
pub fn source_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from(u128::from(v6) & !u128::from(u64::MAX))),
    }
}

#[derive(Debug)]
struct Account {
    connections: usize,
    rooms: Bucket,
    tried: HashSet<Nameplate>,
    tried_since: Instant,
}

impl Account {
    fn new(now: Instant, limits: &Limits) -> Self {
        let rooms = Bucket::new(now, f64::from(limits.rooms_per_minute) / 60.0, limits.room_burst);
        Self { connections: 0, rooms, tried: HashSet::new(), tried_since: now }
    }

    fn is_idle(&self, now: Instant) -> bool {
        let forgotten = self.tried.is_empty() || now.saturating_duration_since(self.tried_since) >= WINDOW;
        self.connections == 0 && forgotten && self.rooms.is_full(now)
    }
}

/// How a knock is taken by who counts what its source has tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tried {
    Few,
    /// So many times as many as may be tried without work.
    Many(u32),
    TooMany,
}

/// All sources.
#[derive(Debug)]
pub(super) struct Sources {
    accounts: HashMap<Source, Account>,
    swept: Option<Instant>,
}

impl Sources {
    pub(super) fn new() -> Self {
        Self { accounts: HashMap::new(), swept: None }
    }

    /// Counts a connection. `None`: there are too many from there.
    pub(super) fn connect(&mut self, now: Instant, address: IpAddr, limits: &Limits) -> Option<Source> {
        self.sweep(now);
        let source = Source::One(source_of(address));
        let source =
            if self.accounts.len() < MOST || self.accounts.contains_key(&source) { source } else { Source::Rest };
        let account = self.accounts.entry(source).or_insert_with(|| Account::new(now, limits));
        let shared = matches!(source, Source::Rest);
        if account.connections >= limits.connections_per_source && !shared {
            return None;
        }
        account.connections += 1;
        Some(source)
    }

    pub(super) fn disconnect(&mut self, source: Source) {
        if let Some(account) = self.accounts.get_mut(&source) {
            account.connections = account.connections.saturating_sub(1);
        }
    }

    /// Whether another room may be made from there.
    pub(super) fn may_create(&mut self, now: Instant, source: Source) -> bool {
        self.accounts.get_mut(&source).is_none_or(|account| account.rooms.take(now, 1.0))
    }

    /// Counts a nameplate that is tried from there.
    pub(super) fn try_nameplate(
        &mut self,
        now: Instant,
        source: Source,
        nameplate: &Nameplate,
        limits: &Limits,
    ) -> Tried {
        let Some(account) = self.accounts.get_mut(&source) else { return Tried::Few };
        if now.saturating_duration_since(account.tried_since) >= WINDOW {
            account.tried.clear();
            account.tried_since = now;
        }
        let free = limits.nameplates_per_source;
        if account.tried.contains(nameplate) || account.tried.len() < free {
            account.tried.insert(nameplate.clone());
            return Tried::Few;
        }
        if account.tried.len() >= free.saturating_mul(FEW_TIMES) {
            return Tried::TooMany;
        }
        Tried::Many(u32::try_from(account.tried.len() / free.max(1)).unwrap_or(u32::MAX))
    }

    /// Its source has worked for this one.
    pub(super) fn worked_for(&mut self, source: Source, nameplate: &Nameplate) {
        if let Some(account) = self.accounts.get_mut(&source) {
            account.tried.insert(nameplate.clone());
        }
    }

    /// How many sources have an account.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    fn sweep(&mut self, now: Instant) {
        let due = self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP);
        if due {
            self.swept = Some(now);
            self.accounts.retain(|_, account| !account.is_idle(now));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
        Instant::now()
    }

    #[test]
    fn an_ipv6_source_is_a_64_and_ipv4_is_ipv4_however_it_is_written() {
        let of = |text: &str| source_of(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::2"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn a_flood_of_sources_shares_one_account_and_is_forgotten() {
        let (start, limits) = (start(), Limits::default());
        let mut sources = Sources::new();
        let flood: Vec<_> = (0..60_000_u32)
            .map(|number| sources.connect(start, IpAddr::from(number.to_be_bytes()), &limits).unwrap())
            .collect();
        assert_eq!(sources.len(), MOST + 1);
        assert_eq!(flood.last(), Some(&Source::Rest));
        flood.into_iter().for_each(|source| sources.disconnect(source));
        sources.connect(start + 2 * SWEEP, IpAddr::from([9; 4]), &limits).unwrap();
        assert_eq!(sources.len(), 1);
    }

    #[test]
    fn what_was_tried_counts_once_and_for_ten_minutes() {
        let (start, limits) = (start(), Limits { nameplates_per_source: 3, ..Limits::default() });
        let mut sources = Sources::new();
        let source = sources.connect(start, IpAddr::from([9; 4]), &limits).unwrap();
        let mut tried = |now: Instant, number: u32| {
            let nameplate = Nameplate::new(&format!("{number:06}")).unwrap();
            let tried = sources.try_nameplate(now, source, &nameplate, &limits);
            assert_eq!(tried, sources.try_nameplate(now, source, &nameplate, &limits), "asking changes nothing");
            sources.worked_for(source, &nameplate);
            tried
        };
        assert!((0..3).chain(0..3).all(|number| tried(start, number) == Tried::Few));
        assert_eq!(tried(start, 3), Tried::Many(1));
        assert_eq!((4..30).map(|number| tried(start, number)).last(), Some(Tried::Many(9)));
        assert_eq!(tried(start, 30), Tried::TooMany);
        assert_eq!(tried(start + WINDOW, 30), Tried::Few);
    }
}
