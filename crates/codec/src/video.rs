//! What belongs to a video codec: the encoder, the packetizer and the decoder of what two sides have agreed on.

use visavis_frame::{FramePool, VideoCodec};

use crate::error::CodecError;
use crate::traits::{VideoDecoder, VideoEncoder, VideoPacketizer, VideoTarget};
use crate::{h264, vp8};

/// The codecs of this build, the one to prefer first: H.264, for which every call between two of ours is tuned.
pub const CODECS: &[VideoCodec] =
    if cfg!(feature = "vp8") { &[VideoCodec::H264, VideoCodec::Vp8] } else { &[VideoCodec::H264] };

/// An encoder that will hold `target`.
///
/// # Errors
/// When the target can't be coded, or the codec isn't among [`CODECS`].
pub fn encoder(codec: VideoCodec, target: VideoTarget) -> Result<Box<dyn VideoEncoder>, CodecError> {
    match codec {
        VideoCodec::H264 => Ok(Box::new(h264::Encoder::new(target)?)),
        #[cfg(feature = "vp8")]
        VideoCodec::Vp8 => Ok(Box::new(vp8::Encoder::new(target)?)),
        #[cfg(not(feature = "vp8"))]
        VideoCodec::Vp8 => Err(left_out(codec)),
    }
}

/// A decoder that takes its pictures from `pool`.
///
/// # Errors
/// When the codec can't be set up, or isn't among [`CODECS`].
pub fn decoder(codec: VideoCodec, pool: FramePool) -> Result<Box<dyn VideoDecoder>, CodecError> {
    match codec {
        VideoCodec::H264 => Ok(Box::new(h264::Decoder::new(pool)?)),
        #[cfg(feature = "vp8")]
        VideoCodec::Vp8 => Ok(Box::new(vp8::Decoder::new(pool)?)),
        #[cfg(not(feature = "vp8"))]
        VideoCodec::Vp8 => Err(left_out(codec)),
    }
}

/// A packetizer whose payloads are at most `max_payload` bytes (at least 64) and whose first packet has the number
/// `first_sequence`, which RFC 3550 wants random.
#[must_use]
pub fn packetizer(codec: VideoCodec, max_payload: usize, first_sequence: u16) -> Box<dyn VideoPacketizer> {
    match codec {
        VideoCodec::H264 => Box::new(h264::Packetizer::new(max_payload, first_sequence)),
        VideoCodec::Vp8 => Box::new(vp8::Packetizer::new(max_payload, first_sequence)),
    }
}

#[cfg(not(feature = "vp8"))]
fn left_out(codec: VideoCodec) -> CodecError {
    CodecError::Setup { codec: codec.name(), reason: "this build has none".to_owned() }
}
