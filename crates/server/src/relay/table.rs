//! All allocations of one server, without I/O: datagrams in, what to do with them out. STUN's Binding (RFC 8489), and of
//! TURN (RFC 8656) what goes to peers over UDP; what comes from clients over streams is datagrams here already.
//!
//! Two clients of this server that both relay send to one another's relay addresses. That never leaves the process: it
//! goes from one allocation straight to the other, if both belong to the same meeting; otherwise it goes nowhere. And nothing
//! goes anywhere of those who have met and aren't a [pair](super::Meeting), though they get the same answers.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use visavis_stun::{Builder, Class, Message, attribute, channel_data, method};

use super::allocation::Allocation;
use super::budget::Answers;
use super::credential::{MeetingId, Secret};
use super::filter::PeerFilter;
use super::meeting::Meeting;
use super::nonce::Nonces;

/// Where allocations get their sockets from.
pub trait Ports: Send {
    /// A socket; closed when the last clone is gone.
    type Socket: Clone + Send;

    /// A new socket on a free port of the relay's address, one with an even number if that is asked for.
    fn open(&mut self, even: bool) -> Option<(u16, Self::Socket)>;
}

/// Knows which meetings go on.
pub trait Meetings: Send {
    /// That one, if those who have met there may ask for new allocations.
    fn find(&self, meeting: MeetingId) -> Option<Meeting>;
}

/// What one client, one address and all together may use.
#[derive(Debug, Clone)]
pub struct RelayLimits {
    /// Allocations at one time.
    pub allocations: usize,
    /// Allocations of one side of one meeting. A client makes one for each address of its machine, and new ones while it
    /// restarts ICE.
    pub per_grant: usize,
    /// Allocations of one source, an IPv4 address or a /64 of IPv6; behind it may be a whole office.
    pub per_source: usize,
    /// Bytes a second of one allocation, both directions together.
    pub bytes_per_second: u64,
    /// Answers a second to one address without a signature.
    pub unsigned_answers: u32,
    /// How long an allocation lives that is never refreshed.
    pub lifetime: Duration,
    /// The longest lifetime that a client may ask for at once.
    pub longest_lifetime: Duration,
    /// How long an allocation may be refreshed. A call isn't cut off when its credential expires, but some time.
    pub longest: Duration,
}

impl Default for RelayLimits {
    fn default() -> Self {
        Self {
            allocations: 2_000,
            per_grant: 8,
            per_source: 64,
            bytes_per_second: 1_000_000,
            unsigned_answers: 100,
            lifetime: Duration::from_secs(600),
            longest_lifetime: Duration::from_secs(3600),
            longest: Duration::from_secs(12 * 3600),
        }
    }
}

/// What a relay is made from.
#[derive(Debug)]
pub struct TableConfig {
    /// Whose passwords these are, for the client to show.
    pub realm: String,
    /// Where the relay's ports are, as the world sees it.
    pub address: IpAddr,
    /// Checks credentials.
    pub secret: Secret,
    /// Where the relay sends to.
    pub filter: PeerFilter,
    /// What may be used.
    pub limits: RelayLimits,
    /// Random bytes, for nonces.
    pub nonce_key: [u8; 32],
    /// The wall clock at the table's start, since 1970; credentials expire by it.
    pub unix_time: Duration,
}

/// Whom a datagram comes from. Those of one stream come from one source, another's from the same address don't.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source {
    /// The address.
    pub address: SocketAddr,
    /// The number of the stream that it came over; none: it came by itself, over UDP.
    pub stream: Option<u64>,
}

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        Self { address, stream: None }
    }
}

/// What to do with a datagram.
#[derive(Debug)]
pub enum Effect<'a, S> {
    /// Nothing: it is dropped.
    Nothing,
    /// The buffer holds what this client is sent.
    ToClient(Source),
    /// This goes from the allocation's socket to a peer.
    ToPeer(S, SocketAddr, &'a [u8]),
}

/// How busy the relay is, and what became of what it got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RelayCounts {
    /// Allocations now.
    pub allocations: usize,
    /// Of them those for which packets pass.
    pub of_pairs: usize,
    /// Allocations that others have got the place of.
    pub displaced: u64,
    /// Packets relayed, both directions.
    pub relayed: u64,
    /// Bytes in them, without what TURN adds.
    pub bytes: u64,
    /// Packets dropped from or to those whom no client has permitted, or at a place that isn't there.
    pub unpermitted: u64,
    /// Packets dropped of those who have met and aren't a pair.
    pub unpaired: u64,
    /// Packets dropped that were over an allocation's budget.
    pub over_budget: u64,
    /// Requests refused.
    pub refused: RefusedCounts,
}

