//! What goes into an [`Assembler`](super::Assembler) besides packets, and what comes out.

use std::time::Duration;

/// How patient an [`Assembler`](super::Assembler) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblerConfig {
    /// A missing packet holds its picture back so long, then the picture is given up.
    pub max_wait: Duration,
    /// A packet counts as missing, not merely overtaken, after so long.
    pub reorder_wait: Duration,
    /// While a keyframe is needed and packets come, it is asked for again after so long.
    pub keyframe_retry: Duration,
}

impl Default for AssemblerConfig {
    fn default() -> Self {
        Self {
            max_wait: Duration::from_millis(150),
            reorder_wait: Duration::from_millis(10),
            keyframe_retry: Duration::from_millis(500),
        }
    }
}

/// What an [`Assembler`](super::Assembler) counted since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AssemblerCounters {
    /// Packets pushed, of any kind.
    pub packets: u64,
    /// Packets that had come before.
    pub duplicates: u64,
    /// Packets that came after their picture was given up.
    pub late: u64,
    /// Packets that never came in time.
    pub lost: u64,
    /// Pictures handed out.
    pub frames: u64,
    /// Pictures of which something came and that were dropped: incomplete, malformed or not decodable any more.
    pub dropped_frames: u64,
    /// Keyframes asked for.
    pub keyframe_requests: u64,
}

/// One whole coded picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssembledFrame {
    /// As the codec writes it: H.264 in Annex B form, VP8 as RFC 6386 has it.
    pub data: Vec<u8>,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// Media time in units of [`visavis_frame::VIDEO_CLOCK_HZ`].
    pub timestamp: u32,
}

/// What an [`Assembler`](super::Assembler) has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssemblerOutput {
    /// The next picture.
    Frame(AssembledFrame),
    /// Nothing can be decoded until the sender makes a keyframe.
    NeedKeyframe,
}
