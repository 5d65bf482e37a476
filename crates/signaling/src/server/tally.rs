//! How much there is in a server and what it has done since it was started, for whoever watches over it. Numbers alone: no code, no address.

use super::Rooms;

/// How many of each there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Open sockets.
    pub connections: usize,
    /// Clients, with those whose socket was lost a moment ago.
    pub sessions: usize,
    /// Rooms, waiting and paired.
    pub rooms: usize,
    /// Rooms whose creator is played.
    pub decoys: usize,
    /// Addresses that something is known of.
    pub sources: usize,
    /// Bytes of bodies that their receivers haven't acknowledged.
    pub bytes_under_way: usize,
}

/// Counted since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that were let in.
    pub opened: u64,
    /// Connections that weren't: no place, too many from their address, going down.
    pub refused: u64,
    /// Connections that were closed for what came or didn't come on them.
    pub thrown_out: u64,
    /// Messages of clients.
    pub messages: u64,
    /// Rooms made.
    pub created: u64,
    /// Knocks that got as far as the rooms.
    pub knocks: u64,
    /// Those where nobody waits.
    pub misses: u64,
    /// Knocks that had to work first.
    pub work: u64,
    /// Exchanges begun.
    pub exchanges: u64,
    /// Pairs made.
    pub paired: u64,
    /// Lost connections taken up again.
    pub resumed: u64,
    /// Rooms made again from tokens, after a restart.
    pub restored: u64,
    /// Clients whose room is on another server.
    pub moved: u64,
}

impl Rooms {
    /// How busy the server is.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts {
            connections: self.connections.len(),
            sessions: self.sessions.len() - self.decoys.len(),
            rooms: self.real_rooms(),
            decoys: self.decoys.len(),
            sources: self.sources.len(),
            bytes_under_way: self.under_way.bytes(),
        }
    }

    /// What was done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }
}
