//! What a server has done since it was started, for whoever watches over it. Numbers alone: no code, no address.

use super::Rooms;

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
    /// Those at rooms that aren't there.
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
    /// What was done so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }
}
