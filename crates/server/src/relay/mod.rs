//! The relay: STUN (RFC 8489) and TURN (RFC 8656) for those who have met on this server, over UDP, TCP and TLS. [`Table`]
//! decides, this module has the sockets: one that all clients talk to over UDP, one for each allocation, and `streams`.
//!
//! Who may ask it for something: whoever shows a credential that this server has made for a meeting that goes on. For whom it
//! carries packets: two who have both confirmed one another, see [`Meeting`]. What it reaches: the public Internet, never the
//! network that it stands in; see [`PeerFilter`].

mod allocation;
mod budget;
mod credential;
mod filter;
mod issue;
mod meeting;
mod nonce;
mod place;
mod requests;
mod streams;
mod table;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdTcpListener, UdpSocket as StdUdpSocket};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use credential::{Grant, MAX_USERNAME_BYTES, MeetingId, Secret};
pub use filter::{BadCidr, Cidr, PeerFilter, is_public};
pub use issue::IceConfig;
pub(crate) use issue::{Issuer, LiveMeetings, Servers};
pub use meeting::Meeting;
use streams::{StreamLimits, Streams};
pub use table::{Effect, Meetings, Ports, RelayCounts, RelayLimits, Source, Table, TableConfig};
#[cfg(feature = "hosting")]
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::AbortHandle;
use visavis_stun::DEFAULT_PORT;

/// The ports of allocations, as the standard proposes them (RFC 8656, section 7.2).
pub const DEFAULT_PORTS: RangeInclusive<u16> = 49152..=65535;
/// The largest datagram.
const DATAGRAM_BYTES: usize = 65_536;
/// Ports tried at random before the range counts as full.
const PORT_TRIES: usize = 32;
/// Streams for each allocation that there may be: some clients are just being turned down.
const STREAMS_PER_ALLOCATION: usize = 2;

/// What the relay is started with.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where it listens. All addresses mean the public one if this machine has it.
    pub listen: SocketAddr,
    /// The address by which the world reaches it. It may be another than the machine's own, where a router translates.
    pub public_address: IpAddr,
    /// The ports of allocations.
    pub ports: RangeInclusive<u16>,
    /// Ranges that it reaches although they aren't public.
    pub allow_peers: Vec<Cidr>,
    /// What may be used.
    pub limits: RelayLimits,
    /// The name by which clients come over TLS, where the server speaks it: it shares the port of signalling.
    pub tls_name: Option<String>,
}

impl RelayConfig {
    /// On all addresses of this machine, on the usual ports.
    #[must_use]
    pub fn new(public_address: IpAddr) -> Self {
        let any: IpAddr =
            if public_address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        Self {
            listen: SocketAddr::new(any, DEFAULT_PORT),
            public_address,
            ports: DEFAULT_PORTS,
            allow_peers: Vec::new(),
            limits: RelayLimits::default(),
            tls_name: None,
        }
    }
}

/// A relay that serves. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Relay {
    /// As the world sees it.
    address: SocketAddr,
    service: Arc<Service>,
    serving: [AbortHandle; 2],
}

/// Tells how busy a relay is.
#[derive(Debug, Clone)]
pub(crate) struct RelayGauge(Arc<Service>);

impl RelayGauge {
    pub(crate) fn counts(&self) -> RelayCounts {
        self.0.table().counts(Instant::now())
    }
}

impl Relay {
    /// For whoever watches.
    pub(crate) fn gauge(&self) -> RelayGauge {
        RelayGauge(Arc::clone(&self.service))
    }

