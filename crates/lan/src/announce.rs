//! Saying that there is a call here.

use mdns_sd::{IfKind, IfPredicate, ServiceDaemon, ServiceInfo};

use crate::SERVICE;
use crate::address::may_be_asked;

/// Why nothing can be announced.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnounceError {
    /// Multicast DNS doesn't work here.
    #[error("multicast DNS doesn't work here: {0}")]
    Mdns(#[from] mdns_sd::Error),
    /// The system gives no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// "There is a call to be joined at this port", said to the networks around this machine while this value lives, and taken
/// back with it. Interfaces that come and go meanwhile are followed.
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

impl std::fmt::Debug for Announcement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Announcement").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Announcement {
    /// Announces a port of this machine.
    ///
    /// # Errors
    /// Every [`AnnounceError`]. That nobody hears it is no error, and can't be known.
    pub fn publish(port: u16) -> Result<Self, AnnounceError> {
        Self::publish_by(daemon(mdns_sd::MDNS_PORT)?, port)
    }

    fn publish_by(daemon: ServiceDaemon, port: u16) -> Result<Self, AnnounceError> {
        let service = service(port)?;
        let name = service.get_fullname().to_owned();
        daemon.register(service)?;
        Ok(Self { daemon, name })
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // The goodbye (RFC 6762, section 10.1) goes out before the daemon ends: it works its commands off in order. If it
        // can't be asked any more, it has ended.
        let _ = self.daemon.unregister(&self.name);
        let _ = self.daemon.shutdown();
    }
}

/// A daemon on every interface but loopback: on one machine, instances find each other by a file.
pub(crate) fn daemon(port: u16) -> Result<ServiceDaemon, mdns_sd::Error> {
    let daemon = ServiceDaemon::new_with_port(port)?;
    daemon.disable_interface(vec![IfKind::LoopbackV4, IfKind::LoopbackV6])?;
    Ok(daemon)
}

/// What is announced: two random names, the port, the addresses in local networks, and not a word.
fn service(port: u16) -> Result<ServiceInfo, AnnounceError> {
    let (instance, host) = (random_name()?, random_name()?);
    let no_words: &[(&str, &str)] = &[];
    let service = ServiceInfo::new(SERVICE, &instance, &format!("{host}.local."), "", port, no_words)?;
    let mut service = service.enable_addr_auto();
    service.set_interfaces(vec![IfKind::Predicate(IfPredicate::new(|interface| may_be_asked(interface.ip())))]);
    Ok(service)
}

/// 64 random bits: nobody else in a network has the same, and it tells nothing.
fn random_name() -> Result<String, AnnounceError> {
    let mut name = [0; 8];
    getrandom::fill(&mut name).map_err(AnnounceError::Random)?;
    Ok(format!("{:016x}", u64::from_le_bytes(name)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn an_announcement_tells_nothing_but_where() {
        let (one, other) = (service(4711).unwrap(), service(4711).unwrap());
        assert_eq!((one.get_type(), one.get_port()), (SERVICE, 4711));
        assert!(one.get_properties().is_empty());
        let names = [one.get_fullname(), one.get_hostname(), other.get_fullname(), other.get_hostname()]
            .map(|name| name.split('.').next().unwrap().to_owned());
        for (index, name) in names.iter().enumerate() {
            assert!(name.len() == 16 && name.chars().all(|c| c.is_ascii_hexdigit()), "{name}");
            assert!(!names[..index].contains(name), "no name twice, and no two alike");
        }
    }
}
