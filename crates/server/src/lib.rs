//! The signalling server as a library: the app embeds it for calls without a server, and the binary `visavis-server`
//! hosts it. What the rooms do is decided in [`visavis_signaling::server`]; here are its sockets, its clock and its
//! randomness. `docs/protocol.md` describes what goes over the wire.

mod embedded;
mod hub;
mod journal;
mod key;
pub mod local;
pub mod relay;
mod socket;

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
pub use embedded::{Embedded, EmbeddedError};
use hub::HubHandle;
use journal::Journal;
use relay::{IceConfig, Issuer, LiveMeetings, Relay, RelayConfig, Secret};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tracing::info;
pub use visavis_signaling::server::Limits;

/// The port of a server that is told no other.
pub const DEFAULT_PORT: u16 = 7880;
/// How long connections may take to end once the server goes down.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// Named with our relay's passwords.
const REALM: &str = "visavis";
/// Rooms of an embedded server: the call's own, and one that is just ending.
const EMBEDDED_ROOMS: usize = 2;
/// Sockets of an embedded server.
const EMBEDDED_CONNECTIONS: usize = 32;

/// What a server is started with.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Whether it is part of an app: it then listens on loopback alone and refuses every request that a web page
    /// made, since any page may try a local port.
    pub embedded: bool,
    /// Where the signing key and the journal of closed rooms are kept, so that a restart loses no room. Without it a new
    /// key is made at each start, and rooms end with the process.
    pub state_dir: Option<PathBuf>,
    /// What connections and rooms may use.
    pub limits: Limits,
    /// Our own STUN and TURN; none: neither is served.
    pub relay: Option<RelayConfig>,
    /// What two who have met are given, besides our own relay.
    pub ice: IceConfig,
}

impl Config {
    /// A server for everybody, on all addresses.
    #[must_use]
    pub fn hosted() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), DEFAULT_PORT),
            embedded: false,
            state_dir: None,
            limits: Limits::default(),
            relay: None,
            ice: IceConfig::default(),
        }
    }

    /// The server inside an app, for one call, on any free loopback port.
    #[must_use]
    pub fn embedded() -> Self {
        Self {
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            embedded: true,
            state_dir: None,
            limits: Limits { rooms: EMBEDDED_ROOMS, connections: EMBEDDED_CONNECTIONS, ..Limits::default() },
            relay: None,
            ice: IceConfig::default(),
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
    /// An embedded server is for this machine alone.
    #[error("an embedded server listens on loopback only, not on {0}")]
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
    /// Accepting connections failed for good.
    #[error("the server stopped: {0}")]
    Serve(io::Error),
}

/// A server that listens, and serves once it is [run](Server::run).
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    embedded: bool,
    hub: hub::Hub,
    handle: HubHandle,
    relay: Option<Relay>,
}

#[derive(Debug, Clone)]
struct AppState {
    hub: HubHandle,
}

impl Server {
    /// Begins to listen. Connections wait in the system's queue until [`Server::run`].
    ///
    /// # Errors
    /// Every [`ServerError`] but `Serve`.
    pub async fn bind(config: Config) -> Result<Self, ServerError> {
        if config.embedded && !config.listen.ip().is_loopback() {
            return Err(ServerError::NotLoopback(config.listen.ip()));
        }
        let journal = config.state_dir.as_deref().map(Journal::open).transpose()?;
        let key = key::load(config.state_dir.as_deref())?;
        let bind_error = |source| ServerError::Bind { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(bind_error)?;
        let address = listener.local_addr().map_err(bind_error)?;
        let (relay, issuer) = start_relay(&config)?;
        let (hub, handle) = hub::Hub::new(config.limits, key, issuer, journal);
        Ok(Self { listener, address, embedded: config.embedded, hub, handle, relay })
    }

    /// The URLs of our own STUN and TURN.
    #[must_use]
    pub fn relay_urls(&self) -> Vec<String> {
        self.relay.as_ref().map(Relay::urls).unwrap_or_default()
    }

    /// Where the server listens, with the port that it really got.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is done; then tells all clients, lets their connections end and returns.
    ///
    /// # Errors
    /// [`ServerError::Serve`] when the listening socket fails for good.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send + 'static) -> Result<(), ServerError> {
        let _relay = self.relay;
        info!(embedded = self.embedded, port = self.address.port(), "listening");
        let router = router(self.handle.clone(), self.embedded);
        let hub = tokio::spawn(self.hub.run());
        let (going_down, goes_down) = oneshot::channel::<()>();
        let handle = self.handle;
        let stop = async move {
            shutdown.await;
            info!("shutting down");
            handle.shut_down().await;
            drop(handle);
            let _ = going_down.send(());
        };
        // Small messages one after the other: Nagle's algorithm would hold each back for the answer to the last.
        let listener = self.listener.tap_io(|stream| {
            let _ = stream.set_nodelay(true);
        });
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop).into_future();
        let out_of_time = async {
            let _ = goes_down.await;
            tokio::time::sleep(DRAIN_TIMEOUT).await;
        };
        tokio::select! {
            served = serving => served.map_err(ServerError::Serve)?,
            () = out_of_time => info!("connections were still open after the time to drain"),
        }
        // The hub ends by itself once the last connection has let go of it.
        if tokio::time::timeout(DRAIN_TIMEOUT, hub).await.is_err() {
            info!("clients were still connected after the time to drain");
        }
        Ok(())
    }
}

/// Our own relay, if one is wanted, and who hands out servers, if there are any.
fn start_relay(config: &Config) -> Result<(Option<Relay>, Option<Issuer>), ServerError> {
    let secret = match config.ice.secret.clone() {
        Some(secret) => secret,
        None => Secret::new(key::random()?),
    };
    let live = LiveMeetings::default();
    let start = |relay: &RelayConfig| {
        let (secret, live) = (secret.clone(), Box::new(live.clone()));
        Relay::start(relay, REALM.to_owned(), secret, key::random()?, live)
            .map_err(|source| ServerError::Relay { address: relay.listen, source })
    };
    let relay = config.relay.as_ref().map(start).transpose()?;
    let mut urls = relay.as_ref().map(Relay::urls).unwrap_or_default();
    urls.extend(config.ice.urls.iter().cloned());
    let issuer = (!urls.is_empty()).then(|| Issuer { urls, secret, lifetime: config.ice.lifetime, live });
    Ok((relay, issuer))
}

fn router(hub: HubHandle, embedded: bool) -> Router {
    let router = Router::new().route("/ws", get(socket::upgrade)).route("/healthz", get(healthz));
    let router = if embedded { router.layer(middleware::from_fn(refuse_pages)) } else { router };
    router.with_state(AppState { hub })
}

async fn healthz(State(state): State<AppState>) -> Response {
    if state.hub.is_going_down() {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({ "status": "shutting-down" })))
            .into_response();
    }
    Json(serde_json::json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") })).into_response()
}

/// Browsers name the page behind a request in `Origin` (RFC 6454); programs don't.
async fn refuse_pages(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::FORBIDDEN, "not for web pages").into_response();
    }
    next.run(request).await
}
