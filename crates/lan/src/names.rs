//! Names that stand for addresses of a local network, so that nobody outside it learns those
//! (draft-ietf-mmusic-mdns-ice-candidates, section 3).

#![allow(clippy::wildcard_enum_match_arm, reason = "the enum matched here is the library's, and open")]

use std::net::IpAddr;

use mdns_sd::{HostnameResolutionEvent, IfKind, ScopedIp, ServiceDaemon, ServiceInfo};

use crate::announce::{AnnounceError, daemon};

/// What the names of a machine hang on: multicast DNS libraries publish services, and an address only as a service's. Nobody
/// looks for this one.
const SERVICE: &str = "_visavis-ice._udp.local.";
/// Any port: the candidate says the right one.
const PORT: u16 = 9;
/// How long a name is looked up.
const PATIENCE_MS: u64 = 3000;
/// How often the machine's addresses are looked at, seconds.
const LOOK_EVERY_S: u32 = 1;
const SUFFIX: &str = ".local";

/// Names of this machine's addresses, and of others', for the life of one value.
pub struct Names {
    daemon: ServiceDaemon,
}

impl std::fmt::Debug for Names {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Names")
    }
}

impl Names {
    /// With no names yet.
    ///
    /// # Errors
    /// [`AnnounceError::Mdns`].
    pub fn new() -> Result<Self, AnnounceError> {
        let daemon = daemon(mdns_sd::MDNS_PORT)?;
        // After a change of network the new address has a name at once.
        daemon.set_ip_check_interval(LOOK_EVERY_S)?;
        Ok(Self { daemon })
    }

    /// Gives an address of ours a new name, which machines in its network can look up from now on: 122 random bits, which
    /// tell nothing.
    ///
    /// # Errors
    /// Every [`AnnounceError`].
    pub fn publish(&self, ip: IpAddr) -> Result<String, AnnounceError> {
        let name = random_uuid()?;
        let no_words: &[(&str, &str)] = &[];
        let mut service = ServiceInfo::new(SERVICE, &name, &format!("{name}{SUFFIX}."), ip, PORT, no_words)?;
        // Nobody else has it (section 3.1.1), and it is wanted at once.
        service.set_requires_probe(false);
        service.set_interfaces(vec![IfKind::Addr(ip)]);
        self.daemon.register(service)?;
        Ok(format!("{name}{SUFFIX}"))
    }

    /// Looks such a name up in the networks around this machine: the address behind it, if there is one that could be another
    /// machine's. A name that isn't of that kind isn't asked for.
    pub async fn resolve(&self, name: &str) -> Option<IpAddr> {
        if !is_name(name) {
            return None;
        }
        let events = self.daemon.resolve_hostname(&format!("{name}."), Some(PATIENCE_MS)).ok()?;
        loop {
            match events.recv_async().await.ok()? {
                HostnameResolutionEvent::AddressesFound(_, found) => {
                    let mut found: Vec<IpAddr> = found.iter().map(ScopedIp::to_ip_addr).filter(is_machine).collect();
                    found.sort_unstable();
                    if let Some(first) = found.first() {
                        return Some(*first);
                    }
                }
                HostnameResolutionEvent::SearchTimeout(_) | HostnameResolutionEvent::SearchStopped(_) => return None,
                _ => {}
            }
        }
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        // Goodbyes go out with it. If it can't be asked any more, it has ended.
        let _ = self.daemon.shutdown();
    }
}

/// Whether it is a name as browsers and we give them: a random UUID (RFC 9562, section 5.4), and nothing that says what
/// machine or what service is meant.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let Some(uuid) = name.strip_suffix(SUFFIX) else { return false };
    let groups: Vec<&str> = uuid.split('-').collect();
    let hex = |group: &&str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12]) && groups.iter().all(hex) && groups[2].starts_with('4')
}

/// Whether an address is only meant for the networks that the machine is in, so that a name takes its place.
#[must_use]
pub fn is_of_local_network(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        // Shared ones (RFC 6598) tell which provider's customer this is.
        IpAddr::V4(v4) => {
            v4.is_private() || v4.is_link_local() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xC0 == 64)
        }
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether it is one machine's that isn't this one. A link-local address of IPv6 is of no use without its interface.
fn is_machine(ip: &IpAddr) -> bool {
    let special = match ip {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !special && !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast()
}

fn random_uuid() -> Result<String, AnnounceError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(AnnounceError::Random)?;
    // Version 4, variant 1.
    let bits = u128::from_be_bytes(bytes) & !(0xF << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_random_names_are_names() {
        let one = format!("{}.local", random_uuid().unwrap());
        assert!(is_name(&one), "{one}");
        assert_ne!(one, format!("{}.local", random_uuid().unwrap()));
        assert!(is_name("3f0c4d7a-1b9e-4a54-8a0b-1c2d3e4f5a6b.local"));
        for other in [
            "printer.local",
            "3f0c4d7a-1b9e-1a54-8a0b-1c2d3e4f5a6b.local",
            "3f0c4d7a-1b9e-4a54-8a0b-1c2d3e4f5a6b.example",
            "3f0c4d7a-1b9e-4a54-8a0b-1c2d3e4f5a6.local",
            "3f0c4d7a1b9e4a548a0b1c2d3e4f5a6b.local",
            "x.3f0c4d7a-1b9e-4a54-8a0b-1c2d3e4f5a6b.local",
            ".local",
            "",
        ] {
            assert!(!is_name(other), "{other}");
        }
    }

    #[test]
    fn addresses_of_local_networks_are_those_that_lead_nowhere_else() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for local in ["10.1.2.3", "192.168.1.7", "172.16.0.1", "169.254.3.4", "100.64.1.2", "fd00::7", "fe80::1"] {
            assert!(is_of_local_network(ip(local)), "{local}");
        }
        for other in ["198.51.100.7", "100.128.0.1", "2001:db8::1", "127.0.0.1"] {
            assert!(!is_of_local_network(ip(other)), "{other}");
        }
    }
}
