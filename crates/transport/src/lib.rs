//! One peer connection: video and audio both ways and a data channel named `control`, over ICE, DTLS and SRTP.
//!
//! This is the only crate that names `webrtc` and `rtc`. It decides nothing about the call: it does what the session
//! asks for and tells what happens. Clock, timers, sockets and tasks come from outside as a [`runtime::Runtime`], so
//! that two whole engines can run in virtual time.
//!
//! A [`Transport`] is made, offers or answers ([`Transport::create_offer`], [`Transport::accept_offer`],
//! [`Transport::accept_answer`]), trades candidates, sends through its [`MediaSender`] and receives into the
//! [`MediaSinks`] that it was given. Whatever comes from the other side may be wrong in any way: it is refused with a
//! [`TransportError`] and leaves the connection as it was.

mod certificate;
mod clocks;
mod config;
mod connection;
mod control;
mod error;
mod event;
mod feedback;
mod handler;
mod handshake;
mod ice_tcp;
mod interfaces;
mod media;
mod names;
mod outlook;
mod pace;
mod privacy;
mod protected;
mod queue;
mod receive;
mod relays;
pub mod repair;
mod sdp;
mod send;
mod shared;
mod stats;
mod streams;

use std::sync::Arc;

pub use visavis_call::Fingerprint;
pub use visavis_congestion::Limits;
pub use webrtc::runtime;

pub use certificate::Certificate;
pub use config::{IceServer, TransportConfig};
pub use connection::Transport;
pub use control::MAX_CONTROL_BYTES;
pub use error::TransportError;
pub use event::{Candidate, PeerState, TransportEvent};
pub use interfaces::local_addresses;
pub use media::MediaSender;
pub use names::{LocalNames, Resolving};
pub use outlook::SendOutlook;
pub use queue::{MediaSinks, MediaSources, PacketSink, PacketSource, ReceivedPacket, media_queues, packet_queue};
pub use relays::{ServerReport, Standing};
pub use stats::{CandidateEnd, MediaStats, SelectedPair, TransportStats};
pub use streams::{Accepting, Dialing, Stream, StreamListener, StreamServer, Streams};

/// The real runtime: system clock and sockets. Whoever drives it must be inside a Tokio runtime.
#[must_use]
pub fn tokio_runtime() -> Arc<dyn runtime::Runtime> {
    Arc::new(runtime::TokioRuntime)
}
