//! Several servers as one: a room is at home with one of them, and a client that has come to another is carried there.
//! This is the part without I/O, driven by the hub; `crate::nats` brings what it says to the other servers.
//!
//! ```text
//! client ─ WebSocket ─> this server ─ frames ─> the room's home     (outward: the client's socket is here)
//! client ─ WebSocket ─> another one ─ frames ─> this server's rooms (inward: the room is here)
//! ```
//! Frames between two servers are numbered, for NATS may lose some. Whoever misses one lets go of every connection that the
//! two carry for one another: their clients come back with their tokens, as after any lost connection.
//!
//! A server that doesn't answer is gone, and whoever has a client of one of its rooms takes the nameplates that the room
//! was made under, by compare-and-swap. The rooms are then made again from their clients' tokens. Was it not gone after
//! all, it learns that it has lost them and lets go of those rooms.

mod frame;
mod inward;
mod neighbour;
mod outward;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use frame::{Frame, Link, Said};
use inward::Inward;
use neighbour::Neighbours;
use outward::{Outward, Way};
#[cfg(feature = "hosting")]
pub(crate) use table::SLICES;
pub(crate) use table::{ServerId, Slice, Table};
use visavis_signaling::ErrorCode;
use visavis_signaling::server::{ConnectionId, Record, RoomsInput};

/// Whether that is the rooms' answer to a greeting.
pub(crate) fn is_welcome(text: &str) -> bool {
    text.starts_with("{\"type\":\"welcome\"")
}

/// For so many seconds after NATS was away a server that doesn't answer may only be slower to come back.
const SETTLING: u8 = 5;

/// What the other servers, and what lies between, have to say.
#[derive(Debug)]
pub(crate) enum Heard {
    /// The servers can hear one another again. What is known of slices is right.
    Up,
    /// They can't.
    Down,
    /// Bytes from another server.
    Frame(Vec<u8>),
    /// Whether a server that was asked for is there.
    Answered(ServerId, bool),
    /// Who has a slice.
    Owner(Slice, Option<ServerId>),
    /// What became of taking a slice.
    Taken(Slice, Taken),
    /// A second has passed.
    Tick,
}

/// What became of taking a slice.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It is this server's now; these are the records about its rooms.
    Ours(Vec<Record>),
    /// Another one has it.
    Others(ServerId),
    /// It couldn't be found out.
    Failed,
}

/// What the hub has to do.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Tell the rooms.
    Rooms(RoomsInput),
    /// Tell the rooms what other servers have kept.
    Recall(Vec<Record>),
    /// The connection is the rooms' own from here on; this has come on it so far. Whether it was greeted, and so is to be kept
    /// from another welcome.
    Return(ConnectionId, bool, Vec<RoomsInput>),
    /// Send a client what the rooms elsewhere say.
    Send(ConnectionId, String),
    /// Close its connection: the rooms elsewhere have told it why.
    Close(ConnectionId, ErrorCode),
    /// Its way is lost: tell it to come again.
    LetGo(ConnectionId),
}

/// What is to be brought to other servers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ToOthers {
    /// Bring these bytes to that server.
    Frame(ServerId, Vec<u8>),
    /// Find out whether it is there.
    Ask(ServerId),
    /// Take this slice, if that one still has it or nobody does.
    Take(Slice, Option<ServerId>),
}

/// How much of it there is, for whoever watches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ClusterCounts {
    /// Whether the servers can hear one another.
    pub(crate) up: bool,
    /// Slices of nameplates that are this server's.
    pub(crate) slices: usize,
    /// Clients whose room is elsewhere.
    pub(crate) outward: usize,
    /// Clients elsewhere whose room is here.
    pub(crate) inward: usize,
    /// Slices taken from servers that were gone.
    pub(crate) taken: u64,
    /// Times that slices were lost to another server.
    pub(crate) lost: u64,
    /// Times that frames went missing.
    pub(crate) gaps: u64,
}

/// This server among others.
#[derive(Debug)]
pub(crate) struct Cluster {
    me: ServerId,
    table: Table,
    up: bool,
    /// Seconds until a server that doesn't answer counts as gone.
    settling: u8,
    neighbours: Neighbours,
    outward: HashMap<ConnectionId, Outward>,
    inward: HashMap<ConnectionId, Inward>,
    /// Who waits for a server's answer, and for a slice.
    asking: HashMap<ServerId, Vec<ConnectionId>>,
    taking: HashMap<Slice, Vec<ConnectionId>>,
    links: HashMap<(ServerId, Link), ConnectionId>,
    next_connection: Arc<AtomicU64>,
    deeds: VecDeque<Deed>,
    to_others: VecDeque<ToOthers>,
    counts: ClusterCounts,
}

impl Cluster {
    /// One that has its slices and hears the others. Connections get their numbers from `next_connection`.
    pub(crate) fn new(me: ServerId, table: Table, next_connection: Arc<AtomicU64>) -> Self {
        Self {
            me,
            table,
            up: true,
            settling: 0,
            neighbours: Neighbours::default(),
            outward: HashMap::new(),
            inward: HashMap::new(),
            asking: HashMap::new(),
            taking: HashMap::new(),
            links: HashMap::new(),
            next_connection,
            deeds: VecDeque::new(),
            to_others: VecDeque::new(),
            counts: ClusterCounts::default(),
        }
    }

