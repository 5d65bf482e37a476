//! Streams of this system: to relays, TCP from one of our addresses, and TLS over it where the relay's URL says `turns:` (RFC
//! 8656, section 3.1), where the certificate has to be good for the name in that URL, by the system's roots; and to the other
//! side and from it, TCP alone (RFC 6544).

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, Error};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::compat::{TokioAsyncReadCompatExt as _, TokioAsyncWriteCompatExt as _};
use visavis_transport::{Accepting, Dialing, Stream, StreamListener, StreamServer, Streams};

use crate::{tls, words};

/// What the protocol is called within TLS (RFC 7443): a server that has others on the same port tells it from them by this.
const ALPN: &[u8] = b"stun.turn";
/// An address that doesn't answer must leave time for another.
const CONNECTING: Duration = Duration::from_secs(4);
/// Addresses of one server that are tried.
const MOST_ADDRESSES: usize = 3;
/// What the system may hold back for a slow path, bytes: a quarter of a second of video. Its own choice grows to seconds, and
/// packets that old are of no use to anybody.
const SEND_BUFFER: u32 = 64 * 1024;
/// Streams that the system keeps until they are taken. The other side opens one, or one from each of its addresses.
const BACKLOG: u32 = 16;

/// Streams of this system.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemStreams;

impl Streams for SystemStreams {
    fn dial(&self, from: IpAddr, server: StreamServer) -> Dialing {
        Box::pin(dial(Some(from), server, tls::system_trust))
    }

    fn dial_peer(&self, from: IpAddr, to: SocketAddr) -> Dialing {
        Box::pin(async move { Ok(split(connect_to(Some(from), to).await?)) })
    }

    fn listen(&self, on: IpAddr) -> io::Result<Box<dyn StreamListener>> {
        let socket = if on.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // Streams that are accepted have it from here.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(SocketAddr::new(on, 0))?;
        let listener = socket.listen(BACKLOG)?;
        let local = listener.local_addr()?;
        Ok(Box::new(Port { listener, local }))
    }
}

/// An open port.
struct Port {
    listener: TcpListener,
    local: SocketAddr,
}

impl StreamListener for Port {
    fn local(&self) -> SocketAddr {
        self.local
    }

    fn accept(&mut self) -> Accepting<'_> {
        Box::pin(async {
            let (stream, from) = self.listener.accept().await?;
            stream.set_nodelay(true)?;
            Ok((split(stream), from))
        })
    }
}

/// Opens a stream from whichever of our addresses leads there.
pub(crate) async fn open(server: StreamServer) -> io::Result<Stream> {
    dial(None, server, tls::system_trust).await
}

async fn dial(
    from: Option<IpAddr>,
    server: StreamServer,
    trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static,
) -> io::Result<Stream> {
    if !server.tls {
        return Ok(split(connect(from, &server).await?));
    }
    let name = ServerName::try_from(server.host.clone()).map_err(|_| io::Error::other("its name is none"))?;
    let trust = tokio::task::spawn_blocking(trust).await.map_err(io::Error::other)?;
    let secured = match secure(connect(from, &server).await?, name.clone(), &trust, &[ALPN]).await {
        // It has names for its protocols, and not this one; without any it may do.
        Err(error) if is_about_alpn(&error) => secure(connect(from, &server).await?, name, &trust, &[]).await,
        secured => secured,
    };
    secured.map(split).map_err(|error| io::Error::other(words::of_network(&error)))
}

async fn secure(
    stream: TcpStream,
    name: ServerName<'static>,
    trust: &ClientConfig,
    alpn: &[&[u8]],
) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
    let mut config = trust.clone();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

fn is_about_alpn(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    matches!(inner, Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)))
}

fn split<S: AsyncRead + AsyncWrite + Send + 'static>(stream: S) -> Stream {
    let (reader, writer) = tokio::io::split(stream);
    Stream { reader: Box::new(reader.compat()), writer: Box::new(writer.compat_write()) }
}

async fn connect(from: Option<IpAddr>, server: &StreamServer) -> io::Result<TcpStream> {
    let found = lookup_host((server.host.as_str(), server.port)).await;
    let found = found.map_err(|_| io::Error::other("its name can't be found"))?;
    let mut last = io::Error::new(ErrorKind::NetworkUnreachable, "there is no way there from this network");
    for to in found.filter(|to| from.is_none_or(|from| may_reach(from, to.ip()))).take(MOST_ADDRESSES) {
        match timeout(CONNECTING, connect_to(from, to)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = ErrorKind::TimedOut.into(),
        }
    }
    Err(io::Error::new(last.kind(), words::of_network(&last)))
}

/// Loopback leads nowhere else, and nothing else leads there: trying would only take time.
fn may_reach(from: IpAddr, to: IpAddr) -> bool {
    from.is_ipv4() == to.is_ipv4() && from.is_loopback() == to.is_loopback()
}

async fn connect_to(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.set_send_buffer_size(SEND_BUFFER)?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests;
