//! Pictures for the window: raw I420 over a WebSocket on loopback.
//!
//! Of the ways into a webview this one was measured best without a GPU: 30 pictures a second of 1280×720, while Tauri's
//! own channels reach 8 to 14. Any local program may try the port, so a connection must come from the app's own page
//! (Origin) and name a token that is good once and for a short time.

mod feed;
mod scale;
mod tokens;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

pub use feed::{Feed, Feeds};

use self::feed::Stream;
use self::tokens::Tokens;
use crate::view::VideoEndpoint;

/// Where the app's own page comes from: Linux and macOS, and Windows.
const ORIGINS: [&str; 3] = ["tauri://localhost", "http://tauri.localhost", "https://tauri.localhost"];
/// A page that has connected says its token at once.
const GREETING: Duration = Duration::from_secs(5);
/// Largest message that a page sends: its token.
const MAX_MESSAGE: usize = 256;

/// The loopback server of the window's pictures.
#[derive(Clone, Debug)]
pub struct VideoServer {
    address: SocketAddr,
    tokens: Arc<Tokens>,
}

impl VideoServer {
    /// Listens on a port that the system picks, for as long as the runtime runs.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(feeds: Feeds) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let server = Self { address: listener.local_addr()?, tokens: Arc::default() };
        let tokens = Arc::clone(&server.tokens);
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((socket, _)) => {
                        let (feeds, tokens) = (feeds.clone(), Arc::clone(&tokens));
                        tokio::spawn(async move {
                            if let Err(error) = serve(socket, feeds, &tokens).await {
                                tracing::debug!(%error, "the window's pictures ended");
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection for pictures couldn't be taken");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(server)
    }

    /// Where a page may get its pictures, once.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn endpoint(&self) -> io::Result<VideoEndpoint> {
        let token = self.tokens.issue().map_err(io::Error::other)?;
        Ok(VideoEndpoint { url: format!("ws://{}/", self.address), token })
    }
}

// The handshake's error type is tungstenite's own, and it is large.
#[expect(clippy::result_large_err, reason = "the callback's type is given")]
fn check_origin(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    let origin = request.headers().get("origin").and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    if ORIGINS.contains(&origin) {
        return Ok(response);
    }
    let mut refusal = ErrorResponse::new(Some("only for the app's own window".to_owned()));
    *refusal.status_mut() = StatusCode::FORBIDDEN;
    Err(refusal)
}

async fn serve(socket: TcpStream, feeds: Feeds, tokens: &Tokens) -> Result<(), Error> {
    socket.set_nodelay(true)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let greeting = async {
        let mut socket = tokio_tungstenite::accept_hdr_async_with_config(socket, check_origin, Some(config)).await?;
        let good = matches!(socket.next().await, Some(Ok(Message::Text(token))) if tokens.redeem(&token));
        Ok::<_, Error>((socket, good))
    };
    match tokio::time::timeout(GREETING, greeting).await {
        Err(_) => Ok(()),
        Ok(Err(error)) => Err(error),
        Ok(Ok((mut socket, false))) => socket.close(None).await,
        Ok(Ok((socket, true))) => pump(socket, feeds).await,
    }
}

/// Sends the newest picture of a stream whenever the page has drawn the one before.
async fn pump(mut socket: WebSocketStream<TcpStream>, feeds: Feeds) -> Result<(), Error> {
    let mut remote = Stream::new(0, feeds.remote.subscribe());
    let mut own = Stream::new(1, feeds.own.subscribe());
    loop {
        tokio::select! {
            packed = remote.next() => socket.send(Message::Binary(packed.into())).await?,
            packed = own.next() => socket.send(Message::Binary(packed.into())).await?,
            message = socket.next() => match message {
                Some(Ok(Message::Binary(drawn))) => match drawn.first() {
                    Some(0) => remote.credit(),
                    Some(1) => own.credit(),
                    Some(_) | None => return Ok(()),
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Text(_) | Message::Close(_) | Message::Frame(_))) | None => return Ok(()),
                Some(Err(error)) => return Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests;
