//! The window's pictures over a real socket.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use tokio::net::TcpStream;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use visavis_engine::FrameSink;
use visavis_engine::frame::{FramePool, Size, Timestamp, VideoFrame};

use super::*;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn connect(endpoint: &VideoEndpoint, origin: Option<&str>) -> Result<Client, Error> {
    let mut request = endpoint.url.as_str().into_client_request()?;
    if let Some(origin) = origin {
        request.headers_mut().insert("origin", origin.parse().unwrap());
    }
    Ok(tokio_tungstenite::connect_async(request).await?.0)
}

fn frame(pool: &FramePool, size: Size, shade: u8) -> VideoFrame {
    pool.frame(size, Timestamp::from_micros(5), |y, u, v| {
        y.fill(shade);
        u.fill(1);
        v.fill(2);
    })
}

async fn binary(client: &mut Client) -> Vec<u8> {
    match client.next().await {
        Some(Ok(Message::Binary(bytes))) => bytes.to_vec(),
        other => panic!("no picture but {other:?}"),
    }
}

#[tokio::test]
async fn the_newest_picture_comes_when_the_page_has_drawn() {
    let mut feeds = Feeds::default();
    let server = VideoServer::start(feeds.clone()).await.unwrap();
    let endpoint = server.endpoint().unwrap();
    let mut client = connect(&endpoint, Some("tauri://localhost")).await.unwrap();
    client.send(Message::text(endpoint.token.clone())).await.unwrap();

    let pool = FramePool::new();
    feeds.remote.frame(&frame(&pool, Size::SMALL, 1));
    let first = binary(&mut client).await;
    assert_eq!(first.len(), 24 + Size::SMALL.i420_len());
    assert_eq!((first[0], first[1], first[24]), (0, 1, 1));
    assert_eq!(first[4..8], 320u32.to_le_bytes());
    assert_eq!(first[16..24], 5u64.to_le_bytes());

    // Two more while the page still draws: the older of them is never sent.
    feeds.remote.frame(&frame(&pool, Size::SMALL, 2));
    feeds.remote.frame(&frame(&pool, Size::SMALL, 3));
    client.send(Message::binary(vec![0])).await.unwrap();
    assert_eq!(binary(&mut client).await[24], 3);

    feeds.own.frame(&frame(&pool, Size::HD, 9));
    let own = binary(&mut client).await;
    assert_eq!((own[0], own[24]), (1, 9));
    assert_eq!(own[4..8], 640u32.to_le_bytes());
}

#[tokio::test]
async fn strangers_get_nothing() {
    let server = VideoServer::start(Feeds::default()).await.unwrap();
    for origin in [None, Some("https://example.org"), Some("null")] {
        let endpoint = server.endpoint().unwrap();
        assert!(connect(&endpoint, origin).await.is_err(), "{origin:?}");
    }
    let endpoint = server.endpoint().unwrap();
    let mut guesser = connect(&endpoint, Some("tauri://localhost")).await.unwrap();
    guesser.send(Message::text("00000000000000000000000000000000")).await.unwrap();
    assert!(matches!(guesser.next().await, Some(Ok(Message::Close(_))) | None | Some(Err(_))));
}
