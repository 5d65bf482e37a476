//! H.264: the openh264 encoder and decoder, and RTP packets for what they speak (ITU-T H.264, RFC 6184).
//!
//! Cisco's patent cover for openh264 extends only to the binary that Cisco itself ships; this build compiles the source.

mod assembler;
mod decoder;
mod depacketizer;
mod encoder;
mod ffi;
mod nal;
mod packetizer;
mod sequence;
mod sps;

pub use assembler::{AssembledFrame, Assembler, AssemblerConfig, AssemblerCounters, AssemblerOutput};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use packetizer::Packetizer;

const CODEC: &str = "H.264";
