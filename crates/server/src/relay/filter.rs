//! Which addresses the relay sends to. A relay that sends anywhere is a way into the network that it stands in (and into
//! its own machine), so only the public Internet is in reach, with what the operator allows besides. Ranges: the IANA
//! special-purpose registries (RFC 6890) and what carries an IPv4 address inside an IPv6 one.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A range of addresses, `10.0.0.0/8`; a lone address is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: u128,
    last: u128,
    four: bool,
    prefix: u8,
}

/// A text is no range of addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no range of addresses such as 10.0.0.0/8")]
pub struct BadCidr(String);

impl FromStr for Cidr {
    type Err = BadCidr;

    fn from_str(text: &str) -> Result<Self, BadCidr> {
        let bad = || BadCidr(text.chars().take(64).collect());
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let ip: IpAddr = address.parse().map_err(|_| bad())?;
        let width = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(width), str::parse).map_err(|_| bad())?;
        if prefix > width { Err(bad()) } else { Ok(Self::new(ip, prefix)) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = if self.four {
            IpAddr::V4(Ipv4Addr::from_bits(self.first as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(self.first))
        };
        write!(f, "{ip}/{}", self.prefix)
    }
}

impl Cidr {
    fn new(ip: IpAddr, prefix: u8) -> Self {
        let (bits, width, four) = match ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), 32, true),
            IpAddr::V6(ip) => (ip.to_bits(), 128, false),
        };
        let host = u128::MAX.checked_shr(u32::from(128 - width + prefix)).unwrap_or(0);
        Self { first: bits & !host, last: bits | host, four, prefix }
    }

    /// Whether the address is in the range. An IPv4 address is never in a range of IPv6 ones.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        let (bits, four) = match ip {
            IpAddr::V4(ip) => (u128::from(ip.to_bits()), true),
            IpAddr::V6(ip) => (ip.to_bits(), false),
        };
        self.four == four && (self.first..=self.last).contains(&bits)
    }
}

/// Decides where the relay sends to.
#[derive(Debug, Clone, Default)]
pub struct PeerFilter {
    allowed: Vec<Cidr>,
    own: Vec<IpAddr>,
}

impl PeerFilter {
    /// `allowed`: ranges that the operator lets the relay reach although they aren't public. `own`: addresses of this
    /// machine, which aren't reached whatever the operator says, but by being a relay address.
    #[must_use]
    pub fn new(allowed: Vec<Cidr>, own: Vec<IpAddr>) -> Self {
        Self { allowed, own: own.into_iter().map(|ip| ip.to_canonical()).collect() }
    }

    /// Whether the relay may send to this address. IPv4 in IPv6's clothes is judged as what it is.
    #[must_use]
    pub fn allows(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let allowed = || self.allowed.iter().any(|range| range.contains(ip));
        !self.own.contains(&ip) && (is_public(ip) || allowed())
    }
}

/// Whether the address belongs to one host somewhere in the public Internet.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match (a, b, c) {
        // This network, private use, loopback, multicast and what is above it.
        (0 | 10 | 127 | 224.., ..) => true,
        // Between a provider and its customers (RFC 6598).
        (100, 64..=127, _) => true,
        (169, 254, _) | (192, 168, _) | (172, 16..=31, _) => true,
        // Protocol assignments and 6to4 relays.
        (192, 0, 0) | (192, 88, 99) => true,
        // Benchmarks (RFC 2544).
        (198, 18 | 19, _) => true,
        // Documentation.
        (192, 0, 2) | (198, 51, 100) | (203, 0, 113) => true,
        (..) => false,
    };
    !special
}

/// Of all IPv6 only 2000::/3 is given out, less what is special in it: Teredo and the other protocol assignments, 6to4
/// (which carries any IPv4 address), documentation. What lies outside (loopback, link-local, unique local, multicast,
/// NAT64's 64:ff9b::/96, IPv4-compatible) isn't reached at all.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    let special = match (a, b) {
        (0x2001, 0x0000..=0x01FF) | (0x2001, 0x0DB8) | (0x2002, _) | (0x3FFF, 0x0000..=0x0FFF) => true,
        (..) => false,
    };
    a & 0xE000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const REFUSED: &[&str] = &[
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "::1/128",
        "::/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
        "5f00::/16",
    ];

    fn range(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    fn inside(range: Cidr, spread: u128) -> IpAddr {
        let bits = range.first + spread % (range.last - range.first).saturating_add(1).max(1);
        if range.four { Ipv4Addr::from_bits(bits as u32).into() } else { Ipv6Addr::from_bits(bits).into() }
    }

    #[test]
    fn public_hosts_are_reached() {
        for ip in ["1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1"] {
            assert!(PeerFilter::default().allows(ip.parse().unwrap()), "{ip}");
        }
    }

    #[test]
    fn ranges_are_read_and_written() {
        assert_eq!(range("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(range("::1").to_string(), "::1/128");
        assert!(range("0.0.0.0/0").contains("255.255.255.255".parse().unwrap()));
        for bad in ["", "10.0.0.0/33", "10.0.0/8", "::/129", "/8", "10.0.0.0/-1", "x"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_own_address_isnt_reached_even_if_allowed() {
        let own: IpAddr = "127.0.0.1".parse().unwrap();
        let filter = PeerFilter::new(vec![range("127.0.0.0/8")], vec![own]);
        assert!(!filter.allows(own));
        assert!(!filter.allows("::ffff:127.0.0.1".parse().unwrap()));
        assert!(filter.allows("127.0.0.2".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn special_ranges_are_refused_in_every_clothing(which in 0..REFUSED.len(), spread: u128) {
            let ip = inside(range(REFUSED[which]), spread);
            prop_assert!(!PeerFilter::default().allows(ip), "{}", ip);
            if let IpAddr::V4(four) = ip {
                prop_assert!(!PeerFilter::default().allows(four.to_ipv6_mapped().into()));
            }
            let open = PeerFilter::new(vec![range(REFUSED[which])], Vec::new());
            prop_assert!(open.allows(ip), "{}", ip);
        }

        #[test]
        fn an_address_is_in_its_own_ranges(bits: u128, four: bool, prefix in 0u8..=128) {
            let ip: IpAddr = if four { Ipv4Addr::from_bits(bits as u32).into() } else { Ipv6Addr::from_bits(bits).into() };
            let prefix = if four { prefix % 33 } else { prefix };
            prop_assert!(Cidr::new(ip, prefix).contains(ip));
        }

        #[test]
        fn any_text_is_a_range_or_none(text in "\\PC{0,40}") {
            let _ = text.parse::<Cidr>();
        }
    }
}
