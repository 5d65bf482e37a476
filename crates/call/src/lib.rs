//! One call as a state machine: from "start a call" or a code typed in, to "ended".
//!
//! The contract: give one [`Input`] to [`Session::handle_input`] (or let time pass with [`Session::handle_timeout`]), then
//! drain [`Session::poll_output`] until `None`, then sleep until [`Session::poll_timeout`] or the next input. The session
//! never asks the clock and never does I/O; what it wants done comes out as [`Output`]s, whose results go back in as
//! inputs. It sees statistics and messages, never pictures or sound.
//!
//! Negotiation follows RFC 9429 (JSEP) with fixed parts instead of "perfect negotiation": the creator makes every offer
//! that changes the path, the joiner asks for one (`please-restart`). Where both offer at once the creator's wins.

mod control;
mod input;
mod link;
mod obstacle;
mod quality;
mod session;
mod state;
mod timers;
mod ways;

pub use control::{ControlMessage, MAX_CONTROL_LEN, MediaState, ReceiveReport};
pub use input::{
    Again, CallEvent, Candidate, Command, IceServer, Input, Intent, Output, SocketAction, SocketInput, TransportAction,
    TransportInput,
};
pub use obstacle::Obstacle;
pub use quality::{CALM, Cause, Grade, Measured, Quality};
pub use session::{Session, SessionConfig};
pub use state::{CallState, CloseReason, PeerState, SignalingState};
pub use timers::Timer;
pub use visavis_signaling::exchange::MAX_GUESSES;
pub use visavis_signaling::message::ErrorCode;
pub use visavis_signaling::{Emoji, Entropy, Fingerprint, Pictures};
pub use ways::{NearbyServers, Way, Ways, WaysConfig};
