//! A world of its own: virtual time, one thread, and a network that loses and delays by seed.
//!
//! Whole transports and engines run in it unchanged, since they take clock, timers, tasks and sockets from a
//! `Runtime`. Time jumps to the next thing that is due, so a minute of a call takes as long as its computing does.
//!
//! ```text
//! World ── host("a") ── Runtime ─┐                    ┌─ Runtime ── host("b")
//!                                └─ link a→b, b→a ────┘
//! ```
//!
//! Everything that the world decides comes from its seed and its own order of events. What runs in it has randomness
//! of its own (keys, identifiers), so compare what is steady: when packets travelled, between whom, and whether they
//! arrived ([`World::trace`]).

mod link;
mod runtime;
mod signaling;
mod socket;
mod world;

pub use link::{Bursts, Fate, LinkConfig};
pub use runtime::HostRuntime;
pub use signaling::SignalingServer;
pub use world::{Travel, World};
