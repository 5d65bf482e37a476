//! Names in the local network, by multicast DNS ([`visavis_lan::Names`]), which is asked for nothing before there is something
//! to name or to look up.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use visavis_lan::{Names, is_of_local_network};
use visavis_transport::{LocalNames, Resolving};

/// The names of one connection.
#[derive(Debug, Default)]
pub(crate) struct SystemNames {
    /// Empty inside where multicast DNS doesn't work.
    names: OnceLock<Option<Arc<Names>>>,
}

impl SystemNames {
    fn names(&self) -> Option<Arc<Names>> {
        let begin = || Names::new().inspect_err(|error| tracing::warn!(%error, "no names in the local network")).ok();
        self.names.get_or_init(|| begin().map(Arc::new)).clone()
    }
}

impl LocalNames for SystemNames {
    fn publish(&self, ip: IpAddr) -> Option<String> {
        let published = self.names()?.publish(ip);
        published.inspect_err(|error| tracing::warn!(%error, "an address can't be named")).ok()
    }

    fn resolve(&self, name: &str) -> Resolving {
        let (names, name) = (self.names(), name.to_owned());
        Box::pin(async move { names?.resolve(&name).await })
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        is_of_local_network(ip)
    }
}
