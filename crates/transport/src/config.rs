//! What a connection is told when it is made.

use std::net::IpAddr;
use std::sync::Arc;

pub use visavis_call::IceServer;
use visavis_congestion::Limits;
use visavis_frame::{BitRate, VideoCodec};
use visavis_stun::{ServerUrl, Service};
use webrtc::peer_connection::{RTCConfiguration, RTCConfigurationBuilder, RTCIceServer, RTCIceTransportPolicy};

use crate::certificate::Certificate;
use crate::error::TransportError;
use crate::names::LocalNames;
use crate::relays::Relays;
use crate::streams::Streams;

/// How a connection reaches the network.
#[derive(Clone, Debug)]
pub struct TransportConfig {
    /// Servers that tell us our public address, or relay for us.
    pub ice_servers: Vec<IceServer>,
    /// Use and tell relayed addresses only, so that the other side never learns ours.
    pub relay_only: bool,
    /// The addresses of this machine to use; empty: those of all interfaces, with loopback.
    pub bind: Vec<IpAddr>,
    /// The certificate to show; none: a new one.
    pub certificate: Option<Certificate>,
    /// Opens streams to relays over TCP and TLS and to the other side (RFC 6544); none: datagrams alone.
    pub streams: Option<Arc<dyn Streams>>,
    /// Gives and looks up names in place of addresses of a local network; none: names are no use, and nothing is named.
    pub names: Option<Arc<dyn LocalNames>>,
    /// Tell names in place of such addresses: who isn't in the network doesn't learn them.
    pub name_local: bool,
    /// Between what the rate of all that is sent moves, headers included, and where it begins.
    pub rates: Limits,
    /// What video may be coded with, both ways, the one to prefer first.
    pub video_codecs: Vec<VideoCodec>,
    /// Protect video against losses in advance ([`crate::repair`]), where the path asks for it and the other side can use it.
    pub forward_error_correction: bool,
}

impl Default for TransportConfig {
    fn default() -> Self {
        let rates = Limits {
            floor: BitRate::from_kbps(100),
            start: BitRate::from_kbps(600),
            ceiling: BitRate::from_kbps(3_500),
        };
        Self {
            ice_servers: Vec::new(),
            relay_only: false,
            bind: Vec::new(),
            certificate: None,
            streams: None,
            names: None,
            name_local: false,
            rates,
            video_codecs: vec![VideoCodec::H264],
            forward_error_correction: true,
        }
    }
}

impl TransportConfig {
    pub(crate) fn to_rtc(
        &self,
        certificate: &Certificate,
        relays: &Relays,
    ) -> Result<RTCConfiguration, TransportError> {
        let policy = if self.relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
        let servers = self.ice_servers.iter().map(|server| to_rtc_server(server, relays));
        let mut servers = servers.collect::<Result<Vec<_>, _>>()?;
        if self.relay_only && !servers.iter().any(is_turn) {
            servers.push(stand_in());
        }
        Ok(RTCConfigurationBuilder::new()
            .with_ice_servers(servers)
            .with_ice_transport_policy(policy)
            .with_certificates(vec![certificate.inner()])
            .build())
    }
}

/// Relay-only wants a TURN server from the start, and the signalling server may name one only later. Until then nothing is
/// gathered; were it, it would get no further than this machine.
fn stand_in() -> RTCIceServer {
    RTCIceServer {
        urls: vec!["turn:127.0.0.1:9".to_owned()],
        username: "none".to_owned(),
        credential: "none".to_owned(),
    }
}

pub(crate) fn is_turn(server: &RTCIceServer) -> bool {
    server.urls.iter().any(|url| url.starts_with("turn:"))
}

/// Those of them that can be used.
pub(crate) fn usable<'a>(servers: impl Iterator<Item = &'a IceServer>, relays: &Relays) -> Vec<RTCIceServer> {
    let used = servers.map(|server| to_rtc_server(server, relays)).filter_map(|server| match server {
        Ok(server) => Some(server),
        Err(error) => {
            tracing::warn!(%error, "a server that the signalling server names is left out");
            None
        }
    });
    used.collect()
}

fn to_rtc_server(server: &IceServer, relays: &Relays) -> Result<RTCIceServer, TransportError> {
    let mut urls = Vec::new();
    for written in &server.urls {
        let refuse = |reason: String| TransportError::BadServer { url: written.clone(), reason };
        let url: ServerUrl = written.parse().map_err(|error| refuse(format!("{error}")))?;
        if url.service == Service::Turn && (server.username.is_empty() || server.credential.is_empty()) {
            return Err(refuse("a TURN server needs a user name and a password".to_owned()));
        }
        urls.extend(relays.for_library(&url));
    }
    Ok(RTCIceServer { urls, username: server.username.clone(), credential: server.credential.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn server(url: &str, username: &str) -> IceServer {
        IceServer { urls: vec![url.to_owned()], username: username.to_owned(), credential: username.to_owned() }
    }

    #[test]
    fn unusable_servers_are_named() {
        let relays = Relays::new(None);
        for (url, user) in [
            ("example.org", ""),
            ("turn:", "u"),
            ("turn:host", ""),
            ("turns:host", ""),
            ("http:h", ""),
            ("turn:h:0", "u"),
        ] {
            let error = to_rtc_server(&server(url, user), &relays).unwrap_err();
            assert!(matches!(error, TransportError::BadServer { url: named, .. } if named == url));
        }
        assert!(to_rtc_server(&server("turn:host:3478?transport=udp", "u"), &relays).is_ok());
        assert!(to_rtc_server(&server("stun:host", ""), &relays).is_ok());
    }

    #[test]
    fn what_the_library_cant_use_is_left_out() {
        let relays = Relays::new(None);
        for url in ["stuns:host", "stun:host?transport=tcp", "turns:host"] {
            assert!(to_rtc_server(&server(url, "u"), &relays).unwrap().urls.is_empty(), "{url}");
        }
    }
}
