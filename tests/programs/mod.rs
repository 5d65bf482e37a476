//! Our own programs as processes: found beside the test, started, listened to and ended.
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that a person waits for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// One of our programs, as `./dev test` builds it before the tests.
pub fn program(name: &str) -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    if path.ends_with("deps") {
        path.pop();
    }
    path.push(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} isn't there: cargo build -p visavis-server -p visavis-peer", path.display());
    path
}

/// A process that is ended with the value.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it and reads its standard output line by line.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = read_lines(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line within `PATIENCE`; `None` at the end of the output.
    pub fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("nothing was said for {PATIENCE:?}"),
        }
    }

    /// The next JSON event of this kind that `wanted` is true of; everything before it is skipped.
    pub fn event(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        while let Some(line) = self.line() {
            let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
            if event["event"] == kind && wanted(&event) {
                return event;
            }
            assert!(start.elapsed() < PATIENCE, "no such {kind} in {PATIENCE:?}");
        }
        panic!("the program ended without a {kind}");
    }

    /// The end of the program, which must come by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the program doesn't end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as Ctrl-C does.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// Ends it without a word, as a crash or a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(output: ChildStdout) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A loopback address that nobody listens on.
pub fn free_address() -> String {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    format!("127.0.0.1:{port}")
}

/// A server process on a free loopback port.
pub struct ServerProcess {
    process: Process,
    /// Its address, `127.0.0.1:PORT`.
    pub address: String,
}

impl ServerProcess {
    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts one and waits until it listens.
    pub fn start() -> Self {
        Self::start_at(&free_address())
    }

    /// Starts one at this address.
    pub fn start_at(address: &str) -> Self {
        Self::start_with(address, &[])
    }

    /// Starts one at this address, with more arguments.
    pub fn start_with(address: &str, more: &[&str]) -> Self {
        let address = address.to_owned();
        let mut command = Command::new(program("visavis-server"));
        // The pages of our tests come from ports of their own.
        command.args(["--listen", &address, "--allow-origins", "*"]).args(more).stderr(Stdio::null());
        let process = Process::start(&mut command);
        let start = Instant::now();
        while std::net::TcpStream::connect(&address).is_err() {
            assert!(start.elapsed() < PATIENCE, "the server doesn't listen on {address}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, address }
    }
}

/// A loopback port that nobody listens on over UDP.
pub fn free_udp_port() -> String {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// A server that relays by itself, on this port, for calls on this machine.
pub fn relaying_server(port: &str) -> ServerProcess {
    let listen = format!("127.0.0.1:{port}");
    let relay = ["--turn-public-address", "127.0.0.1", "--stun-turn-listen", &listen, "--turn-max-kbps", "20000"];
    ServerProcess::start_with(&free_address(), &relay)
}

/// `visavis-cli` with JSON output and devices that need no hardware.
pub fn cli(server: &str, action: &[&str], microphone: &str, more: &[&str]) -> Process {
    let mut command = Command::new(program("visavis-cli"));
    command.args(action).args(["--server", server, "--lan", "off", "--json", "--camera", "test", "--mic", microphone]);
    command.args(["--speaker", "silence"]).args(more);
    Process::start(&mut command)
}
