//! ICE over TCP (RFC 6544): where no datagram gets from one side to the other and no relay helps, a stream may.
//!
//! The library's own is left alone: it dials whatever the other side names, from whichever address of ours, accepts without
//! limit, and one slow stream holds up all that is sent. Here streams are carried from below, as those to relays are
//! ([`crate::relays`]): the library knows the other end of a stream as the other end of datagrams, and the sockets that it
//! gets ([`socket`]) put what goes there on the stream ([`link`]).
//!
//! - Beside each socket that is told as a host candidate a port is open for streams, told as a passive candidate. It closes
//!   once there is a path.
//! - A passive candidate of the other side is dialled when there is no path [`HEAD_START`] after it was told: datagrams are
//!   better in every way for a call. Who has accepted a stream holds it back for as long, for those that dial at once.
//! - Active candidates aren't told, since nothing follows from them: who dials shows its address by that. Simultaneous
//!   open isn't tried; routers that let it through are rare.
//!
//! With relay-only there is none of this.

mod link;
mod socket;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::oneshot;
use webrtc::runtime::{AsyncUdpSocket, Runtime};

use self::link::Links;
use crate::stats::SelectedPair;
use crate::streams::Streams;

/// What datagrams, and relays over them, are given before a stream is tried.
pub(crate) const HEAD_START: Duration = Duration::from_millis(1500);
/// Ports below are for servers of other kinds: the other side is to make us knock at none of them.
const LOWEST_PORT: u16 = 1024;
/// The port of a candidate that only dials (RFC 6544, section 4.5).
const DISCARD_PORT: u16 = 9;
/// Candidates of the other side that are known as such.
const MOST_DIALLED: usize = 16;
/// The same of those for datagrams; no more are taken of one description.
const MOST_DATAGRAMS: usize = 64;
/// The type preference (RFC 8445, section 5.1.2.1): any datagram but a relayed one goes before.
const TYPE_PREFERENCE: u32 = 80;
/// Of host candidates over TCP (RFC 6544, section 4.2), passive ones.
const DIRECTION_PREFERENCE: u32 = 4;

/// The streams between the two sides of one connection.
#[derive(Debug)]
pub(crate) struct IceTcp {
    streams: Option<Arc<dyn Streams>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ports for streams, each beside a socket at the address that is the key. Dropping the sender closes one.
    listening: HashMap<SocketAddr, (SocketAddr, oneshot::Sender<()>)>,
    /// Where the other side takes streams, the latest of it last.
    dialled: VecDeque<SocketAddr>,
    /// Where it takes datagrams, likewise.
    datagrams: VecDeque<SocketAddr>,
    /// Each socket's streams.
    links: HashMap<SocketAddr, Arc<Mutex<Links>>>,
}

