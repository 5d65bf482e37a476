//! Calls by relay alone: through our own server, through coturn with a secret that it shares with ours, and through
//! neither because the password is wrong.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod programs;

use std::net::UdpSocket;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use programs::{PATIENCE, Process, ServerProcess, cli, free_address, free_udp_port, relaying_server};
use serde_json::Value;

const SECRET: &str = "a secret of both servers";

fn state(process: &Process, wanted: &str) -> Value {
    process.event("call-state", |event| event["state"] == wanted)
}

/// A call in which both tell relayed addresses only, with pictures and a path by relay at both ends.
fn call(server: &ServerProcess) {
    let ann = cli(&server.address, &["create"], "tone:440", &["--relay-only"]);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let bob = cli(&server.address, &["join", &code], "tone:440", &["--relay-only"]);
    for peer in [&ann, &bob] {
        state(peer, "connected");
        let stats = peer.event("stats", |event| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(30));
        let path = &stats["stats"]["path"];
        assert_eq!(path["local"]["candidateType"], "relay", "{path}");
        assert_eq!(path["remote"]["candidateType"], "relay", "{path}");
    }
}

#[test]
fn by_our_own_relay() {
    call(&relaying_server(&free_udp_port()));
}

#[test]
fn by_coturn_with_a_shared_secret() {
    let options = ["--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "visavis", "--no-cli"];
    by_coturn(&options.map(str::to_owned), SECRET);
}

/// What `deploy/compose.yaml` starts, but for where it listens, and that here everybody is at home on loopback.
#[test]
fn by_coturn_as_the_compose_file_starts_it() {
    let compose = include_str!("../deploy/compose.yaml");
    let (secret, address) = ("0f1e2d3c4b5a69788796a5b4c3d2e1f0", "127.0.0.1");
    let options = compose.lines().filter_map(|line| line.trim().strip_prefix("- ")).filter(|it| it.starts_with("--"));
    let filled = options.map(|option| {
        let name = option.split_once('=').map_or(option, |(name, _)| name);
        match name {
            "--static-auth-secret" => format!("{name}={secret}"),
            "--realm" => format!("{name}=calls.example.org"),
            "--external-ip" | "--allowed-peer-ip" => format!("{name}={address}"),
            _ => option.to_owned(),
        }
    });
    let ours =
        |option: &String| !option.starts_with("--denied-peer-ip=127.") && !option.starts_with("--listening-port");
    let options: Vec<String> = filled.filter(ours).collect();
    assert!(options.len() > 20 && options.iter().all(|option| !option.contains('$')), "{options:?}");
    by_coturn(&options, secret);
}

fn by_coturn(options: &[String], secret: &str) {
    let port = free_udp_port();
    let folder = tempfile::tempdir().unwrap();
    let mut coturn = Command::new("turnserver");
    coturn.arg("-n").args(options);
    coturn.args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--listening-port", &port]);
    coturn.args(["--allow-loopback-peers", "--no-tls", "--no-dtls", "--log-file", "stdout"]);
    coturn.arg("--pidfile").arg(folder.path().join("pid")).arg("--userdb").arg(folder.path().join("db"));
    let Ok(process) = coturn.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        return eprintln!("SKIPPED: coturn isn't installed");
    };
    let _coturn = Ended(process);
    answers(&port);
    let url = format!("turn:127.0.0.1:{port}");
    call(&ServerProcess::start_with(&free_address(), &["--ice-urls", &url, "--turn-secret", secret]));
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a STUN server answers a binding request.
fn answers(port: &str) {
    let request = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let start = Instant::now();
    loop {
        // Nobody listens yet, perhaps.
        let _ = socket.send_to(&request, format!("127.0.0.1:{port}"));
        if socket.recv(&mut [0; 256]).is_ok() {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "no STUN server on {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_wrong_password_is_named_at_once() {
    let port = free_udp_port();
    let _relay = relaying_server(&port);
    let plain = ServerProcess::start();
    let turn = format!("turn:127.0.0.1:{port},1999999999:somebody,wrong");
    let own = ["--relay-only", "--ice", &turn];
    let ann = cli(&plain.address, &["create"], "none", &own);
    let code = state(&ann, "waiting")["code"].as_str().unwrap().to_owned();
    let _bob = cli(&plain.address, &["join", &code], "none", &own);
    let closed = state(&ann, "closed");
    assert_eq!(closed["reason"], "transport-failed", "{closed}");
    assert!(closed["text"].as_str().unwrap().contains("TURN"), "{closed}");
}
