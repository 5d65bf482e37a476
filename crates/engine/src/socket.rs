//! The socket to the signalling server: text frames both ways, in real life over a WebSocket (RFC 6455).

mod failure;

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use rustls::ClientConfig;
use tokio::net::{TcpStream, lookup_host};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};
use visavis_call::SocketInput;

use crate::host::{BoxFuture, Host};
pub(crate) use crate::socket::failure::Failure;
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
            let end = run(&url, outgoing, &mut events, tls::system_trust).await;
            // The session may be gone already.
            let _ = events.send(end).await;
        });
        host.spawn(task);
        sender
    }
}

/// Runs a socket; gives the last that is to be said of it.
async fn run(
    url: &str,
    outgoing: mpsc::UnboundedReceiver<String>,
    events: &mut mpsc::Sender<SocketInput>,
    trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static,
) -> SocketInput {
    let opening = tokio::time::timeout(OPENING_TIMEOUT, open(url, trust)).await;
    let socket = match opening.unwrap_or_else(|_| Err(Failure::no_answer())) {
        Ok(socket) => socket,
        Err(failure) => return failure.into_input(),
    };
    let _ = events.send(SocketInput::Opened).await;
    let reason = match carry(socket, outgoing, events).await {
        Ok(()) => "the server closed the connection".to_owned(),
        Err(error) => failure::plain_words(&error),
    };
    SocketInput::Closed { reason }
}

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Carries text both ways until either side has had enough.
async fn carry(
    socket: Socket,
    mut outgoing: mpsc::UnboundedReceiver<String>,
    events: &mut mpsc::Sender<SocketInput>,
) -> Result<(), Error> {
    let (mut sink, mut stream) = socket.split();
    loop {
        tokio::select! {
            text = outgoing.next() => {
                let Some(text) = text else {
                    let _ = sink.close().await;
                    return Ok(());
                };
                sink.send(Message::text(text)).await?;
            }
            message = stream.next() => match message.transpose()? {
                None | Some(Message::Close(_)) => return Ok(()),
                Some(Message::Text(text)) => {
                    let _ = events.send(SocketInput::Text(text.to_string())).await;
                }
                Some(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            }
        }
    }
}

/// Opens a socket.
pub(crate) async fn open(
    url: &str,
    trust: impl FnOnce() -> Arc<ClientConfig> + Send + 'static,
) -> Result<Socket, Failure> {
    let request = url.into_client_request()?;
    let secure = request.uri().scheme_str() == Some("wss");
    let host = request.uri().host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = request.uri().port_u16().unwrap_or(if secure { 443 } else { 80 });
    let addresses = lookup_host((host, port)).await.map_err(|_| Failure::no_such_name())?;
    let stream = TcpStream::connect(addresses.collect::<Vec<_>>().as_slice()).await?;
    // Small frames that wait for one another's acknowledgement (RFC 896) would cost a join whole round trips.
    stream.set_nodelay(true)?;
    let connector = if secure {
        let config = tokio::task::spawn_blocking(trust).await.map_err(std::io::Error::other)?;
        tokio_tungstenite::Connector::Rustls(config)
    } else {
        tokio_tungstenite::Connector::Plain
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let opening = tokio_tungstenite::client_async_tls_with_config(request, stream, Some(config), Some(connector));
    Ok(opening.await.map(|(socket, _)| socket)?)
}

#[cfg(test)]
mod tests;
