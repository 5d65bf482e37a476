//! One allocation (RFC 8656, section 3.2): what the server does for one client, and whom it lets reach it.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use visavis_stun::TransactionId;

use super::budget::Bytes;
use super::credential::Grant;
use super::meeting::Meeting;

/// How long a permission holds (RFC 8656, section 9).
pub(super) const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);
/// How long a channel holds (RFC 8656, section 12).
pub(super) const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);
/// Permissions of one allocation: the candidates of one other, and some to spare.
const MAX_PERMISSIONS: usize = 64;
const MAX_CHANNELS: usize = 64;

/// A client's allocation.
#[derive(Debug)]
pub(super) struct Allocation<S> {
    pub(super) socket: S,
    pub(super) port: u16,
    pub(super) grant: Grant,
    pub(super) meeting: Meeting,
    /// Signs what the server answers, and what the client asks.
    pub(super) key: [u8; 16],
    pub(super) username: String,
    /// The request that it came from, should that come again.
    pub(super) transaction: TransactionId,
    pub(super) expires: Instant,
    /// Beyond this it isn't prolonged.
    pub(super) ends: Instant,
    pub(super) budget: Bytes,
    pub(super) peers: Peers,
}

/// Whom the client lets reach it, and the short names that it gave them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    permissions: Vec<(IpAddr, Instant)>,
    channels: Vec<Channel>,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    until: Instant,
}

impl<S> Allocation<S> {
    /// Whether it is there: not once it has lapsed, nor when its meeting came to nothing.
    pub(super) fn lives(&self, now: Instant) -> bool {
        self.expires > now && !self.meeting.came_to_nothing()
    }

    /// Whether packets pass: only for a pair.
    pub(super) fn carries(&self, now: Instant) -> bool {
        self.lives(now) && self.meeting.is_pair()
    }

    /// Lets this peer reach the client for a while. `false` when there are too many already.
    pub(super) fn permit(&mut self, now: Instant, ip: IpAddr) -> bool {
        let until = now + PERMISSION_LIFETIME;
        self.peers.permissions.retain(|(_, until)| *until > now);
        let full = self.peers.permissions.len() >= MAX_PERMISSIONS;
        match self.peers.permissions.iter_mut().find(|(permitted, _)| *permitted == ip) {
            Some((_, old)) => *old = until,
            None if full => return false,
            None => self.peers.permissions.push((ip, until)),
        }
        true
    }

    pub(super) fn permits(&self, now: Instant, ip: IpAddr) -> bool {
        self.peers.permissions.iter().any(|(permitted, until)| *permitted == ip && *until > now)
    }

    /// Binds a channel, or prolongs it. `false` when the channel has another peer, the peer another channel, or there are
    /// too many.
    pub(super) fn bind(&mut self, now: Instant, number: u16, peer: SocketAddr) -> bool {
        let until = now + CHANNEL_LIFETIME;
        self.peers.channels.retain(|channel| channel.until > now);
        let full = self.peers.channels.len() >= MAX_CHANNELS;
        let same = self.peers.channels.iter_mut().find(|channel| channel.number == number || channel.peer == peer);
        match same {
            Some(channel) if channel.number == number && channel.peer == peer => channel.until = until,
            Some(_) => return false,
            None if full => return false,
            None => self.peers.channels.push(Channel { number, peer, until }),
        }
        self.permit(now, peer.ip())
    }

    pub(super) fn peer_of(&self, now: Instant, number: u16) -> Option<SocketAddr> {
        let found = self.peers.channels.iter().find(|channel| channel.number == number && channel.until > now);
        found.map(|channel| channel.peer)
    }

    pub(super) fn channel_of(&self, now: Instant, peer: SocketAddr) -> Option<u16> {
        let found = self.peers.channels.iter().find(|channel| channel.peer == peer && channel.until > now);
        found.map(|channel| channel.number)
    }
}
