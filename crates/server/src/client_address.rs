//! Whose a request is. Behind a proxy every connection comes from the proxy, and it says in `X-Forwarded-For` for whom;
//! but anybody can write that header, so it counts only from proxies that the host has named.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

use crate::gate::Gate;

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Entries that are looked at; no honest chain of proxies is longer.
const MOST_ENTRIES: usize = 16;

/// The other end of a connection, as the system has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The address for which a request is counted. Each proxy adds the address that it was asked from at the end, so the last
/// one that isn't a proxy of ours is the client's; what stands before it the client may have written itself.
pub(crate) fn client_address(peer: IpAddr, headers: &HeaderMap, gate: &Gate) -> IpAddr {
    let mut client = peer.to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = values.flat_map(|value| value.split(',')).collect();
    for entry in entries.into_iter().rev().take(MOST_ENTRIES) {
        if !gate.is_proxy(client) {
            break;
        }
        let Some(address) = parse(entry.trim()) else { break };
        client = address.to_canonical();
    }
    client
}

/// An address, with or without port and brackets.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Instant;

    use visavis_signaling::server::Limits;

    use super::*;
    use crate::Audience;

    fn found(peer: &str, forwarded: &[&str]) -> String {
        let proxies = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/64".parse().unwrap()];
        let gate = Gate::new(&Limits::default(), Audience::Everybody, proxies, Instant::now());
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        client_address(peer.parse().unwrap(), &headers, &gate).to_string()
    }

    #[test]
    fn a_proxy_is_believed_and_nobody_else() {
        assert_eq!(found("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(found("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(found("::ffff:10.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(found("2001:db8::1", &["[2001:db8:9::7]:443"]), "2001:db8:9::7");
    }

    #[test]
    fn what_the_client_wrote_before_the_proxy_is_not_believed() {
        assert_eq!(found("10.0.0.1", &["1.1.1.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(found("10.0.0.1", &["1.1.1.1", "198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(found("10.0.0.1", &["10.0.0.9, nonsense"]), "10.0.0.1");
        assert_eq!(found("10.0.0.1", &[]), "10.0.0.1");
    }
}
