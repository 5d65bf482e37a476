//! Requests and their answers: who asks (RFC 8489, section 9.2), and Allocate, Refresh, CreatePermission and ChannelBind
//! (RFC 8656, sections 7, 8, 10 and 12).

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use visavis_stun::channel_data::CHANNELS;
use visavis_stun::message::unmask;
use visavis_stun::{Builder, Class, Message, UDP, attribute, long_term_key, method};

use super::allocation::{Allocation, Peers};
use super::budget::Bytes;
use super::credential::{Grant, MAX_USERNAME_BYTES};
use super::table::{Ports, Source, Table};

/// Families in REQUESTED-ADDRESS-FAMILY.
const IPV4: u8 = 1;
const IPV6: u8 = 2;

/// What a request may hold besides what it is about.
const SIGNED: [u16; 4] = [attribute::USERNAME, attribute::REALM, attribute::NONCE, attribute::MESSAGE_INTEGRITY];

/// Who asks, proven.
struct Asker {
    grant: Grant,
    username: String,
    key: [u8; 16],
}

/// Why a request is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal(u16, &'static str);

const BAD_REQUEST: Refusal = Refusal(400, "Bad Request");
const UNAUTHORIZED: Refusal = Refusal(401, "Unauthorized");
pub(super) const FORBIDDEN: Refusal = Refusal(403, "Forbidden");
const ALLOCATION_MISMATCH: Refusal = Refusal(437, "Allocation Mismatch");
const STALE_NONCE: Refusal = Refusal(438, "Stale Nonce");
const ADDRESS_FAMILY: Refusal = Refusal(440, "Address Family not Supported");
const WRONG_CREDENTIALS: Refusal = Refusal(441, "Wrong Credentials");
const UNSUPPORTED_TRANSPORT: Refusal = Refusal(442, "Unsupported Transport Protocol");
const PEER_FAMILY: Refusal = Refusal(443, "Peer Address Family Mismatch");
pub(super) const QUOTA: Refusal = Refusal(486, "Allocation Quota Reached");
const CAPACITY: Refusal = Refusal(508, "Insufficient Capacity");

type Answer = Result<Builder, Refusal>;

fn begin(message: &Message<'_>, class: Class) -> Builder {
    Builder::new(class, message.method, &message.transaction)
}

impl<P: Ports> Table<P> {
    /// The answer to a request; `None` when it gets none.
    pub(super) fn answer(&mut self, now: Instant, client: Source, message: &Message<'_>) -> Option<Vec<u8>> {
        let subjects: &[u16] = match message.method {
            method::BINDING => return self.binding(now, client, message),
            method::ALLOCATE => &[
                attribute::REQUESTED_TRANSPORT,
                attribute::REQUESTED_ADDRESS_FAMILY,
                attribute::EVEN_PORT,
                attribute::LIFETIME,
            ],
            method::REFRESH => &[attribute::LIFETIME, attribute::REQUESTED_ADDRESS_FAMILY],
            method::CREATE_PERMISSION => &[attribute::XOR_PEER_ADDRESS],
            method::CHANNEL_BIND => &[attribute::CHANNEL_NUMBER, attribute::XOR_PEER_ADDRESS],
            _ => return None,
        };
        let asker = match self.asker(now, client, message) {
            Ok(asker) => asker,
            Err(refusal) => return self.refuse_unsigned(now, client, message, refusal),
        };
        let unknown = message.unknown(&[&SIGNED, subjects].concat());
        if !unknown.is_empty() {
            let list: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
            let refused = begin(message, Class::Error).error(420, "Unknown Attribute");
            return Some(refused.attribute(attribute::UNKNOWN_ATTRIBUTES, &list).signed(&asker.key));
        }
        let answer = match message.method {
            method::ALLOCATE => self.allocate(now, client, message, &asker),
            method::REFRESH => self.refresh(now, client, message, &asker),
            method::CREATE_PERMISSION => self.create_permission(now, client, message, &asker),
            _ => self.bind_channel(now, client, message, &asker),
        };
        let answer = answer.unwrap_or_else(|Refusal(code, reason)| {
            self.counts.refused.count(code);
            tracing::debug!(code, reason, method = message.method, "a relay request was refused");
            begin(message, Class::Error).error(code, reason)
        });
        Some(answer.signed(&asker.key))
    }

