//! What the server is told about STUN and TURN: its own, which is off until it knows its public address, and others that
//! share a secret with it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail, ensure};
use clap::Args;
use serde::Deserialize;
use visavis_server::relay::{Cidr, IceConfig, RelayConfig, RelayLimits, Secret};
use visavis_stun::{ServerUrl, Service};

/// A secret shorter than this can be guessed.
const LEAST_SECRET_BYTES: usize = 16;

/// Flags, environment and file alike.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RelayFlags {
    /// Serve STUN and relay TURN, over UDP and TCP; this is the address by which the world reaches this machine
    #[arg(long, env = "VISAVIS_TURN_PUBLIC_ADDRESS", value_name = "IP")]
    turn_public_address: Option<IpAddr>,
    /// Where STUN and TURN listen, UDP and TCP [default: port 3478 of the public address, or of all if this machine hasn't got it]
    #[arg(long, env = "VISAVIS_STUN_TURN_LISTEN", value_name = "ADDRESS:PORT")]
    stun_turn_listen: Option<SocketAddr>,
    /// The name that the server's certificate is for: TURN is told over TLS by it, on the port of signalling [default: the first
    /// of acme-domains]
    #[arg(long, env = "VISAVIS_TURN_TLS_NAME", value_name = "NAME")]
    turn_tls_name: Option<String>,
    /// The ports that TURN relays on [default: 49152-65535]
    #[arg(long, env = "VISAVIS_TURN_PORTS", value_name = "FIRST-LAST")]
    turn_ports: Option<String>,
    /// Address ranges that TURN may relay to although they aren't public, for hosts inside a network
    #[arg(long, env = "VISAVIS_TURN_ALLOW_PEERS", value_name = "RANGE,...", value_delimiter = ',')]
    turn_allow_peers: Option<Vec<String>>,
    /// The most that one allocation relays, kilobits a second, both directions together [default: 8000]
    #[arg(long, env = "VISAVIS_TURN_MAX_KBPS", value_name = "KBPS")]
    turn_max_kbps: Option<u64>,
    /// How long TURN credentials are good, seconds [default: 3600]
    #[arg(long, env = "VISAVIS_TURN_TTL", value_name = "SECONDS")]
    turn_ttl: Option<u64>,
    /// Another STUN or TURN server to tell callers of; repeatable
    #[arg(long, env = "VISAVIS_ICE_URLS", value_name = "URL", value_delimiter = ',')]
    ice_urls: Option<Vec<String>>,
    /// What this server shares with those TURN servers (coturn: static-auth-secret). The environment hides it better
    #[arg(long, env = "VISAVIS_TURN_SECRET", value_name = "SECRET", hide_env_values = true)]
    turn_secret: Option<String>,
}

