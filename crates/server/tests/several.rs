//! Several servers with a real NATS between them, all of them processes that can be killed: two people on two servers, and a call
//! that outlives a server, NATS and both.
#![cfg(all(unix, feature = "hosting"))]
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::wildcard_enum_match_arm, reason = "tests look for one variant")]

mod common;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::*;
use tempfile::TempDir;
use visavis_signaling::Nameplate;
use visavis_signaling::message::{ClientMessage, ErrorCode, Resume, ServerMessage};

fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

const RULES: &str = "nats.conf";

struct Program(Child);

impl Program {
    fn start(command: &mut Command) -> Option<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null());
        let log = if std::env::var_os("SHOW_LOGS").is_some() { Stdio::inherit() } else { Stdio::null() };
        quiet.stderr(log).spawn().ok().map(Self)
    }

    /// As a crash ends it.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.0.id().to_string()]).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// NATS, and the folder with what all servers share.
struct Nats {
    address: SocketAddr,
    folder: TempDir,
    process: Program,
}

impl Nats {
    /// `None` where it isn't installed.
    async fn start() -> Option<Self> {
        Self::start_with(None).await
    }

    /// The same with this configuration.
    async fn start_with(rules: Option<&str>) -> Option<Self> {
        let (address, folder) = (free_address(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("signing.key"), [7; 32]).unwrap();
        rules.into_iter().for_each(|rules| std::fs::write(folder.path().join(RULES), rules).unwrap());
        let Some(process) = Self::process(address, folder.path()) else {
            eprintln!("SKIPPED: nats-server isn't installed");
            return None;
        };
        let nats = Self { address, folder, process };
        nats.answers().await;
        Some(nats)
    }

    fn process(address: SocketAddr, folder: &Path) -> Option<Program> {
        let mut command = Command::new("nats-server");
        if folder.join(RULES).exists() {
            command.arg("-c").arg(folder.join(RULES));
        }
        command.args(["-a", "127.0.0.1", "-p", &address.port().to_string(), "-js"]);
        Program::start(command.arg("-sd").arg(folder.join("nats")))
    }

    async fn answers(&self) {
        until("NATS answers", || async { tokio::net::TcpStream::connect(self.address).await.is_ok() }).await;
    }

    async fn start_again(&mut self) {
        self.process = Self::process(self.address, self.folder.path()).unwrap();
        self.answers().await;
    }

    fn command(&self, address: SocketAddr) -> Command {
        self.command_as(address, "")
    }

    fn command_as(&self, address: SocketAddr, user: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_visavis-server"));
        command.args(["--listen", &address.to_string(), "--nats", &format!("nats://{user}{}", self.address)]);
        command.args(["--metrics-token", "0123456789abcdef", "--log", "info,async_nats=error"]);
        command.env_remove("STATE_DIRECTORY").arg("--signing-key").arg(self.folder.path().join("signing.key"));
        command
    }

    async fn server(&self) -> Host {
        self.server_as("").await
    }

    async fn server_as(&self, user: &str) -> Host {
        let address = free_address();
        let process = Program::start(&mut self.command_as(address, user)).unwrap();
        let server = Host { address, process };
        until("the server listens", || async { tokio::net::TcpStream::connect(address).await.is_ok() }).await;
        assert!(server.health().await.contains("ok"));
        server
    }
}

/// One of the servers.
struct Host {
    address: SocketAddr,
    process: Program,
}

impl Host {
    async fn client(&self) -> TestClient {
        let mut client = TestClient::connect(self.address).await;
        client.send(&hello(None)).await;
        client.wait_for(|message| matches!(message, ServerMessage::Welcome { .. })).await;
        client
    }

    /// One who has knocked.
    async fn knocks(&self, nameplate: &Nameplate) -> TestClient {
        let mut client = self.client().await;
        client.send(&ClientMessage::Knock { nameplate: nameplate.clone() }).await;
        client
    }

