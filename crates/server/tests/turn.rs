//! Our relay as a client that nobody here wrote sees it: coturn's `turnutils_uclient`, with the credentials of two who
//! have met, and its `turnutils_peer` as the other end.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::{Ipv4Addr, UdpSocket};
use std::process::{Child, Command, Output, Stdio};

use common::{TestClient, TestServer, confirm, get, ice_servers};
use visavis_server::Config;
use visavis_server::relay::RelayConfig;
use visavis_signaling::Nameplate;
use visavis_signaling::message::{ClientMessage, ICE_SERVERS, IceServer};

/// Where the other end echoes. The relay's own address is never a peer.
const PEER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const MESSAGES: u32 = 20;

struct Peer {
    process: Child,
    port: u16,
}

impl Peer {
    /// `None` when coturn isn't there.
    fn start() -> Option<Self> {
        let port = UdpSocket::bind((PEER, 0)).unwrap().local_addr().unwrap().port();
        let mut command = Command::new("turnutils_peer");
        command.args(["-L", &PEER.to_string(), "-p", &port.to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().ok()?;
        Some(Self { process, port })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn server(allow: &[&str]) -> TestServer {
    let mut relay = RelayConfig::new(Ipv4Addr::LOCALHOST.into());
    relay.listen.set_port(0);
    relay.allow_peers = allow.iter().map(|range| range.parse().unwrap()).collect();
    let mut config = Config::embedded();
    config.limits.decoys = 8;
    config.metrics.listen = Some("127.0.0.1:0".parse().unwrap());
    config.relay = Some(relay);
    TestServer::with(config).await
}

fn turn(servers: &[IceServer]) -> &IceServer {
    servers.iter().find(|server| server.urls[0].starts_with("turn:")).unwrap()
}

fn port_of(url: &str) -> String {
    url.split(':').nth(2).unwrap().split('?').next().unwrap().to_owned()
}

/// Two clients in one process, each relaying to the peer and hearing the echo.
async fn uclient(server: &IceServer, password: &str, peer: u16, more: &[&str]) -> Output {
    uclient_at(&server.urls[0], server, password, peer, more).await
}

async fn uclient_at(url: &str, server: &IceServer, password: &str, peer: u16, more: &[&str]) -> Output {
    let mut command = Command::new("turnutils_uclient");
    command.args(["-c", "-n", &MESSAGES.to_string(), "-l", "400", "-m", "2", "-z", "5"]);
    command.args(["-u", &server.username, "-w", password, "-p", &port_of(url)]);
    command.args(["-e", &PEER.to_string(), "-r", &peer.to_string()]).args(more).arg("127.0.0.1");
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn echoed(output: &Output) -> u32 {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rev().find(|line| line.contains("tot_recv_msgs=")).unwrap_or_default();
    let count = line.split("tot_recv_msgs=").nth(1).unwrap_or_default();
    count.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

async fn met(server: &TestServer) -> (TestClient, TestClient, Vec<IceServer>) {
    let (mut creator, mut joiner) = server.met_with(&[ICE_SERVERS]).await;
    let servers = ice_servers(&mut creator).await;
    confirm([&mut creator, &mut joiner]).await;
    (creator, joiner, servers)
}

/// A number as it stands on the page of the metrics.
async fn metric(server: &TestServer, name: &str) -> u64 {
    let page = get(server.metrics.unwrap(), "/metrics", "").await;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_client_relays_by_channels_and_by_indications() {
    let Some(peer) = Peer::start() else { return eprintln!("SKIPPED: coturn isn't installed") };
    let server = server(&["127.0.0.0/8"]).await;
    let (_creator, _joiner, servers) = met(&server).await;
    let turn = turn(&servers);
    let by_channel = uclient(turn, &turn.credential, peer.port, &[]).await;
    assert_eq!(echoed(&by_channel), 2 * MESSAGES, "{}", String::from_utf8_lossy(&by_channel.stdout));
    let by_indication = uclient(turn, &turn.credential, peer.port, &["-s"]).await;
    assert_eq!(echoed(&by_indication), 2 * MESSAGES, "{}", String::from_utf8_lossy(&by_indication.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strange_client_relays_over_tcp() {
    let Some(peer) = Peer::start() else { return eprintln!("SKIPPED: coturn isn't installed") };
    let server = server(&["127.0.0.0/8"]).await;
    let (_creator, _joiner, servers) = met(&server).await;
    let turn = turn(&servers);
    let url = turn.urls.iter().find(|url| url.contains("=tcp")).unwrap();
    for more in [&["-t"][..], &["-t", "-s"]] {
        let output = uclient_at(url, turn, &turn.credential, peer.port, more).await;
        assert_eq!(echoed(&output), 2 * MESSAGES, "{more:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_relays_nothing_that_it_shouldnt() {
    let Some(peer) = Peer::start() else { return eprintln!("SKIPPED: coturn isn't installed") };
    let open = server(&["127.0.0.0/8"]).await;
    let (mut creator, mut joiner, servers) = met(&open).await;
    let wrong = uclient(turn(&servers), "a guess", peer.port, &[]).await;
    assert_eq!(echoed(&wrong), 0);
    for client in [&mut creator, &mut joiner] {
        client.send(&ClientMessage::Leave { reason: String::new() }).await;
        client.send(&ClientMessage::Ping).await;
        client.wait_for(|message| matches!(message, visavis_signaling::ServerMessage::Pong)).await;
    }
    let over = uclient(turn(&servers), &turn(&servers).credential, peer.port, &[]).await;
    assert_eq!(echoed(&over), 0, "the meeting is over");
    let closed = server(&[]).await;
    let (_creator, _joiner, servers) = met(&closed).await;
    let private = uclient(turn(&servers), &turn(&servers).credential, peer.port, &[]).await;
    assert_eq!(echoed(&private), 0, "a private peer");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_relays_and_refuses_is_counted() {
    let Some(peer) = Peer::start() else { return eprintln!("SKIPPED: coturn isn't installed") };
    let server = server(&["127.0.0.0/8"]).await;
    let (_creator, _joiner, servers) = met(&server).await;
    let turn = turn(&servers);
    let output = uclient(turn, &turn.credential, peer.port, &[]).await;
    assert_eq!(echoed(&output), 2 * MESSAGES);
    // Out and back.
    let messages = u64::from(2 * 2 * MESSAGES);
    assert!(metric(&server, "visavis_relay_packets_total").await >= messages);
    assert!(metric(&server, "visavis_relay_bytes_total").await >= 400 * messages);
    let refused = metric(&server, "visavis_relay_refused_total{cause=\"unauthorized\"}").await;
    assert!(refused >= 2, "both were challenged: {refused}");
    for none in ["refused_total{cause=\"forbidden\"}", "dropped_total{cause=\"over-budget\"}"] {
        assert_eq!(metric(&server, &format!("visavis_relay_{none}")).await, 0, "{none}");
    }
}

/// Where somebody waits and hasn't confirmed, and where nobody does.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_served_and_reaches_nobody() {
    let Some(peer) = Peer::start() else { return eprintln!("SKIPPED: coturn isn't installed") };
    let server = server(&["127.0.0.0/8"]).await;
    let (mut waits, _) = server.welcomed().await;
    let strangers = [waits.create().await, Nameplate::new("000000").unwrap()].map(|nameplate| async {
        let mut stranger = server.client().await;
        let features = vec![ICE_SERVERS.to_owned()];
        stranger.send(&ClientMessage::Hello { version: 1, features, resume: None }).await;
        stranger.send(&ClientMessage::Knock { nameplate }).await;
        let servers = ice_servers(&mut stranger).await;
        uclient(turn(&servers), &turn(&servers).credential, peer.port, &[]).await
    });
    for output in futures::future::join_all(strangers).await {
        assert_eq!(echoed(&output), 0, "{}", String::from_utf8_lossy(&output.stdout));
    }
    let dropped = metric(&server, "visavis_relay_dropped_total{cause=\"unpaired\"}").await;
    assert_eq!(dropped, u64::from(2 * 2 * MESSAGES), "both got as far as to send everything");
    for none in ["packets_total", "refused_total{cause=\"forbidden\"}"] {
        assert_eq!(metric(&server, &format!("visavis_relay_{none}")).await, 0, "{none}");
    }
}
