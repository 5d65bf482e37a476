//! What one connection, one room and one server may use.

use std::time::{Duration, Instant};

/// Bounds and times of a [`super::Rooms`]. The default suits a public server.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Connections at one time.
    pub connections: usize,
    /// Rooms at one time; beyond 100 000 the six digits of a nameplate get too dense.
    pub rooms: usize,
    /// Joiners that wait before one room, not counting the one inside.
    pub line: usize,
    /// Messages a second that one connection may send in the long run.
    pub messages_per_second: u32,
    /// Messages that it may send at once.
    pub message_burst: u32,
    /// Bytes a second that it may send in the long run.
    pub bytes_per_second: u32,
    /// Bytes that it may send at once.
    pub byte_burst: u32,
    /// Bytes of bodies that the server holds for all rooms together.
    pub bytes_under_way: usize,
    /// Rooms whose creator the server plays, so that knocking doesn't tell which rooms exist. 0: it tells, as a server with one
    /// room for its own network does, so that who looks for a call there looks on.
    pub decoys: usize,
    /// Knocks that come to no pair, for one connection.
    pub knocks: u32,
    /// Connections at one time from one source: an IPv4 address, or a /64 of IPv6.
    pub connections_per_source: usize,
    /// Rooms that one source may make at once.
    pub room_burst: u32,
    /// Rooms a minute that it may make in the long run.
    pub rooms_per_minute: u32,
    /// Different nameplates that one source may try within ten minutes without work; ten times as many at all.
    pub nameplates_per_source: usize,
    /// Knocks a minute that come to no pair, from everybody together, beyond which all who knock have to work.
    pub misses_per_minute: u32,
    /// The least work that is asked for, in bits: each doubles it.
    pub work_bits: u8,
    /// How often a client is asked to ping.
    pub heartbeat: Duration,
    /// How long a connection may be silent.
    pub idle: Duration,
    /// How long a connection may take to say `hello`.
    pub hello: Duration,
    /// How long the place of a lost connection is kept.
    pub grace: Duration,
    /// How long one exchange may take until both have confirmed.
    pub exchange: Duration,
    /// How long a room may wait with nobody coming.
    pub unused_room: Duration,
    /// How long what a leaver said last is kept for the other one to fetch.
    pub linger: Duration,
    /// How long a token is good; a session that lasts gets a new one at half of it.
    pub token_lifetime: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            rooms: 5_000,
            line: 8,
            messages_per_second: 50,
            message_burst: 200,
            bytes_per_second: 64 * 1024,
            byte_burst: 1024 * 1024,
            bytes_under_way: 256 * 1024 * 1024,
            decoys: 5_000,
            knocks: 5,
            connections_per_source: 256,
            room_burst: 60,
            rooms_per_minute: 30,
            nameplates_per_source: 30,
            misses_per_minute: 60,
            work_bits: 16,
            heartbeat: Duration::from_secs(10),
            idle: Duration::from_secs(25),
            hello: Duration::from_secs(10),
            grace: Duration::from_secs(30),
            exchange: Duration::from_secs(10),
            unused_room: Duration::from_secs(30 * 60),
            linger: Duration::from_secs(30),
            token_lifetime: Duration::from_secs(12 * 60 * 60),
        }
    }
}

/// A token bucket, full at first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    pub(super) fn new(now: Instant, per_second: f64, burst: u32) -> Self {
        let burst = f64::from(burst);
        Self { per_second, burst, level: burst, filled_at: now }
    }

    /// Takes so many; `false` when there aren't as many.
    pub(super) fn take(&mut self, now: Instant, amount: f64) -> bool {
        self.level = self.level_at(now);
        self.filled_at = now;
        let enough = self.level >= amount;
        if enough {
            self.level -= amount;
        }
        enough
    }

    /// Whether it is as if nothing had ever been taken.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.level_at(now) >= self.burst
    }

    fn level_at(&self, now: Instant) -> f64 {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_second;
        (self.level + gained).min(self.burst)
    }
}
