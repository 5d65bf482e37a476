//! Two homes, a router before each, and a server in between: five network namespaces, gone with the value.
//!
//! ```text
//! Ann 192.168.1.2 ─ 192.168.1.1 router 198.51.100.2 ─ .1 ┐
//!                                                        ├ server, 203.0.113.1
//! Bob 192.168.2.2 ─ 192.168.2.1 router 198.51.100.6 ─ .5 ┘
//! ```

mod listener;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use listener::Listener;

use crate::programs::{PATIENCE, Process, program};

/// The server's address.
pub const SERVER: &str = "203.0.113.1";
const SIGNALING: &str = "203.0.113.1:7880";
const RELAY: &str = "203.0.113.1:3478";
/// Where somebody listens in before the server.
const LISTENING: &str = "203.0.113.1:7881";

/// How a router gives out its ports (RFC 4787: endpoint-independent and address-and-port-dependent mapping).
#[derive(Clone, Copy)]
pub enum Nat {
    Cone,
    Symmetric,
}

impl Nat {
    /// The rules of a router. What comes from outside unasked is dropped before it could take a port of the table that a
    /// connection from inside is about to need.
    fn rules(self) -> String {
        let masquerade = match self {
            Self::Cone => "masquerade",
            Self::Symmetric => "meta l4proto { tcp, udp } masquerade to :20000-60000 fully-random",
        };
        format!(
            "table ip home {{
                chain out {{
                    type nat hook postrouting priority srcnat
                    oifname \"wan\" {masquerade}
                }}
                chain in {{
                    type filter hook input priority filter
                    iifname \"wan\" ct state new drop
                }}
                chain through {{
                    type filter hook forward priority filter
                    iifname \"wan\" ct state new drop
                }}
            }}\n"
        )
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Home {
    Ann,
    Bob,
}

impl Home {
    const fn name(self) -> &'static str {
        match self {
            Self::Ann => "ann",
            Self::Bob => "bob",
        }
    }

    /// Of the machine.
    pub const fn address(self) -> &'static str {
        match self {
            Self::Ann => "192.168.1.2",
            Self::Bob => "192.168.2.2",
        }
    }

    const fn gateway(self) -> &'static str {
        match self {
            Self::Ann => "192.168.1.1",
            Self::Bob => "192.168.2.1",
        }
    }

    /// Of the router, outside.
    pub const fn router(self) -> &'static str {
        match self {
            Self::Ann => "198.51.100.2",
            Self::Bob => "198.51.100.6",
        }
    }

    const fn provider(self) -> &'static str {
        match self {
            Self::Ann => "198.51.100.1",
            Self::Bob => "198.51.100.5",
        }
    }
}

/// The namespaces, and the server in theirs.
pub struct World {
    tag: String,
    signaling: std::cell::Cell<&'static str>,
    _server: Option<Process>,
}

