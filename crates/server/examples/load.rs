//! What a server costs, measured on loopback from outside, on the process that one hosts: memory of idle connections, joins, and packets
//! relayed beside coturn. `docs/capacity.md` has the figures and what follows from them.
//! ```text
//! cargo build --release -p visavis-server --bins --examples
//! target/release/examples/load idle 10000 50000
//! target/release/examples/load joins 20
//! target/release/examples/load relay 200000
//! ```
//! Time on a busy machine says little, so costs are in the processor time of the server.
#![cfg_attr(not(target_os = "linux"), allow(unused, reason = "processes are looked at in /proc"))]
#![allow(clippy::print_stdout, reason = "it reports")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use visavis_signaling::Nameplate;
use visavis_signaling::message::{ClientMessage, ICE_SERVERS, IceServer, ServerMessage};
use visavis_stun::{Builder, Class, Message, attribute, channel_data, long_term_key, method};

/// Of coturn, and its URL: where it is doesn't matter to who only wants its credentials.
const SECRET: &str = "a secret of coturn's";
const COTURN: &str = "turn:127.0.0.1:1";
/// Where relayed packets end: never an address of the relay itself.
const PEER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Of a video packet.
const PACKET_BYTES: usize = 1000;
/// Allocations of one who has met another: as many as the server gives.
const RELAYED: usize = 8;
/// Packets under way at one time, so that none is lost in a queue.
const WINDOW: usize = 64;
const CHANNEL: u16 = 0x4000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize| arguments.get(index).and_then(|text| text.parse::<usize>().ok());
    match (arguments.first().map(String::as_str), number(1), number(2)) {
        (Some("idle"), Some(few), Some(many)) if few < many => idle(few, many).await,
        (Some("joins"), Some(seconds), _) => joins(Duration::from_secs(seconds as u64)).await,
        (Some("relay"), Some(packets), _) => relay(packets).await,
        _ => bail!("say `idle FEW MANY`, `joins SECONDS` or `relay PACKETS`"),
    }
}

/// A server in a process of its own.
struct Process(Child);

