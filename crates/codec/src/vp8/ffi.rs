//! libvpx through its C interface: one encoder and one decoder that can't be misused.
//!
//! With `h264::ffi` this is the only module of the crate that may say `unsafe`. The bindings are those of libvpx's headers and
//! nothing more; the one safe wrapper that crates.io has frees pictures that are the decoder's own.
#![allow(unsafe_code, reason = "libvpx is a C library, and its bindings are bare")]

use std::ffi::{CStr, c_int, c_long, c_uint, c_ulong};
use std::ptr;
use std::time::Duration;

use visavis_frame::{BitRate, FramePool, Size, Timestamp, VideoFrame};
use vpx_sys::{
    VPX_DECODER_ABI_VERSION, VPX_DL_REALTIME, VPX_EFLAG_FORCE_KF, VPX_ENCODER_ABI_VERSION, VPX_FRAME_IS_KEY,
    vp8e_enc_control_id as control, vpx_codec_control_, vpx_codec_ctx_t, vpx_codec_cx_pkt_kind, vpx_codec_dec_cfg_t,
    vpx_codec_dec_init_ver, vpx_codec_decode, vpx_codec_destroy, vpx_codec_enc_cfg_t, vpx_codec_enc_config_default,
    vpx_codec_enc_config_set, vpx_codec_enc_init_ver, vpx_codec_encode, vpx_codec_err_t, vpx_codec_err_to_string,
    vpx_codec_get_cx_data, vpx_codec_get_frame, vpx_codec_vp8_cx, vpx_codec_vp8_dx, vpx_image_t, vpx_img_fmt,
    vpx_img_wrap, vpx_kf_mode, vpx_rational, vpx_rc_mode,
};

use super::CODEC;
use crate::error::CodecError;

/// Microseconds: the clock of our pictures.
const TICKS_HZ: c_int = 1_000_000;
/// How much of its effort the encoder leaves out, as browsers set it for a call: −1 to −16, the quickest.
const SPEED: c_int = -6;
/// How fine and how coarse pictures may become (0 to 63).
const QUANTIZERS: (c_uint, c_uint) = (2, 56);
/// How full the bucket may run that the rate is held with, milliseconds: at most, at first, and on average.
const BUCKET_MS: (c_uint, c_uint, c_uint) = (1000, 500, 600);
/// Under so much of the bucket, percent, pictures are left out.
const DROP_BELOW: c_uint = 30;
/// What a keyframe may take, in percent of an average picture: what half of the bucket holds at 30 pictures a second.
const KEYFRAME_SHARE: c_uint = 900;

/// A codec in memory that stays where it is, since libvpx keeps pointers to it; destroyed with the value.
struct Context(Box<vpx_codec_ctx_t>);

// SAFETY: libvpx binds a context to no thread, and nobody else has this one.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: every `Context` was initialised, and is destroyed here alone. It fails only for one that wasn't.
        let _ = unsafe { vpx_codec_destroy(&raw mut *self.0) };
    }
}

/// An encoder for pictures of one size.
pub(super) struct RawEncoder {
    context: Context,
    size: Size,
}

impl RawEncoder {
    pub(super) fn new(size: Size, rate: BitRate) -> Result<Self, CodecError> {
        let config = config(size, rate)?;
        let mut context = Box::<vpx_codec_ctx_t>::default();
        // SAFETY: the context is zeroed, as libvpx asks for; the configuration is copied. The version tells libvpx how these
        // bindings lay the two out: another layout is refused.
        let code = unsafe {
            let version = VPX_ENCODER_ABI_VERSION as c_int;
            vpx_codec_enc_init_ver(&raw mut *context, vpx_codec_vp8_cx(), &raw const config, 0, version)
        };
        set_up(code)?;
        let mut encoder = Self { context: Context(context), size };
        encoder.control(control::VP8E_SET_CPUUSED, SPEED)?;
        encoder.control(control::VP8E_SET_STATIC_THRESHOLD, 1)?;
        encoder.control(control::VP8E_SET_MAX_INTRA_BITRATE_PCT, KEYFRAME_SHARE as c_int)?;
        Ok(encoder)
    }

