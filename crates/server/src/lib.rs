//! The signalling server as a library: the app embeds it for calls without a server, and the binary `visavis-server`
//! hosts it. What the rooms do is decided in [`visavis_signaling::server`]; here are its sockets, its clock and its
//! randomness. `docs/protocol.md` describes what goes over the wire.

mod client_address;
#[cfg_attr(not(feature = "hosting"), allow(dead_code, reason = "a server inside an app is alone"))]
mod cluster;
mod embedded;
mod gate;
#[cfg(feature = "guest")]
mod guest;
mod hub;
mod journal;
mod key;
mod listen;
pub mod local;
mod metrics;
#[cfg(feature = "hosting")]
pub mod nats;
mod pages;
pub mod relay;
#[cfg(feature = "hosting")]
mod shared_port;
mod socket;
#[cfg(feature = "hosting")]
pub mod tls;
mod together;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
pub use embedded::{Embedded, EmbeddedError, Reach};
use gate::Gate;
use hub::HubHandle;
use journal::Journal;
use listen::{Connections, Door};
pub use pages::Pages;
use relay::{Cidr, IceConfig, Issuer, LiveMeetings, Relay, RelayConfig, RelayGauge, Secret, Servers};
use together::Together;
use tracing::info;
pub use visavis_signaling::DEFAULT_PORT;
pub use visavis_signaling::server::Limits;

/// How long connections may take to end once the server goes down.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Named with our relay's passwords.
const REALM: &str = "visavis";
/// Rooms of an embedded server: the call's own, and one that is just ending.
const EMBEDDED_ROOMS: usize = 2;
/// Sockets of an embedded server.
const EMBEDDED_CONNECTIONS: usize = 32;
/// Of them from one machine of the local network: a joiner has one, and perhaps another while the first is being lost.
const SOCKETS_OF_A_NEIGHBOUR: usize = 4;

/// For whom a server is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// For everybody who can reach it.
    Everybody,
    /// For this machine and the networks around it: part of an app. Other sources aren't let in, and nobody but this machine
    /// may make a room.
    Network,
    /// For this machine alone: part of an app.
    Machine,
}

impl Audience {
    /// Whether the server is part of an app: it serves no web page then, since any page may try a local port.
    pub(crate) const fn is_embedded(self) -> bool {
        matches!(self, Self::Network | Self::Machine)
    }

    /// Whether somebody with this address is let in.
    pub(crate) fn has(self, source: IpAddr) -> bool {
        match self {
            Self::Everybody => true,
            Self::Network => visavis_lan::is_local_source(source),
            Self::Machine => source.to_canonical().is_loopback(),
        }
    }
}

/// What a server is started with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// For whom it is there.
    pub audience: Audience,
    /// Where the signing key and the journal of closed rooms are kept, so that a restart loses no room. Without it a new
    /// key is made at each start, and rooms end with the process.
    pub state_dir: Option<PathBuf>,
    /// What connections and rooms may use.
    pub limits: Limits,
    /// Our own STUN and TURN; none: neither is served.
    pub relay: Option<RelayConfig>,
    /// What two who have met are given, besides our own relay.
    pub ice: IceConfig,
    /// Which web pages may speak to it.
    pub pages: Pages,
    /// Proxies that are believed when they say whom they bring.
    pub proxies: Vec<Cidr>,
    /// Who may read how busy it is.
    pub metrics: MetricsConfig,
    /// Whether clients' addresses may stand in the log.
    pub log_addresses: bool,
    /// A file with the signing key, for servers that share one; none: it is in the state folder.
    pub signing_key: Option<PathBuf>,
    /// How other servers are reached; none: this one is alone.
    #[cfg(feature = "hosting")]
    pub nats: Option<nats::NatsConfig>,
    /// TLS; without it the server speaks in the clear, on loopback or behind a proxy.
    #[cfg(feature = "hosting")]
    pub tls: Option<tls::TlsConfig>,
}

/// How Prometheus gets at its numbers; by default not at all.
#[derive(Debug, Clone, Default)]
pub struct MetricsConfig {
    /// A listening address of their own, in the clear, for a network that is the host's own.
    pub listen: Option<SocketAddr>,
    /// What who asks has to show, there or, if they have no address of their own, beside everything else.
    pub token: Option<String>,
}

