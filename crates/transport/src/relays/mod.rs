//! Relays over TCP and TLS, from below: the library speaks with TURN servers over UDP alone and skips all others.
//!
//! It is told of each of those as of one over UDP at an address that no host has ([`stand_in`]). The sockets that it gets
//! ([`socket`]) catch what goes there and carry it over a stream ([`stream`]), framed as RFC 8656, section 12.5 wants. Relays
//! are tried side by side: those over UDP at once, those over streams when nobody has answered for [`HEAD_START`]; whoever
//! serves a socket first makes those superfluous that aren't connected yet. [`ledger`] notes how each server stands.

mod ledger;
mod obstacle;
mod socket;
pub(crate) mod stand_in;
mod stream;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::{Either, select};
use visavis_call::Obstacle;
use visavis_stun::{Carrier, ServerUrl, Service};
use webrtc::runtime::{AsyncUdpSocket, Runtime};

pub use ledger::{ServerReport, Standing};

use self::ledger::Ledger;
use crate::streams::Streams;

/// What a relay over UDP is given before one over a stream is tried too, and each stream before the next.
const HEAD_START: Duration = Duration::from_millis(300);
/// A resolver that is silent must not hold up everything else: the library waits for it before all its other work.
const RESOLVING: Duration = Duration::from_secs(3);

/// The STUN and TURN servers of one connection.
#[derive(Debug)]
pub(crate) struct Relays {
    streams: Option<Arc<dyn Streams>>,
    ledger: Mutex<Ledger>,
}

impl Relays {
    pub(crate) fn new(streams: Option<Arc<dyn Streams>>) -> Arc<Self> {
        Arc::new(Self { streams, ledger: Mutex::default() })
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The URL by which the library may have a server; `None` for one that is of no use to it.
    pub(crate) fn for_library(&self, url: &ServerUrl) -> Option<String> {
        match (url.service, url.carrier) {
            (_, Carrier::Udp) => {
                self.ledger().number(url)?;
                Some(url.to_string())
            }
            // The address that a stream comes from is no candidate for datagrams.
            (Service::Stun, Carrier::Tcp | Carrier::Tls) => None,
            (Service::Turn, Carrier::Tcp | Carrier::Tls) => {
                self.streams.as_ref()?;
                let host = stand_in::name(self.ledger().number(url)?);
                Some(format!("turn:{host}:{}?transport=udp", url.port))
            }
        }
    }

    /// Resolves a server that the library asks for. Its names for streams lead to what stands in for them, and nothing of them
    /// reaches the resolver.
    pub(crate) async fn resolve(&self, runtime: &Arc<dyn Runtime>, host: &str) -> io::Result<Vec<SocketAddr>> {
        let stream = host.rsplit_once(':').and_then(|(name, port)| Some((stand_in::number_of_name(name)?, port)));
        if let Some((number, port)) = stream {
            return Ok(stand_in::addresses(number, port.parse().unwrap_or_default()).to_vec());
        }
        // The library leaves out the brackets around an address of IPv6.
        let place = self.ledger().place(host).unwrap_or_else(|| host.to_owned());
        let resolving = select(runtime.resolve_host(&place), runtime.sleep(RESOLVING)).await;
        let found = match resolving {
            Either::Left((found, _)) => found,
            Either::Right(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the resolver doesn't answer")),
        };
        let note = match &found {
            Ok(addresses) => Ok(addresses.clone()),
            Err(error) => Err(format!("its name can't be resolved: {error}")),
        };
        self.ledger().resolved(&place, &note);
        found
    }

    /// The socket, with relays over streams behind it.
    pub(crate) fn guard(
        self: &Arc<Self>,
        inner: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
    ) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(socket::RelaySocket::new(inner, runtime, Arc::clone(self))?))
    }

    /// Whether a server of ours is there.
    pub(crate) fn is_server(&self, address: SocketAddr) -> bool {
        self.ledger().is_server(address)
    }

    /// What stands in the way of a path, as far as the servers tell.
    pub(crate) fn obstacle(&self, runtime: &Arc<dyn Runtime>) -> Option<Obstacle> {
        obstacle::of(&self.ledger().reports(runtime.now(), obstacle::SUSPICIOUS))
    }

    /// Whether there are relays, and each has refused, failed or kept silent.
    pub(crate) fn have_all_failed(&self, runtime: &Arc<dyn Runtime>) -> bool {
        let reports = self.reports(runtime);
        let mut relays = reports.iter().filter(|report| report.server.service == Service::Turn).peekable();
        relays.peek().is_some()
            && relays
                .all(|relay| matches!(relay.standing, Standing::Refused(..) | Standing::Failed(_) | Standing::Silent))
    }

    /// How each server stands.
    pub(crate) fn reports(&self, runtime: &Arc<dyn Runtime>) -> Vec<ServerReport> {
        self.ledger().reports(runtime.now(), ledger::PATIENCE)
    }
}
