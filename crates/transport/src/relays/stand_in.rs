//! The addresses that stand in for relays over streams. The library sends datagrams only, so each such relay gets an address
//! that no host has: [`super::socket`] catches what goes there. One of each family, since the library asks a relay from each
//! socket of its own family. IPv4's are from 240.0.0.0/4, which is reserved (RFC 1112, section 4), IPv6's from 100::/64, which
//! leads nowhere (RFC 6666).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Behind the relay's number (RFC 6761, section 6.4: such a name is in no DNS).
const SUFFIX: &str = ".relay.invalid";
const V6_PREFIX: [u16; 4] = [0x0100, 0, 0, 0];

/// The name by which the library has a relay, for its URL.
pub(super) fn name(number: u16) -> String {
    format!("{number}{SUFFIX}")
}

/// The number behind such a name.
pub(super) fn number_of_name(host: &str) -> Option<u16> {
    host.strip_suffix(SUFFIX)?.parse().ok()
}

/// What the name leads to.
pub(super) fn addresses(number: u16, port: u16) -> [SocketAddr; 2] {
    let [high, low] = number.to_be_bytes();
    let v6 = Ipv6Addr::new(V6_PREFIX[0], 0, 0, 0, 0, 0, 0, number);
    [SocketAddr::new(Ipv4Addr::new(240, 0, high, low).into(), port), SocketAddr::new(v6.into(), port)]
}

/// The number behind such an address.
pub(super) fn number(address: SocketAddr) -> Option<u16> {
    match address.ip() {
        IpAddr::V4(ip) => match ip.octets() {
            [240, 0, high, low] => Some(u16::from_be_bytes([high, low])),
            _ => None,
        },
        IpAddr::V6(ip) => (ip.segments()[..7] == [V6_PREFIX[0], 0, 0, 0, 0, 0, 0]).then(|| ip.segments()[7]),
    }
}

/// Whether it is from the ranges above, so that no host can have it: what goes there must never be the other side's to choose.
pub(crate) fn is_nobodys(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.octets()[0] >= 240,
        IpAddr::V6(ip) => ip.segments()[..4] == V6_PREFIX,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_number_comes_back_from_what_stands_in() {
        for number in [0, 1, 255, 256, u16::MAX] {
            assert_eq!(number_of_name(&name(number)), Some(number));
            for address in addresses(number, 443) {
                assert_eq!(super::number(address), Some(number));
                assert!(is_nobodys(address.ip()));
            }
        }
    }

    #[test]
    fn hosts_stand_in_for_nobody() {
        for host in ["192.0.2.1:443", "[2001:db8::1]:443", "127.0.0.1:1", "[::1]:1", "239.0.0.1:1"] {
            let host: SocketAddr = host.parse().unwrap();
            assert_eq!(number(host), None);
            assert!(!is_nobodys(host.ip()), "{host}");
        }
        assert_eq!(number_of_name("relay.invalid"), None);
        assert_eq!(number_of_name("1.example.org"), None);
    }
}
