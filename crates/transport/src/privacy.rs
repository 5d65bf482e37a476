//! What the other side is told of our addresses, and the servers that find them. Relay-only means that no address of
//! this machine leaves it but to the relay: not as a candidate, not beside one (`raddr`, RFC 8839, section 5.1 allows to
//! hide it), not in the connection data or the origin of a description (RFC 8866). Where local addresses are named, the same holds for
//! them, and a name stands in the candidate's place ([`crate::names`]).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::config::{IceServer, TransportConfig};
use crate::names::Names;

/// Before a candidate that isn't a line of a description.
const PREFIX: &str = "candidate:";

/// How one connection keeps its addresses.
#[derive(Debug)]
pub(crate) struct Privacy {
    pub(crate) relay_only: bool,
    /// Gives the names that stand in place of local addresses.
    named: Option<Arc<Names>>,
    /// Set by the person; those of the signalling server come in addition.
    pub(crate) own_servers: Vec<IceServer>,
    has_relay: AtomicBool,
    told_any: AtomicBool,
    was_connected: AtomicBool,
}

impl Privacy {
    /// `names` are used for addresses of ours where the configuration says so.
    pub(crate) fn new(config: &TransportConfig, names: Option<Arc<Names>>) -> Self {
        Self {
            relay_only: config.relay_only,
            named: names.filter(|_| config.name_local),
            own_servers: config.ice_servers.clone(),
            has_relay: AtomicBool::new(config.ice_servers.iter().any(|server| !server.credential.is_empty())),
            told_any: AtomicBool::new(false),
            was_connected: AtomicBool::new(false),
        }
    }

    /// The candidate as the other side may see it; `None` when it may not.
    pub(crate) fn candidate(&self, line: String) -> Option<String> {
        if self.relay_only && !is_relayed(&line) {
            return None;
        }
        let told = match &self.named {
            _ if self.relay_only => without_related_address(&line),
            Some(names) => named(&line, names)?,
            None => line,
        };
        self.told_any.store(true, Ordering::Relaxed);
        Some(told)
    }

    /// The description as the other side may see it.
    pub(crate) fn description(&self, sdp: String) -> String {
        match &self.named {
            _ if self.relay_only => without_own_addresses(&sdp, &relayed),
            Some(names) => without_own_addresses(&sdp, &|line| named(line, names)),
            None => sdp,
        }
    }

    /// The servers are others now; whether one of them relays.
    pub(crate) fn servers(&self, relay: bool) {
        self.has_relay.store(relay, Ordering::Relaxed);
    }

    /// Whether there is no way at all to an address that may be told.
    pub(crate) fn lacks_relay(&self) -> bool {
        self.relay_only && !self.has_relay.load(Ordering::Relaxed)
    }

    pub(crate) fn connected(&self) {
        self.was_connected.store(true, Ordering::Relaxed);
    }

    /// Gathering is over: whether there is nothing that the other side could ever be told.
    pub(crate) fn is_in_vain(&self) -> bool {
        let flag = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        self.relay_only && !flag(&self.told_any) && !flag(&self.was_connected)
    }
}

fn is_relayed(line: &str) -> bool {
    let mut fields = line.split_whitespace().skip_while(|field| *field != "typ");
    fields.nth(1) == Some("relay")
}

/// A relayed candidate says from which address of ours the relay was asked: the other side needn't know.
fn without_related_address(line: &str) -> String {
    let Some((head, tail)) = line.split_once(" raddr ") else { return line.to_owned() };
    let address = tail.split(' ').next().unwrap_or_default();
    let any = if address.contains(':') { "::" } else { "0.0.0.0" };
    let rest = tail.split_once(" rport ").and_then(|(_, port)| port.split_once(' ')).map_or("", |(_, rest)| rest);
    let gap = if rest.is_empty() { "" } else { " " };
    format!("{head} raddr {any} rport 0{gap}{rest}")
}

