//! The server of an app, as the network around its machine may use it.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::net::{IpAddr, UdpSocket};

use common::TestServer;
use visavis_server::Config;
use visavis_signaling::message::{ClientMessage, ErrorCode, ServerMessage};

/// The address by which this machine would leave, if it is one of a local network.
fn own_private_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    visavis_lan::may_be_asked(ip).then_some(ip)
}

async fn server() -> TestServer {
    let mut config = Config::embedded_in_network();
    config.listen.set_port(0);
    TestServer::with(config).await
}

#[tokio::test]
async fn only_its_own_machine_makes_a_room() {
    let mut server = server().await;
    let port = server.address.port();
    let create = ClientMessage::Create;
    server.address = ([127, 0, 0, 1], port).into();
    let (mut own, _) = server.welcomed().await;
    own.send(&create).await;
    let made = own.wait_for(|m| matches!(m, ServerMessage::Created { .. })).await;
    let ServerMessage::Created { nameplate } = made else { panic!("{made:?}") };

    let Some(ip) = own_private_address() else {
        eprintln!("SKIPPED: this machine has no private address");
        return;
    };
    server.address = (ip, port).into();
    let (mut neighbour, _) = server.welcomed().await;
    neighbour.send(&create).await;
    let refused = neighbour.next().await;
    assert!(matches!(refused, ServerMessage::Error { code: ErrorCode::ServerFull, .. }), "{refused:?}");
    // It may knock, which is what it is there for.
    neighbour.send(&ClientMessage::Knock { nameplate }).await;
    neighbour.wait_for(|m| matches!(m, ServerMessage::Knocked { .. })).await;
}