impl RelayFlags {
    /// These before others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            turn_public_address: self.turn_public_address.or(other.turn_public_address),
            stun_turn_listen: self.stun_turn_listen.or(other.stun_turn_listen),
            turn_tls_name: self.turn_tls_name.or(other.turn_tls_name),
            turn_ports: self.turn_ports.or(other.turn_ports),
            turn_allow_peers: self.turn_allow_peers.or(other.turn_allow_peers),
            turn_max_kbps: self.turn_max_kbps.or(other.turn_max_kbps),
            turn_ttl: self.turn_ttl.or(other.turn_ttl),
            ice_urls: self.ice_urls.or(other.ice_urls),
            turn_secret: self.turn_secret.or(other.turn_secret),
        }
    }

    /// Decides; names what is wrong.
    pub(crate) fn resolve(self) -> anyhow::Result<(Option<RelayConfig>, IceConfig)> {
        let relay = self.turn_public_address.map(|address| self.relay(address)).transpose()?;
        ensure!(
            relay.is_some() || (self.stun_turn_listen.is_none() && self.turn_ports.is_none()),
            "stun-turn-listen and turn-ports mean nothing without turn-public-address"
        );
        let urls = self.ice_urls.unwrap_or_default();
        for url in &urls {
            let known: ServerUrl = url.parse().map_err(|error| anyhow!("ice-urls: {url}: {error}"))?;
            let shared = known.service == Service::Stun || self.turn_secret.is_some();
            ensure!(shared, "ice-urls: {url} needs turn-secret, which that server knows too");
        }
        if let Some(secret) = &self.turn_secret {
            let length = secret.len();
            ensure!(length >= LEAST_SECRET_BYTES, "turn-secret has {length} bytes; it takes {LEAST_SECRET_BYTES}");
        }
        let default = IceConfig::default();
        let lifetime = self.turn_ttl.map_or(default.lifetime, Duration::from_secs);
        ensure!((60..=86_400).contains(&lifetime.as_secs()), "turn-ttl may be 60 to 86400 seconds");
        Ok((relay, IceConfig { urls, secret: self.turn_secret.map(Secret::new), lifetime }))
    }

    fn relay(&self, public_address: IpAddr) -> anyhow::Result<RelayConfig> {
        ensure!(!public_address.is_unspecified(), "turn-public-address: {public_address} is nobody's address");
        let mut config = RelayConfig::new(public_address.to_canonical());
        config.listen = self.stun_turn_listen.unwrap_or(config.listen);
        config.tls_name.clone_from(&self.turn_tls_name);
        if let Some(ports) = &self.turn_ports {
            let ends = ports.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
            let Some((first, last)) = ends.filter(|(first, last): &(u16, u16)| first <= last && *first > 0) else {
                bail!("turn-ports is `{ports}`; it looks like 49152-65535");
            };
            config.ports = first..=last;
        }
        let ranges = self.turn_allow_peers.iter().flatten().map(|range| range.parse::<Cidr>());
        config.allow_peers = ranges.collect::<Result<_, _>>().context("turn-allow-peers")?;
        if let Some(kbps) = self.turn_max_kbps {
            ensure!((100..=10_000_000).contains(&kbps), "turn-max-kbps may be 100 to 10000000");
            config.limits = RelayLimits { bytes_per_second: kbps * 125, ..config.limits };
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(file: &str) -> anyhow::Result<(Option<RelayConfig>, IceConfig)> {
        toml::from_str::<RelayFlags>(file)?.resolve()
    }

    #[test]
    fn without_a_public_address_nothing_is_served() {
        let (relay, ice) = read("").unwrap();
        assert!(relay.is_none() && ice.urls.is_empty() && ice.secret.is_none());
        assert!(read("stun_turn_listen = '0.0.0.0:3478'").is_err());
    }

    #[test]
    fn all_of_it_is_read() {
        let (relay, ice) = read(
            "turn_public_address = '192.0.2.1'\nturn_ports = '50000-50010'\nturn_allow_peers = ['10.0.0.0/8']\n\
             turn_max_kbps = 1000\nturn_ttl = 60\nice_urls = ['turn:turn.example:3478']\nturn_secret = '0123456789abcdef'",
        )
        .unwrap();
        let relay = relay.unwrap();
        assert_eq!((relay.ports, relay.listen.port(), relay.limits.bytes_per_second), (50000..=50010, 3478, 125_000));
        assert_eq!(relay.allow_peers, ["10.0.0.0/8".parse().unwrap()]);
        assert_eq!((ice.urls.len(), ice.lifetime), (1, Duration::from_secs(60)));
        assert!(ice.secret.is_some());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |file: &str| format!("{:#}", read(file).unwrap_err());
        let address = "turn_public_address = '192.0.2.1'\n";
        assert!(error(&format!("{address}turn_ports = '9-1'")).contains("turn-ports"));
        assert!(error(&format!("{address}turn_allow_peers = ['10.0.0/8']")).contains("10.0.0/8"));
        assert!(error("ice_urls = ['turn:x']").contains("turn-secret"));
        assert!(error("ice_urls = ['http:x']").contains("http:x"));
        assert!(error("turn_secret = 'short'").contains("turn-secret"));
        assert!(error("turn_ttl = 1").contains("turn-ttl"));
        assert!(error("turn_public_address = '0.0.0.0'").contains("turn-public-address"));
    }
}
