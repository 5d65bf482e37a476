//! What is kept of what strangers announce: anybody in the network can announce anything, and as often as they like.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use crate::address::may_be_asked;

/// More calls than this aren't waited for in one network at one time; where somebody announces more, the first count.
pub const MOST_INSTANCES: usize = 8;
/// Addresses of one instance that are asked.
pub const MOST_ADDRESSES: usize = 3;
/// The longest name that is told apart, bytes: RFC 6763 section 4.1.1 gives an instance 63, and the service its own.
const LONGEST_NAME: usize = 128;

/// The announcements heard in one search.
#[derive(Debug, Default)]
pub struct Found {
    instances: HashMap<String, Vec<SocketAddr>>,
}

impl Found {
    /// Takes what an instance says of itself, which it may say in parts; gives the addresses that weren't known, IPv4 first.
    pub fn take(&mut self, name: &str, port: u16, addresses: impl IntoIterator<Item = IpAddr>) -> Vec<SocketAddr> {
        let is_new = !self.instances.contains_key(name);
        if port == 0 || name.len() > LONGEST_NAME || is_new && self.instances.len() >= MOST_INSTANCES {
            return Vec::new();
        }
        let mut addresses: Vec<_> =
            addresses.into_iter().map(|ip| ip.to_canonical()).filter(|ip| may_be_asked(*ip)).collect();
        addresses.sort();
        let is_known = |address: &SocketAddr| self.instances.values().flatten().any(|known| known == address);
        let mut news: Vec<_> =
            addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).filter(|address| !is_known(address)).collect();
        news.dedup();
        if news.is_empty() {
            return news;
        }
        let known = self.instances.entry(name.to_owned()).or_default();
        news.truncate(MOST_ADDRESSES.saturating_sub(known.len()));
        known.extend(&news);
        news
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_instance_is_heard_once_however_often_it_says_so() {
        let mut found = Found::default();
        let told = found.take("a", 7880, ips(&["fd00::7", "192.168.1.7", "::ffff:192.168.1.7"]));
        assert_eq!(told, ["192.168.1.7:7880".parse().unwrap(), "[fd00::7]:7880".parse().unwrap()]);
        assert!(found.take("a", 7880, ips(&["192.168.1.7"])).is_empty());
        assert_eq!(found.take("a", 7880, ips(&["10.0.0.1"])).len(), 1);
        assert!(found.take("b", 7880, ips(&["192.168.1.7"])).is_empty(), "the same place under another name");
    }

    #[test]
    fn what_is_no_address_of_this_network_is_left_out() {
        let mut found = Found::default();
        assert!(
            found
                .take("a", 7880, ips(&["127.0.0.1", "8.8.8.8", "::1", "2001:db8::1", "0.0.0.0", "fe80::1"]))
                .is_empty()
        );
        assert!(found.take("a", 0, ips(&["192.168.1.7"])).is_empty());
    }

    proptest! {
        #[test]
        fn however_many_are_announced_few_are_asked(
            announced in proptest::collection::vec((0..64_u8, any::<u16>(), proptest::collection::vec(any::<[u8; 4]>(), 0..20)), 0..200)
        ) {
            let mut found = Found::default();
            let mut asked = std::collections::HashSet::new();
            for (name, port, addresses) in announced {
                for address in found.take(&name.to_string(), port, addresses.into_iter().map(|[_, b, c, d]| IpAddr::from([10, b, c, d]))) {
                    prop_assert!(asked.insert(address), "nobody is asked twice");
                }
            }
            prop_assert!(asked.len() <= MOST_INSTANCES * MOST_ADDRESSES);
        }
    }
}