    /// Binds its sockets and begins to serve, within a Tokio runtime.
    pub(crate) fn start(
        config: &RelayConfig,
        realm: String,
        secret: Secret,
        nonce_key: [u8; 32],
        meetings: Box<dyn Meetings>,
    ) -> io::Result<Self> {
        // On all addresses, answers would leave from whichever is nearest to the client, and its router would drop them.
        let listen = match config.listen.ip().is_unspecified() {
            true => SocketAddr::new(relay_ip(config.public_address, config.listen.ip()), config.listen.port()),
            false => config.listen,
        };
        let (udp, listener) = bind_both(listen)?;
        let address = udp.udp.local_addr()?;
        let rules = TableConfig {
            realm,
            address: config.public_address,
            secret,
            filter: PeerFilter::new(config.allow_peers.clone(), vec![config.public_address, address.ip()]),
            limits: config.limits.clone(),
            nonce_key,
            unix_time: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO),
        };
        let all = config.limits.allocations.saturating_mul(STREAMS_PER_ALLOCATION);
        let streams = Streams::new(StreamLimits::new(all, config.limits.per_source));
        let clients = Arc::new(Clients { udp, streams });
        let ip = relay_ip(config.public_address, address.ip());
        let table = Arc::new_cyclic(|table| {
            let (clients, table) = (Arc::clone(&clients), Weak::clone(table));
            let ports = UdpPorts { ip, range: config.ports.clone(), clients, table };
            Mutex::new(Table::new(Instant::now(), rules, ports, meetings))
        });
        let service = Arc::new(Service { clients, table });
        let serving = [
            tokio::spawn(serve_datagrams(Arc::clone(&service))).abort_handle(),
            tokio::spawn(streams::accept_all(listener, Arc::clone(&service))).abort_handle(),
        ];
        Ok(Self { address: SocketAddr::new(config.public_address, address.port()), service, serving })
    }

    /// Its URLs (RFC 7064, RFC 7065), with the port that it really got.
    pub(crate) fn urls(&self) -> Vec<String> {
        let address = self.address;
        vec![
            format!("stun:{address}"),
            format!("turn:{address}?transport=udp"),
            format!("turn:{address}?transport=tcp"),
        ]
    }

    /// Serves those who come over TLS.
    #[cfg(feature = "hosting")]
    pub(crate) fn service(&self) -> Arc<Service> {
        Arc::clone(&self.service)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for serving in &self.serving {
            serving.abort();
        }
    }
}

/// The ways to clients.
#[derive(Debug)]
struct Clients {
    udp: Socket,
    streams: Streams,
}

impl Clients {
    fn send(&self, to: Source, datagram: &[u8]) {
        match to.stream {
            Some(stream) => self.streams.send(stream, datagram),
            None => self.udp.send(datagram, to.address),
        }
    }
}

/// The table, with what it takes to do what it says.
pub(crate) struct Service {
    clients: Arc<Clients>,
    table: Arc<Mutex<Table<UdpPorts>>>,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

impl Service {
    fn table(&self) -> MutexGuard<'_, Table<UdpPorts>> {
        lock(&self.table)
    }

    /// Takes what a client sends; `out` is for its answer.
    fn take(&self, client: Source, datagram: &[u8], out: &mut Vec<u8>) {
        let effect = self.table().from_client(Instant::now(), client, datagram, out);
        match effect {
            Effect::Nothing => {}
            Effect::ToClient(client) => self.clients.send(client, out),
            Effect::ToPeer(port, peer, data) => port.socket.send(data, peer),
        }
    }

    /// Serves a client over a stream to its end.
    #[cfg(feature = "hosting")]
    pub(crate) async fn serve(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Send, from: SocketAddr) {
        streams::serve(stream, from, self).await;
    }
}

/// The same port over UDP and TCP, so that one number is told. A port that any may be is tried for again when it is only
/// free for one of the two.
fn bind_both(listen: SocketAddr) -> io::Result<(Socket, TcpListener)> {
    let bind = || {
        let udp = Socket::bind(listen)?;
        let listener = StdTcpListener::bind(SocketAddr::new(listen.ip(), udp.udp.local_addr()?.port()))?;
        listener.set_nonblocking(true)?;
        Ok((udp, TcpListener::from_std(listener)?))
    };
    let mut bound = bind();
    for _ in 0..if listen.port() == 0 { PORT_TRIES } else { 0 } {
        if bound.is_ok() {
            break;
        }
        bound = bind();
    }
    bound
}