impl Config {
    /// A server for everybody, on all addresses.
    #[must_use]
    pub fn hosted() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT),
            audience: Audience::Everybody,
            state_dir: None,
            limits: Limits::default(),
            relay: None,
            ice: IceConfig::default(),
            pages: Pages::OwnAnd(Vec::new()),
            proxies: Vec::new(),
            metrics: MetricsConfig::default(),
            log_addresses: false,
            signing_key: None,
            #[cfg(feature = "hosting")]
            nats: None,
            #[cfg(feature = "hosting")]
            tls: None,
        }
    }

    /// The server inside an app, for one call, on any free loopback port.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            audience: Audience::Machine,
            state_dir: None,
            // It hides no rooms: a joiner asks several such servers, and has to look on where there is none.
            limits: Limits { rooms: EMBEDDED_ROOMS, connections: EMBEDDED_CONNECTIONS, decoys: 0, ..Limits::default() },
            pages: Pages::None,
            ..Self::hosted()
        }
    }

    /// The same for the local network too, on all addresses.
    #[must_use]
    pub fn embedded_in_network() -> Self {
        let embedded = Self::embedded();
        Self {
            listen: SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), DEFAULT_PORT),
            audience: Audience::Network,
            // Rooms are counted by source, and this machine isn't one: it alone may make any.
            limits: Limits {
                connections_per_source: SOCKETS_OF_A_NEIGHBOUR,
                room_burst: 0,
                rooms_per_minute: 0,
                ..embedded.limits.clone()
            },
            ..embedded
        }
    }
}

/// Why a server doesn't start, or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}")]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The relay can't listen.
    #[error("STUN and TURN can't listen on {address}: {source}")]
    Relay {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A server for this machine alone.
    #[error("a server for this machine listens on loopback only, not on {0}")]
    NotLoopback(IpAddr),
    /// The signing key can't be read or written.
    #[error("can't keep the signing key in {path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file that should hold the signing key holds something else.
    #[error("{0} holds no signing key; remove it to have a new one made")]
    BadKey(PathBuf),
    /// Another server keeps its state there.
    #[error("another server is using {0}")]
    StateInUse(PathBuf),
    /// The system gives no randomness.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
    /// The certificates can't be used.
    #[cfg(feature = "hosting")]
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// It can't work together with the others.
    #[cfg(feature = "hosting")]
    #[error(transparent)]
    Nats(#[from] nats::NatsError),
    /// Accepting connections failed for good.
    #[error("the server stopped: {0}")]
    Serve(io::Error),
}

/// A server that listens, and serves once it is [run](Server::run).
#[derive(Debug)]
pub struct Server {
    door: Door,
    address: SocketAddr,
    metrics: Option<(Door, SocketAddr)>,
    config: Config,
    together: Together,
    relay: Option<Relay>,
}

#[derive(Debug, Clone)]
struct AppState {
    hub: HubHandle,
    gate: Gate,
    audience: Audience,
    log_addresses: bool,
}

impl Server {
    /// Begins to listen. Connections wait in the system's queue until [`Server::run`].
    ///
    /// # Errors
    /// Every [`ServerError`] but `Serve`.
    pub async fn bind(config: Config) -> Result<Self, ServerError> {
        if config.audience == Audience::Machine && !config.listen.ip().is_loopback() {
            return Err(ServerError::NotLoopback(config.listen.ip()));
        }
        let journal = config.state_dir.as_deref().map(Journal::open).transpose()?;
        let key = key::load(config.signing_key.as_deref(), config.state_dir.as_deref())?;
        let limits = config.limits.clone();
        let gate = Gate::new(&limits, config.audience, config.proxies.clone(), Instant::now());
        let (listener, address) = bind(config.listen).await?;
        let (relay, issuer) = start_relay(&config, address.port())?;
        let door = Door {
            listener,
            gate: gate.clone(),
            #[cfg(feature = "hosting")]
            tls: config.tls.as_ref().map(tls::Tls::start).transpose()?,
            #[cfg(feature = "hosting")]
            relay: relay.as_ref().map(Relay::service),
        };
        let metrics = match config.metrics.listen {
            Some(address) => Some(metrics_door(address).await?),
            None => None,
        };
        let together = together::put(&config, key, issuer, journal).await?;
        Ok(Self { door, address, metrics, config, together, relay })
    }

    /// The URLs of our own STUN and TURN, without that for TLS.
    #[must_use]
    pub fn relay_urls(&self) -> Vec<String> {
        self.relay.as_ref().map(Relay::urls).unwrap_or_default()
    }

    /// Where the server listens, with the port that it really got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics are, if they have an address of their own.
    #[must_use]
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(|(_, address)| *address)
    }

    /// Serves until `shutdown` is done; then tells all clients, lets their connections end and returns.
    ///
    /// # Errors
    /// None today; [`ServerError::Serve`] is for a listening socket that fails for good.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), ServerError> {
        let relay = self.relay;
        info!(audience = ?self.config.audience, port = self.address.port(), "listening");
        let Together { hub, handle, ways } = self.together;
        let (router, metrics) = routers(&self.config, &handle, &self.door.gate, relay.as_ref().map(Relay::gauge));
        let (hub, ways) = (tokio::spawn(hub.run()), ways.map(tokio::spawn));
        let connections = Connections::new();
        let asked = async {
            match &self.metrics {
                Some((door, _)) => door.serve(metrics, &connections).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = shutdown => {}
            () = self.door.serve(router, &connections) => {}
            () = asked => {}
        }
        info!("shutting down");
        // Nobody new comes in.
        drop((self.door, self.metrics));
        handle.shut_down().await;
        drop(handle);
        if tokio::time::timeout(DRAIN_TIMEOUT, connections.end()).await.is_err() {
            info!("connections were still open after the time to drain");
        }
        // The hub ends by itself once the last connection has let go of it.
        if tokio::time::timeout(DRAIN_TIMEOUT, hub).await.is_err() {
            info!("clients were still connected after the time to drain");
        }
        if let Some(ways) = ways
            && tokio::time::timeout(DRAIN_TIMEOUT, ways).await.is_err()
        {
            info!("other servers couldn't be told in time");
        }
        Ok(())
    }
}

