//! What the server is told: flags before environment before file before default, and a clear word for what is wrong.

mod hosting;
mod relay;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use clap::Parser;
use serde::Deserialize;
use visavis_server::tls::TlsConfig;
use visavis_server::{Config, Limits};

/// Beyond this many rooms the six digits of a code get too dense.
const MOST_ROOMS: usize = 100_000;

/// The Visavis server: introduces two people who share a code.
#[derive(Debug, Default, Parser)]
#[command(version)]
pub(crate) struct Flags {
    /// A TOML file with these settings; names as here, with underscores
    #[arg(long, env = "VISAVIS_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen [default: 0.0.0.0:7880]
    #[arg(long, env = "VISAVIS_LISTEN", value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// A folder for the signing key and the journal of closed rooms, so that a restart loses no call [default: the one
    /// that systemd gives a service, else none]
    #[arg(long, env = "VISAVIS_STATE_DIR", value_name = "FOLDER")]
    state_dir: Option<PathBuf>,
    /// The most rooms at one time [default: 5000]
    #[arg(long, env = "VISAVIS_MAX_ROOMS", value_name = "COUNT")]
    max_rooms: Option<usize>,
    /// The most connections at one time [default: 10000]
    #[arg(long, env = "VISAVIS_MAX_CONNECTIONS", value_name = "COUNT")]
    max_connections: Option<usize>,
    #[command(flatten)]
    hosting: hosting::HostingFlags,
    #[command(flatten)]
    relay: relay::RelayFlags,
    /// What to log: error, warn, info, debug, or per module as in `info,visavis_server=debug` [default: info]
    #[arg(long, env = "VISAVIS_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Log one JSON object per line
    #[arg(long, env = "VISAVIS_LOG_JSON")]
    log_json: bool,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    listen: Option<SocketAddr>,
    state_dir: Option<PathBuf>,
    max_rooms: Option<usize>,
    max_connections: Option<usize>,
    log: Option<String>,
    log_json: Option<bool>,
    #[serde(flatten)]
    hosting: hosting::HostingFlags,
    #[serde(flatten)]
    relay: relay::RelayFlags,
}

/// Everything decided.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) config: Config,
    pub(crate) log: String,
    pub(crate) log_json: bool,
}

impl Flags {
    pub(crate) fn resolve(self) -> anyhow::Result<Options> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let limits = Limits::default();
        let rooms = self.max_rooms.or(file.max_rooms).unwrap_or(limits.rooms);
        let connections = self.max_connections.or(file.max_connections).unwrap_or(limits.connections);
        ensure!((1..=MOST_ROOMS).contains(&rooms), "max-rooms is {rooms}; it may be 1 to {MOST_ROOMS}");
        ensure!(connections >= 2, "max-connections is {connections}; a call takes two");
        let mut config = Config::hosted();
        config.listen = self.listen.or(file.listen).unwrap_or(config.listen);
        config.state_dir =
            self.state_dir.or(file.state_dir).or_else(|| std::env::var_os("STATE_DIRECTORY").map(Into::into));
        (config.relay, config.ice) = self.relay.or(file.relay).resolve()?;
        config.limits = Limits { rooms, connections, ..limits };
        self.hosting.or(file.hosting).apply(&mut config)?;
        if let (Some(relay), Some(TlsConfig::Acme { domains, .. })) = (&mut config.relay, &config.tls) {
            relay.tls_name = relay.tls_name.take().or_else(|| domains.first().cloned());
        }
        Ok(Options {
            config,
            log: self.log.or(file.log).unwrap_or_else(|| "info".into()),
            log_json: self.log_json || file.log_json.unwrap_or_default(),
        })
    }
}

fn read_file(path: &Path) -> anyhow::Result<File> {
    let text = std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} isn't right", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn with_file(content: &str, flags: Flags) -> anyhow::Result<Options> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server.toml");
        std::fs::write(&path, content).unwrap();
        Flags { config: Some(path), ..flags }.resolve()
    }

    #[test]
    fn a_flag_beats_the_file_and_the_file_beats_the_default() {
        let flags = Flags { max_rooms: Some(7), ..Flags::default() };
        let options = with_file("max_rooms = 5\nlisten = '127.0.0.1:1'\nlog_json = true", flags).unwrap();
        assert_eq!(options.config.limits.rooms, 7);
        assert_eq!(options.config.listen.port(), 1);
        assert_eq!(options.config.limits.connections, Limits::default().connections);
        assert!(options.log_json);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |content| format!("{:#}", with_file(content, Flags::default()).unwrap_err());
        assert!(error("max_room = 5").contains("max_room"), "{}", error("max_room = 5"));
        assert!(error("listen = 'here'").contains("listen"));
        assert!(error("max_rooms = 0").contains("max-rooms"));
        assert!(error("max_connections = 1").contains("max-connections"));
        let missing = Flags { config: Some("/nowhere/server.toml".into()), ..Flags::default() };
        assert!(format!("{:#}", missing.resolve().unwrap_err()).contains("/nowhere/server.toml"));
    }
}
