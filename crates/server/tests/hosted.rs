//! What only a server for everybody has: sources and proxies, metrics, and a log that tells nothing of anybody.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::Request;
use visavis_server::{Config, MetricsConfig};
use visavis_signaling::message::{ClientMessage, ErrorCode, ServerMessage};

/// Asks for a WebSocket as a proxy would, or as somebody who claims to be one.
fn forwarded_for(server: &TestServer, address: &str) -> Request<()> {
    let mut request = server.url().into_client_request().unwrap();
    request.headers_mut().insert("X-Forwarded-For", address.parse().unwrap());
    request
}

/// How many of some connections, each said to be from another address, are welcomed.
async fn welcomed_from_many_addresses(config: Config) -> usize {
    let server = TestServer::with(config).await;
    let mut clients = Vec::new();
    for last in 0..6 {
        let request = forwarded_for(&server, &format!("198.51.100.{last}"));
        let Ok((socket, _)) = tokio_tungstenite::connect_async(request).await else { continue };
        let mut client = TestClient { socket };
        client.send(&hello(None)).await;
        if matches!(client.next().await, ServerMessage::Welcome { .. }) {
            clients.push(client);
        }
    }
    clients.len()
}

#[tokio::test]
async fn only_a_proxy_of_the_hosts_is_believed_for_whom_it_comes() {
    let mut config = hosted();
    config.limits.connections_per_source = 3;
    assert_eq!(welcomed_from_many_addresses(config.clone()).await, 3, "a header that anybody can write");
    config.proxies = vec!["127.0.0.0/8".parse().unwrap()];
    assert_eq!(welcomed_from_many_addresses(config).await, 6);
}

#[tokio::test]
async fn a_source_has_so_many_sockets_even_if_it_says_nothing() {
    let mut config = hosted();
    config.limits.connections_per_source = 2;
    let server = TestServer::with(config).await;
    let mut silent = Vec::new();
    for _ in 0..3 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    // The third finds its socket closed; its place was never given.
    let mut nothing = [0; 1];
    let read = tokio::time::timeout(PATIENCE, silent[2].read(&mut nothing)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    drop(silent);
    server.welcomed().await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_let_go() {
    let server = TestServer::with(hosted()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /ws HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
}

fn value(page: &str, name: &str) -> u64 {
    let line = page.lines().find(|line| line.split(' ').next() == Some(name));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn prometheus_reads_what_has_happened() {
    let mut config = hosted();
    config.metrics = MetricsConfig { listen: Some("127.0.0.1:0".parse().unwrap()), token: None };
    let server = TestServer::with(config).await;
    let (mut creator, mut joiner) = server.met().await;
    for client in [&mut creator, &mut joiner] {
        client.send(&ClientMessage::Confirmed { exchange: 1 }).await;
    }
    creator.wait_for(|m| matches!(m, ServerMessage::Confirmed { .. })).await;
    let (mut lost, _) = server.welcomed().await;
    lost.send_text(r#"{"type":"knock","nameplate":"0000"}"#).await;
    lost.wait_for(|m| matches!(m, ServerMessage::Knocked { .. })).await;
    let page = get(server.metrics.unwrap(), "/metrics", "").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("text/plain; version=0.0.4"), "{page}");
    for (name, wanted) in [
        ("visavis_connections", 3),
        ("visavis_rooms", 1),
        ("visavis_decoys", 1),
        ("visavis_sources", 1),
        ("visavis_rooms_created_total", 1),
        ("visavis_pairs_total", 1),
        ("visavis_misses_total", 1),
        ("visavis_knocks_total", 2),
    ] {
        assert_eq!(value(&page, name), wanted, "{name}");
    }
    for line in page.lines().filter(|line| line.starts_with("visavis_")) {
        let name = line.split([' ', '{']).next().unwrap();
        assert!(page.contains(&format!("# TYPE {name} ")) && page.contains(&format!("# HELP {name} ")), "{line}");
    }
    assert!(get(server.address, "/metrics", "").await.starts_with("HTTP/1.1 404"), "not beside everything else");
}

#[tokio::test]
async fn metrics_beside_everything_else_want_a_token() {
    let mut config = hosted();
    config.metrics = MetricsConfig { listen: None, token: Some("0123456789abcdef".into()) };
    let server = TestServer::with(config).await;
    let status = async |header: &str| get(server.address, "/metrics", header).await[9..12].to_owned();
    assert_eq!(status("").await, "401");
    assert_eq!(status("Authorization: Bearer 0123456789abcdeg\r\n").await, "401");
    assert_eq!(status("Authorization: Bearer 0123456789abcdef\r\n").await, "200");
}

/// Everything the server's own code says, at every level.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_tells_of_no_code_and_no_address_unless_asked() {
    for log_addresses in [false, true] {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter("visavis_server=trace,visavis_signaling=trace")
            .json()
            .with_writer(move || writer.clone())
            .finish();
        // The runtime has one thread, this one, so all of its tasks log here.
        let guard = tracing::subscriber::set_default(subscriber);
        let mut config = hosted();
        config.log_addresses = log_addresses;
        let mut server = TestServer::with(config).await;
        let (mut creator, _) = server.welcomed().await;
        let nameplate = creator.create().await;
        let (mut joiner, token) = server.welcomed().await;
        joiner.send(&ClientMessage::Knock { nameplate: nameplate.clone() }).await;
        joiner.wait_for(|m| matches!(m, ServerMessage::Knocked { .. })).await;
        joiner.send_text("nonsense").await;
        joiner.expect_refusal(ErrorCode::BadMessage).await;
        drop((creator, joiner));
        server.tell_to_stop();
        server.stopped().await;
        drop(guard);
        let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(text.lines().count() > 4, "{text}");
        assert!(text.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "one object a line: {text}");
        assert!(!text.contains(nameplate.as_str()) && !text.contains(&token), "{text}");
        assert_eq!(text.contains("127.0.0.1"), log_addresses, "{text}");
    }
}