    fn control(&mut self, id: control, value: c_int) -> Result<(), CodecError> {
        // SAFETY: each of the controls above takes one int by value.
        set_up(unsafe { vpx_codec_control_(&raw mut *self.context.0, id as c_int, value) })
    }

    pub(super) fn set_rate(&mut self, rate: BitRate) -> Result<(), CodecError> {
        let config = config(self.size, rate)?;
        // SAFETY: the context was initialised; the configuration is copied.
        set_up(unsafe { vpx_codec_enc_config_set(&raw mut *self.context.0, &raw const config) })
    }

    /// Appends the coded picture to `out` and says whether it is a keyframe; `None` when it was left out to hold the rate.
    /// `at` must rise from call to call.
    pub(super) fn encode(
        &mut self,
        frame: &VideoFrame,
        at: Timestamp,
        lasts: Duration,
        keyframe: bool,
        out: &mut Vec<u8>,
    ) -> Result<Option<bool>, CodecError> {
        let flags = if keyframe { c_long::from(VPX_EFLAG_FORCE_KF as c_int) } else { 0 };
        let mut image = vpx_image_t::default();
        let (width, height) = sides(frame.size());
        let code = unsafe {
            // SAFETY: a VideoFrame's planes lie one behind the other without gaps, which is what stride alignment 1 means for
            // I420, and outlive this call. The encoder reads them only, though the interface says otherwise.
            let data = frame.i420().as_ptr().cast_mut();
            vpx_img_wrap(&raw mut image, vpx_img_fmt::VPX_IMG_FMT_I420, width, height, 1, data);
            let (at, lasts) = (at.as_micros() as i64, lasts.as_micros() as c_ulong);
            vpx_codec_encode(&raw mut *self.context.0, &raw const image, at, lasts, flags, VPX_DL_REALTIME.into())
        };
        checked(code).map_err(|reason| CodecError::Encode { codec: CODEC, reason })?;
        Ok(self.take(out))
    }

    fn take(&mut self, out: &mut Vec<u8>) -> Option<bool> {
        let (mut iterator, mut keyframe) = (ptr::null(), None);
        // SAFETY: the context was initialised; a packet's bytes are valid until the next call of the encoder, and are copied.
        while let Some(packet) = unsafe { vpx_codec_get_cx_data(&raw mut *self.context.0, &raw mut iterator).as_ref() }
        {
            if packet.kind != vpx_codec_cx_pkt_kind::VPX_CODEC_CX_FRAME_PKT {
                continue;
            }
            // SAFETY: the kind says which part of the union this is.
            let part = unsafe { packet.data.frame };
            // SAFETY: as above.
            out.extend_from_slice(unsafe { std::slice::from_raw_parts(part.buf.cast(), part.sz as usize) });
            keyframe = Some(part.flags & VPX_FRAME_IS_KEY != 0);
        }
        keyframe
    }
}

fn config(size: Size, rate: BitRate) -> Result<vpx_codec_enc_cfg_t, CodecError> {
    let mut config = vpx_codec_enc_cfg_t::default();
    // SAFETY: libvpx writes its defaults into the configuration that it is given.
    set_up(unsafe { vpx_codec_enc_config_default(vpx_codec_vp8_cx(), &raw mut config, 0) })?;
    (config.g_w, config.g_h) = sides(size);
    config.g_timebase = vpx_rational { num: 1, den: TICKS_HZ };
    config.g_threads = 1;
    config.g_lag_in_frames = 0;
    config.rc_end_usage = vpx_rc_mode::VPX_CBR;
    config.rc_target_bitrate = kbps(rate);
    (config.rc_min_quantizer, config.rc_max_quantizer) = QUANTIZERS;
    (config.rc_undershoot_pct, config.rc_overshoot_pct) = (100, 15);
    (config.rc_buf_sz, config.rc_buf_initial_sz, config.rc_buf_optimal_sz) = BUCKET_MS;
    config.rc_dropframe_thresh = DROP_BELOW;
    config.rc_resize_allowed = 0;
    config.kf_mode = vpx_kf_mode::VPX_KF_DISABLED;
    Ok(config)
}

