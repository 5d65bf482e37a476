//! The openh264 decoder behind our trait: pooled pictures out, any bytes in.

use openh264::OpenH264API;
use openh264::decoder::{DecodedYUV, Decoder as Wrapper, DecoderConfig, Flush};
use openh264::formats::YUVSource;
use visavis_frame::{FramePool, MAX_SIDE, Size, Timestamp, VideoFrame};

use super::sps::Sps;
use super::{CODEC, nal};
use crate::error::CodecError;
use crate::traits::VideoDecoder;

/// H.264 by openh264.
pub struct Decoder {
    pool: FramePool,
    wrapper: Wrapper,
}

impl Decoder {
    /// A decoder that takes its pictures from `pool`.
    ///
    /// # Errors
    /// When openh264 can't be set up.
    pub fn new(pool: FramePool) -> Result<Self, CodecError> {
        Ok(Self { pool, wrapper: wrapper()? })
    }

    /// openh264 goes on after most errors, but its own advice is a fresh start.
    fn restart(&mut self) -> Result<(), CodecError> {
        self.wrapper = wrapper()?;
        Ok(())
    }
}

impl VideoDecoder for Decoder {
    fn decode(&mut self, unit: &[u8], captured: Timestamp) -> Result<Option<VideoFrame>, CodecError> {
        check_sizes(unit)?;
        let result = match self.wrapper.decode(unit) {
            Ok(picture) => picture.map(|picture| copy(&picture, &self.pool, captured)).transpose(),
            Err(error) => Err(undecodable(error.to_string())),
        };
        if result.is_err() {
            self.restart()?;
        }
        result
    }
}

fn wrapper() -> Result<Wrapper, CodecError> {
    // Without B pictures every unit gives its picture at once; nothing is ever left to flush.
    let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
    Wrapper::with_api_config(OpenH264API::from_source(), config)
        .map_err(|e| CodecError::Setup { codec: CODEC, reason: e.to_string() })
}

/// Refuses parameter sets that ask for more than we handle before openh264 allocates for them.
fn check_sizes(unit: &[u8]) -> Result<(), CodecError> {
    // A side that isn't a multiple of 16 is coded larger and cropped.
    let limit = u64::from(MAX_SIDE.next_multiple_of(16));
    for set in nal::units(unit).filter(|unit| nal::kind(unit[0]) == nal::SPS) {
        let sps = Sps::parse(set).ok_or_else(|| undecodable("broken sequence parameter set".into()))?;
        if sps.coded_width > limit || sps.coded_height > limit {
            return Err(undecodable(format!("{}×{} is too large", sps.coded_width, sps.coded_height)));
        }
    }
    Ok(())
}

fn copy(picture: &DecodedYUV<'_>, pool: &FramePool, captured: Timestamp) -> Result<VideoFrame, CodecError> {
    let (width, height) = picture.dimensions();
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let size = Size::new(side(width), side(height)).map_err(|e| undecodable(e.to_string()))?;
    let strides = picture.strides();
    Ok(pool.frame(size, captured, |y, u, v| {
        copy_plane(picture.y(), strides.0, y, width);
        copy_plane(picture.u(), strides.1, u, width / 2);
        copy_plane(picture.v(), strides.2, v, width / 2);
    }))
}

fn copy_plane(from: &[u8], stride: usize, to: &mut [u8], width: usize) {
    for (source, row) in from.chunks(stride.max(1)).zip(to.chunks_exact_mut(width)) {
        let len = source.len().min(width);
        row[..len].copy_from_slice(&source[..len]);
    }
}

fn undecodable(reason: String) -> CodecError {
    CodecError::Decode { codec: CODEC, reason }
}