fn run(command: &str) -> bool {
    let mut words = command.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn must(command: &str) {
    assert!(run(command), "{command}");
}

impl World {
    /// `None`, said loudly, where there is no root or no nftables.
    pub fn build(tag: &str, nat: Nat) -> Option<Self> {
        let tag = format!("vv{tag}{}", std::process::id() % 100_000);
        if !run("nft list tables") || !run(&format!("ip netns add {tag}net")) {
            eprintln!("SKIPPED: network namespaces need root, iproute2 and nftables");
            return None;
        }
        // From here on whatever fails takes the namespaces along.
        let mut world = Self { tag, signaling: std::cell::Cell::new(SIGNALING), _server: None };
        let net = world.space("net");
        must(&format!("ip -n {net} link set lo up"));
        must(&format!("ip -n {net} address add {SERVER}/32 dev lo"));
        world.forwards(&net);
        for home in [Home::Ann, Home::Bob] {
            world.build_home(home, nat);
        }
        world._server = Some(world.start_server());
        Some(world)
    }

    fn space(&self, part: &str) -> String {
        format!("{}{part}", self.tag)
    }

    fn forwards(&self, space: &str) {
        must(&format!("ip netns exec {space} sysctl -q -w net.ipv4.ip_forward=1"));
    }

    fn build_home(&self, home: Home, nat: Nat) {
        let (net, machine, router) =
            (self.space("net"), self.space(home.name()), self.space(&format!("{}r", home.name())));
        for space in [&machine, &router] {
            must(&format!("ip netns add {space}"));
            must(&format!("ip -n {space} link set lo up"));
        }
        let (gateway, provider) = (home.gateway(), home.provider());
        must(&format!("ip link add wan netns {router} type veth peer name {} netns {net}", home.name()));
        must(&format!("ip link add lan netns {router} type veth peer name e0 netns {machine}"));
        for (space, device, address) in [
            (&net, home.name(), format!("{provider}/30")),
            (&router, "wan", format!("{}/30", home.router())),
            (&router, "lan", format!("{gateway}/24")),
            (&machine, "e0", format!("{}/24", home.address())),
        ] {
            must(&format!("ip -n {space} address add {address} dev {device}"));
            must(&format!("ip -n {space} link set {device} up"));
        }
        must(&format!("ip -n {router} route add default via {provider}"));
        must(&format!("ip -n {machine} route add default via {gateway}"));
        self.forwards(&router);
        self.nft(&router, &nat.rules());
    }

    fn nft(&self, space: &str, rules: &str) {
        let mut nft =
            Command::new("ip").args(["netns", "exec", space, "nft", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }

    fn start_server(&self) -> Process {
        let mut command = self.inside("net", "visavis-server");
        command.args(["--listen", SIGNALING, "--turn-public-address", SERVER, "--turn-allow-peers", "198.51.100.0/24"]);
        command.args(["--stun-turn-listen", RELAY, "--turn-max-kbps", "20000"]).stderr(Stdio::null());
        let process = Process::start(&mut command);
        let start = Instant::now();
        let listens = format!("ip netns exec {} grep -qi :1EC8 /proc/net/tcp", self.space("net"));
        while !run(&listens) {
            assert!(start.elapsed() < PATIENCE, "the server doesn't listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        process
    }

    fn inside(&self, part: &str, name: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(part)]).arg(program(name));
        command
    }

    /// A peer at home.
    pub fn cli(&self, home: Home, action: &[&str], more: &[&str]) -> Process {
        let mut command = self.inside(home.name(), "visavis-cli");
        let server = format!("ws://{}", self.signaling.get());
        command.args(action).args(["--server", &server, "--json", "--camera", "test", "--mic", "tone"]);
        Process::start(command.args(["--speaker", "silence"]).args(more))
    }

    /// Puts somebody who writes everything down between the homes and the server.
    pub fn listen_in(&self) -> Listener {
        self.signaling.set(LISTENING);
        Listener::start(Path::new("/run/netns").join(self.space("net")), LISTENING, SIGNALING)
    }

    /// Counts from now on what leaves this home's machine over UDP: to the relay, and to anywhere else.
    pub fn count_packets(&self, home: Home) {
        let rules = format!(
            "table ip watch {{
                counter relay {{ }}
                counter elsewhere {{ }}
                chain out {{
                    type filter hook output priority filter
                    oifname \"lo\" accept
                    meta l4proto != udp accept
                    ip daddr {SERVER} udp dport 3478 counter name relay accept
                    counter name elsewhere
                }}
            }}\n"
        );
        self.nft(&self.space(home.name()), &rules);
    }

    /// Those counted.
    pub fn counted(&self, home: Home) -> (u64, u64) {
        let count = |name: &str| {
            let mut nft = Command::new("ip");
            nft.args(["netns", "exec", &self.space(home.name()), "nft", "list", "counter", "ip", "watch", name]);
            let text = String::from_utf8(nft.output().unwrap().stdout).unwrap();
            text.split("packets ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap()
        };
        (count("relay"), count("elsewhere"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self._server = None;
        for part in ["ann", "bob", "annr", "bobr", "net"] {
            // Of one that was never made there is nothing to remove.
            run(&format!("ip netns delete {}", self.space(part)));
        }
    }
}