/// Where allocations are bound: to the public address if this machine has it, so that peers see packets come from it;
/// else to where clients come in.
fn relay_ip(public: IpAddr, listen: IpAddr) -> IpAddr {
    if StdUdpSocket::bind((public, 0)).is_ok() { public } else { listen }
}

/// A bound socket. Over IPv6 it carries IPv4 too, in IPv6's clothes.
#[derive(Debug)]
struct Socket {
    udp: UdpSocket,
    over_v6: bool,
}

impl Socket {
    fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = StdUdpSocket::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { udp: UdpSocket::from_std(socket)?, over_v6: address.is_ipv6() })
    }

    async fn receive(&self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            match self.udp.recv_from(buffer).await {
                Ok((length, from)) => return (length, SocketAddr::new(from.ip().to_canonical(), from.port())),
                // On some systems an earlier packet's "unreachable" is an error of the next read; it says nothing about
                // the socket. One that fails for good mustn't become a busy loop.
                Err(error) => {
                    tracing::debug!(%error, "a read of the relay failed");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }

    fn send(&self, data: &[u8], to: SocketAddr) {
        let to = match to {
            SocketAddr::V4(v4) if self.over_v6 => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            SocketAddr::V4(_) | SocketAddr::V6(_) => to,
        };
        // What doesn't go out is lost, as it may be on the rest of its way.
        let _ = self.udp.try_send_to(data, to);
    }
}

fn lock(table: &Mutex<Table<UdpPorts>>) -> MutexGuard<'_, Table<UdpPorts>> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An allocation's socket, and the task that reads it.
struct RelayPort {
    socket: Arc<Socket>,
    reading: AbortHandle,
}

impl Drop for RelayPort {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Binds the sockets of allocations.
struct UdpPorts {
    ip: IpAddr,
    range: RangeInclusive<u16>,
    clients: Arc<Clients>,
    table: Weak<Mutex<Table<UdpPorts>>>,
}

impl UdpPorts {
    /// A port at random (RFC 8656, section 7.2), so that a stranger can't guess the next one.
    fn free_port(&self, even: bool) -> Option<(u16, Socket)> {
        let count = u32::from(self.range.end().checked_sub(*self.range.start())?) + 1;
        (0..PORT_TRIES).find_map(|_| {
            let mut random = [0; 4];
            getrandom::fill(&mut random).ok()?;
            let port = *self.range.start() + u16::try_from(u32::from_be_bytes(random) % count).ok()?;
            let port = if even { port & !1 } else { port };
            if !self.range.contains(&port) {
                return None;
            }
            Socket::bind(SocketAddr::new(self.ip, port)).ok().map(|socket| (port, socket))
        })
    }
}

impl Ports for UdpPorts {
    type Socket = Arc<RelayPort>;

    fn open(&mut self, even: bool) -> Option<(u16, Self::Socket)> {
        let (port, socket) = self.free_port(even)?;
        let socket = Arc::new(socket);
        let reads = serve_peers(port, Arc::clone(&socket), Arc::clone(&self.clients), Weak::clone(&self.table));
        let reading = tokio::spawn(reads).abort_handle();
        Some((port, Arc::new(RelayPort { socket, reading })))
    }
}

/// What clients send over UDP.
async fn serve_datagrams(service: Arc<Service>) {
    let (mut datagram, mut out) = (vec![0; DATAGRAM_BYTES], Vec::new());
    loop {
        let (length, client) = service.clients.udp.receive(&mut datagram).await;
        service.take(client.into(), &datagram[..length], &mut out);
    }
}

/// What peers send to one allocation.
async fn serve_peers(port: u16, socket: Arc<Socket>, clients: Arc<Clients>, table: Weak<Mutex<Table<UdpPorts>>>) {
    let (mut datagram, mut out) = (vec![0; DATAGRAM_BYTES], Vec::new());
    loop {
        let (length, peer) = socket.receive(&mut datagram).await;
        let Some(table) = table.upgrade() else { return };
        let client = lock(&table).from_peer(Instant::now(), port, peer, &datagram[..length], &mut out);
        if let Some(client) = client {
            clients.send(client, &out);
        }
    }
}
