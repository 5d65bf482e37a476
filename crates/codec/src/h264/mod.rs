//! H.264: the openh264 encoder and decoder, and RTP packets for what they speak (ITU-T H.264, RFC 6184).
//!
//! Cisco's patent cover for openh264 extends only to the binary that Cisco itself ships; this build compiles the source.

mod decoder;
mod depacketizer;
mod encoder;
mod ffi;
mod nal;
mod packetizer;
mod sps;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use packetizer::Packetizer;

pub(crate) use depacketizer::{join, opens_keyframe};

const CODEC: &str = "H.264";