/// A candidate with a name in the place of a local address; `None` where there is no name. The foundation is the name's then, too:
/// the library's is a hash of the address, and local addresses are few enough to try them all.
fn named(line: &str, names: &Names) -> Option<String> {
    // candidate:foundation component transport priority ADDRESS port typ ...
    let mut fields: Vec<&str> = line.split_whitespace().collect();
    let (&first, &transport, &address) = (fields.first()?, fields.get(2)?, fields.get(4)?);
    let told = names.told(address)?;
    if told == address {
        return Some(without_related_address(line));
    }
    let prefix = if first.starts_with(PREFIX) { PREFIX } else { "" };
    let suffix = if transport.eq_ignore_ascii_case("tcp") { "tcp" } else { "" };
    let foundation = format!("{prefix}{}{suffix}", told.split(['-', '.']).next()?);
    (fields[0], fields[4]) = (&foundation, &told);
    Some(without_related_address(&fields.join(" ")))
}

fn relayed(line: &str) -> Option<String> {
    is_relayed(line).then(|| without_related_address(line))
}

/// Connection data and origin become "any address", which with ICE nobody uses; of the candidates those stay that may be told.
fn without_own_addresses(sdp: &str, told: &dyn Fn(&str) -> Option<String>) -> String {
    sdp.split_inclusive("\r\n").filter_map(|line| line_without_own_address(line, told)).collect()
}

