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
    /// Knocks at rooms that don't exist, for one connection.
    pub wrong_knocks: u32,
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
            wrong_knocks: 5,
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

/// A token bucket: `burst` at once, `per_second` in the long run.
#[derive(Debug)]
pub(super) struct Bucket {
    level: f64,
    filled_at: Instant,
}

impl Bucket {
    pub(super) fn new(now: Instant, limits: &Limits) -> Self {
        Self { level: f64::from(limits.message_burst), filled_at: now }
    }

    /// Takes one; `false` when there is none.
    pub(super) fn take(&mut self, now: Instant, limits: &Limits) -> bool {
        let gained =
            now.saturating_duration_since(self.filled_at).as_secs_f64() * f64::from(limits.messages_per_second);
        self.level = (self.level + gained).min(f64::from(limits.message_burst));
        self.filled_at = now;
        let enough = self.level >= 1.0;
        if enough {
            self.level -= 1.0;
        }
        enough
    }
}
