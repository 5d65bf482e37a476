//! Streams, for networks that let no datagrams through: to relays ([`crate::relays`]) and to the other side
//! ([`crate::ice_tcp`]). Whoever has a network brings them.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use futures::io::{AsyncRead, AsyncWrite};

/// Where a stream to a relay leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamServer {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether over TLS, where the certificate must be good for `host`.
    pub tls: bool,
}

/// An open stream.
pub struct Stream {
    /// What comes.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What goes.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

impl Debug for Stream {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}

/// A stream that is being opened.
pub type Dialing = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

/// A stream that somebody else is to open, and the address that they do it from.
pub type Accepting<'a> = Pin<Box<dyn Future<Output = io::Result<(Stream, SocketAddr)>> + Send + 'a>>;

/// Takes streams that others open. Dropping it closes the port.
pub trait StreamListener: Send {
    /// Where it listens.
    fn local(&self) -> SocketAddr;
    /// Waits for the next. After an error it may be asked again.
    fn accept(&mut self) -> Accepting<'_>;
}

/// Opens and takes streams.
pub trait Streams: Send + Sync + Debug {
    /// Opens one to a relay, from this address of ours. An error says in plain words what is wrong with the server.
    fn dial(&self, from: IpAddr, server: StreamServer) -> Dialing;

    /// Opens one to the other side, from this address of ours. It may take long, and is given up by being dropped.
    fn dial_peer(&self, from: IpAddr, to: SocketAddr) -> Dialing;

    /// Listens at this address of ours, at any port.
    ///
    /// # Errors
    /// When the system doesn't let us.
    fn listen(&self, on: IpAddr) -> io::Result<Box<dyn StreamListener>>;
}