impl Process {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().with_context(|| format!("{:?}", command.get_program()))?;
        Ok(Self(child))
    }

    fn read(&self, file: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id()))?)
    }

    /// Processor time so far, at the hundred ticks a second that Linux counts for everybody.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let stat = self.read("stat")?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
    }

    /// Memory that is its own, bytes.
    fn memory(&self) -> anyhow::Result<usize> {
        let rollup = self.read("smaps_rollup")?;
        let kilobytes = rollup.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix("kB"));
        Ok(kilobytes.context("no Pss")?.trim().parse::<usize>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The kernel's own memory for TCP, bytes.
fn kernel_memory() -> usize {
    let stat = std::fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let tcp = stat.lines().find(|line| line.starts_with("TCP:")).unwrap_or_default();
    tcp.rsplit(' ').next().and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

async fn server(more: &[&str]) -> anyhow::Result<(Process, SocketAddr)> {
    let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let example: PathBuf = std::env::current_exe()?;
    let folder = example.parent().and_then(std::path::Path::parent).context("no target folder")?;
    let mut command = Command::new(folder.join("visavis-server"));
    command.args(["--listen", &address.to_string(), "--max-connections", "200000", "--max-rooms", "100000"]).args(more);
    let process = Process::start(command)?;
    for _ in 0..200 {
        if TcpStream::connect(address).await.is_ok() {
            return Ok((process, address));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the server doesn't listen")
}

/// From one of many addresses, as many clients are.
async fn connect(server: SocketAddr, source: usize) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let [.., high, low] = u32::try_from(source)?.to_be_bytes();
    socket.bind(SocketAddr::from(([127, 1, high, low], 0)))?;
    Ok(socket.connect(server).await?)
}

/// Welcomed, over a socket that costs this process nothing but itself.
async fn greeted(server: SocketAddr, source: usize) -> anyhow::Result<TcpStream> {
    let mut stream = connect(server, source).await?;
    let upgrade = "GET /ws HTTP/1.1\r\nHost: load\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    stream.write_all(upgrade.as_bytes()).await?;
    answered(&mut stream, b"\r\n\r\n").await?;
    let hello = ClientMessage::Hello { version: 1, features: vec![], resume: None }.to_json();
    // A text frame with a mask of zeros (RFC 6455, section 5.2).
    let mut frame = vec![0x81, 0x80 | u8::try_from(hello.len())?, 0, 0, 0, 0];
    frame.extend_from_slice(hello.as_bytes());
    stream.write_all(&frame).await?;
    answered(&mut stream, b"\"token\"").await?;
    Ok(stream)
}

async fn answered(stream: &mut TcpStream, wanted: &[u8]) -> anyhow::Result<()> {
    let (mut heard, mut buffer) = (Vec::new(), [0; 1024]);
    while !heard.windows(wanted.len()).any(|window| window == wanted) {
        let count = stream.read(&mut buffer).await?;
        ensure!(count > 0, "the server closed: {}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(buffer.get(..count).unwrap_or_default());
    }
    Ok(())
}

async fn idle(few: usize, many: usize) -> anyhow::Result<()> {
    let (process, address) = server(&[]).await?;
    let mut streams = Vec::with_capacity(many);
    let mut measured = Vec::new();
    for (from, to) in [(0, few), (few, many)] {
        // Batches from one address: no more than one may have at a time.
        for batch in (from..to).step_by(100) {
            let all = (batch..to.min(batch + 100)).map(|_| greeted(address, batch / 100 + 1));
            for stream in futures::future::join_all(all).await {
                streams.push(stream?);
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        measured.push((process.memory()?, kernel_memory()));
    }
    if let [(before, kernel_before), (after, kernel_after)] = measured[..] {
        let each = |before: usize, after: usize| after.saturating_sub(before) / (many - few);
        println!("{few} to {many} idle connections: {} bytes each in the server", each(before, after));
        println!("and {} bytes each in the kernel, for both ends", each(kernel_before, kernel_after));
    }
    Ok(())
}

type Socket = WebSocketStream<TcpStream>;

async fn client(server: SocketAddr, source: usize) -> anyhow::Result<Socket> {
    let stream = connect(server, source).await?;
    stream.set_nodelay(true)?;
    let (mut socket, _) = tokio_tungstenite::client_async(format!("ws://{server}/ws"), stream).await?;
    say(&mut socket, &ClientMessage::Hello { version: 1, features: vec![ICE_SERVERS.into()], resume: None }).await?;
    until(&mut socket, |message| matches!(message, ServerMessage::Welcome { .. })).await?;
    Ok(socket)
}

async fn say(socket: &mut Socket, message: &ClientMessage) -> anyhow::Result<()> {
    Ok(socket.send(Frame::text(message.to_json())).await?)
}

async fn until(socket: &mut Socket, wanted: impl Fn(&ServerMessage) -> bool) -> anyhow::Result<ServerMessage> {
    while let Some(frame) = socket.next().await {
        if let Frame::Text(text) = frame? {
            let message = ServerMessage::parse(text.as_str())?;
            if wanted(&message) {
                return Ok(message);
            }
            if let ServerMessage::Error { code, .. } = message {
                bail!("the server says {code}");
            }
        }
    }
    bail!("the server closed")
}

async fn made(socket: &mut Socket) -> anyhow::Result<Nameplate> {
    say(socket, &ClientMessage::Create).await?;
    let made = until(socket, |message| matches!(message, ServerMessage::Created { .. })).await?;
    let ServerMessage::Created { nameplate } = made else { bail!("{made:?}") };
    Ok(nameplate)
}

/// Two who have met.
async fn met(server: SocketAddr, source: usize) -> anyhow::Result<[Socket; 2]> {
    let mut creator = client(server, source).await?;
    let nameplate = made(&mut creator).await?;
    let mut joiner = client(server, source + 1).await?;
    say(&mut joiner, &ClientMessage::Knock { nameplate }).await?;
    for socket in [&mut creator, &mut joiner] {
        until(socket, |message| matches!(message, ServerMessage::Knocked { .. })).await?;
    }
    Ok([creator, joiner])
}

async fn confirm(pair: [&mut Socket; 2]) -> anyhow::Result<()> {
    let [one, other] = pair;
    for socket in [&mut *one, &mut *other] {
        say(socket, &ClientMessage::Confirmed { exchange: 1 }).await?;
    }
    for socket in [one, other] {
        until(socket, |message| matches!(message, ServerMessage::Confirmed { .. })).await?;
    }
    Ok(())
}

/// A whole introduction: both connect, exchange what a call exchanges, confirm and leave.
async fn join(server: SocketAddr, source: usize) -> anyhow::Result<()> {
    let [mut creator, mut joiner] = met(server, source).await?;
    // The exchange and ten candidates each way.
    for (seq, bytes) in (1..).zip([300, 5500, 5500].into_iter().chain([512; 10])) {
        for from_joiner in [true, false] {
            let (from, to) = if from_joiner { (&mut joiner, &mut creator) } else { (&mut creator, &mut joiner) };
            say(from, &ClientMessage::Relay { exchange: 1, seq, body: "x".repeat(bytes) }).await?;
            until(to, |message| matches!(message, ServerMessage::Relay { .. })).await?;
            say(to, &ClientMessage::Ack { exchange: 1, seq }).await?;
        }
    }
    confirm([&mut creator, &mut joiner]).await?;
    say(&mut creator, &ClientMessage::Leave { reason: "hung-up".into() }).await?;
    until(&mut joiner, |message| matches!(message, ServerMessage::PeerLeft { .. })).await?;
    say(&mut joiner, &ClientMessage::Leave { reason: "hung-up".into() }).await
}

async fn joins(time: Duration) -> anyhow::Result<()> {
    const AT_ONCE: usize = 16;
    let (process, address) = server(&[]).await?;
    let (begun, before) = (Instant::now(), process.cpu()?);
    let workers = (0..AT_ONCE).map(|worker| async move {
        let mut times = Vec::new();
        while begun.elapsed() < time {
            let start = Instant::now();
            join(address, 1 + (times.len() * AT_ONCE + worker) * 2).await?;
            times.push(start.elapsed());
        }
        anyhow::Ok(times)
    });
    let all: anyhow::Result<Vec<_>> = futures::future::join_all(workers).await.into_iter().collect();
    let (mut times, elapsed, cpu) = (all?.concat(), begun.elapsed(), process.cpu()? - before);
    times.sort_unstable();
    let (count, median) = (times.len(), times.get(times.len() / 2).copied().unwrap_or_default());
    println!("{count} joins in {:.1} s, {AT_ONCE} at a time, {median:.1?} each in the median", elapsed.as_secs_f64());
    println!("{:.2} ms of the server's processor time each", cpu.as_secs_f64() * 1e3 / count as f64);
    Ok(())
}

/// One allocation with a channel to the peer.
struct Allocation(UdpSocket);

impl Allocation {
    fn make(relay: SocketAddr, credential: &IceServer, peer: SocketAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(relay)?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        let ask = |request: &[u8]| -> anyhow::Result<Vec<u8>> {
            let mut answer = vec![0; 2048];
            socket.send(request)?;
            let count = socket.recv(&mut answer).context("the relay doesn't answer")?;
            answer.truncate(count);
            Ok(answer)
        };
        let transport = |builder: Builder| builder.attribute(attribute::REQUESTED_TRANSPORT, &[17, 0, 0, 0]);
        let challenge = ask(&transport(Builder::new(Class::Request, method::ALLOCATE, &[1; 12])).unsigned())?;
        let challenge = Message::parse(&challenge).context("no STUN message")?;
        let realm = challenge.text(attribute::REALM).context("no realm")?;
        let nonce = challenge.text(attribute::NONCE).context("no nonce")?;
        let signed = |builder: Builder| {
            let named = builder
                .attribute(attribute::USERNAME, credential.username.as_bytes())
                .attribute(attribute::REALM, realm.as_bytes())
                .attribute(attribute::NONCE, nonce.as_bytes());
            named.signed(&long_term_key(&credential.username, realm, &credential.credential))
        };
        let bind = |builder: Builder| {
            let [high, low] = CHANNEL.to_be_bytes();
            let channel = builder.attribute(attribute::CHANNEL_NUMBER, &[high, low, 0, 0]);
            channel.address(attribute::XOR_PEER_ADDRESS, peer)
        };
        let requests = [
            signed(transport(Builder::new(Class::Request, method::ALLOCATE, &[2; 12]))),
            signed(bind(Builder::new(Class::Request, method::CHANNEL_BIND, &[3; 12]))),
        ];
        for request in requests {
            let answer = ask(&request)?;
            let answer = Message::parse(&answer).context("no STUN message")?;
            ensure!(answer.error_code().is_none(), "the relay says {:?}", answer.error_code());
        }
        Ok(Self(socket))
    }
}

/// A relay, clients of it and the one that they all send to.
struct Relayed {
    process: Process,
    allocations: Vec<Allocation>,
    peer: UdpSocket,
}

impl Relayed {
    fn new(process: Process, relay: SocketAddr, credential: &IceServer) -> anyhow::Result<Self> {
        let peer = UdpSocket::bind((PEER, 0))?;
        peer.set_read_timeout(Some(Duration::from_secs(2)))?;
        let to = peer.local_addr()?;
        let allocations =
            (0..RELAYED).map(|_| Allocation::make(relay, credential, to)).collect::<anyhow::Result<_>>()?;
        Ok(Self { process, allocations, peer })
    }
}

/// Relays so many packets; the processor time of one, in microseconds.
fn relay_through(Relayed { process, allocations, peer }: &Relayed, packets: usize) -> anyhow::Result<f64> {
    let (mut packet, mut buffer) = (Vec::new(), [0; 2048]);
    channel_data::write(CHANNEL, &[7; PACKET_BYTES], &mut packet);
    let (mut sent, mut arrived) = (0, 0);
    let before = process.cpu()?;
    while arrived < packets {
        while sent < packets && sent - arrived < WINDOW {
            if let Some(allocation) = allocations.get(sent % RELAYED) {
                allocation.0.send(&packet)?;
            }
            sent += 1;
        }
        peer.recv(&mut buffer).with_context(|| format!("of {sent} packets {arrived} have arrived"))?;
        arrived += 1;
    }
    Ok((process.cpu()? - before).as_secs_f64() * 1e6 / packets as f64)
}

async fn relay(packets: usize) -> anyhow::Result<()> {
    let free = || UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let (ours, theirs) = (free()?, free()?);
    let listen = ours.to_string();
    let flags =
        ["--turn-public-address", "127.0.0.1", "--stun-turn-listen", &listen, "--turn-allow-peers", "127.0.0.0/8"];
    let rate = ["--turn-max-kbps", "10000000", "--turn-secret", SECRET, "--ice-urls", COTURN];
    let (process, address) = server(&[&flags[..], &rate[..]].concat()).await?;
    let [mut creator, mut joiner] = met(address, 1).await?;
    let told = until(&mut creator, |message| matches!(message, ServerMessage::IceServers { .. })).await?;
    let ServerMessage::IceServers { servers, .. } = told else { bail!("no servers") };
    confirm([&mut creator, &mut joiner]).await?;
    let credential = |is_coturn: bool| {
        let of_that = |server: &&IceServer| (server.urls == [COTURN]) == is_coturn && !server.username.is_empty();
        servers.iter().find(of_that).context("no credential")
    };
    let mut coturn = Command::new("turnserver");
    coturn.args(["-n", "--use-auth-secret", "--static-auth-secret", SECRET, "--realm", "visavis", "--no-cli"]);
    coturn.args(["--listening-ip", "127.0.0.1", "--relay-ip", "127.0.0.1", "--allow-loopback-peers"]);
    coturn.args(["--listening-port", &theirs.port().to_string(), "--no-tls", "--no-dtls", "--no-tcp", "--log-file"]);
    let folder = tempfile::tempdir()?;
    coturn.arg("/dev/null").arg("--pidfile").arg(folder.path().join("pid"));
    coturn.arg("--userdb").arg(folder.path().join("db"));
    let coturn = Process::start(coturn)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let ours = Relayed::new(process, ours, credential(false)?).context("ours")?;
    let theirs = Relayed::new(coturn, theirs, credential(true)?).context("coturn")?;
    for round in 1..=3 {
        let (us, them) = (relay_through(&ours, packets)?, relay_through(&theirs, packets)?);
        println!(
            "round {round}: {:.0} packets a second and core, coturn {:.0}: {:.2} of coturn's",
            1e6 / us,
            1e6 / them,
            them / us
        );
    }
    Ok(())
}
