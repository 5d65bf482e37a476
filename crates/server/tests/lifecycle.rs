//! Connections that are lost, slow or ended, and a server that goes down.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::time::Duration;

use common::*;
use futures::SinkExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use visavis_server::{Config, Server, ServerError};
use visavis_signaling::message::{ClientMessage, ErrorCode, Resume, ServerMessage};

fn body(exchange: u32, seq: u64, body: &str) -> ClientMessage {
    ClientMessage::Relay { exchange, seq, body: body.into() }
}

#[tokio::test]
async fn bodies_and_acknowledgements_cross_the_server() {
    let server = TestServer::start().await;
    let (mut creator, mut joiner) = server.met().await;
    joiner.send(&body(1, 1, "öffne\u{0}🙂")).await;
    let relay = creator.next().await;
    assert_eq!(relay, ServerMessage::Relay { exchange: 1, seq: 1, body: "öffne\u{0}🙂".into() });
    creator.send(&ClientMessage::Ack { exchange: 1, seq: 1 }).await;
    assert_eq!(joiner.next().await, ServerMessage::Ack { exchange: 1, seq: 1 });
    for client in [&mut creator, &mut joiner] {
        client.send(&ClientMessage::Confirmed { exchange: 1 }).await;
    }
    let mut rooms = Vec::new();
    for client in [&mut creator, &mut joiner] {
        match client.wait_for(|m| matches!(m, ServerMessage::Confirmed { .. })).await {
            ServerMessage::Confirmed { room, .. } => rooms.push(room),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((rooms[0].len(), &rooms[0]), (32, &rooms[1]));
    creator.send(&ClientMessage::Leave { reason: "hung-up".into() }).await;
    assert_eq!(joiner.next().await, ServerMessage::PeerLeft { exchange: 1, reason: "hung-up".into() });
}

#[tokio::test]
async fn a_lost_connection_is_resumed() {
    let server = TestServer::start().await;
    let (mut creator, _) = server.welcomed().await;
    let nameplate = creator.create().await;
    let (mut joiner, _) = server.welcomed().await;
    joiner.send(&ClientMessage::Knock { nameplate }).await;
    let token = joiner.wait_for(|m| matches!(m, ServerMessage::Token { .. })).await;
    let ServerMessage::Token { token } = token else { panic!("{token:?}") };
    joiner.wait_for(|m| matches!(m, ServerMessage::Knocked { .. })).await;
    drop(joiner);
    creator.send(&body(1, 1, "while you were away")).await;
    let mut joiner = server.client().await;
    joiner.send(&hello(Some(Resume { token, exchange: 1, received: 0 }))).await;
    let welcome = joiner.next().await;
    assert!(matches!(welcome, ServerMessage::Welcome { resumed: true, received: 0, .. }), "{welcome:?}");
    assert_eq!(joiner.next().await, ServerMessage::Knocked { exchange: 1 });
    let relay = joiner.next().await;
    assert_eq!(relay, ServerMessage::Relay { exchange: 1, seq: 1, body: "while you were away".into() });
}

/// Starts a server with this state, or starts it again, on a new port.
async fn stateful(folder: &std::path::Path) -> TestServer {
    let mut config = Config::embedded();
    config.state_dir = Some(folder.to_owned());
    TestServer::with(config).await
}

async fn newest_token(client: &mut TestClient) -> String {
    match client.wait_for(|m| matches!(m, ServerMessage::Token { .. })).await {
        ServerMessage::Token { token } => token,
        other => panic!("{other:?}"),
    }
}

async fn resumed(server: &TestServer, token: &str) -> Option<TestClient> {
    let mut client = server.client().await;
    client.send(&hello(Some(Resume { token: token.into(), exchange: 1, received: 0 }))).await;
    match client.wait_for(|m| matches!(m, ServerMessage::Welcome { .. })).await {
        ServerMessage::Welcome { resumed, .. } => resumed.then_some(client),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_restart_loses_no_room_and_revives_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = stateful(folder.path()).await;
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let (mut creator, mut joiner) = server.met().await;
        for client in [&mut creator, &mut joiner] {
            client.send(&ClientMessage::Confirmed { exchange: 1 }).await;
        }
        tokens.push([newest_token(&mut creator).await, newest_token(&mut joiner).await]);
        if tokens.len() == 1 {
            creator.send(&ClientMessage::Leave { reason: "hung-up".into() }).await;
            joiner.wait_for(|m| matches!(m, ServerMessage::PeerLeft { .. })).await;
        }
    }
    server.tell_to_stop();
    server.stopped().await;
    let server = stateful(folder.path()).await;
    for token in &tokens[0] {
        assert!(resumed(&server, token).await.is_none(), "the first call was over");
    }
    let mut creator = resumed(&server, &tokens[1][0]).await.unwrap();
    creator.send(&body(1, 1, "still here")).await;
    let mut joiner = resumed(&server, &tokens[1][1]).await.unwrap();
    let relay = joiner.wait_for(|m| matches!(m, ServerMessage::Relay { .. })).await;
    assert_eq!(relay, ServerMessage::Relay { exchange: 1, seq: 1, body: "still here".into() });
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_nobody_else_waits() {
    let mut config = Config::embedded();
    config.limits.messages_per_second = 10_000;
    config.limits.message_burst = 10_000;
    (config.limits.bytes_per_second, config.limits.byte_burst) = (u32::MAX, u32::MAX);
    let server = TestServer::with(config).await;
    let (mut creator, mut lazy) = server.met().await;
    let large = "x".repeat(60_000);
    // Acknowledged without being read: only the socket holds them back. At some point no acknowledgement comes
    // through any more, because the server has let go of who sends it.
    for sent in 1.. {
        creator.send(&body(1, sent, &large)).await;
        let ack = ClientMessage::Ack { exchange: 1, seq: sent };
        let _ = lazy.socket.send(Message::text(ack.to_json())).await;
        let Ok(message) = tokio::time::timeout(Duration::from_secs(1), creator.next()).await else { break };
        assert_eq!(message, ServerMessage::Ack { exchange: 1, seq: sent });
        assert!(sent < 1000, "the server holds {sent} large messages for who doesn't read");
    }
    tokio::time::timeout(Duration::from_secs(2), server.welcomed()).await.unwrap();
    while let Some(Ok(_)) = lazy.frame().await {}
}

#[tokio::test]
async fn a_silent_connection_is_closed() {
    let mut config = Config::embedded();
    config.limits.hello = Duration::from_millis(50);
    config.limits.idle = Duration::from_millis(100);
    let server = TestServer::with(config).await;
    let mut mute = server.client().await;
    mute.expect_refusal(ErrorCode::Idle).await;
    let (mut asleep, _) = server.welcomed().await;
    asleep.expect_refusal(ErrorCode::Idle).await;
}

#[tokio::test]
async fn shutting_down_tells_everybody_and_ends() {
    let mut server = TestServer::start().await;
    let (mut creator, mut joiner) = server.met().await;
    let (mut idle, _) = server.welcomed().await;
    server.tell_to_stop();
    for client in [&mut creator, &mut joiner, &mut idle] {
        client.expect_refusal(ErrorCode::ShuttingDown).await;
    }
    drop((creator, joiner, idle));
    server.stopped().await;
}

#[tokio::test]
async fn shutting_down_does_not_wait_for_ever() {
    let mut server = TestServer::start().await;
    let rude = server.met().await;
    let _half_a_request = TcpStream::connect(server.address).await.unwrap();
    server.tell_to_stop();
    server.stopped().await;
    drop(rude);
}

#[tokio::test]
async fn health_and_what_is_not_there() {
    let server = TestServer::start().await;
    let health = get(server.address, "/healthz", "").await;
    assert!(health.starts_with("HTTP/1.1 200") && health.contains(r#""status":"ok""#), "{health}");
    assert!(get(server.address, "/healthz", "Origin: http://localhost\r\n").await.starts_with("HTTP/1.1 403"));
    assert!(get(server.address, "/elsewhere", "").await.starts_with("HTTP/1.1 404"));
    assert!(get(server.address, "/ws", "").await.starts_with("HTTP/1.1 4"));
}

#[tokio::test]
async fn the_signing_key_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::embedded();
    config.state_dir = Some(folder.path().join("state"));
    Server::bind(config.clone()).await.unwrap();
    let path = folder.path().join("state/signing.key");
    let first = std::fs::read(&path).unwrap();
    Server::bind(config.clone()).await.unwrap();
    assert_eq!((first.len(), &first), (32, &std::fs::read(&path).unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let running = Server::bind(config.clone()).await.unwrap();
    assert!(matches!(Server::bind(config.clone()).await, Err(ServerError::StateInUse(_))));
    drop(running);
    std::fs::write(&path, b"short").unwrap();
    assert!(matches!(Server::bind(config).await, Err(ServerError::BadKey(_))));
}
