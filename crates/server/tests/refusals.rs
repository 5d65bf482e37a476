//! Whatever a client does wrong over a real socket, it is told what, and the server goes on.

#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use common::*;
use futures::SinkExt as _;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use visavis_server::{Config, Server, ServerError};
use visavis_signaling::message::{ClientMessage, ErrorCode, MAX_BODY_BYTES, MAX_MESSAGE_BYTES, ServerMessage};

#[tokio::test]
async fn text_that_is_no_message() {
    let server = TestServer::start().await;
    for text in
        ["", "{", "[]", "null", r#"{"type":"dance"}"#, r#"{"type":"knock"}"#, r#"{"type":"knock","nameplate":"x"}"#]
    {
        let (mut client, _) = server.welcomed().await;
        client.send_text(text).await;
        client.expect_refusal(ErrorCode::BadMessage).await;
    }
    server.welcomed().await;
}

#[tokio::test]
async fn a_message_that_is_too_large() {
    let server = TestServer::start().await;
    for bytes in [MAX_MESSAGE_BYTES + 1, 3 * MAX_MESSAGE_BYTES] {
        let (mut client, _) = server.welcomed().await;
        client.send_text(&" ".repeat(bytes)).await;
        client.expect_refusal(ErrorCode::TooLarge).await;
    }
}

#[tokio::test]
async fn a_body_that_is_too_large() {
    let server = TestServer::start().await;
    let (mut creator, mut joiner) = server.met().await;
    let body = "x".repeat(MAX_BODY_BYTES + 1);
    joiner.send(&ClientMessage::Relay { exchange: 1, seq: 1, body }).await;
    joiner.expect_refusal(ErrorCode::TooLarge).await;
    creator.wait_for(|message| matches!(message, ServerMessage::PeerLeft { .. })).await;
}

#[tokio::test]
async fn a_flood_of_a_frame_closes_the_connection_only() {
    let server = TestServer::start().await;
    let (mut client, _) = server.welcomed().await;
    let _ = client.socket.send(Message::text("x".repeat(8 * 1024 * 1024))).await;
    while let Some(Ok(_)) = client.frame().await {}
    server.welcomed().await;
}

#[tokio::test]
async fn a_binary_frame() {
    let server = TestServer::start().await;
    let (mut client, _) = server.welcomed().await;
    client.socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    client.expect_refusal(ErrorCode::BadMessage).await;
}

#[tokio::test]
async fn messages_out_of_order() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.send(&ClientMessage::Create).await;
    client.expect_refusal(ErrorCode::OutOfOrder).await;
    let (mut client, _) = server.welcomed().await;
    client.send(&hello(None)).await;
    client.expect_refusal(ErrorCode::OutOfOrder).await;
    let (_creator, mut joiner) = server.met().await;
    joiner.send(&ClientMessage::Relay { exchange: 1, seq: 2, body: "early".into() }).await;
    joiner.expect_refusal(ErrorCode::OutOfOrder).await;
}

#[tokio::test]
async fn another_version() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    client.send_text(r#"{"type":"hello","version":2,"something":"new"}"#).await;
    client.expect_refusal(ErrorCode::UnsupportedVersion).await;
}

#[tokio::test]
async fn a_third_waits_and_is_told_when_two_have_met() {
    let server = TestServer::start().await;
    let (mut creator, _) = server.welcomed().await;
    let nameplate = creator.create().await;
    let mut joiners = Vec::new();
    for _ in 0..2 {
        let (mut joiner, _) = server.welcomed().await;
        joiner.send(&ClientMessage::Knock { nameplate: nameplate.clone() }).await;
        joiner.wait_for(|m| matches!(m, ServerMessage::Waiting { ahead: 0 } | ServerMessage::Knocked { .. })).await;
        joiners.push(joiner);
    }
    creator.send(&ClientMessage::Confirmed { exchange: 1 }).await;
    joiners[0].send(&ClientMessage::Confirmed { exchange: 1 }).await;
    let full = joiners[1].next().await;
    assert!(matches!(full, ServerMessage::Error { code: ErrorCode::RoomFull, fatal: false, .. }), "{full:?}");
    // The code is free again, and knocking at it finds nobody.
    joiners[1].send(&ClientMessage::Knock { nameplate }).await;
    let gone = joiners[1].next().await;
    assert!(matches!(gone, ServerMessage::Error { code: ErrorCode::NoSuchRoom, fatal: false, .. }), "{gone:?}");
}

#[tokio::test]
async fn a_web_page_at_an_embedded_server() {
    let server = TestServer::start().await;
    let mut request = server.url().into_client_request().unwrap();
    request.headers_mut().insert("Origin", "https://example.com".parse().unwrap());
    match tokio_tungstenite::connect_async(request.clone()).await {
        Err(Error::Http(response)) => assert_eq!(response.status(), 403),
        other => panic!("{other:?}"),
    }
    let hosted = TestServer::with(hosted()).await;
    let own = format!("http://{}", hosted.address);
    for (origin, wanted) in [("https://example.com", Some(403)), (own.as_str(), None)] {
        let mut request = hosted.url().into_client_request().unwrap();
        request.headers_mut().insert("Origin", origin.parse().unwrap());
        let refused = match tokio_tungstenite::connect_async(request).await {
            Err(Error::Http(response)) => Some(response.status().as_u16()),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        };
        assert_eq!(refused, wanted, "{origin}");
    }
}

#[tokio::test]
async fn an_embedded_server_beyond_loopback() {
    let mut config = Config::embedded();
    config.listen = "0.0.0.0:0".parse().unwrap();
    assert!(matches!(Server::bind(config).await, Err(ServerError::NotLoopback(_))));
}

#[tokio::test]
async fn an_address_that_is_taken() {
    let server = TestServer::start().await;
    let mut config = Config::hosted();
    config.listen = server.address;
    let error = Server::bind(config).await.unwrap_err();
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
}
