//! H.264, VP8 and Opus behind traits, packetising and the frame assembler.
//!
//! The engine sees [`VideoEncoder`], [`VideoPacketizer`], [`VideoDecoder`], [`AudioEncoder`] and [`AudioDecoder`]; [`h264`],
//! [`vp8`] and [`opus`] hold what implements them, and [`video`] finds what belongs to the codec that was agreed on. The
//! [`Assembler`] makes pictures of packets again (RFC 6184, RFC 7741). Nothing here asks the clock: whoever needs the time is
//! told it.

mod assembler;
mod error;
pub mod h264;
pub mod opus;
mod payload;
mod sequence;
mod traits;
pub mod video;
pub mod vp8;

pub use assembler::{AssembledFrame, Assembler, AssemblerConfig, AssemblerCounters, AssemblerOutput};
pub use error::CodecError;
pub use traits::{
    AudioDecoder, AudioEncoder, AudioPayload, EncodedFrame, VideoDecoder, VideoEncoder, VideoPacketizer, VideoTarget,
};
