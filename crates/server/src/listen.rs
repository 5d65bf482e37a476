//! From a listening socket to requests: who is let in, TLS if there is any, and HTTP/1.1 with a time for each step, so that
//! nobody holds a place by sending slowly.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::client_address::Peer;
use crate::gate::{Gate, Pass};
#[cfg(feature = "hosting")]
use crate::relay::Service;
#[cfg(feature = "hosting")]
use crate::shared_port::Wanted;
#[cfg(feature = "hosting")]
use crate::tls::Tls;

/// How long a request's head may take to arrive.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the TLS handshake may take.
#[cfg(feature = "hosting")]
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest head of a request, bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 1024;
/// After an accept that failed, for want of file descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening socket and what stands before the router.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) gate: Gate,
    #[cfg(feature = "hosting")]
    pub(crate) tls: Option<Tls>,
    /// Serves those who come over TLS and want TURN.
    #[cfg(feature = "hosting")]
    pub(crate) relay: Option<std::sync::Arc<Service>>,
}

impl Door {
    /// Serves until the future is dropped. The connections go on without it, until they are told to end.
    pub(crate) async fn serve(&self, router: Router, connections: &Connections) {
        let mut complained = None;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => self.welcome(stream, peer, router.clone(), connections.0.subscribe()),
                Err(error) => {
                    // A thousand times the same word helps nobody.
                    let news = complained != Some(error.kind());
                    complained = Some(error.kind());
                    if news {
                        warn!(%error, "a connection can't be accepted");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream, peer: SocketAddr, router: Router, closing: Closing) {
        let Some(pass) = self.gate.enter(Instant::now(), peer.ip()) else { return };
        // Small messages one after the other: Nagle's algorithm would hold each back for the answer to the last.
        let _ = stream.set_nodelay(true);
        #[cfg(feature = "hosting")]
        if let Some(tls) = self.tls.clone() {
            let relay = self.relay.clone();
            tokio::spawn(async move {
                match tokio::time::timeout(HANDSHAKE_TIMEOUT, greet(&tls, stream)).await {
                    Ok(Ok(Some(Wanted::Http(stream)))) => serve_connection(stream, peer, router, closing, pass).await,
                    Ok(Ok(Some(Wanted::Turn(stream)))) => serve_relay(stream, peer, relay, closing, pass).await,
                    Ok(Ok(None)) | Err(_) => {}
                    Ok(Err(error)) => debug!(error = %error.kind(), "a TLS handshake failed"),
                }
            });
            return;
        }
        tokio::spawn(serve_connection(stream, peer, router, closing, pass));
    }
}

/// Shakes hands, and finds out what the client wants.
#[cfg(feature = "hosting")]
async fn greet(tls: &Tls, stream: TcpStream) -> io::Result<Option<Wanted>> {
    match tls.accept(stream).await? {
        Some(stream) => Wanted::of(stream).await.map(Some),
        None => Ok(None),
    }
}

/// Relays for a client that came over TLS. Its allocation ends with the server, as those of all others do.
#[cfg(feature = "hosting")]
async fn serve_relay(
    stream: crate::shared_port::Secured,
    peer: SocketAddr,
    relay: Option<std::sync::Arc<Service>>,
    mut closing: Closing,
    pass: Pass,
) {
    if let Some(relay) = relay {
        tokio::select! {
            () = relay.serve(stream, peer) => {}
            () = told_to_end(&mut closing) => {}
        }
    }
    drop(pass);
}

/// Serves what comes over one connection. The pass is kept for as long as the connection, WebSocket or not.
async fn serve_connection<S>(stream: S, peer: SocketAddr, router: Router, mut closing: Closing, pass: Pass)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let pass = std::sync::Arc::new(pass);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        // A WebSocket outlives the connection's own future, and takes this along.
        request.extensions_mut().insert(std::sync::Arc::clone(&pass));
        TowerToHyperService::new(router.clone()).call(request.map(Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told_to_end(&mut closing) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a connection ended with an error");
    }
}

/// Tells a connection that it is to end.
type Closing = watch::Receiver<bool>;

async fn told_to_end(closing: &mut Closing) {
    // An error says that nobody can tell any more, which is as good.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// The connections that are open, whichever way they came in.
#[derive(Debug)]
pub(crate) struct Connections(watch::Sender<bool>);

impl Connections {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets each answer what it was asked, and waits until all have ended. One that has become a WebSocket isn't waited for.
    pub(crate) async fn end(self) {
        self.0.send_replace(true);
        self.0.closed().await;
    }
}

/// Binds, and tells where it really is. All addresses of IPv6 are those of IPv4 too, on every system (RFC 3493, section 5.3).
pub(crate) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match address {
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => bind_both(address)?,
        SocketAddr::V4(_) | SocketAddr::V6(_) => TcpListener::bind(address).await?,
    };
    let address = listener.local_addr()?;
    Ok((listener, address))
}

fn bind_both(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    socket.set_only_v6(false)?;
    // As tokio binds: a port whose last connections are still dying is free. On Windows it would be free to anybody.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}