    fn binding(&mut self, now: Instant, client: Source, message: &Message<'_>) -> Option<Vec<u8>> {
        self.may_answer(now, client).then(|| {
            begin(message, Class::Success).address(attribute::XOR_MAPPED_ADDRESS, client.address).with_fingerprint()
        })
    }

    /// Finds out who asks. An allocation knows its owner, and goes on when the credential has expired since.
    fn asker(&self, now: Instant, client: Source, message: &Message<'_>) -> Result<Asker, Refusal> {
        let signed = message.attribute(attribute::MESSAGE_INTEGRITY).is_some();
        if !signed {
            return Err(UNAUTHORIZED);
        }
        let text = |kind| message.text(kind).ok_or(BAD_REQUEST);
        let (username, realm, nonce) = (text(attribute::USERNAME)?, text(attribute::REALM)?, text(attribute::NONCE)?);
        if username.len() > MAX_USERNAME_BYTES || realm != self.config.realm {
            return Err(UNAUTHORIZED);
        }
        if !self.nonces.is_good(nonce, client.address, self.unix_seconds(now)) {
            return Err(STALE_NONCE);
        }
        let grant = Grant::parse(username).ok_or(UNAUTHORIZED)?;
        let known = self.allocations.get(&client).filter(|allocation| allocation.username == username);
        let key = match known {
            Some(allocation) => allocation.key,
            None if grant.expires <= self.unix_seconds(now) => return Err(UNAUTHORIZED),
            None => long_term_key(username, &self.config.realm, &self.config.secret.password(username)),
        };
        if message.is_signed_with(&key) {
            Ok(Asker { grant, username: username.to_owned(), key })
        } else {
            Err(UNAUTHORIZED)
        }
    }

    fn refuse_unsigned(
        &mut self,
        now: Instant,
        client: Source,
        message: &Message<'_>,
        Refusal(code, reason): Refusal,
    ) -> Option<Vec<u8>> {
        self.counts.refused.count(code);
        if !self.may_answer(now, client) {
            return None;
        }
        let refused = begin(message, Class::Error).error(code, reason);
        if code == BAD_REQUEST.0 {
            return Some(refused.unsigned());
        }
        let nonce = self.nonces.give(client.address, self.unix_seconds(now));
        let with_nonce = refused.attribute(attribute::NONCE, nonce.as_bytes());
        Some(with_nonce.attribute(attribute::REALM, self.config.realm.as_bytes()).unsigned())
    }