impl IceTcp {
    /// Without `streams` there is no ICE over TCP.
    pub(crate) fn new(streams: Option<Arc<dyn Streams>>) -> Arc<Self> {
        Arc::new(Self { streams, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The socket, with streams to the other side behind it.
    pub(crate) fn guard(
        self: &Arc<Self>,
        inner: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let Some(streams) = self.streams.clone() else { return Ok(inner) };
        // Within a machine datagrams always get through, and nobody needs to be led to its other ports.
        if !streams.is_of_network(inner.local_addr()?.ip()) {
            return Ok(inner);
        }
        Ok(socket::StreamSocket::new(inner, runtime, Arc::clone(self), streams)?)
    }

    /// The passive candidate that goes with a host candidate of ours for datagrams.
    pub(crate) fn beside(&self, line: &str) -> Option<String> {
        let [foundation, component, _, priority, ip, port, "typ", "host", ..] = fields(line)[..] else { return None };
        let socket = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
        let (at, _) = *self.state().listening.get(&socket).map(|(at, open)| (*at, open)).as_ref()?;
        let priority = passive_priority(priority.parse().ok()?);
        let foundation = foundation.trim_start_matches("candidate:");
        Some(format!(
            "candidate:{foundation}tcp {component} tcp {priority} {ip} {} typ host tcptype passive",
            at.port()
        ))
    }

    /// A passive candidate of the other side: where it is, and the line as the library may have it; `None` for one that isn't
    /// dialled.
    pub(crate) fn for_library(&self, line: &str) -> Option<(SocketAddr, String)> {
        let streams = self.streams.as_ref()?;
        let [foundation, component, _, priority, ip, port, ..] = fields(line)[..] else { return None };
        let to = SocketAddr::new(ip.parse().ok()?, port.parse().ok()?);
        let allowed = streams.is_of_network(to.ip()) && may_be_dialled(to);
        allowed.then(|| (to, format!("{foundation} {component} udp {priority} {ip} {port} typ host")))
    }

    /// What goes there from now on goes over a stream. `false`: it is known as a place for datagrams, which it stays.
    pub(crate) fn dial(&self, to: SocketAddr) -> bool {
        let mut state = self.state();
        if state.datagrams.contains(&to) {
            return false;
        }
        remember(&mut state.dialled, to, MOST_DIALLED);
        true
    }

    /// A candidate of the other side for datagrams.
    pub(crate) fn takes_datagrams(&self, line: &str) {
        if let [_, _, _, _, ip, port, ..] = fields(line)[..]
            && let (Ok(ip), Ok(port)) = (ip.parse(), port.parse())
        {
            let (mut state, to) = (self.state(), SocketAddr::new(ip, port));
            state.dialled.retain(|known| *known != to);
            remember(&mut state.datagrams, to, MOST_DATAGRAMS);
        }
    }

    /// The other side has described itself anew: its candidates so far count no more.
    pub(crate) fn described(&self) {
        let mut state = self.state();
        state.dialled.clear();
        state.datagrams.clear();
    }

    /// There is a path: nobody needs to come by a stream any more, nor has to be heard who has and is still held back.
    pub(crate) fn close_ports(&self) {
        self.state().listening.clear();
        for links in self.all_links() {
            link::lock(&links).drop_unproven();
        }
    }

    /// Names a stream as such, where the path in use is one.
    pub(crate) fn tell(&self, pair: &mut SelectedPair) {
        let Ok(ip) = pair.remote.address.parse() else { return };
        let remote = SocketAddr::new(ip, pair.remote.port);
        let port = self.all_links().iter().find_map(|links| link::lock(links).port_of(remote));
        let Some(port) = port else { return };
        pair.local.port = port.unwrap_or(DISCARD_PORT);
        pair.local.protocol = "tcp".to_owned();
        pair.remote.protocol = "tcp".to_owned();
    }

    /// Not to be asked for with any of them locked; who has one locked may lock the state.
    fn all_links(&self) -> Vec<Arc<Mutex<Links>>> {
        self.state().links.values().cloned().collect()
    }

    fn is_dialled(&self, to: SocketAddr) -> bool {
        self.state().dialled.contains(&to)
    }

    fn opened(&self, socket: SocketAddr, links: Arc<Mutex<Links>>, port: Option<(SocketAddr, oneshot::Sender<()>)>) {
        let mut state = self.state();
        state.links.insert(socket, links);
        if let Some(port) = port {
            state.listening.insert(socket, port);
        }
    }

    fn closed(&self, socket: SocketAddr) {
        let mut state = self.state();
        state.links.remove(&socket);
        state.listening.remove(&socket);
    }
}

fn remember(known: &mut VecDeque<SocketAddr>, place: SocketAddr, most: usize) {
    known.retain(|other| *other != place);
    known.push_back(place);
    if known.len() > most {
        known.pop_front();
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// Nothing that isn't one host, and no server's usual port. What a router or a cloud keeps at
/// link-local addresses isn't the other side's either.
fn may_be_dialled(to: SocketAddr) -> bool {
    let is_host = match to.ip().to_canonical() {
        IpAddr::V4(ip) => !ip.is_link_local() && ip != Ipv4Addr::BROADCAST,
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    };
    let ip = to.ip().to_canonical();
    is_host && !ip.is_unspecified() && !ip.is_multicast() && to.port() >= LOWEST_PORT
}

/// The priority of a passive candidate beside one for datagrams whose local preference it keeps (RFC 6544, section 4.2).
fn passive_priority(datagrams: u32) -> u32 {
    let (preference, component) = ((datagrams >> 8) & 0xFFFF, datagrams & 0xFF);
    (TYPE_PREFERENCE << 24) | ((DIRECTION_PREFERENCE << 13 | preference >> 3) << 8) | component
}
