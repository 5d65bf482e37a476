//! VP8: libvpx's encoder and decoder, and RTP packets for what they speak (RFC 6386, RFC 7741). For browsers that have no
//! H.264.
//!
//! libvpx is the system's own, which the crate's manifest says more of; without the feature `vp8` only the packets are here.

#[cfg(feature = "vp8")]
mod decoder;
mod depacketizer;
#[cfg(feature = "vp8")]
mod encoder;
#[cfg(feature = "vp8")]
mod ffi;
mod header;
mod packetizer;

#[cfg(feature = "vp8")]
pub use decoder::Decoder;
#[cfg(feature = "vp8")]
pub use encoder::Encoder;
pub use packetizer::Packetizer;

pub(crate) use depacketizer::{join, opens_keyframe};

#[cfg(feature = "vp8")]
const CODEC: &str = "VP8";
