//! Two homes, a router before each, and a server in between: five network namespaces, gone with the value.
//!
//! ```text
//! Ann 192.168.1.2 ─ 192.168.1.1 router 198.51.100.2 ─ .1 ┐
//!                                                        ├ server, 203.0.113.1
//! Bob 192.168.2.2 ─ 192.168.2.1 router 198.51.100.6 ─ .5 ┘
//! ```

mod listener;
mod second;

use std::io::Write;
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub use listener::Listener;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
pub use second::Way;

use crate::programs::{PATIENCE, Process, program};

/// The server's address.
pub const SERVER: &str = "203.0.113.1";
pub const SIGNALING: &str = "203.0.113.1:7880";
const RELAY: &str = "203.0.113.1:3478";
/// Where somebody listens in before the server.
const LISTENING: &str = "203.0.113.1:7881";
const SERVER_V6: &str = "2001:db8:ffff::1";
/// What the server's certificate is for.
const NAME: &str = "calls.visavis.test";

/// What a router does with what goes out. The first two translate (RFC 4787: endpoint-independent and
/// address-and-port-dependent mapping); those behind them translate as the first, and let only some of it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    Cone,
    Symmetric,
    /// No UDP at all.
    NoUdp,
    /// Nothing but TCP to port 443.
    OnlyHttps,
    /// IPv6 alone: nothing is translated, what comes unasked is dropped.
    V6,
}

