//! Calls in the local network, which no server knows: whom a joiner may ask there.

use std::net::SocketAddr;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use visavis_lan::Search;

/// Finds out who says in the local network that there is a call to be joined.
pub trait Discovery: Send + Sync {
    /// The addresses at which servers say they are, as they are found. The search ends when the stream is dropped.
    fn search(&self) -> BoxStream<'static, SocketAddr>;
}

/// By multicast DNS. A network without it has nobody to be found.
#[derive(Clone, Copy, Debug, Default)]
pub struct MulticastDns;

impl Discovery for MulticastDns {
    fn search(&self) -> BoxStream<'static, SocketAddr> {
        match Search::begin() {
            Ok(search) => stream::unfold(search, |mut search| async {
                let found = search.next().await?;
                Some((stream::iter(found), search))
            })
            .flatten()
            .boxed(),
            Err(error) => {
                tracing::warn!(%error, "calls in the local network can't be found");
                stream::empty().boxed()
            }
        }
    }
}

/// Where a joiner asks besides the servers that have a name.
#[derive(Clone, Default)]
pub struct Nearby {
    /// WebSocket URLs that are known: the one that the code names, and those of other instances on this machine.
    pub known: Vec<String>,
    /// How others are found; none: only those known are asked.
    pub discovery: Option<Arc<dyn Discovery>>,
}

impl Nearby {
    /// Whether there is nobody to ask, and never will be.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.known.is_empty() && self.discovery.is_none()
    }

    /// What is found, and nothing where nobody looks. May be asked on after its end.
    pub(crate) fn search(&self) -> BoxStream<'static, SocketAddr> {
        self.discovery.as_ref().map_or_else(|| stream::pending().boxed(), |discovery| discovery.search().fuse().boxed())
    }
}

impl std::fmt::Debug for Nearby {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nearby").field("known", &self.known).field("searches", &self.discovery.is_some()).finish()
    }
}

/// The URL of an embedded server there.
#[must_use]
pub fn nearby_url(address: SocketAddr) -> String {
    format!("ws://{address}/ws")
}
