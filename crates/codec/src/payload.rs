//! What the frame assembler asks of a codec: how its pictures lie in RTP payloads.

use visavis_frame::VideoCodec;

use crate::{h264, vp8};

/// One picture, joined from its payloads.
pub(crate) struct Joined {
    /// As the codec writes it.
    pub(crate) data: Vec<u8>,
    pub(crate) keyframe: bool,
    /// All that a decoder needs to start with it is in it.
    pub(crate) starts: bool,
}

/// Joins the payloads of one picture, in order and without holes; `None` when they aren't one.
pub(crate) fn join<'a>(codec: VideoCodec, payloads: impl IntoIterator<Item = &'a [u8]>) -> Option<Joined> {
    match codec {
        VideoCodec::H264 => h264::join(payloads),
        VideoCodec::Vp8 => vp8::join(payloads),
    }
}

/// Whether a keyframe seems to begin with this payload, so that nothing of it can be missing in front.
pub(crate) fn opens_keyframe(codec: VideoCodec, payload: &[u8]) -> bool {
    match codec {
        VideoCodec::H264 => h264::opens_keyframe(payload),
        VideoCodec::Vp8 => vp8::opens_keyframe(payload),
    }
}