fn line_without_own_address(line: &str, told: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if let Some(candidate) = line.strip_prefix("a=candidate:") {
        let (candidate, end) = candidate.split_at(candidate.trim_end().len());
        return told(candidate).map(|told| format!("a=candidate:{told}{end}"));
    }
    match line.split_once('=').map(|(kind, _)| kind) {
        Some("c") => Some("c=IN IP4 0.0.0.0\r\n".to_owned()),
        Some("o") => line.split_once(" IN IP").map(|(before, _)| format!("{before} IN IP4 0.0.0.0\r\n")),
        Some(_) if line.starts_with("a=rtcp:") => None,
        Some(_) | None => Some(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::Candidate;
    use crate::sdp::check_candidate;

    fn relay_only() -> Privacy {
        Privacy::new(&TransportConfig { relay_only: true, ..TransportConfig::default() }, None)
    }

    #[test]
    fn a_relayed_candidate_keeps_our_address_to_itself() {
        let line = "candidate:1 1 udp 16777215 203.0.113.9 50000 typ relay raddr 192.168.1.5 rport 40000 generation 0";
        let told = relay_only().candidate(line.to_owned()).unwrap_or_default();
        assert_eq!(told, "candidate:1 1 udp 16777215 203.0.113.9 50000 typ relay raddr 0.0.0.0 rport 0 generation 0");
        assert!(check_candidate(&Candidate { candidate: told, ..Candidate::default() }).is_ok());
        assert_eq!(without_related_address("candidate:1 typ host"), "candidate:1 typ host");
        assert_eq!(without_related_address("x raddr fd00::1 rport 9"), "x raddr :: rport 0");
    }

    #[test]
    fn what_isnt_relayed_isnt_told() {
        for kind in ["host", "srflx raddr 192.168.1.5 rport 9", "prflx raddr 192.168.1.5 rport 9", "", "x relay"] {
            let line = format!("candidate:1 1 udp 1 192.168.1.5 50000 typ {kind}");
            let privacy = relay_only();
            assert_eq!(privacy.candidate(line.clone()), None, "{line}");
            assert!(privacy.is_in_vain());
            assert_eq!(Privacy::new(&TransportConfig::default(), None).candidate(line.clone()), Some(line));
        }
    }

    #[test]
    fn a_description_names_no_address_of_ours() {
        let sdp = "v=0\r\no=- 1 2 IN IP4 192.168.1.5\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
                   c=IN IP4 192.168.1.5\r\na=rtcp:9 IN IP4 192.168.1.5\r\n\
                   a=candidate:1 1 udp 1 192.168.1.5 5 typ host\r\n\
                   a=candidate:2 1 udp 1 203.0.113.9 5 typ relay raddr 192.168.1.5 rport 7\r\na=mid:0\r\n";
        let told = relay_only().description(sdp.to_owned());
        assert!(!told.contains("192.168.1.5"), "{told}");
        assert!(told.contains("\r\nc=IN IP4 0.0.0.0\r\n") && told.contains("o=- 1 2 IN IP4 0.0.0.0\r\n"), "{told}");
        assert!(told.contains("203.0.113.9 5 typ relay raddr 0.0.0.0 rport 0\r\na=mid:0\r\n"), "{told}");
    }

    /// Names machines of 192.168/16, but for one, by their last numbers.
    #[derive(Debug)]
    struct Numbered;

    impl crate::names::LocalNames for Numbered {
        fn publish(&self, ip: std::net::IpAddr) -> Option<String> {
            let name = ip.to_string().rsplit('.').next().map(|number| format!("machine-{number}.local"));
            name.filter(|name| name != "machine-66.local")
        }

        fn resolve(&self, _: &str) -> crate::names::Resolving {
            Box::pin(std::future::ready(None))
        }

        fn is_local(&self, ip: std::net::IpAddr) -> bool {
            ip.to_string().starts_with("192.168.")
        }
    }

    #[test]
    fn a_name_stands_in_the_place_of_a_local_address() {
        let config = TransportConfig { name_local: true, ..TransportConfig::default() };
        let privacy = Privacy::new(&config, Some(Arc::new(Names::new(Arc::new(Numbered)))));
        let told = |line: &str| privacy.candidate(line.to_owned()).unwrap_or_default();
        for (line, expected) in [
            (
                "candidate:1 1 udp 5 192.168.1.5 50000 typ host",
                "candidate:machine 1 udp 5 machine-5.local 50000 typ host",
            ),
            (
                "candidate:1 1 tcp 5 192.168.1.5 9000 typ host tcptype passive",
                "candidate:machinetcp 1 tcp 5 machine-5.local 9000 typ host tcptype passive",
            ),
            ("candidate:1 1 udp 5 192.168.1.66 50000 typ host", ""),
            ("candidate:1 1 udp 5 2001:db8::7 50000 typ host", "candidate:1 1 udp 5 2001:db8::7 50000 typ host"),
            (
                "candidate:2 1 udp 4 203.0.113.9 5 typ srflx raddr 192.168.1.5 rport 6",
                "candidate:2 1 udp 4 203.0.113.9 5 typ srflx raddr 0.0.0.0 rport 0",
            ),
            (
                "candidate:3 1 udp 3 203.0.113.7 5 typ relay raddr 192.168.1.5 rport 6",
                "candidate:3 1 udp 3 203.0.113.7 5 typ relay raddr 0.0.0.0 rport 0",
            ),
        ] {
            assert_eq!(told(line), expected);
        }
        let sdp = "v=0\r\no=- 1 2 IN IP4 192.168.1.5\r\nc=IN IP4 192.168.1.5\r\na=candidate:1 1 udp 1 192.168.1.5 5 typ host\r\n\
                   a=candidate:1 1 udp 1 192.168.1.66 5 typ host\r\na=mid:0\r\n";
        let told = privacy.description(sdp.to_owned());
        assert!(
            !told.contains("192.168.")
                && told.contains("a=candidate:machine 1 udp 1 machine-5.local 5 typ host\r\na=mid:0"),
            "{told}"
        );
    }

    proptest! {
        #[test]
        fn no_text_brings_an_address_past(before in "\\PC{0,20}", after in "\\PC{0,40}") {
            let line = format!("candidate:{before} 192.168.1.5 {after}");
            if let Some(told) = relay_only().candidate(line.clone()) {
                prop_assert!(is_relayed(&told));
            }
            let _ = relay_only().description(format!("{line}\r\nc={before} IN IP4 {after}\r\n"));
        }
    }
}
