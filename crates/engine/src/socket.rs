//! The socket to the signalling server: text frames both ways, in real life over a WebSocket (RFC 6455).

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use visavis_call::SocketInput;

use crate::host::{BoxFuture, Host};
use crate::tls;

/// What the socket is told; dropping the sender closes it. It needs no bound: the session has few bodies on the way at a
/// time, and takes a server that reads nothing for lost once a ping stays unanswered.
pub type SocketSender = mpsc::UnboundedSender<String>;

/// Opens sockets to servers.
pub trait Connector: Send + Sync {
    /// Opens a socket to `url` and returns at once. What happens on it goes to `events`, first `Opened` or `Closed`, last
    /// `Closed`. Where `events` is full the socket waits: nobody reads ahead of the session. Text sent into the returned
    /// channel goes out in order; dropping that sender closes the socket.
    fn connect(&self, host: &Host, url: &str, events: mpsc::Sender<SocketInput>) -> SocketSender;
}

/// WebSockets over TCP, with TLS where the address says `wss`.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketConnector;

/// A server that takes longer than this to shake hands isn't one to have a call with.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest frame that the protocol has is far below this.
const MAX_FRAME: usize = 256 * 1024;

impl Connector for WebSocketConnector {
    fn connect(&self, host: &Host, url: &str, mut events: mpsc::Sender<SocketInput>) -> SocketSender {
        let (sender, outgoing) = mpsc::unbounded();
        let url = url.to_owned();
        let task: BoxFuture<()> = Box::pin(async move {
            let reason = match run(&url, outgoing, &mut events, tls::system_trust).await {
                Ok(()) => "the server closed the connection".to_owned(),
                Err(reason) => reason,
            };
            // The session may be gone already.
            let _ = events.send(SocketInput::Closed { reason }).await;
        });
        host.spawn(task);
        sender
    }
}

async fn run(
    url: &str,
    mut outgoing: mpsc::UnboundedReceiver<String>,
    events: &mut mpsc::Sender<SocketInput>,
    trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static,
) -> Result<(), String> {
    let socket = tokio::time::timeout(OPENING_TIMEOUT, open(url, trust))
        .await
        .map_err(|_| "it didn't answer".to_owned())?
        .map_err(|error| plain_words(&error))?;
    let _ = events.send(SocketInput::Opened).await;
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            text = outgoing.next() => {
                let Some(text) = text else {
                    let _ = sink.close().await;
                    return Ok(());
                };
                sink.send(Message::text(text)).await.map_err(|error| plain_words(&error))?;
            }
            message = stream.next() => match message {
                None => return Ok(()),
                Some(Err(error)) => return Err(plain_words(&error)),
                Some(Ok(Message::Text(text))) => {
                    let _ = events.send(SocketInput::Text(text.to_string())).await;
                }
                Some(Ok(Message::Close(_))) => return Ok(()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
    }
}

async fn open(
    url: &str,
    trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, Error> {
    let connector = if url.starts_with("wss:") {
        let config = tokio::task::spawn_blocking(trust).await.map_err(|error| Error::Io(error.into()))?;
        tokio_tungstenite::Connector::Rustls(config)
    } else {
        tokio_tungstenite::Connector::Plain
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    // Small frames that wait for one another's acknowledgement (RFC 896) would cost a join whole round trips.
    let without_nagle = true;
    let opening =
        tokio_tungstenite::connect_async_tls_with_config(url, Some(config), without_nagle, Some(connector)).await;
    opening.map(|(socket, _)| socket)
}

#[allow(clippy::wildcard_enum_match_arm, reason = "the enums matched here are the library's, and open")]
fn plain_words(error: &Error) -> String {
    match error {
        Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
        Error::Io(error) => tls::plain_words(error).unwrap_or_else(|| error.to_string()),
        Error::Http(response) => format!("it isn't a Visavis server (it answered {})", response.status()),
        Error::Protocol(_) | Error::HttpFormat(_) => "it isn't a Visavis server".to_owned(),
        Error::Url(error) => format!("the address is wrong: {error}"),
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests;
