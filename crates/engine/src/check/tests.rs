//! Servers of every temper on loopback, and what a person is told of each.
#![allow(clippy::unwrap_used, reason = "tests")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};
use visavis_stun::{Builder, Class, Message, attribute};

use super::*;

const RELAYED: &str = "198.51.100.9:50000";

/// As a server that knows the password "right" answers.
fn answer(request: &[u8]) -> Vec<u8> {
    let request = Message::parse(request).unwrap();
    let begin = |class| Builder::new(class, request.method, &request.transaction);
    let challenge = begin(Class::Error)
        .error(401, "Unauthorized")
        .attribute(attribute::REALM, b"realm")
        .attribute(attribute::NONCE, b"nonce")
        .unsigned();
    let address = RELAYED.parse().unwrap();
    match request.text(attribute::USERNAME) {
        _ if request.method == visavis_stun::method::BINDING => {
            begin(Class::Success).address(attribute::XOR_MAPPED_ADDRESS, address).unsigned()
        }
        Some(user) if request.is_signed_with(&visavis_stun::long_term_key(user, "realm", "right")) => {
            begin(Class::Success).address(attribute::XOR_RELAYED_ADDRESS, address).unsigned()
        }
        Some(_) | None => challenge,
    }
}

async fn over_udp() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            socket.send_to(&answer(&buffer[..length]), from).await.unwrap();
        }
    });
    address
}

/// Answers over TCP, with `greeting` before everything.
async fn over_tcp(greeting: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(greeting).await.unwrap();
            let mut buffer = [0; 512];
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                // A client that has seen enough hangs up.
                let _ = stream.write_all(&answer(&buffer[..length])).await;
            }
        }
    });
    address
}

async fn check_one(url: String, password: &str) -> ServerCheck {
    let server = IceServer { urls: vec![url], username: "ann".to_owned(), credential: password.to_owned() };
    let (events, _) = mpsc::unbounded();
    check_servers(&[server], events).await.remove(0)
}

#[tokio::test]
async fn good_servers_are_told_from_wrong_passwords_over_each_carrier() {
    let relayed = RELAYED.parse().unwrap();
    for at in [format!("turn:{}", over_udp().await), format!("turn:{}?transport=tcp", over_tcp(b"").await)] {
        let good = check_one(at.clone(), "right").await;
        assert_eq!((good.outcome.clone(), good.advice()), (Outcome::Relays { address: relayed }, None), "{at}");
        let wrong = check_one(at.clone(), "wrong").await;
        assert_eq!(wrong.outcome, Outcome::WrongPassword, "{at}");
        assert!(wrong.found().contains("refused") && wrong.advice().is_some());
    }
    let stun = check_one(format!("stun:{}", over_udp().await), "").await;
    assert_eq!(stun.outcome, Outcome::Seen { address: relayed });
}

#[tokio::test]
async fn what_is_no_turn_server_is_named() {
    let other = over_tcp(b"SSH-2.0-OpenSSH_9.9\r\n").await;
    assert_eq!(check_one(format!("turn:{other}?transport=tcp"), "right").await.outcome, Outcome::NotUnderstood);
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = check_one(format!("turn:{free}?transport=tcp"), "right").await;
    assert_eq!(refused.outcome, Outcome::Unreachable { reason: "nothing listens there".to_owned() });
    let unusable = check_one("turn:h".to_owned(), "").await;
    assert!(matches!(unusable.outcome, Outcome::Unusable { .. }), "{unusable:?}");
}

#[tokio::test]
async fn a_server_that_is_deaf_to_udp_is_asked_by_other_ways() {
    let tcp = over_tcp(b"").await;
    // The port is free for UDP; this one hears and says nothing.
    let _deaf = UdpSocket::bind(tcp).await.unwrap();
    let checked = check_one(format!("turn:{tcp}"), "right").await;
    assert_eq!(checked.outcome, Outcome::NoAnswer);
    assert_eq!(checked.instead, Some(format!("turn:{tcp}?transport=tcp")));
    assert!(checked.advice().unwrap().contains("transport=tcp"));
}

#[tokio::test]
async fn progress_is_told_as_it_comes() {
    let (events, told) = mpsc::unbounded();
    let urls = vec![format!("stun:{}", over_udp().await)];
    let server = IceServer { urls, username: String::new(), credential: String::new() };
    let checked = check_servers(&[server], events).await;
    let told: Vec<_> = futures::StreamExt::collect(told).await;
    assert!(matches!(&told[0], CheckEvent::Asking { asked, .. } if asked.starts_with("our address, over UDP")));
    assert_eq!(told[1], CheckEvent::Checked(Box::new(checked[0].clone())));
}
