//! What each may have of the relay, and who gives way where it is full. Whoever knocks anywhere gets allocations, so those who
//! aren't a pair count for the least: they end with their meeting, within seconds, and before that they give way.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Instant;

use visavis_signaling::server::source_of;

use super::credential::Grant;
use super::meeting::Meeting;
use super::requests::{FORBIDDEN, QUOTA, Refusal};
use super::table::{Ports, Source, Table};

impl<P: Ports> Table<P> {
    /// The meeting that this grant is for, if it may have another allocation.
    pub(super) fn admit_to_meeting(&self, now: Instant, client: Source, grant: &Grant) -> Result<Meeting, Refusal> {
        let meeting = self.meetings.find(grant.meeting).ok_or(FORBIDDEN)?;
        let (limits, source) = (&self.config.limits, source_of(client.address.ip()));
        let live = || self.allocations.iter().filter(|(_, allocation)| allocation.lives(now));
        let of_grant = live().filter(|(_, allocation)| allocation.grant.is_for_the_same(grant)).count();
        let of_source = live().filter(|(other, _)| source_of(other.address.ip()) == source).count();
        if of_grant >= limits.per_grant || of_source >= limits.per_source { Err(QUOTA) } else { Ok(meeting) }
    }

    /// A port for one more: a free one, or that of somebody who gives way.
    pub(super) fn place(&mut self, now: Instant, even: bool) -> Option<(u16, P::Socket)> {
        let has_room = self.allocations.len() < self.config.limits.allocations;
        let free = has_room.then(|| self.ports.open(even)).flatten();
        free.or_else(|| self.displace(now, even))
    }

    /// Ends the allocation that is missed the least, never one of a pair: of the source that has most of those that aren't, the
    /// oldest. Its port is handed on as it is, since it may be closed only later than a new one is wanted.
    fn displace(&mut self, now: Instant, even: bool) -> Option<(u16, P::Socket)> {
        let mut of_source: HashMap<IpAddr, usize> = HashMap::new();
        let give_way = || self.allocations.iter().filter(|(_, allocation)| !allocation.carries(now));
        for (client, _) in give_way() {
            *of_source.entry(source_of(client.address.ip())).or_default() += 1;
        }
        let suits = |port: u16| !even || port.is_multiple_of(2);
        let (client, _) =
            give_way().filter(|(_, allocation)| suits(allocation.port)).max_by_key(|(client, allocation)| {
                let crowd = of_source.get(&source_of(client.address.ip())).copied();
                (!allocation.lives(now), crowd, Reverse(allocation.ends))
            })?;
        let gone = self.end(*client)?;
        self.counts.displaced += u64::from(gone.lives(now));
        Some((gone.port, gone.socket))
    }
}
