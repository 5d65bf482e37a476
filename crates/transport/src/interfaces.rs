//! Which addresses of this machine a connection binds.
//!
//! Asked anew at every bind, so that an ICE restart after a change of network finds the addresses of the new one. A
//! wildcard would leave loopback out, and two windows on one machine without a network could not reach each other.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use if_addrs::{Interface, get_if_addrs};

/// More sockets than this make ICE slow and help nobody: every address is checked against every one of the other side.
const MAX_ADDRESSES: usize = 12;

/// The addresses to bind: those given, or all that the machine has.
#[derive(Clone, Debug)]
pub(crate) struct LocalAddresses(pub(crate) Vec<IpAddr>);

impl ToSocketAddrs for LocalAddresses {
    type Iter = std::vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        let mut ips = if self.0.is_empty() { interface_addresses()? } else { self.0.clone() };
        ips.truncate(MAX_ADDRESSES);
        Ok(ips.into_iter().map(|ip| SocketAddr::new(ip, 0)).collect::<Vec<_>>().into_iter())
    }
}

/// The addresses that a connection would bind now, were none named.
///
/// # Errors
/// When the system doesn't tell.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    interface_addresses()
}

fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    // An interface that is down or has no carrier keeps its addresses for a while, and nothing comes from there.
    Ok(usable(get_if_addrs()?.iter().filter(|interface| interface.is_oper_up()).map(Interface::ip)))
}

/// What can be told to another machine, loopback last and once: it is for two windows on this one.
fn usable(all: impl Iterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut loopback: Vec<IpAddr> = Vec::new();
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in all {
        if ip.is_loopback() {
            loopback.push(ip);
        } else if can_be_told(ip) && !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    // IPv4 before IPv6 only within loopback, where one is enough.
    loopback.sort();
    ips.truncate(MAX_ADDRESSES - 1);
    ips.extend(loopback.first());
    ips
}

fn can_be_told(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        // fe80::/10 means nothing without its scope, which a candidate can't carry.
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip.segments()[0] & 0xffc0 != 0xfe80,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn ips(list: &[&str]) -> Vec<IpAddr> {
        list.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_is_there_once_and_last_and_link_local_v6_is_not() {
        let found = ips(&["::1", "127.0.0.1", "fe80::1", "192.168.1.5", "192.168.1.5", "2001:db8::1", "0.0.0.0"]);
        assert_eq!(usable(found.into_iter()), ips(&["192.168.1.5", "2001:db8::1", "127.0.0.1"]));
    }

    #[test]
    fn a_machine_with_many_addresses_keeps_loopback() {
        let many = (0..40).map(|i| IpAddr::from([10, 0, 0, i])).chain(ips(&["127.0.0.1"]));
        let kept = usable(many);
        assert_eq!(kept.len(), MAX_ADDRESSES);
        assert!(kept.last().unwrap().is_loopback());
    }

    #[test]
    fn this_machine_has_an_address() {
        assert!(LocalAddresses(Vec::new()).to_socket_addrs().unwrap().count() > 0);
    }
}
