//! H.264 and Opus behind traits, packetising and the frame assembler.
//!
//! The engine sees [`VideoEncoder`], [`VideoDecoder`], [`AudioEncoder`] and [`AudioDecoder`]; [`h264`] and [`opus`] hold
//! what implements them, and for H.264 the way into RTP packets and out of them (RFC 6184). Nothing here asks the clock:
//! whoever needs the time is told it.

mod error;
pub mod h264;
pub mod opus;
mod traits;

pub use error::CodecError;
pub use traits::{AudioDecoder, AudioEncoder, AudioPayload, EncodedFrame, VideoDecoder, VideoEncoder, VideoTarget};