/// Requests refused, by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RefusedCounts {
    /// No good credential (401), or an old nonce (438). Every client asks without one first, to be challenged.
    pub unauthorized: u64,
    /// An address that isn't relayed to, or a meeting that is over (403).
    pub forbidden: u64,
    /// More allocations than one may have (486).
    pub quota: u64,
    /// No place for another allocation (508).
    pub full: u64,
    /// Everything else.
    pub other: u64,
}

impl RefusedCounts {
    /// Counts one with this code.
    pub(super) fn count(&mut self, code: u16) {
        let of_that_kind = match code {
            401 | 438 => &mut self.unauthorized,
            403 => &mut self.forbidden,
            486 => &mut self.quota,
            508 => &mut self.full,
            _ => &mut self.other,
        };
        *of_that_kind += 1;
    }
}

impl RelayCounts {
    /// Whether a packet may pass between an allocation and a peer; if not, it is counted by cause.
    fn admit<S>(&mut self, allocation: &mut Allocation<S>, now: Instant, peer: SocketAddr, data: &[u8]) -> bool {
        if !allocation.carries(now) {
            self.unpaired += 1;
            return false;
        }
        if !allocation.permits(now, peer.ip()) {
            self.unpermitted += 1;
            return false;
        }
        let has_budget = allocation.budget.take(now, data.len());
        self.over_budget += u64::from(!has_budget);
        has_budget
    }

    fn relayed(&mut self, data: &[u8]) {
        self.relayed += 1;
        self.bytes += data.len() as u64;
    }
}

/// All allocations of a server.
pub struct Table<P: Ports> {
    pub(super) config: TableConfig,
    pub(super) nonces: Nonces,
    pub(super) ports: P,
    pub(super) meetings: Box<dyn Meetings>,
    pub(super) allocations: HashMap<Source, Allocation<P::Socket>>,
    pub(super) by_port: HashMap<u16, Source>,
    answers: Answers,
    started: Instant,
    swept: Instant,
    pub(super) counts: RelayCounts,
}

/// How often lapsed allocations are looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

impl<P: Ports> Table<P> {
    /// A table without allocations.
    #[must_use]
    pub fn new(now: Instant, config: TableConfig, ports: P, meetings: Box<dyn Meetings>) -> Self {
        Self {
            nonces: Nonces::new(config.nonce_key),
            answers: Answers::new(now, config.limits.unsigned_answers),
            config,
            ports,
            meetings,
            allocations: HashMap::new(),
            by_port: HashMap::new(),
            started: now,
            swept: now,
            counts: RelayCounts::default(),
        }
    }

    /// How busy it is.
    #[must_use]
    pub fn counts(&self, now: Instant) -> RelayCounts {
        let of_pairs = self.allocations.values().filter(|allocation| allocation.carries(now)).count();
        RelayCounts { allocations: self.allocations.len(), of_pairs, ..self.counts }
    }

