//! How much to send, when to send it and in what quality: decided from feedback and time alone.
//!
//! Four parts that know nothing of one another:
//! - [`Controller`] turns transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01) into an
//!   [`Estimate`] of what the path carries, and asks for probes where it wants to know more;
//! - [`Pacer`] spreads packets over time (RFC 8698, section 5.2: a rate-shaping buffer), audio first, and sends the probes;
//! - [`Protection`] says how much of the rate goes into forward error correction, and [`PathLoss`] what it is decided from;
//! - [`Ladder`] turns the rate for video into a picture size and a frame rate.
//!
//! The contract is that of the whole core: hand in what happened with its time, drain what comes out, sleep until
//! `poll_timeout`. Nothing here asks a clock, does I/O or panics on what came from outside. Rates are rates on the wire:
//! with RTP, SRTP, UDP and IP headers.

mod controller;
mod delay;
mod delivered;
mod history;
mod ladder;
mod loss;
mod pacer;
mod packet;
mod probing;
mod protection;
mod trust;

pub use controller::Controller;
pub use ladder::{Ladder, Rung};
pub use pacer::{Backlog, Pacer, Release};
pub use packet::{Arrival, Estimate, Kind, Limits, Probe, ProbeId, Sent};
pub use protection::{HIDDEN, PathLoss, Protection};