    /// A lost client's return, however often it has to try.
    async fn resumes(&self, token: &str) -> TestClient {
        let begun = Instant::now();
        loop {
            if let Some((client, true)) = self.tries_to_resume(token).await {
                return client;
            }
            assert!(begun.elapsed() < PATIENCE, "it doesn't come back");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether it has its place back. `None`: it has to come again.
    async fn tries_to_resume(&self, token: &str) -> Option<(TestClient, bool)> {
        let mut client = TestClient::connect(self.address).await;
        client.send(&hello(Some(Resume { token: token.to_owned(), exchange: 1, received: 0 }))).await;
        loop {
            match client.next().await {
                ServerMessage::Welcome { resumed, .. } => return Some((client, resumed)),
                ServerMessage::Error { fatal: true, .. } => return None,
                ServerMessage::Error { code: ErrorCode::ResumeRefused, .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn health(&self) -> String {
        get(self.address, "/healthz", "").await
    }

    /// What the metric of that name says.
    async fn metric(&self, name: &str) -> u64 {
        let page = get(self.address, "/metrics", "Authorization: Bearer 0123456789abcdef\r\n").await;
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().unwrap()
    }
}

async fn until<F: Future<Output = bool>>(what: &str, is_so: impl Fn() -> F) {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn body(from: &mut TestClient, to: &mut TestClient, seq: u64, text: &str) {
    from.send(&ClientMessage::Relay { exchange: 1, seq, body: text.into() }).await;
    let relay = to.wait_for(|message| matches!(message, ServerMessage::Relay { seq: got, .. } if *got == seq)).await;
    assert!(matches!(&relay, ServerMessage::Relay { body, .. } if body == text), "{relay:?}");
}

/// The newest token that it was sent before it was told that it is one of a pair.
async fn confirmed(client: &mut TestClient) -> String {
    let mut newest = String::new();
    loop {
        match client.next().await {
            ServerMessage::Token { token } => newest = token,
            ServerMessage::Confirmed { .. } => return newest,
            _ => {}
        }
    }
}

struct Call {
    creator: TestClient,
    joiner: TestClient,
    nameplate: Nameplate,
    tokens: [String; 2],
}

/// Two who have confirmed, the creator on the first server and the joiner on the second.
async fn call(first: &Host, second: &Host) -> Call {
    let mut creator = first.client().await;
    let nameplate = creator.create().await;
    let mut joiner = second.knocks(&nameplate).await;
    for client in [&mut joiner, &mut creator] {
        let met = |message: &ServerMessage| match message {
            ServerMessage::Error { .. } => panic!("{message:?}"),
            message => matches!(message, ServerMessage::Knocked { exchange: 1 }),
        };
        client.wait_for(met).await;
        client.send(&ClientMessage::Confirmed { exchange: 1 }).await;
    }
    let tokens = [confirmed(&mut creator).await, confirmed(&mut joiner).await];
    Call { creator, joiner, nameplate, tokens }
}

/// Its connection ends, and it may come back.
async fn is_let_go(mut client: TestClient) {
    client.expect_refusal(ErrorCode::ShuttingDown).await;
}

#[tokio::test]
async fn two_on_two_servers_meet_and_a_third_stays_outside() {
    let Some(nats) = Nats::start().await else { return };
    let (first, second, third) = (nats.server().await, nats.server().await, nats.server().await);
    let mut creator = first.client().await;
    let nameplate = creator.create().await;
    let mut joiner = second.knocks(&nameplate).await;
    // The next thing it hears is about the room: nothing tells it that it was carried.
    assert!(matches!(joiner.next().await, ServerMessage::Token { .. }));
    assert_eq!(joiner.next().await, ServerMessage::Knocked { exchange: 1 });
    creator.wait_for(|message| matches!(message, ServerMessage::Knocked { exchange: 1 })).await;
    let mut late = third.knocks(&nameplate).await;
    late.wait_for(|message| matches!(message, ServerMessage::Waiting { ahead: 0 })).await;
    body(&mut joiner, &mut creator, 1, "öffne\u{0}\n🙂").await;
    body(&mut creator, &mut joiner, 1, &"x".repeat(60_000)).await;
    for client in [&mut creator, &mut joiner] {
        client.send(&ClientMessage::Confirmed { exchange: 1 }).await;
    }
    for client in [&mut creator, &mut joiner] {
        confirmed(client).await;
    }
    let refused =
        |code| move |message: &ServerMessage| matches!(message, ServerMessage::Error { code: c, .. } if *c == code);
    late.wait_for(refused(ErrorCode::RoomFull)).await;
    late.send(&ClientMessage::Knock { nameplate }).await;
    late.wait_for(|message| matches!(message, ServerMessage::Knocked { exchange: 1 })).await;
    assert_eq!(first.metric("visavis_decoys").await, 1, "nobody waits there any more");
    joiner.send(&ClientMessage::Leave { reason: "hung-up".into() }).await;
    let left = creator.wait_for(|message| matches!(message, ServerMessage::PeerLeft { .. })).await;
    assert_eq!(left, ServerMessage::PeerLeft { exchange: 1, reason: "hung-up".into() });
    assert_eq!((first.metric("visavis_carried_in").await, second.metric("visavis_carried_out").await), (2, 1));
    drop((joiner, late));
    until("who has gone is forgotten", || async { first.metric("visavis_carried_in").await == 0 }).await;
}

#[tokio::test]
async fn who_was_carried_knocks_elsewhere_and_makes_a_room() {
    let Some(nats) = Nats::start().await else { return };
    let (first, second) = (nats.server().await, nats.server().await);
    let (mut there, mut here) = (first.client().await, second.client().await);
    let (there, here) = (there.create().await, here.create().await);
    let mut wanderer = second.knocks(&there).await;
    wanderer.wait_for(|message| matches!(message, ServerMessage::Waiting { .. } | ServerMessage::Knocked { .. })).await;
    wanderer.send(&ClientMessage::Leave { reason: String::new() }).await;
    wanderer.send(&ClientMessage::Knock { nameplate: here }).await;
    wanderer.wait_for(|message| matches!(message, ServerMessage::Waiting { .. } | ServerMessage::Knocked { .. })).await;
    wanderer.send(&ClientMessage::Leave { reason: String::new() }).await;
    wanderer.create().await;
}

#[tokio::test]
async fn the_server_of_a_call_dies_and_both_go_on_with_another() {
    let Some(nats) = Nats::start().await else { return };
    let (mut first, second, third) = (nats.server().await, nats.server().await, nats.server().await);
    let call = call(&first, &second).await;
    first.process.kill();
    is_let_go(call.joiner).await;
    // Both at once, on two servers: one of them becomes the room's home.
    let (mut creator, mut joiner) = tokio::join!(third.resumes(&call.tokens[0]), second.resumes(&call.tokens[1]));
    body(&mut creator, &mut joiner, 1, "still here").await;
    body(&mut joiner, &mut creator, 1, "me too").await;
    let taken = second.metric("visavis_slices_taken_total").await + third.metric("visavis_slices_taken_total").await;
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn the_other_server_of_a_call_dies_and_its_client_comes_to_the_room() {
    let Some(nats) = Nats::start().await else { return };
    let (first, mut second) = (nats.server().await, nats.server().await);
    let mut call = call(&first, &second).await;
    second.process.kill();
    drop(call.joiner);
    let mut joiner = first.resumes(&call.tokens[1]).await;
    body(&mut call.creator, &mut joiner, 1, "still here").await;
    assert_eq!(first.metric("visavis_slices_taken_total").await, 0);
}

#[tokio::test]
async fn a_waiting_room_survives_its_server() {
    let Some(nats) = Nats::start().await else { return };
    let (mut first, second, third) = (nats.server().await, nats.server().await, nats.server().await);
    let mut creator = first.client().await;
    creator.send(&ClientMessage::Create).await;
    let ServerMessage::Token { token } = creator.next().await else { panic!("no token") };
    let ServerMessage::Created { nameplate } = creator.next().await else { panic!("no room") };
    first.process.kill();
    let mut creator = second.resumes(&token).await;
    until("the third server knows where it is", || async {
        let mut joiner = third.knocks(&nameplate).await;
        let answer = joiner.wait_for(|m| !matches!(m, ServerMessage::Token { .. })).await;
        matches!(answer, ServerMessage::Waiting { .. } | ServerMessage::Knocked { .. })
    })
    .await;
    creator.wait_for(|message| matches!(message, ServerMessage::Knocked { .. })).await;
}

#[tokio::test]
async fn nats_is_killed_in_mid_call_and_comes_back() {
    let Some(mut nats) = Nats::start().await else { return };
    let (first, second) = (nats.server().await, nats.server().await);
    let mut call = call(&first, &second).await;
    nats.process.kill();
    is_let_go(call.joiner).await;
    until("it says so", || async { first.health().await.contains("apart") }).await;
    assert_eq!(first.metric("visavis_nats_up").await, 0);
    // Two on one server don't need the others.
    let mut alone = first.client().await;
    let nameplate = alone.create().await;
    let mut friend = first.knocks(&nameplate).await;
    friend.wait_for(|message| matches!(message, ServerMessage::Knocked { .. })).await;
    assert!(second.tries_to_resume(&call.tokens[1]).await.is_none(), "it is told to come again");
    nats.start_again().await;
    let mut joiner = second.resumes(&call.tokens[1]).await;
    body(&mut call.creator, &mut joiner, 1, "still here").await;
    body(&mut joiner, &mut call.creator, 1, "me too").await;
    assert!(first.health().await.contains("ok"));
    assert_eq!(second.metric("visavis_slices_taken_total").await, 0, "the room has stayed where it was");
}

#[tokio::test]
async fn nats_loses_all_it_had_and_the_servers_write_it_again() {
    let Some(mut nats) = Nats::start().await else { return };
    let (first, second) = (nats.server().await, nats.server().await);
    let mut call = call(&first, &second).await;
    nats.process.kill();
    std::fs::remove_dir_all(nats.folder.path().join("nats")).unwrap();
    nats.start_again().await;
    let mut joiner = second.resumes(&call.tokens[1]).await;
    body(&mut call.creator, &mut joiner, 1, "still here").await;
    let mut late = second.knocks(&call.nameplate).await;
    late.wait_for(|m| matches!(m, ServerMessage::Knocked { exchange: 1 })).await;
    assert_eq!(first.metric("visavis_decoys").await, 1, "the pair has given its number back");
    // A server that comes later takes none of theirs.
    let (third, before) = (nats.server().await, first.metric("visavis_slices").await);
    let sum = before + second.metric("visavis_slices").await + third.metric("visavis_slices").await;
    assert_eq!((before, sum), (50, 150));
    assert_eq!(first.metric("visavis_slices_lost_total").await, 0);
}

#[tokio::test]
async fn a_closed_call_stays_closed_whichever_server_is_asked() {
    let Some(nats) = Nats::start().await else { return };
    let (mut first, second) = (nats.server().await, nats.server().await);
    let mut over = call(&first, &second).await;
    over.creator.send(&ClientMessage::Leave { reason: "hung-up".into() }).await;
    over.joiner.wait_for(|message| matches!(message, ServerMessage::PeerLeft { .. })).await;
    over.joiner.send(&ClientMessage::Leave { reason: "hung-up".into() }).await;
    drop((over.creator, over.joiner));
    // Its record is on its way through NATS when the call's server dies.
    tokio::time::sleep(Duration::from_millis(200)).await;
    first.process.kill();
    for token in &over.tokens {
        until("it is answered", || async { second.tries_to_resume(token).await.is_some() }).await;
        assert!(matches!(second.tries_to_resume(token).await, Some((_, false))), "an old token revives nothing");
    }
}

#[tokio::test]
async fn a_server_that_only_slept_gives_up_what_another_has_taken() {
    let Some(nats) = Nats::start().await else { return };
    let (first, second) = (nats.server().await, nats.server().await);
    let call = call(&first, &second).await;
    first.process.signal("-STOP");
    is_let_go(call.joiner).await;
    let mut joiner = second.resumes(&call.tokens[1]).await;
    first.process.signal("-CONT");
    is_let_go(call.creator).await;
    assert_eq!(first.metric("visavis_slices_lost_total").await, 1);
    let mut creator = first.resumes(&call.tokens[0]).await;
    body(&mut creator, &mut joiner, 1, "still here").await;
    assert_eq!(first.metric("visavis_carried_out").await, 1);
}

#[tokio::test]
async fn a_server_that_is_told_to_stop_hands_over() {
    let Some(nats) = Nats::start().await else { return };
    let (mut first, second) = (nats.server().await, nats.server().await);
    let call = call(&first, &second).await;
    first.process.signal("-TERM");
    tokio::join!(is_let_go(call.creator), is_let_go(call.joiner));
    let mut creator = second.resumes(&call.tokens[0]).await;
    let mut joiner = second.resumes(&call.tokens[1]).await;
    body(&mut creator, &mut joiner, 1, "still here").await;
    assert!(first.process.0.wait().unwrap().success());
}

#[tokio::test]
async fn servers_with_different_keys_are_no_several_servers() {
    let Some(nats) = Nats::start().await else { return };
    let _first = nats.server().await;
    let other = nats.folder.path().join("other.key");
    std::fs::write(&other, [8; 32]).unwrap();
    std::fs::rename(other, nats.folder.path().join("signing.key")).unwrap();
    let output = nats.command(free_address()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && (said.contains("signing key") || said.contains("signing-key")), "{said}");
}

/// As docs/hosting.md shows it.
#[tokio::test]
async fn nats_lets_in_who_has_the_password_and_to_what_is_needed() {
    let page = include_str!("../../../docs/hosting.md");
    let rules = page.split("```nats\n").nth(1).and_then(|text| text.split("```").next()).unwrap();
    let Some(nats) = Nats::start_with(Some(rules)).await else { return };
    let output = nats.command_as(free_address(), "visavis:a-guess@").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("NATS"), "{said}");
    let (mut first, second) = (nats.server_as("visavis:PASSWORD@").await, nats.server_as("visavis:PASSWORD@").await);
    let call = call(&first, &second).await;
    first.process.kill();
    let (mut creator, mut joiner) = tokio::join!(second.resumes(&call.tokens[0]), second.resumes(&call.tokens[1]));
    body(&mut creator, &mut joiner, 1, "still here").await;
}