impl Net {
    /// The rules of a router. What comes from outside unasked is dropped before it could take a port of the table that a
    /// connection from inside is about to need.
    fn rules(self) -> String {
        let (family, masquerade) = match self {
            Self::Cone | Self::NoUdp | Self::OnlyHttps => ("ip", "oifname \"wan\" masquerade"),
            Self::Symmetric => {
                ("ip", "oifname \"wan\" meta l4proto { tcp, udp } masquerade to :20000-60000 fully-random")
            }
            Self::V6 => ("ip6", ""),
        };
        let out = match self {
            Self::Cone | Self::Symmetric | Self::V6 => "",
            Self::NoUdp => "oifname \"wan\" meta l4proto udp drop",
            Self::OnlyHttps => "oifname \"wan\" meta l4proto != tcp drop; oifname \"wan\" tcp dport != 443 drop",
        };
        // Neighbours find one another by ICMP.
        let unasked = "iifname \"wan\" meta l4proto { tcp, udp } ct state new drop";
        format!(
            "table {family} home {{
                chain out {{ type nat hook postrouting priority srcnat; {masquerade}; }}
                chain in {{ type filter hook input priority filter; {unasked}; }}
                chain through {{ type filter hook forward priority filter; {unasked}; {out}; }}
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

    /// Of the machine, over IPv6: its own, its router's within and without, its provider's.
    fn v6(self) -> [String; 4] {
        let home = if self == Self::Ann { 1 } else { 2 };
        [(1, 2), (1, 1), (2, 2), (2, 1)].map(|(net, host)| format!("2001:db8:{home}:{net}::{host}"))
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
    /// Where peers are told to go.
    signaling: std::cell::RefCell<String>,
    /// The server's certificate, and who vouches for it.
    papers: tempfile::TempDir,
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

/// An authority, and the certificate of the server by it.
fn papers() -> tempfile::TempDir {
    let authority_key = rcgen::KeyPair::generate().unwrap();
    let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "Visavis tests");
    let root = authority.self_signed(&authority_key).unwrap();
    let issuer = rcgen::Issuer::new(authority, authority_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![NAME.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in [("root", root.pem()), ("chain", certificate.pem()), ("key", key.serialize_pem())] {
        std::fs::write(folder.path().join(format!("{file}.pem")), content).unwrap();
    }
    folder
}

impl World {
    /// Both homes alike. `None`, said loudly, where there is no root or no nftables.
    pub fn build(tag: &str, net: Net) -> Option<Self> {
        Self::build_homes(tag, [net, net])
    }

    /// Ann's home and Bob's.
    pub fn build_homes(tag: &str, homes: [Net; 2]) -> Option<Self> {
        let tag = format!("vv{tag}{}", std::process::id() % 100_000);
        if !run("nft list tables") || !run(&format!("ip netns add {tag}net")) {
            eprintln!("SKIPPED: network namespaces need root, iproute2 and nftables");
            return None;
        }
        // From here on whatever fails takes the namespaces along.
        let signaling = format!("ws://{SIGNALING}").into();
        let mut world = Self { tag, signaling, papers: papers(), _server: None };
        let net = world.space("net");
        must(&format!("ip -n {net} link set lo up"));
        must(&format!("ip -n {net} address add {SERVER}/32 dev lo"));
        must(&format!("ip -n {net} address add {SERVER_V6}/128 dev lo nodad"));
        world.forwards(&net);
        for (home, net) in [Home::Ann, Home::Bob].into_iter().zip(homes) {
            world.build_home(home, net);
        }
        let v6 = homes.contains(&Net::V6);
        let https = homes.contains(&Net::OnlyHttps);
        world._server = Some(world.start_server(v6, https));
        if v6 {
            world.signaling.replace(format!("ws://[{SERVER_V6}]:7880"));
        } else if https {
            world.signaling.replace(format!("wss://{NAME}"));
        }
        Some(world)
    }

    fn space(&self, part: &str) -> String {
        format!("{}{part}", self.tag)
    }

    fn forwards(&self, space: &str) {
        must(&format!("ip netns exec {space} sysctl -q -w net.ipv4.ip_forward=1"));
        must(&format!("ip netns exec {space} sysctl -q -w net.ipv6.conf.all.forwarding=1"));
    }

    fn build_home(&self, home: Home, kind: Net) {
        let (net, machine, router) =
            (self.space("net"), self.space(home.name()), self.space(&format!("{}r", home.name())));
        for space in [&machine, &router] {
            must(&format!("ip netns add {space}"));
            must(&format!("ip -n {space} link set lo up"));
        }
        // A machine knows the server's name as if there were a resolver.
        let etc = Path::new("/etc/netns").join(&machine);
        std::fs::create_dir_all(&etc).unwrap();
        std::fs::write(etc.join("hosts"), format!("127.0.0.1 localhost\n{SERVER} {NAME}\n")).unwrap();
        must(&format!("ip link add wan netns {router} type veth peer name {} netns {net}", home.name()));
        must(&format!("ip link add lan netns {router} type veth peer name e0 netns {machine}"));
        let [address, gateway, outside, provider] = match kind {
            Net::V6 => home.v6(),
            Net::Cone | Net::Symmetric | Net::NoUdp | Net::OnlyHttps => {
                [home.address(), home.gateway(), home.router(), home.provider()].map(str::to_owned)
            }
        };
        let (inner, outer) = if kind == Net::V6 { ("/64 nodad", "/64 nodad") } else { ("/24", "/30") };
        for (space, device, address) in [
            (&net, home.name(), format!("{provider}{outer}")),
            (&router, "wan", format!("{outside}{outer}")),
            (&router, "lan", format!("{gateway}{inner}")),
            (&machine, "e0", format!("{address}{inner}")),
        ] {
            must(&format!("ip -n {space} address add dev {device} {address}"));
            must(&format!("ip -n {space} link set {device} up"));
        }
        self.forwards(&router);
        must(&format!("ip -n {router} route add default via {provider}"));
        must(&format!("ip -n {machine} route add default via {gateway}"));
        if kind == Net::V6 {
            must(&format!("ip -n {net} route add {}/64 via {outside}", gateway.trim_end_matches('1')));
        }
        self.nft(&router, &kind.rules());
    }

    fn nft(&self, space: &str, rules: &str) {
        let mut nft =
            Command::new("ip").args(["netns", "exec", space, "nft", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }

    /// Over TLS on port 443, or in the clear on its own.
    fn start_server(&self, v6: bool, https: bool) -> Process {
        let mut command = self.inside("net", "visavis-server");
        let (signaling, address, relay) = match (v6, https) {
            (true, _) => (format!("[{SERVER_V6}]:7880"), SERVER_V6, format!("[{SERVER_V6}]:3478")),
            (false, true) => (format!("{SERVER}:443"), SERVER, RELAY.to_owned()),
            (false, false) => (SIGNALING.to_owned(), SERVER, RELAY.to_owned()),
        };
        command.args(["--listen", &signaling, "--turn-public-address", address, "--stun-turn-listen", &relay]);
        command.args(["--turn-allow-peers", "198.51.100.0/24,2001:db8::/32", "--turn-max-kbps", "20000"]);
        if https {
            command.arg("--tls-cert").arg(self.papers.path().join("chain.pem"));
            command.arg("--tls-key").arg(self.papers.path().join("key.pem")).args(["--turn-tls-name", NAME]);
        }
        let process = Process::start(command.stderr(Stdio::null()));
        let start = Instant::now();
        let (table, port) = (if v6 { "tcp6" } else { "tcp" }, if https { "01BB" } else { "1EC8" });
        let listens = format!("ip netns exec {} grep -qi :{port} /proc/net/{table}", self.space("net"));
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
        command.env("SSL_CERT_FILE", self.papers.path().join("root.pem"));
        command.args(action).args([
            "--server",
            &self.signaling.borrow(),
            "--json",
            "--camera",
            "test",
            "--mic",
            "tone",
        ]);
        Process::start(command.args(["--speaker", "silence"]).args(more))
    }

    /// Does this on a machine at home, with whatever it starts.
    pub fn within<T: Send + 'static>(&self, home: Home, work: impl FnOnce() -> T + Send + 'static) -> T {
        let namespace = std::fs::File::open(Path::new("/run/netns").join(self.space(home.name()))).unwrap();
        let inside = std::thread::spawn(move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        });
        inside.join().unwrap()
    }

    /// Puts somebody who writes everything down between the homes and the server.
    pub fn listen_in(&self) -> Listener {
        self.signaling.replace(format!("ws://{LISTENING}"));
        Listener::start(Path::new("/run/netns").join(self.space("net")), LISTENING, SIGNALING)
    }

    /// Counts from now on what leaves this home's machine: to the relay, and to anywhere but the server, over UDP and TCP.
    pub fn count_packets(&self, home: Home) {
        let rules = format!(
            "table ip watch {{
                counter relay {{ }}
                counter elsewhere {{ }}
                chain out {{
                    type filter hook output priority filter
                    oifname \"lo\" accept
                    meta l4proto != {{ tcp, udp }} accept
                    ip daddr {SERVER} tcp dport 7880-7881 accept
                    ip daddr {SERVER} th dport 3478 counter name relay accept
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
        for part in ["ann", "bob", "annr", "annr2", "bobr", "net"] {
            // Of one that was never made there is nothing to remove.
            run(&format!("ip netns delete {}", self.space(part)));
            let _ = std::fs::remove_dir_all(Path::new("/etc/netns").join(self.space(part)));
        }
    }
}
