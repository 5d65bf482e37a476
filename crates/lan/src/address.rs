//! Which addresses belong to a local network: private ones (RFC 1918), unique local ones (RFC 4193) and link-local ones (RFC
//! 3927, RFC 4291 section 2.5.6).

use std::net::{IpAddr, Ipv6Addr, UdpSocket};

/// Of documentation (RFC 5737): never reached, only asked the way to.
const ELSEWHERE: (&str, u16) = ("192.0.2.1", 9);

/// Whether somebody with this address may speak to a server that is there for one machine and the network around it.
#[must_use]
pub fn is_local_source(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || is_unique_local(ip) || is_link_local(ip),
    }
}

/// Whether a machine of this network may have this address, and could be called at it. An IPv6 link-local address means
/// nothing without its interface, which no candidate of a call can name (RFC 8839, section 5.1).
#[must_use]
pub fn may_be_asked(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => is_unique_local(ip),
    }
}

const fn is_unique_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xfe00 == 0xfc00
}

const fn is_link_local(ip: Ipv6Addr) -> bool {
    ip.segments()[0] & 0xffc0 == 0xfe80
}

/// The addresses at which others in the networks around this machine can ask, the likeliest first: that of the interface
/// by which everything else leaves, then IPv4 before IPv6.
#[must_use]
pub fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = interfaces.iter().filter(|interface| interface.is_oper_up()).map(if_addrs::Interface::ip);
    in_order(usable.filter(|ip| may_be_asked(*ip)).collect(), by_default())
}

fn in_order(mut addresses: Vec<IpAddr>, first: Option<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_by_key(|ip| (Some(*ip) != first, ip.is_ipv6()));
    addresses.dedup();
    addresses
}

/// From which address this machine would speak to the rest of the world. Asks the routing table; sends nothing.
fn by_default() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(ELSEWHERE).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn those_of_a_local_network_and_no_others() {
        for (text, source, asked) in [
            ("192.168.1.7", true, true),
            ("10.1.2.3", true, true),
            ("172.31.255.1", true, true),
            ("172.32.0.1", false, false),
            ("169.254.3.4", true, true),
            ("::ffff:192.168.1.7", true, true),
            ("fd00::7", true, true),
            ("fe80::1", true, false),
            ("127.0.0.1", true, false),
            ("::1", true, false),
            ("::ffff:127.0.0.1", true, false),
            ("0.0.0.0", false, false),
            ("255.255.255.255", false, false),
            ("224.0.0.251", false, false),
            ("ff02::fb", false, false),
            ("100.64.0.1", false, false),
            ("8.8.8.8", false, false),
            ("::ffff:8.8.8.8", false, false),
            ("2001:db8::1", false, false),
            ("::", false, false),
        ] {
            assert_eq!((is_local_source(ip(text)), may_be_asked(ip(text))), (source, asked), "{text}");
        }
    }

    #[test]
    fn the_likeliest_address_is_first() {
        let addresses = ["fd00::7", "172.17.0.1", "192.168.1.7"].map(ip).to_vec();
        let sorted = in_order(addresses.clone(), Some(ip("192.168.1.7")));
        assert_eq!(sorted, ["192.168.1.7", "172.17.0.1", "fd00::7"].map(ip));
        assert_eq!(in_order(addresses, None)[0], ip("172.17.0.1"));
    }
}
