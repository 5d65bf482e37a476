//! A second network for Ann's machine, as with a cable beside the wifi: another router, another provider.
//!
//! ```text
//! Ann e1, 192.168.3.2 ─ 192.168.3.1 router 198.51.100.10 ─ .9 server
//! ```

use super::{Home, Net, World, must};

const ADDRESS: &str = "192.168.3.2";
const GATEWAY: &str = "192.168.3.1";
const ROUTER: &str = "198.51.100.10";
const PROVIDER: &str = "198.51.100.9";

/// One of the two networks of Ann's machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    First,
    Second,
}

impl Way {
    /// The one by which somebody at this address is reached, be it the machine's or its router's.
    pub fn of(address: &str) -> Option<Self> {
        if [ADDRESS, ROUTER].contains(&address) {
            return Some(Self::Second);
        }
        [Home::Ann.address(), Home::Ann.router()].contains(&address).then_some(Self::First)
    }

    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }

    const fn device(self) -> &'static str {
        match self {
            Self::First => "e0",
            Self::Second => "e1",
        }
    }
}

impl World {
    /// Puts Ann's machine into a second network.
    pub fn join_second(&self, kind: Net) {
        let (net, machine, router) = (self.space("net"), self.space("ann"), self.space("annr2"));
        must(&format!("ip netns add {router}"));
        must(&format!("ip -n {router} link set lo up"));
        must(&format!("ip link add wan netns {router} type veth peer name ann2 netns {net}"));
        must(&format!("ip link add lan netns {router} type veth peer name e1 netns {machine}"));
        for (space, device, address) in [
            (&net, "ann2", format!("{PROVIDER}/30")),
            (&router, "wan", format!("{ROUTER}/30")),
            (&router, "lan", format!("{GATEWAY}/24")),
            (&machine, "e1", format!("{ADDRESS}/24")),
        ] {
            must(&format!("ip -n {space} address add dev {device} {address}"));
            must(&format!("ip -n {space} link set {device} up"));
        }
        self.forwards(&router);
        must(&format!("ip -n {router} route add default via {PROVIDER}"));
        self.nft(&router, &kind.rules());
        // A Linux system prefers one and sends by the other only once that is gone, whatever address a packet has.
        must(&format!("ip -n {machine} route add default via {GATEWAY} metric 200"));
    }

    /// Takes Ann's machine out of one of them. Its address there stays, as it does for a while when a cable is pulled.
    pub fn pull_out(&self, way: Way) {
        must(&format!("ip -n {} link set {} down", self.space("ann"), way.device()));
    }
}