    fn allocate(&mut self, now: Instant, client: Source, message: &Message<'_>, asker: &Asker) -> Answer {
        if let Some(there) = self.allocations.get(&client).filter(|there| there.lives(now)) {
            // The answer was lost, and the client asks again.
            let again = there.transaction == message.transaction;
            return if again { Ok(self.allocated(now, client, message, there)) } else { Err(ALLOCATION_MISMATCH) };
        }
        self.end(client);
        match message.attribute(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, ..]) => {}
            Some([_, ..]) => return Err(UNSUPPORTED_TRANSPORT),
            Some([]) | None => return Err(BAD_REQUEST),
        }
        self.check_family(message)?;
        let meeting = self.admit_to_meeting(now, client, &asker.grant)?;
        // Ports aren't reserved: nobody needs a second one for RTCP any more (RFC 5761).
        let even = match message.attribute(attribute::EVEN_PORT) {
            Some([first, ..]) if first & 0x80 != 0 => return Err(CAPACITY),
            even => even.is_some(),
        };
        let (port, socket) = self.place(now, even).ok_or(CAPACITY)?;
        let limits = &self.config.limits;
        let allocation = Allocation {
            socket,
            port,
            grant: asker.grant,
            meeting,
            key: asker.key,
            username: asker.username.clone(),
            transaction: message.transaction,
            expires: now + self.lifetime(message),
            ends: now + limits.longest,
            budget: Bytes::new(now, limits.bytes_per_second),
            peers: Peers::default(),
        };
        let answer = self.allocated(now, client, message, &allocation);
        self.by_port.insert(port, client);
        self.allocations.insert(client, allocation);
        tracing::debug!(port, "allocated");
        Ok(answer)
    }

    fn allocated(
        &self,
        now: Instant,
        client: Source,
        message: &Message<'_>,
        allocation: &Allocation<P::Socket>,
    ) -> Builder {
        let relayed = SocketAddr::new(self.config.address, allocation.port);
        begin(message, Class::Success)
            .address(attribute::XOR_RELAYED_ADDRESS, relayed)
            .attribute(attribute::LIFETIME, &seconds(allocation.expires.saturating_duration_since(now)))
            .address(attribute::XOR_MAPPED_ADDRESS, client.address)
    }

    /// There is one relay address, and so one family.
    fn check_family(&self, message: &Message<'_>) -> Result<(), Refusal> {
        let ours = if self.config.address.is_ipv4() { IPV4 } else { IPV6 };
        match message.attribute(attribute::REQUESTED_ADDRESS_FAMILY) {
            None => Ok(()),
            Some([family, ..]) if *family == ours => Ok(()),
            Some(_) => Err(ADDRESS_FAMILY),
        }
    }

    fn lifetime(&self, message: &Message<'_>) -> Duration {
        let limits = &self.config.limits;
        let asked = message.number(attribute::LIFETIME).map(|seconds| Duration::from_secs(seconds.into()));
        asked.unwrap_or(limits.lifetime).clamp(limits.lifetime, limits.longest_lifetime.max(limits.lifetime))
    }

    /// The allocation that this asker may use.
    fn own(&mut self, now: Instant, client: Source, asker: &Asker) -> Result<&mut Allocation<P::Socket>, Refusal> {
        let allocation = self.allocations.get_mut(&client).filter(|allocation| allocation.lives(now));
        let allocation = allocation.ok_or(ALLOCATION_MISMATCH)?;
        if allocation.grant.is_for_the_same(&asker.grant) { Ok(allocation) } else { Err(WRONG_CREDENTIALS) }
    }

    fn refresh(&mut self, now: Instant, client: Source, message: &Message<'_>, asker: &Asker) -> Answer {
        let lifetime = self.lifetime(message);
        let family = self.check_family(message);
        let allocation = self.own(now, client, asker)?;
        family.map_err(|_| PEER_FAMILY)?;
        let left = if message.number(attribute::LIFETIME) == Some(0) {
            self.end(client);
            Duration::ZERO
        } else {
            allocation.expires = (now + lifetime).min(allocation.ends);
            // From now on by what it was refreshed with, so that a renewed credential holds.
            allocation.username.clone_from(&asker.username);
            allocation.key = asker.key;
            allocation.expires.saturating_duration_since(now)
        };
        Ok(begin(message, Class::Success).attribute(attribute::LIFETIME, &seconds(left)))
    }

    fn create_permission(&mut self, now: Instant, client: Source, message: &Message<'_>, asker: &Asker) -> Answer {
        self.own(now, client, asker)?;
        let peers: Option<Vec<_>> =
            message.all(attribute::XOR_PEER_ADDRESS).map(|value| unmask(value, &message.transaction)).collect();
        let peers = peers.filter(|peers| !peers.is_empty()).ok_or(BAD_REQUEST)?;
        for peer in &peers {
            self.check_peer(*peer)?;
        }
        let allocation = self.own(now, client, asker)?;
        if peers.iter().all(|peer| allocation.permit(now, peer.ip())) {
            Ok(begin(message, Class::Success))
        } else {
            Err(CAPACITY)
        }
    }

    /// A permission is for an address with any port. On the relay's own address each packet is looked at, and no answer tells at
    /// which of its ports the other of the two is: a stranger would learn by it that there is one.
    fn check_peer(&self, peer: SocketAddr) -> Result<(), Refusal> {
        if peer.is_ipv4() != self.config.address.is_ipv4() {
            return Err(PEER_FAMILY);
        }
        let is_own = peer.ip() == self.config.address;
        if is_own || self.config.filter.allows(peer.ip()) { Ok(()) } else { Err(FORBIDDEN) }
    }

    fn bind_channel(&mut self, now: Instant, client: Source, message: &Message<'_>, asker: &Asker) -> Answer {
        self.own(now, client, asker)?;
        let number = match message.attribute(attribute::CHANNEL_NUMBER) {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            Some(_) | None => return Err(BAD_REQUEST),
        };
        let peer = message.address(attribute::XOR_PEER_ADDRESS).ok_or(BAD_REQUEST)?;
        if !CHANNELS.contains(&number) {
            return Err(BAD_REQUEST);
        }
        self.check_peer(peer)?;
        let allocation = self.own(now, client, asker)?;
        if allocation.bind(now, number, peer) { Ok(begin(message, Class::Success)) } else { Err(BAD_REQUEST) }
    }
}

fn seconds(time: Duration) -> [u8; 4] {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX).to_be_bytes()
}
