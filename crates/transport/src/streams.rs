//! Streams, for networks that let no datagrams through: to relays ([`crate::relays`]) and to the other side
//! ([`crate::ice_tcp`]). Whoever has a network brings them.

use std::fmt::{self, Debug, Formatter};
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

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

    /// Whether the address is of a network, and not of a machine for itself alone.
    fn is_of_network(&self, ip: IpAddr) -> bool {
        !ip.to_canonical().is_loopback()
    }
}

/// What came over a stream, as a datagram from where it leads.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) from: SocketAddr,
    pub(crate) datagram: Vec<u8>,
}

/// The bytes that are written at once, if so many wait.
const WRITE: usize = 16 * 1024;

/// Sends datagrams until there are no more, framed by `write`, which leaves out what has no place on the stream: the other side
/// would lose its own.
pub(crate) async fn send_all(
    mut writer: Box<dyn AsyncWrite + Send + Unpin>,
    mut datagrams: mpsc::Receiver<Vec<u8>>,
    write: fn(&[u8], &mut Vec<u8>) -> bool,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(datagram) = datagrams.next().await {
        bytes.clear();
        let mut any = write(&datagram, &mut bytes);
        while bytes.len() < WRITE
            && let Ok(datagram) = datagrams.try_recv()
        {
            any |= write(&datagram, &mut bytes);
        }
        if any {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
        }
    }
    writer.close().await
}

/// Streams within a test.
#[cfg(test)]
pub(crate) mod pipe {
    use std::task::{Context, Poll};

    use futures::TryStreamExt as _;

    use super::{AsyncRead, AsyncWrite, Pin, io, mpsc};

    /// The writing half.
    pub(crate) struct Pipe(mpsc::UnboundedSender<io::Result<Vec<u8>>>);

    impl AsyncWrite for Pipe {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let sent = self.0.unbounded_send(Ok(bytes.to_vec()));
            Poll::Ready(sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            self.0.close_channel();
            Poll::Ready(Ok(()))
        }
    }

    /// What goes one way.
    pub(crate) fn pipe() -> (Pipe, Box<dyn AsyncRead + Send + Unpin>) {
        let (sender, receiver) = mpsc::unbounded();
        (Pipe(sender), Box::new(receiver.into_async_read()))
    }
}
