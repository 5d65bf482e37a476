//! What the server is told about those who come to it: by which way, from which pages, and who watches.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde::Deserialize;
use visavis_server::nats::NatsConfig;
use visavis_server::tls::{LOOK_EVERY, TlsConfig};
use visavis_server::{Config, Pages};

/// A token shorter than this can be guessed.
const LEAST_TOKEN_BYTES: usize = 16;

/// Flags, environment and file alike.
#[derive(Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostingFlags {
    /// Speak TLS with the certificates in this PEM file; it is read again when it changes
    #[arg(long, env = "VISAVIS_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Their private key, a PEM file
    #[arg(long, env = "VISAVIS_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Speak TLS with certificates for these names, asked for by ACME; the server must be reached on port 443 by them
    #[arg(long, env = "VISAVIS_ACME_DOMAINS", value_name = "NAME,...", value_delimiter = ',')]
    acme_domains: Option<Vec<String>>,
    /// Where the certificate authority may write to
    #[arg(long, env = "VISAVIS_ACME_EMAIL", value_name = "ADDRESS")]
    acme_email: Option<String>,
    /// The authority's directory [default: Let's Encrypt]
    #[arg(long, env = "VISAVIS_ACME_DIRECTORY", value_name = "URL")]
    acme_directory: Option<String>,
    /// A PEM file with the roots by which the authority itself is known [default: the system's]
    #[arg(long, env = "VISAVIS_ACME_ROOTS", value_name = "FILE")]
    acme_roots: Option<PathBuf>,
    /// Proxies that are believed when X-Forwarded-For names another address; without them that header means nothing
    #[arg(long, env = "VISAVIS_TRUSTED_PROXIES", value_name = "RANGE,...", value_delimiter = ',')]
    trusted_proxies: Option<Vec<String>>,
    /// Web pages that may use this server besides its own, such as https://example.org; `*` for all
    #[arg(long, env = "VISAVIS_ALLOW_ORIGINS", value_name = "ORIGIN,...", value_delimiter = ',')]
    allow_origins: Option<Vec<String>>,
    /// Give Prometheus its metrics on this address, in the clear
    #[arg(long, env = "VISAVIS_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,
    /// What Prometheus has to show as bearer token; without an address of their own the metrics are at /metrics then
    #[arg(long, env = "VISAVIS_METRICS_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    metrics_token: Option<String>,
    /// Work together with other servers, by NATS with JetStream at nats://HOST:PORT or tls://HOST:PORT, with USER:PASSWORD@ before the
    /// host where NATS asks for it; several with commas
    #[arg(long, env = "VISAVIS_NATS", value_name = "URL,...", value_delimiter = ',', hide_env_values = true)]
    nats: Option<Vec<String>>,
    /// A file with credentials for NATS (.creds)
    #[arg(long, env = "VISAVIS_NATS_CREDENTIALS", value_name = "FILE")]
    nats_credentials: Option<PathBuf>,
    /// A PEM file with the roots by which NATS is known [default: the system's]
    #[arg(long, env = "VISAVIS_NATS_ROOTS", value_name = "FILE")]
    nats_roots: Option<PathBuf>,
    /// The key that tokens are signed with, 32 random bytes, the same for all servers that share a NATS [default: signing.key in the
    /// state folder]
    #[arg(long, env = "VISAVIS_SIGNING_KEY", value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// The most connections from one IPv4 address or IPv6 /64 [default: 256]
    #[arg(long, env = "VISAVIS_MAX_PER_SOURCE", value_name = "COUNT")]
    max_per_source: Option<usize>,
    /// Let clients' addresses stand in the log
    #[arg(long, env = "VISAVIS_LOG_ADDRESSES", num_args = 0..=1, default_missing_value = "true")]
    log_addresses: Option<bool>,
}

impl HostingFlags {
    /// These before others.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            tls_cert: self.tls_cert.or(other.tls_cert),
            tls_key: self.tls_key.or(other.tls_key),
            acme_domains: self.acme_domains.or(other.acme_domains),
            acme_email: self.acme_email.or(other.acme_email),
            acme_directory: self.acme_directory.or(other.acme_directory),
            acme_roots: self.acme_roots.or(other.acme_roots),
            trusted_proxies: self.trusted_proxies.or(other.trusted_proxies),
            allow_origins: self.allow_origins.or(other.allow_origins),
            metrics_listen: self.metrics_listen.or(other.metrics_listen),
            metrics_token: self.metrics_token.or(other.metrics_token),
            nats: self.nats.or(other.nats),
            nats_credentials: self.nats_credentials.or(other.nats_credentials),
            nats_roots: self.nats_roots.or(other.nats_roots),
            signing_key: self.signing_key.or(other.signing_key),
            max_per_source: self.max_per_source.or(other.max_per_source),
            log_addresses: self.log_addresses.or(other.log_addresses),
        }
    }

    /// Puts all of it into what the server is started with.
    pub(crate) fn apply(self, config: &mut Config) -> anyhow::Result<()> {
        config.proxies = self
            .trusted_proxies
            .unwrap_or_default()
            .iter()
            .map(|range| range.parse())
            .collect::<Result<_, _>>()
            .context("trusted-proxies")?;
        config.pages = pages(self.allow_origins.unwrap_or_default())?;
        if let Some(token) = &self.metrics_token {
            ensure!(token.len() >= LEAST_TOKEN_BYTES, "metrics-token has fewer than {LEAST_TOKEN_BYTES} bytes");
        }
        config.metrics.listen = self.metrics_listen;
        config.metrics.token = self.metrics_token;
        if let Some(count) = self.max_per_source {
            ensure!(count >= 2, "max-per-source is {count}; a call from one home takes two");
            config.limits.connections_per_source = count;
        }
        config.signing_key = self.signing_key;
        if let Some(urls) = self.nats {
            let shares = config.signing_key.is_some() || config.state_dir.is_some();
            ensure!(shares, "nats needs a signing-key that the servers share, or a state-dir that holds it");
            config.nats = Some(NatsConfig { urls, credentials: self.nats_credentials, roots: self.nats_roots });
        }
        config.log_addresses = self.log_addresses.unwrap_or_default();
        let acme = Acme {
            domains: self.acme_domains.unwrap_or_default(),
            email: self.acme_email,
            directory: self.acme_directory,
            roots: self.acme_roots,
        };
        config.tls = tls(self.tls_cert, self.tls_key, acme, config.state_dir.as_deref())?;
        Ok(())
    }
}

