//! Signalling and TURN on one TLS port, so that both get through a network that lets nothing out but TCP to port 443.
//!
//! A client says by ALPN which of the two it wants (RFC 7443 for TURN). One that says nothing is told by its first byte: a STUN
//! message begins with two zero bits (RFC 8489, section 5), an HTTP request with a letter.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

/// What TURN is called within TLS.
pub(crate) const TURN: &[u8] = b"stun.turn";

/// A connection over TLS, with what was read of it to see what it is.
pub(crate) struct Secured {
    first: Option<u8>,
    stream: TlsStream<TcpStream>,
}

/// What a client wants.
pub(crate) enum Wanted {
    /// Requests and WebSockets.
    Http(Secured),
    /// The relay.
    Turn(Secured),
}

impl Wanted {
    /// Finds out. One that says nothing has to send something first.
    pub(crate) async fn of(mut stream: TlsStream<TcpStream>) -> io::Result<Self> {
        let named = stream.get_ref().1.alpn_protocol().map(|name| name == TURN);
        let first = match named {
            Some(_) => None,
            None => Some(stream.read_u8().await?),
        };
        let turn = named.unwrap_or_else(|| first.is_some_and(|byte| byte & 0xC0 == 0));
        let secured = Secured { first, stream };
        Ok(if turn { Self::Turn(secured) } else { Self::Http(secured) })
    }
}

impl AsyncRead for Secured {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if into.remaining() > 0
            && let Some(first) = self.first.take()
        {
            into.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
