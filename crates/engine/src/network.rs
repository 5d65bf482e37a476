//! Watches the addresses of this machine: a cable that is pulled out, a network that is joined.
//!
//! Asked once a second instead of subscribed to, which every system does in a way of its own.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::stats::PathEnd;

/// What is known of this machine's addresses.
#[derive(Debug, Default)]
pub(crate) struct NetworkWatch {
    known: Option<BTreeSet<IpAddr>>,
}

/// The addresses have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NetworkChange {
    /// Some are gone; else there are only new ones.
    pub(crate) some_gone: bool,
    /// The path stood on one that is gone.
    pub(crate) path_gone: bool,
}

impl NetworkWatch {
    /// Compares the addresses with those of the last look. `path` is our end of the path in use.
    pub(crate) fn look(
        &mut self,
        addresses: impl IntoIterator<Item = IpAddr>,
        path: Option<&PathEnd>,
    ) -> Option<NetworkChange> {
        let now: BTreeSet<IpAddr> = addresses.into_iter().collect();
        let before = self.known.replace(now.clone())?;
        if before == now {
            return None;
        }
        let gone: BTreeSet<_> = before.difference(&now).copied().collect();
        let path_gone = path.is_some_and(|path| match path.address.parse() {
            Ok(address) if path.candidate_type == "host" => gone.contains(&address),
            // Which of our own addresses stands behind a public one isn't known.
            Ok(_) | Err(_) => !gone.is_empty(),
        });
        Some(NetworkChange { some_gone: !gone.is_empty(), path_gone })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    fn end(kind: &str, address: &str) -> PathEnd {
        PathEnd {
            candidate_type: kind.into(),
            address: address.into(),
            port: 4000,
            protocol: "udp".into(),
            relay_protocol: None,
        }
    }

    #[test]
    fn only_the_address_under_the_path_takes_it_along() {
        let (wifi, cable) = ("192.168.1.5", "10.0.0.7");
        for (path, before, after, expected) in [
            (end("host", wifi), ips(&[wifi]), ips(&[wifi]), None),
            (end("host", wifi), ips(&[wifi]), ips(&[wifi, cable]), Some((false, false))),
            (end("host", wifi), ips(&[wifi, cable]), ips(&[wifi]), Some((true, false))),
            (end("host", wifi), ips(&[wifi, cable]), ips(&[cable]), Some((true, true))),
            (end("srflx", "198.51.100.7"), ips(&[wifi]), ips(&[cable]), Some((true, true))),
            (end("relay", "198.51.100.7"), ips(&[wifi]), ips(&[wifi, cable]), Some((false, false))),
        ] {
            let mut watch = NetworkWatch::default();
            assert_eq!(watch.look(before, Some(&path)), None);
            let found = watch.look(after, Some(&path)).map(|change| (change.some_gone, change.path_gone));
            assert_eq!(found, expected, "{path:?}");
        }
    }
}
