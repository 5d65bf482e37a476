//! A real server on loopback and clients made of bare WebSockets.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

use std::net::SocketAddr;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use visavis_server::{Config, Server, ServerError};
use visavis_signaling::message::{ClientMessage, ErrorCode, IceServer, Resume, ServerMessage};

/// Far longer than anything here takes; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A server for everybody, on a free loopback port.
pub fn hosted() -> Config {
    let mut config = Config::hosted();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config
}

pub struct TestServer {
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServerError>>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::with(Config::embedded()).await
    }

    pub async fn with(config: Config) -> Self {
        let server = Server::bind(config).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (address, metrics) = (server.local_addr(), server.metrics_addr());
        let task = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { address, metrics, stop: Some(stop), task }
    }

    pub fn tell_to_stop(&mut self) {
        drop(self.stop.take());
    }

    pub async fn stopped(self) {
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }

    pub fn url(&self) -> String {
        format!("ws://{}/ws", self.address)
    }

    pub async fn client(&self) -> TestClient {
        TestClient::connect(self.address).await
    }

    /// A client that was welcomed; with the token it got.
    pub async fn welcomed(&self) -> (TestClient, String) {
        self.welcomed_with(hello(None)).await
    }

    async fn welcomed_with(&self, hello: ClientMessage) -> (TestClient, String) {
        let mut client = self.client().await;
        client.send(&hello).await;
        match client.next().await {
            ServerMessage::Welcome { token, resumed: false, .. } => (client, token),
            other => panic!("{other:?}"),
        }
    }

    /// Two that have met; the creator first.
    pub async fn met(&self) -> (TestClient, TestClient) {
        self.met_with(&[]).await
    }

    /// The same with these features.
    pub async fn met_with(&self, features: &[&str]) -> (TestClient, TestClient) {
        let features: Vec<_> = features.iter().map(|feature| (*feature).to_owned()).collect();
        let hello = ClientMessage::Hello { version: 1, features, resume: None };
        let (mut creator, _) = self.welcomed_with(hello.clone()).await;
        let nameplate = creator.create().await;
        let (mut joiner, _) = self.welcomed_with(hello).await;
        joiner.send(&ClientMessage::Knock { nameplate }).await;
        for client in [&mut creator, &mut joiner] {
            client.wait_for(|message| matches!(message, ServerMessage::Knocked { exchange: 1 })).await;
        }
        (creator, joiner)
    }
}

/// Lets both say that they have found the other to be who they mean.
pub async fn confirm(pair: [&mut TestClient; 2]) {
    let [one, other] = pair;
    for client in [&mut *one, &mut *other] {
        client.send(&ClientMessage::Confirmed { exchange: 1 }).await;
    }
    for client in [one, other] {
        client.wait_for(|message| matches!(message, ServerMessage::Confirmed { .. })).await;
    }
}

/// What comes back for a request in the clear.
pub async fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

/// What one that has met another is given.
pub async fn ice_servers(client: &mut TestClient) -> Vec<IceServer> {
    match client.wait_for(|message| matches!(message, ServerMessage::IceServers { .. })).await {
        ServerMessage::IceServers { servers, .. } => servers,
        other => panic!("{other:?}"),
    }
}

pub fn hello(resume: Option<Resume>) -> ClientMessage {
    ClientMessage::Hello { version: 1, features: vec![], resume }
}

pub struct TestClient {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl TestClient {
    pub async fn connect(server: SocketAddr) -> Self {
        Self { socket: connect_async_with_config(format!("ws://{server}/ws"), None, true).await.unwrap().0 }
    }

    pub async fn send(&mut self, message: &ClientMessage) {
        self.send_text(&message.to_json()).await;
    }

    pub async fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn create(&mut self) -> visavis_signaling::Nameplate {
        self.send(&ClientMessage::Create).await;
        match self.wait_for(|message| matches!(message, ServerMessage::Created { .. })).await {
            ServerMessage::Created { nameplate } => nameplate,
            other => panic!("{other:?}"),
        }
    }

    pub async fn frame(&mut self) -> Option<Result<Message, Error>> {
        tokio::time::timeout(PATIENCE, self.socket.next()).await.unwrap()
    }

    pub async fn next(&mut self) -> ServerMessage {
        match self.frame().await {
            Some(Ok(Message::Text(text))) => ServerMessage::parse(text.as_str()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Reads on until that message.
    pub async fn wait_for(&mut self, wanted: impl Fn(&ServerMessage) -> bool) -> ServerMessage {
        loop {
            let message = self.next().await;
            if wanted(&message) {
                return message;
            }
        }
    }

    /// Reads a fatal error of that code and the close behind it, which names it too.
    pub async fn expect_refusal(&mut self, wanted: ErrorCode) {
        let error = self.wait_for(|message| matches!(message, ServerMessage::Error { fatal: true, .. })).await;
        assert!(matches!(&error, ServerMessage::Error { code, .. } if *code == wanted), "{error:?}");
        match self.frame().await {
            Some(Ok(Message::Close(Some(CloseFrame { reason, .. })))) => assert_eq!(reason.as_str(), wanted.as_str()),
            other => panic!("{other:?}"),
        }
    }
}