/// A decoder.
pub(super) struct RawDecoder(Context);

impl RawDecoder {
    pub(super) fn new() -> Result<Self, CodecError> {
        let config = vpx_codec_dec_cfg_t { threads: 1, w: 0, h: 0 };
        let mut context = Box::<vpx_codec_ctx_t>::default();
        // SAFETY: as for the encoder.
        let code = unsafe {
            let version = VPX_DECODER_ABI_VERSION as c_int;
            vpx_codec_dec_init_ver(&raw mut *context, vpx_codec_vp8_dx(), &raw const config, 0, version)
        };
        set_up(code)?;
        Ok(Self(Context(context)))
    }

    /// Decodes a picture that isn't empty; `None` when it isn't for showing.
    pub(super) fn decode(
        &mut self,
        picture: &[u8],
        pool: &FramePool,
        captured: Timestamp,
    ) -> Result<Option<VideoFrame>, CodecError> {
        let undecodable = |reason: String| CodecError::Decode { codec: CODEC, reason };
        let len = c_uint::try_from(picture.len()).map_err(|_| undecodable("it is too long".to_owned()))?;
        // SAFETY: the context was initialised, and the bytes are read during the call alone.
        let code = unsafe { vpx_codec_decode(&raw mut *self.0.0, picture.as_ptr(), len, ptr::null_mut(), 0) };
        checked(code).map_err(undecodable)?;
        let mut iterator = ptr::null();
        // SAFETY: the context was initialised; the picture is the decoder's and stays as it is until the next call.
        let Some(image) = (unsafe { vpx_codec_get_frame(&raw mut *self.0.0, &raw mut iterator).as_ref() }) else {
            return Ok(None);
        };
        if image.fmt != vpx_img_fmt::VPX_IMG_FMT_I420 {
            return Err(undecodable("it isn't I420".to_owned()));
        }
        // Ours have even sides: a last column or row by itself is left out.
        let size = Size::new(image.d_w & !1, image.d_h & !1).map_err(|error| undecodable(error.to_string()))?;
        Ok(Some(pool.frame(size, captured, |y, u, v| {
            copy_plane(image, 0, y, size.width());
            copy_plane(image, 1, u, size.width() / 2);
            copy_plane(image, 2, v, size.width() / 2);
        })))
    }
}

/// `to` is a plane of whole rows, no more and no longer ones than the picture's shown part has.
fn copy_plane(image: &vpx_image_t, plane: usize, to: &mut [u8], width: usize) {
    for (row, to) in to.chunks_exact_mut(width).enumerate() {
        // SAFETY: a plane of a decoded picture begins at its pointer and has at least as many rows of `stride` bytes as are
        // shown, halved and rounded up for colour; strides are positive and no shorter than the rows.
        let from = unsafe {
            let begin = image.planes[plane].offset(row as isize * image.stride[plane] as isize);
            std::slice::from_raw_parts(begin, width)
        };
        to.copy_from_slice(from);
    }
}

fn sides(size: Size) -> (c_uint, c_uint) {
    // A Size's sides are at most MAX_SIDE.
    (size.width() as c_uint, size.height() as c_uint)
}

fn kbps(rate: BitRate) -> c_uint {
    c_uint::try_from(rate.kbps()).unwrap_or(c_uint::MAX)
}

fn set_up(code: vpx_codec_err_t) -> Result<(), CodecError> {
    checked(code).map_err(|reason| CodecError::Setup { codec: CODEC, reason })
}

fn checked(code: vpx_codec_err_t) -> Result<(), String> {
    if code == vpx_codec_err_t::VPX_CODEC_OK {
        return Ok(());
    }
    // SAFETY: libvpx has a constant, terminated text for every code.
    Err(unsafe { CStr::from_ptr(vpx_codec_err_to_string(code)) }.to_string_lossy().into_owned())
}