    /// Takes a datagram from a client, or from anybody. What is to be sent stands in `out`.
    pub fn from_client<'a>(
        &mut self,
        now: Instant,
        client: Source,
        datagram: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Effect<'a, P::Socket> {
        self.sweep(now);
        if let Some((channel, data)) = channel_data::parse(datagram) {
            let peer = self.allocations.get(&client).and_then(|allocation| allocation.peer_of(now, channel));
            return peer.map_or(Effect::Nothing, |peer| self.relay_out(now, client, peer, data, out));
        }
        let Some(message) = Message::parse(datagram) else { return Effect::Nothing };
        match (message.class, message.method) {
            (Class::Indication, method::SEND) => self.send(now, client, &message, out),
            (Class::Request, _) => match self.answer(now, client, &message) {
                Some(answer) => {
                    *out = answer;
                    Effect::ToClient(client)
                }
                None => Effect::Nothing,
            },
            (Class::Indication | Class::Success | Class::Error, _) => Effect::Nothing,
        }
    }

    /// Takes a datagram from a peer, which came to this port. What is to be sent stands in `out`.
    pub fn from_peer(
        &mut self,
        now: Instant,
        port: u16,
        peer: SocketAddr,
        data: &[u8],
        out: &mut Vec<u8>,
    ) -> Option<Source> {
        let client = *self.by_port.get(&port)?;
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        // Somebody on this machine, or a forger, pretends to be one of the allocations: those don't come this way.
        if peer.ip() == self.config.address && self.by_port.contains_key(&peer.port()) {
            return None;
        }
        self.deliver(now, client, peer, data, out).then_some(client)
    }

    fn send<'a>(
        &mut self,
        now: Instant,
        client: Source,
        message: &Message<'a>,
        out: &mut Vec<u8>,
    ) -> Effect<'a, P::Socket> {
        let known = [attribute::XOR_PEER_ADDRESS, attribute::DATA];
        let (Some(peer), Some(data)) =
            (message.address(attribute::XOR_PEER_ADDRESS), message.attribute(attribute::DATA))
        else {
            return Effect::Nothing;
        };
        if message.unknown(&known).is_empty() { self.relay_out(now, client, peer, data, out) } else { Effect::Nothing }
    }

    /// From a client to a peer, who must have been permitted.
    fn relay_out<'a>(
        &mut self,
        now: Instant,
        client: Source,
        peer: SocketAddr,
        data: &'a [u8],
        out: &mut Vec<u8>,
    ) -> Effect<'a, P::Socket> {
        let Some(allocation) = self.allocations.get_mut(&client).filter(|a| a.lives(now)) else {
            return Effect::Nothing;
        };
        if !self.counts.admit(allocation, now, peer, data) {
            return Effect::Nothing;
        }
        if peer.ip() != self.config.address {
            self.counts.relayed(data);
            return Effect::ToPeer(allocation.socket.clone(), peer, data);
        }
        let (meeting, from) = (allocation.grant.meeting, SocketAddr::new(self.config.address, allocation.port));
        let other = self.by_port.get(&peer.port()).copied();
        match other.filter(|other| self.allocations.get(other).is_some_and(|a| a.grant.meeting == meeting)) {
            Some(other) if self.deliver(now, other, from, data, out) => Effect::ToClient(other),
            Some(_) => Effect::Nothing,
            None => {
                self.counts.unpermitted += 1;
                Effect::Nothing
            }
        }
    }

    /// From a peer to a client, who must have permitted it. Whether `out` holds something to send.
    fn deliver(&mut self, now: Instant, client: Source, peer: SocketAddr, data: &[u8], out: &mut Vec<u8>) -> bool {
        let Some(allocation) = self.allocations.get_mut(&client).filter(|a| a.lives(now)) else { return false };
        if !self.counts.admit(allocation, now, peer, data) {
            return false;
        }
        self.counts.relayed(data);
        if let Some(channel) = allocation.channel_of(now, peer) {
            channel_data::write(channel, data, out);
        } else {
            let mut transaction = [0; 12];
            // Nobody answers an indication: its number needn't be a secret, only its own.
            transaction[..8].copy_from_slice(&self.counts.relayed.to_be_bytes());
            *out = Builder::reuse(std::mem::take(out), Class::Indication, method::DATA, &transaction)
                .address(attribute::XOR_PEER_ADDRESS, peer)
                .attribute(attribute::DATA, data)
                .unsigned();
        }
        true
    }

    /// Ends what has lapsed.
    fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) < SWEEP_INTERVAL {
            return;
        }
        self.swept = now;
        self.allocations.retain(|_, allocation| allocation.lives(now));
        self.by_port.retain(|_, client| self.allocations.contains_key(client));
    }

    /// A stream has ended, and what it had goes with it (RFC 8656, section 6.2).
    pub fn gone(&mut self, client: Source) {
        self.end(client);
    }

    /// Whether it has an allocation.
    #[must_use]
    pub fn serves(&self, now: Instant, client: Source) -> bool {
        self.allocations.get(&client).is_some_and(|allocation| allocation.lives(now))
    }

    pub(super) fn end(&mut self, client: Source) -> Option<Allocation<P::Socket>> {
        let allocation = self.allocations.remove(&client)?;
        self.by_port.remove(&allocation.port);
        Some(allocation)
    }

    /// Whether an answer without a signature may go there.
    pub(super) fn may_answer(&mut self, now: Instant, client: Source) -> bool {
        self.answers.allow(now, client.address.ip())
    }

    /// Seconds since 1970.
    pub(super) fn unix_seconds(&self, now: Instant) -> u64 {
        (self.config.unix_time + now.saturating_duration_since(self.started)).as_secs()
    }
}
