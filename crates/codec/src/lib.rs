//! H.264 and Opus behind traits, packetising and the frame assembler.

mod error;
mod traits;

pub use error::CodecError;
pub use traits::{AudioDecoder, AudioEncoder, AudioPayload, EncodedFrame, VideoDecoder, VideoEncoder, VideoTarget};
