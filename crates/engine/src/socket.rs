//! The socket to the signalling server: text frames both ways, in real life over a WebSocket (RFC 6455).

use std::time::Duration;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use visavis_call::SocketInput;

use crate::host::{BoxFuture, Host};

/// What the socket is told; dropping the sender closes it.
pub type SocketSender = mpsc::UnboundedSender<String>;

/// Opens sockets to servers.
pub trait Connector: Send + Sync {
    /// Opens a socket to `url` and returns at once. What happens on it goes to `events`, first `Opened` or `Closed`, last
    /// `Closed`. Text sent into the returned channel goes out in order; dropping that sender closes the socket.
    fn connect(&self, host: &Host, url: &str, events: mpsc::UnboundedSender<SocketInput>) -> SocketSender;
}

/// WebSockets over TCP.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebSocketConnector;

/// A server that takes longer than this to shake hands isn't one to have a call with.
const OPENING_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest frame that the protocol has is far below this.
const MAX_FRAME: usize = 256 * 1024;

impl Connector for WebSocketConnector {
    fn connect(&self, host: &Host, url: &str, events: mpsc::UnboundedSender<SocketInput>) -> SocketSender {
        let (sender, outgoing) = mpsc::unbounded();
        let url = url.to_owned();
        let task: BoxFuture<()> = Box::pin(async move {
            let reason = match run(&url, outgoing, &events).await {
                Ok(()) => "the server closed the connection".to_owned(),
                Err(reason) => reason,
            };
            // The session may be gone already.
            let _ = events.unbounded_send(SocketInput::Closed { reason });
        });
        host.spawn(task);
        sender
    }
}

async fn run(
    url: &str,
    mut outgoing: mpsc::UnboundedReceiver<String>,
    events: &mpsc::UnboundedSender<SocketInput>,
) -> Result<(), String> {
    let config = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .max_message_size(Some(MAX_FRAME))
        .max_frame_size(Some(MAX_FRAME));
    let opening = tokio_tungstenite::connect_async_with_config(url, Some(config), true);
    let (socket, _) = tokio::time::timeout(OPENING_TIMEOUT, opening)
        .await
        .map_err(|_| "it didn't answer".to_owned())?
        .map_err(|error| plain_words(&error))?;
    let _ = events.unbounded_send(SocketInput::Opened);
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
                    let _ = events.unbounded_send(SocketInput::Text(text.to_string()));
                }
                Some(Ok(Message::Close(_))) => return Ok(()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
    }
}

fn plain_words(error: &Error) -> String {
    match error {
        Error::Io(error) => match error.kind() {
            std::io::ErrorKind::ConnectionRefused => "nothing listens there".to_owned(),
            _ => error.to_string(),
        },
        Error::Http(response) => format!("it isn't a Visavis server (it answered {})", response.status()),
        Error::Protocol(_) | Error::HttpFormat(_) => "it isn't a Visavis server".to_owned(),
        Error::Url(error) => format!("the address is wrong: {error}"),
        error => error.to_string(),
    }
}