    pub(crate) fn poll_deed(&mut self) -> Option<Deed> {
        self.deeds.pop_front()
    }

    pub(crate) fn poll_to_others(&mut self) -> Option<ToOthers> {
        self.to_others.pop_front()
    }

    pub(crate) fn counts(&self) -> ClusterCounts {
        ClusterCounts {
            up: self.up,
            slices: self.table.ours().len(),
            outward: self.outward.len(),
            inward: self.inward.len(),
            ..self.counts
        }
    }

    pub(crate) fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Up => self.come_up(),
            Heard::Down => self.go_down(),
            Heard::Frame(bytes) => {
                if let Some(frame) = Frame::parse(&bytes).filter(|frame| frame.from != self.me) {
                    self.hear_frame(frame);
                }
            }
            Heard::Answered(server, true) => self.is_there(server),
            Heard::Answered(server, false) => self.is_gone(server),
            Heard::Owner(slice, owner) => self.has_owner(slice, owner),
            Heard::Taken(slice, taken) => self.has_taken(slice, taken),
            Heard::Tick => self.tick(),
        }
    }

    fn come_up(&mut self) {
        self.up = true;
        self.settling = SETTLING;
        // Now their clients can come back, and have the usual time for it.
        let adrift: Vec<_> = self.inward.iter().filter(|(_, client)| client.adrift).map(|(id, _)| *id).collect();
        adrift.into_iter().for_each(|id| self.drop_inward(id));
        // They may not have noticed, and still send what isn't wanted.
        for server in self.neighbours.reset() {
            self.tell(server, Said::Lost, String::new());
        }
    }

    fn go_down(&mut self) {
        self.up = false;
        self.close_all_outward();
        self.asking.clear();
        self.taking.clear();
        self.links.clear();
        self.inward.values_mut().for_each(|client| client.adrift = true);
    }

    /// Asks those for whom, or with whom, something is carried whether they are there.
    fn tick(&mut self) {
        if !self.up {
            return;
        }
        self.settling = self.settling.saturating_sub(1);
        let outward = self.outward.values().filter_map(|client| match &client.way {
            Way::Carried(home) | Way::Asking(home, _) => Some(*home),
            Way::Taking(_) => None,
        });
        let mut servers: Vec<_> = outward.chain(self.inward.values().map(|client| client.server)).collect();
        servers.sort_unstable();
        servers.dedup();
        self.to_others.extend(servers.into_iter().map(ToOthers::Ask));
    }

    fn hear_frame(&mut self, frame: Frame) {
        let Frame { from, number, said, text } = frame;
        let is_next = self.neighbours.hear(from, number);
        if !is_next || said == Said::Lost {
            self.let_go_of(from);
        }
        if !is_next && said != Said::Lost {
            self.counts.gaps += 1;
            self.tell(from, Said::Lost, String::new());
        }
        match said {
            Said::Lost => {}
            Said::Open { link, from: address, greeted, say } => self.open_inward(from, link, address, greeted, say),
            Said::Text { link } => match self.linked(from, link) {
                Some(id) => self.deeds.push_back(Deed::Rooms(RoomsInput::Text(id, text))),
                None => self.do_for_home(from, link, Deed::Send(ConnectionId(link), text)),
            },
            Said::Unreadable { link, code } => {
                let input = self.linked(from, link).map(|id| RoomsInput::Unreadable(id, code));
                self.deeds.extend(input.map(Deed::Rooms));
            }
            Said::Gone { link } => self.linked(from, link).into_iter().for_each(|id| self.drop_inward(id)),
            Said::Close { link, code } => {
                self.do_for_home(from, link, Deed::Close(ConnectionId(link), code));
                if self.is_carried(ConnectionId(link), from) {
                    self.outward.remove(&ConnectionId(link));
                }
            }
            Said::Elsewhere { link, nameplate, greeted, say } => {
                self.send_on(from, ConnectionId(link), &nameplate, greeted, say);
            }
        }
    }

    /// Ends everything that is carried for, or by, that server.
    fn let_go_of(&mut self, server: ServerId) {
        let outward =
            self.outward.iter().filter(|(_, client)| matches!(client.way, Way::Carried(home) if home == server));
        let outward: Vec<_> = outward.map(|(id, _)| *id).collect();
        for id in outward {
            self.outward.remove(&id);
            self.deeds.push_back(Deed::LetGo(id));
        }
        let inward: Vec<_> =
            self.inward.iter().filter(|(_, client)| client.server == server).map(|(id, _)| *id).collect();
        inward.into_iter().for_each(|id| self.drop_inward(id));
    }

    fn tell(&mut self, server: ServerId, said: Said, text: String) {
        if self.up {
            let number = self.neighbours.count(server);
            let frame = Frame { from: self.me, number, said, text };
            self.to_others.push_back(ToOthers::Frame(server, frame.to_bytes()));
        }
    }
}
