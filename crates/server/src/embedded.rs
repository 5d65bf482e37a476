//! The server of a call without a server address: part of the app of whoever starts the call, gone with the call.

use std::net::SocketAddr;

use tokio::sync::oneshot;

use crate::local::{self, Announcement, LocalError};
use crate::{Config, Server, ServerError};

/// The embedded server couldn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// It doesn't start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// Other instances can't be told of it.
    #[error("the app's own server can't be announced on this machine: {0}")]
    Announce(#[from] LocalError),
}

/// A running server on loopback. Dropping it ends it.
#[derive(Debug)]
pub struct Embedded {
    url: String,
    _announcement: Option<Announcement>,
    stop: Option<oneshot::Sender<()>>,
}

impl Embedded {
    /// Starts one; `announced`: other instances of this user on this machine find it by [`local::find`].
    ///
    /// # Errors
    /// When it can't listen or can't be announced.
    pub async fn start(announced: bool) -> Result<Self, EmbeddedError> {
        let server = Server::bind(Config::embedded()).await?;
        let address = server.local_addr();
        let announcement = if announced { Some(Announcement::publish(address.port())?) } else { None };
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            // Ends when it is told to, or when whoever would tell it is gone.
            let stopped = async { drop(stopped.await) };
            if let Err(error) = server.run(stopped).await {
                tracing::warn!(%error, "the embedded server ended");
            }
        });
        Ok(Self { url: socket_url(address), _announcement: announcement, stop: Some(stop) })
    }

    /// The address of its WebSocket.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The addresses of the WebSockets of all embedded servers of this user on this machine.
    #[must_use]
    pub fn others() -> Vec<String> {
        local::find().into_iter().map(socket_url).collect()
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It has ended by itself then.
            let _ = stop.send(());
        }
    }
}

fn socket_url(address: SocketAddr) -> String {
    format!("ws://{address}/ws")
}
