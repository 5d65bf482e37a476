//! The libvpx decoder behind our trait: pooled pictures out, any bytes in.

use visavis_frame::{FramePool, MAX_SIDE, Timestamp, VideoFrame};

use super::CODEC;
use super::ffi::RawDecoder;
use super::header::Header;
use crate::error::CodecError;
use crate::traits::VideoDecoder;

/// VP8 by libvpx.
pub struct Decoder {
    pool: FramePool,
    raw: RawDecoder,
}

impl Decoder {
    /// A decoder that takes its pictures from `pool`.
    ///
    /// # Errors
    /// When libvpx can't be set up.
    pub fn new(pool: FramePool) -> Result<Self, CodecError> {
        Ok(Self { pool, raw: RawDecoder::new()? })
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, unit: &[u8], captured: Timestamp) -> Result<Option<VideoFrame>, CodecError> {
        check_size(unit)?;
        let result = self.raw.decode(unit, &self.pool, captured);
        if result.is_err() {
            // Whatever state the bad bytes have left behind, the next keyframe meets none of it.
            self.raw = RawDecoder::new()?;
        }
        result
    }
}

/// Refuses what is no picture, and pictures larger than we handle before libvpx allocates for them.
fn check_size(unit: &[u8]) -> Result<(), CodecError> {
    let refuse = |reason: String| Err(CodecError::Decode { codec: CODEC, reason });
    let Some(header) = Header::parse(unit) else { return refuse("it isn't a picture".to_owned()) };
    match header.keyframe {
        Some((width, height)) if u32::from(width.max(height)) > MAX_SIDE => {
            refuse(format!("{width}×{height} is too large"))
        }
        Some(_) | None => Ok(()),
    }
}
