//! Where a server is, and how it is spoken with: `stun:` URLs (RFC 7064) and `turn:` URLs (RFC 7065).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::{DEFAULT_PORT, DEFAULT_TLS_PORT};

/// What is asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Our address.
    Stun,
    /// Relaying.
    Turn,
}

/// What lies between us and a server. It says nothing about how a relay speaks with peers: that is UDP each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Carrier {
    /// Datagrams.
    Udp,
    /// A stream in the clear.
    Tcp,
    /// A stream over TLS.
    Tls,
}

impl Carrier {
    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

/// A server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ServerUrl {
    /// What for.
    pub service: Service,
    /// How.
    pub carrier: Carrier,
    /// A name, or an address (one of IPv6 without its brackets).
    pub host: String,
    /// Where.
    pub port: u16,
}

/// A server's URL that can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadServerUrl {
    /// Another scheme, or none.
    Scheme,
    /// No host, or one with characters that no host has.
    Host,
    /// No port.
    Port,
    /// A query other than `transport=udp` and `transport=tcp`.
    Query,
    /// TLS over UDP, which is DTLS.
    Dtls,
}

impl fmt::Display for BadServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "it doesn't begin with stun:, turn: or turns:",
            Self::Host => "it names no host",
            Self::Port => "its port is none",
            Self::Query => "only ?transport=udp and ?transport=tcp mean something",
            Self::Dtls => "DTLS isn't supported: leave ?transport=udp out to have TLS",
        })
    }
}

impl std::error::Error for BadServerUrl {}

impl FromStr for ServerUrl {
    type Err = BadServerUrl;

    fn from_str(url: &str) -> Result<Self, BadServerUrl> {
        let (scheme, rest) = url.split_once(':').ok_or(BadServerUrl::Scheme)?;
        let (service, secure) = match scheme.to_ascii_lowercase().as_str() {
            "stun" => (Service::Stun, false),
            "stuns" => (Service::Stun, true),
            "turn" => (Service::Turn, false),
            "turns" => (Service::Turn, true),
            _ => return Err(BadServerUrl::Scheme),
        };
        let (authority, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
        let carrier = match (query.map(str::to_ascii_lowercase).as_deref(), secure) {
            (None | Some("transport=udp"), false) => Carrier::Udp,
            (Some("transport=tcp"), false) => Carrier::Tcp,
            (None | Some("transport=tcp"), true) => Carrier::Tls,
            (Some("transport=udp"), true) => return Err(BadServerUrl::Dtls),
            (Some(_), _) => return Err(BadServerUrl::Query),
        };
        let (host, port) = split(authority).ok_or(BadServerUrl::Host)?;
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(BadServerUrl::Port)?,
            None if secure => DEFAULT_TLS_PORT,
            None => DEFAULT_PORT,
        };
        Ok(Self { service, carrier, host: host.to_owned(), port })
    }
}

/// Host and port; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
fn split(authority: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return if port.is_empty() { Some((host, None)) } else { Some((host, Some(port.strip_prefix(':')?))) };
    }
    let (host, port) = authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!host.is_empty() && host.len() <= 253 && host.chars().all(good)).then_some((host, port))
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.service, self.carrier) {
            (Service::Stun, Carrier::Tls) => "stuns",
            (Service::Stun, Carrier::Udp | Carrier::Tcp) => "stun",
            (Service::Turn, Carrier::Tls) => "turns",
            (Service::Turn, Carrier::Udp | Carrier::Tcp) => "turn",
        };
        write!(f, "{scheme}:{}", self.place())?;
        match (self.service, self.carrier) {
            (_, Carrier::Tcp) | (Service::Turn, Carrier::Tls) => f.write_str("?transport=tcp"),
            (Service::Turn, Carrier::Udp) => f.write_str("?transport=udp"),
            (Service::Stun, Carrier::Udp | Carrier::Tls) => Ok(()),
        }
    }
}

impl ServerUrl {
    /// `host:port`, for people and resolvers.
    #[must_use]
    pub fn place(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if self.ip().is_some_and(|ip| ip.is_ipv6()) { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Its address, where it is written as one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn urls_are_understood() {
        for (written, service, carrier, place) in [
            ("stun:example.org", Service::Stun, Carrier::Udp, "example.org:3478"),
            ("STUN:192.0.2.1:7", Service::Stun, Carrier::Udp, "192.0.2.1:7"),
            ("turn:[2001:db8::1]", Service::Turn, Carrier::Udp, "[2001:db8::1]:3478"),
            ("turn:h:443?transport=tcp", Service::Turn, Carrier::Tcp, "h:443"),
            ("turns:h", Service::Turn, Carrier::Tls, "h:5349"),
            ("turns:[::1]:443?transport=tcp", Service::Turn, Carrier::Tls, "[::1]:443"),
        ] {
            let url: ServerUrl = written.parse().unwrap();
            assert_eq!((url.service, url.carrier, url.place().as_str()), (service, carrier, place), "{written}");
            assert_eq!(url.to_string().parse(), Ok(url), "{written}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (written, wrong) in [
            ("", BadServerUrl::Scheme),
            ("example.org", BadServerUrl::Scheme),
            ("http://h", BadServerUrl::Scheme),
            ("turn:", BadServerUrl::Host),
            ("turn://h", BadServerUrl::Host),
            ("turn:a b", BadServerUrl::Host),
            ("turn:[::1", BadServerUrl::Host),
            ("turn:[::1]3478", BadServerUrl::Host),
            ("turn:h:0", BadServerUrl::Port),
            ("turn:h:70000", BadServerUrl::Port),
            ("turn:h?transport=sctp", BadServerUrl::Query),
            ("turns:h?transport=udp", BadServerUrl::Dtls),
        ] {
            assert_eq!(written.parse::<ServerUrl>(), Err(wrong), "{written}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_none(text in "(stuns?:|turns?:)?[ -~]{0,40}") {
            if let Ok(url) = text.parse::<ServerUrl>() {
                prop_assert_eq!(url.to_string().parse(), Ok(url));
            }
        }
    }
}
