//! Listening for calls.

use std::net::{IpAddr, SocketAddr};

use mdns_sd::{Receiver, ScopedIp, ServiceDaemon, ServiceEvent};

use crate::SERVICE;
use crate::announce::daemon;
use crate::found::Found;

/// Multicast DNS doesn't work here.
#[derive(Debug, thiserror::Error)]
#[error("multicast DNS doesn't work here: {0}")]
pub struct SearchError(#[from] mdns_sd::Error);

/// A search that goes on while this value lives.
pub struct Search {
    daemon: ServiceDaemon,
    events: Receiver<ServiceEvent>,
    found: Found,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("found", &self.found).finish_non_exhaustive()
    }
}

impl Search {
    /// Asks the networks around this machine who has a call to be joined.
    ///
    /// # Errors
    /// [`SearchError`]. That nobody hears the question is no error, and can't be known.
    pub fn begin() -> Result<Self, SearchError> {
        Self::begin_by(daemon(mdns_sd::MDNS_PORT)?)
    }

    fn begin_by(daemon: ServiceDaemon) -> Result<Self, SearchError> {
        let events = daemon.browse(SERVICE)?;
        Ok(Self { daemon, events, found: Found::default() })
    }

    /// The next addresses at which somebody says that there is a call, best first; `None` when the search has ended.
    pub async fn next(&mut self) -> Option<Vec<SocketAddr>> {
        loop {
            let news = self.hear(self.events.recv_async().await.ok()?);
            if !news.is_empty() {
                return Some(news);
            }
        }
    }

    fn hear(&mut self, event: ServiceEvent) -> Vec<SocketAddr> {
        let ServiceEvent::ServiceResolved(service) = event else { return Vec::new() };
        let addresses: Vec<IpAddr> = service.addresses.iter().map(ScopedIp::to_ip_addr).collect();
        self.found.take(&service.fullname, service.port, addresses)
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        // If it can't be asked any more, it has ended.
        let _ = self.daemon.shutdown();
    }
}
