//! The settings of an openh264 encoder that its safe wrapper can't reach: rate, cadence, and silence from the start.
//!
//! This is the only module of the crate that may say `unsafe`.
#![allow(unsafe_code, reason = "openh264's options are set through pointers, and the wrapper has no setter for these")]

use std::ffi::{c_int, c_void};

use openh264::encoder::Encoder;
use openh264_sys2::{
    ENCODER_OPTION, ENCODER_OPTION_BITRATE, ENCODER_OPTION_FRAME_RATE, ENCODER_OPTION_MAX_BITRATE,
    ENCODER_OPTION_TRACE_LEVEL, LAYER_NUM, SBitrateInfo, SPATIAL_LAYER_0, SPATIAL_LAYER_ALL, WELS_LOG_QUIET,
};

use crate::error::CodecError;

/// Keeps openh264 from writing to standard error. The wrapper does so too, but only after the first picture.
///
/// # Errors
/// When openh264 refuses.
pub(super) fn silence(encoder: &mut Encoder) -> Result<(), CodecError> {
    let mut level: c_int = WELS_LOG_QUIET;
    // SAFETY: ENCODER_OPTION_TRACE_LEVEL reads one int through the pointer, which outlives the call, and is allowed
    // before the first picture.
    let code = unsafe { encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast::<c_void>()) };
    accepted(code, "log level")
}

/// Sets the rate, bits per second, which is also its own ceiling over openh264's window of 5 s.
///
/// openh264 refuses any state in which the target lies above the ceiling, so the order of the steps depends on the
/// direction.
///
/// # Errors
/// When openh264 refuses a value, or was never given a picture.
pub(super) fn set_rate(encoder: &mut Encoder, bps: c_int, raising: bool) -> Result<(), CodecError> {
    if raising {
        set_bitrate(encoder, ENCODER_OPTION_MAX_BITRATE, SPATIAL_LAYER_0, bps)?;
        set_bitrate(encoder, ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL, bps)
    } else {
        set_bitrate(encoder, ENCODER_OPTION_BITRATE, SPATIAL_LAYER_ALL, bps)?;
        set_bitrate(encoder, ENCODER_OPTION_MAX_BITRATE, SPATIAL_LAYER_0, bps)
    }
}

/// Tells openh264 how many pictures a second really come.
///
/// # Errors
/// When openh264 refuses the value, or was never given a picture.
pub(super) fn set_frame_rate(encoder: &mut Encoder, fps: f32) -> Result<(), CodecError> {
    let mut fps = fps;
    // SAFETY: ENCODER_OPTION_FRAME_RATE reads one float through the pointer, which outlives the call.
    let code = unsafe { encoder.raw_api().set_option(ENCODER_OPTION_FRAME_RATE, (&raw mut fps).cast::<c_void>()) };
    accepted(code, "frame rate")
}

fn set_bitrate(encoder: &mut Encoder, option: ENCODER_OPTION, layer: LAYER_NUM, bps: c_int) -> Result<(), CodecError> {
    let mut info = SBitrateInfo { iLayer: layer, iBitrate: bps };
    // SAFETY: both rate options read one SBitrateInfo through the pointer, which outlives the call.
    let code = unsafe { encoder.raw_api().set_option(option, (&raw mut info).cast::<c_void>()) };
    accepted(code, "bit rate")
}

fn accepted(code: c_int, what: &str) -> Result<(), CodecError> {
    if code == 0 {
        return Ok(());
    }
    Err(CodecError::Setup { codec: super::CODEC, reason: format!("{what} refused with code {code}") })
}
