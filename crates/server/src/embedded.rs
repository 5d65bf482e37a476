//! The server of a call without a server address: part of the app of whoever starts the call, gone with the call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use tokio::sync::oneshot;
use visavis_lan::own_addresses;

use crate::local::{self, LocalError};
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

/// Who is to find an embedded server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nobody but who is told its address.
    Process,
    /// Other instances of this user on this machine, by [`local::find`].
    Machine,
    /// These and, by multicast DNS or by its address, everybody in the networks around this machine.
    Network,
}

/// A running server. Dropping it ends it.
#[derive(Debug)]
pub struct Embedded {
    port: u16,
    reach: Reach,
    _on_machine: Option<local::Announcement>,
    _in_network: Option<visavis_lan::Announcement>,
    stop: Option<oneshot::Sender<()>>,
}

impl Embedded {
    /// Starts one.
    ///
    /// # Errors
    /// When it can't listen or can't be announced on this machine. A network without multicast is no error: there are codes
    /// with an address for it.
    pub async fn start(reach: Reach) -> Result<Self, EmbeddedError> {
        let server = match reach {
            Reach::Process | Reach::Machine => Server::bind(Config::embedded()).await?,
            Reach::Network => bind_in_network().await?,
        };
        let port = server.local_addr().port();
        let on_machine = match reach {
            Reach::Process => None,
            Reach::Machine | Reach::Network => Some(local::Announcement::publish(port)?),
        };
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(async move {
            // Ends when it is told to, or when whoever would tell it is gone.
            let stopped = async { drop(stopped.await) };
            if let Err(error) = server.run(stopped).await {
                tracing::warn!(%error, "the embedded server ended");
            }
        });
        let in_network = (reach == Reach::Network).then(|| announce(port)).flatten();
        Ok(Self { port, reach, _on_machine: on_machine, _in_network: in_network, stop: Some(stop) })
    }

    /// The address of its WebSocket, for this machine.
    #[must_use]
    pub fn url(&self) -> String {
        socket_url(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), self.port))
    }

    /// Where others in the networks around this machine reach it, the likeliest first.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self.reach {
            Reach::Process | Reach::Machine => Vec::new(),
            Reach::Network => own_addresses().into_iter().map(|ip| SocketAddr::new(ip, self.port)).collect(),
        }
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

/// On the usual port, which people can open in a firewall once and for all; where something else has it, on any. Where
/// there is no IPv6, without it.
async fn bind_in_network() -> Result<Server, ServerError> {
    let usual = Config::embedded_in_network();
    let any_port = |ip: IpAddr| Config { listen: SocketAddr::new(ip, 0), ..usual.clone() };
    match Server::bind(usual.clone()).await {
        Err(ServerError::Bind { .. }) => {}
        other => return other,
    }
    match Server::bind(any_port(usual.listen.ip())).await {
        Err(ServerError::Bind { .. }) => Server::bind(any_port(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).await,
        other => other,
    }
}

fn announce(port: u16) -> Option<visavis_lan::Announcement> {
    visavis_lan::Announcement::publish(port)
        .inspect_err(|error| tracing::warn!(%error, "the call can't be announced in the local network"))
        .ok()
}

fn socket_url(address: SocketAddr) -> String {
    format!("ws://{address}/ws")
}