async fn bind(address: SocketAddr) -> Result<(tokio::net::TcpListener, SocketAddr), ServerError> {
    listen::bind(address).await.map_err(|source| ServerError::Bind { address, source })
}

/// In the clear, and only for the few who watch over the server.
async fn metrics_door(address: SocketAddr) -> Result<(Door, SocketAddr), ServerError> {
    let (listener, address) = bind(address).await?;
    let limits = Limits { connections: 0, connections_per_source: usize::MAX, ..Limits::default() };
    let gate = Gate::new(&limits, Audience::Everybody, Vec::new(), Instant::now());
    let door = Door {
        listener,
        gate,
        #[cfg(feature = "hosting")]
        tls: None,
        #[cfg(feature = "hosting")]
        relay: None,
    };
    Ok((door, address))
}

/// By which TURN is told over TLS, which is on the port of signalling.
#[cfg(feature = "hosting")]
fn over_tls(config: &Config, port: u16) -> Option<String> {
    let name = config.relay.as_ref()?.tls_name.as_ref().filter(|_| config.tls.is_some())?;
    Some(format!("turns:{name}:{port}?transport=tcp"))
}

#[cfg(not(feature = "hosting"))]
const fn over_tls(_: &Config, _: u16) -> Option<String> {
    None
}

/// Our own relay, if one is wanted, and who hands out servers, if there are any.
fn start_relay(config: &Config, port: u16) -> Result<(Option<Relay>, Option<Issuer>), ServerError> {
    // Whoever knows the secret of the others lets all who have a good password relay. That for ours is good with nobody else.
    let secret = Secret::new(key::random()?);
    let live = LiveMeetings::default();
    let start = |relay: &RelayConfig| {
        let (secret, live) = (secret.clone(), Box::new(live.clone()));
        Relay::start(relay, REALM.to_owned(), secret, key::random()?, live)
            .map_err(|source| ServerError::Relay { address: relay.listen, source })
    };
    let relay = config.relay.as_ref().map(start).transpose()?;
    let mut urls = relay.as_ref().map(Relay::urls).unwrap_or_default();
    urls.extend(over_tls(config, port));
    let own = Servers { urls, secret };
    let secret = config.ice.secret.clone().map_or_else(|| key::random().map(Secret::new), Ok)?;
    let others = Servers { urls: config.ice.urls.clone(), secret };
    let any = !own.urls.is_empty() || !others.urls.is_empty();
    let issuer = any.then_some(Issuer { own, others, lifetime: config.ice.lifetime, live });
    Ok((relay, issuer))
}

/// What is served to everybody, and to those who watch.
fn routers(config: &Config, hub: &HubHandle, gate: &Gate, relay: Option<RelayGauge>) -> (Router, Router) {
    let (audience, log_addresses) = (config.audience, config.log_addresses);
    let state = AppState { hub: hub.clone(), gate: gate.clone(), audience, log_addresses };
    let router = Router::new().route("/ws", get(socket::upgrade)).route("/healthz", get(healthz)).with_state(state);
    #[cfg(feature = "guest")]
    let router = if audience.is_embedded() { router } else { router.merge(guest::router()) };
    let token = config.metrics.token.as_deref().map(Arc::from);
    let in_between = config.metrics.listen.is_none() && token.is_some();
    let sources = metrics::Sources { hub: hub.clone(), gate: gate.clone(), started: SystemTime::now(), relay, token };
    let metrics = metrics::router(sources);
    let router = if in_between { router.merge(metrics.clone()) } else { router };
    (router.layer(middleware::from_fn_with_state(config.pages.clone(), pages::check)), metrics)
}

async fn healthz(State(state): State<AppState>) -> Response {
    if state.hub.is_going_down() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({ "status": "shutting-down" })))
            .into_response();
    }
    if state.hub.is_apart() {
        // What it has goes on, so nobody should be sent away from it.
        return Json(serde_json::json!({ "status": "apart", "version": env!("CARGO_PKG_VERSION") })).into_response();
    }
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}
