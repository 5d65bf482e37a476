//! Machines on one bridge, in network namespaces that are gone with the value: a home or an office with no way out of it. No
//! machine has a default route, and nothing there answers but the machines themselves.
//!
//! ```text
//! ann 192.168.7.1, fd00:7::1 ─┐
//! bob 192.168.7.2, fd00:7::2 ─┼─ bridge
//! eve 192.168.7.3, fd00:7::3 ─┘
//! ```
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

use std::io::Write;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::programs::{Process, program};

/// Which addresses the machines have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    V4,
    V6,
    Both,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Machine {
    Ann,
    Bob,
    Eve,
}

impl Machine {
    const ALL: [Self; 3] = [Self::Ann, Self::Bob, Self::Eve];

    const fn name(self) -> &'static str {
        match self {
            Self::Ann => "ann",
            Self::Bob => "bob",
            Self::Eve => "eve",
        }
    }

    pub const fn v4(self) -> &'static str {
        match self {
            Self::Ann => "192.168.7.1",
            Self::Bob => "192.168.7.2",
            Self::Eve => "192.168.7.3",
        }
    }

    pub const fn v6(self) -> &'static str {
        match self {
            Self::Ann => "fd00:7::1",
            Self::Bob => "fd00:7::2",
            Self::Eve => "fd00:7::3",
        }
    }
}

pub struct Bridge {
    tag: String,
    /// What each machine's user has for a session: two machines share no files.
    runtime: tempfile::TempDir,
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

impl Bridge {
    /// `None`, said loudly, where there is no root or no nftables.
    pub fn build(tag: &str, addresses: Addresses) -> Option<Self> {
        let tag = format!("vl{tag}{}", std::process::id() % 100_000);
        if !run("nft list tables") || !run(&format!("ip netns add {tag}net")) {
            eprintln!("SKIPPED: network namespaces need root, iproute2 and nftables");
            return None;
        }
        // From here on whatever fails takes the namespaces along.
        let bridge = Self { tag, runtime: tempfile::tempdir().unwrap() };
        let net = bridge.space("net");
        must(&format!("ip -n {net} link add bridge type bridge mcast_snooping 0"));
        must(&format!("ip -n {net} link set bridge up"));
        for machine in Machine::ALL {
            bridge.add(machine, addresses);
        }
        Some(bridge)
    }

    fn add(&self, machine: Machine, addresses: Addresses) {
        let (net, space, name) = (self.space("net"), self.space(machine.name()), machine.name());
        must(&format!("ip netns add {space}"));
        must(&format!("ip -n {space} link set lo up"));
        must(&format!("ip link add e0 netns {space} type veth peer name {name} netns {net}"));
        must(&format!("ip -n {net} link set {name} master bridge"));
        must(&format!("ip -n {net} link set {name} up"));
        if addresses != Addresses::V6 {
            must(&format!("ip -n {space} address add {}/24 dev e0", machine.v4()));
        }
        if addresses != Addresses::V4 {
            must(&format!("ip -n {space} address add {}/64 dev e0 nodad", machine.v6()));
        }
        must(&format!("ip -n {space} link set e0 up"));
    }

    fn space(&self, part: &str) -> String {
        format!("{}{part}", self.tag)
    }

    fn path(&self, machine: Machine) -> PathBuf {
        Path::new("/run/netns").join(self.space(machine.name()))
    }

    /// Nothing that is meant for many gets from one machine to another, as in a network with its guests kept apart.
    pub fn drop_multicast(&self) {
        for machine in Machine::ALL {
            self.rules(
                machine,
                "table inet quiet {
                    chain in {
                        type filter hook input priority filter
                        iifname \"e0\" ip daddr 224.0.0.0/4 drop
                        iifname \"e0\" udp dport 5353 drop
                    }
                }\n",
            );
        }
    }

    /// No datagram gets from one machine to another, but for those by which they find each other.
    pub fn drop_datagrams(&self) {
        for machine in Machine::ALL {
            self.rules(
                machine,
                "table inet streams {
                    chain in {
                        type filter hook input priority filter
                        iifname \"e0\" udp dport != 5353 drop
                    }
                }\n",
            );
        }
    }

    /// Nobody opens a stream to this machine.
    pub fn take_no_streams(&self, machine: Machine) {
        self.rules(
            machine,
            "table inet shut {
                chain in {
                    type filter hook input priority filter
                    iifname \"e0\" tcp flags & (syn | ack) == syn drop
                }
            }\n",
        );
    }

    /// Rules for one machine.
    pub fn rules(&self, machine: Machine, rules: &str) {
        let space = self.space(machine.name());
        let mut nft =
            Command::new("ip").args(["netns", "exec", &space, "nft", "-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
    }

    /// A peer that is told of no server.
    pub fn cli(&self, machine: Machine, action: &[&str], more: &[&str]) -> Process {
        let runtime = self.runtime.path().join(machine.name());
        std::fs::create_dir_all(&runtime).unwrap();
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(machine.name())]).arg(program("visavis-cli"));
        command.env("XDG_RUNTIME_DIR", runtime).env_remove("VISAVIS_SERVER");
        command.args(action).args(["--json", "--camera", "test", "--mic", "tone", "--speaker", "silence"]).args(more);
        Process::start(&mut command)
    }

    /// Runs something on a thread within a machine, and whatever threads that starts.
    pub fn within<T: Send + 'static>(&self, machine: Machine, work: impl FnOnce() -> T + Send + 'static) -> T {
        let space = self.path(machine);
        let thread = std::thread::spawn(move || {
            let space = std::fs::File::open(space).unwrap();
            move_into_link_name_space(space.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        });
        thread.join().unwrap()
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        for part in ["ann", "bob", "eve", "net"] {
            // Of one that was never made there is nothing to remove.
            run(&format!("ip netns delete {}", self.space(part)));
        }
    }
}