fn pages(origins: Vec<String>) -> anyhow::Result<Pages> {
    if origins.iter().any(|origin| origin == "*") {
        return Ok(Pages::All);
    }
    for origin in &origins {
        let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        let is_origin = host.is_some_and(|host| !host.is_empty() && !host.contains('/'));
        ensure!(is_origin, "allow-origins: `{origin}` is no origin such as https://example.org");
    }
    Ok(Pages::OwnAnd(origins))
}

struct Acme {
    domains: Vec<String>,
    email: Option<String>,
    directory: Option<String>,
    roots: Option<PathBuf>,
}

fn tls(
    certificates: Option<PathBuf>,
    key: Option<PathBuf>,
    acme: Acme,
    state_dir: Option<&Path>,
) -> anyhow::Result<Option<TlsConfig>> {
    match (certificates, key, acme.domains.is_empty()) {
        (Some(_), _, false) => bail!("certificates are either given (tls-cert) or asked for (acme-domains)"),
        (Some(certificates), Some(key), true) => {
            Ok(Some(TlsConfig::Files { certificates, key, look_every: LOOK_EVERY }))
        }
        (None, None, true) => Ok(None),
        (None, None, false) => {
            // Without it every restart would ask for new ones, and an authority gives only so many a week.
            let state_dir = state_dir.context("acme-domains needs a state-dir to keep certificates in")?;
            Ok(Some(TlsConfig::Acme {
                domains: acme.domains,
                email: acme.email,
                directory: acme.directory,
                roots: acme.roots,
                cache: state_dir.join("acme"),
            }))
        }
        (Some(_), None, _) | (None, Some(_), _) => bail!("tls-cert and tls-key go together"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read(file: &str) -> anyhow::Result<Config> {
        let mut config = Config::hosted();
        config.state_dir = Some("/var/lib/visavis".into());
        toml::from_str::<HostingFlags>(file)?.apply(&mut config)?;
        Ok(config)
    }

    #[test]
    fn everything_can_be_set() {
        let config = read(
            "tls_cert = 'a.pem'\ntls_key = 'b.pem'\ntrusted_proxies = ['10.0.0.0/8']\nallow_origins = ['https://a.example']\n\
             metrics_listen = '127.0.0.1:9100'\nmetrics_token = '0123456789abcdef'\nnats = ['nats://a', 'tls://b']\nmax_per_source = 5\nlog_addresses = true",
        )
        .unwrap();
        assert!(matches!(config.tls, Some(TlsConfig::Files { .. })));
        assert_eq!((config.proxies.len(), config.limits.connections_per_source), (1, 5));
        assert_eq!(config.pages, Pages::OwnAnd(vec!["https://a.example".into()]));
        assert_eq!(config.nats.map(|nats| nats.urls.len()), Some(2));
        assert!(config.log_addresses && config.metrics.token.is_some());
        let Some(TlsConfig::Acme { domains, cache, .. }) = read("acme_domains = ['a.example']").unwrap().tls else {
            panic!("no ACME");
        };
        assert_eq!((domains.len(), cache), (1, PathBuf::from("/var/lib/visavis/acme")));
        assert!(read("").unwrap().tls.is_none());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |file: &str| format!("{:#}", read(file).unwrap_err());
        assert!(error("tls_cert = 'a.pem'").contains("tls-key"));
        assert!(error("tls_cert = 'a.pem'\ntls_key = 'b'\nacme_domains = ['a']").contains("acme-domains"));
        assert!(error("trusted_proxies = ['here']").contains("trusted-proxies"));
        assert!(error("allow_origins = ['a.example']").contains("a.example"));
        assert!(error("metrics_token = 'short'").contains("metrics-token"));
        let mut config = Config::hosted();
        let nats: HostingFlags = toml::from_str("nats = ['nats://a']").unwrap();
        assert!(nats.apply(&mut config).unwrap_err().to_string().contains("signing-key"));
        let acme: HostingFlags = toml::from_str("acme_domains = ['a.example']").unwrap();
        assert!(acme.apply(&mut config).unwrap_err().to_string().contains("state-dir"));
    }
}
