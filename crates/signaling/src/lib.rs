//! How two people who share a room code find one another: the codes, the wire messages, the exchange that proves
//! who knows a code, the sealed bodies, and the room machines of client and server. Nothing here does I/O, asks the clock or asks for randomness.
//!
//! `docs/protocol.md` is the same protocol told for somebody who writes a client from nothing.
//!
//! # The contract of both machines
//! [`client::Client`] and [`server::Rooms`] are driven alike:
//! 1. tell it what happened: `handle_input(now, input)`, or `handle_timeout(now)` once `poll_timeout()` is due;
//! 2. drain `poll_output()` until it answers `None`, and do what it says, in that order;
//! 3. sleep until `poll_timeout()` or the next input, whichever comes first.
//!
//! `now` never runs backwards between two calls.

pub mod body;
pub mod client;
pub mod code;
pub mod cpace;
pub mod emoji;
pub mod exchange;
mod fingerprint;
mod invitation;
pub mod message;
pub mod random;
mod seal;
pub mod server;
mod timer;
pub mod token;
pub mod words;
pub mod work;

pub use body::Body;
pub use code::{CodeError, Nameplate, RoomCode};
pub use emoji::{Emoji, Pictures};
pub use exchange::{Exchange, ExchangeError, Opened, Proof, RejoinSecret, Terms};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use invitation::{DEFAULT_PORT, Invitation};
pub use message::{ClientMessage, ErrorCode, PROTOCOL_VERSION, Role, ServerMessage};
pub use random::Entropy;
pub use seal::{SIZE_CLASSES, SealError};
pub use words::Words;
