//! How good the call is, in words and numbers.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// How good the call is, over the last few seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct QualityView {
    /// The verdict.
    pub grade: Grade,
    /// The verdict in a sentence.
    pub words: String,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<u32>,
    /// Packets lost, percent, the worse of the two directions.
    pub loss_percent: Option<f32>,
    /// Sent, kilobits a second.
    pub send_kbps: u32,
    /// Received, kilobits a second.
    pub receive_kbps: u32,
    /// Width of the received picture, pixels; 0 if there is none.
    pub width: u32,
    /// Height of the received picture, pixels; 0 if there is none.
    pub height: u32,
    /// Frames decoded a second.
    pub fps: f32,
    /// More for the curious; `None` before anything was measured.
    pub details: Option<DetailsView>,
}

/// Statistics for the curious.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(rename_all = "camelCase")]
#[ts(export_to = "view.ts")]
pub struct DetailsView {
    /// What pictures are coded as.
    pub video_codec: String,
    /// What sound is coded as.
    pub audio_codec: String,
    /// Frames sent a second.
    pub send_fps: f32,
    /// What the way out is estimated to carry, kilobits a second.
    pub available_kbps: Option<u32>,
    /// The way out keeps our picture from being as good as the camera's.
    pub limited: bool,
    /// Packets sent again because the other side missed them, in all.
    pub resent: u32,
    /// Sound waits so long for late packets, milliseconds.
    pub playout_ms: u32,
    /// Sound that had to be made up, percent of the last second.
    pub concealed_percent: f32,
    /// Times that the picture stood still, as the W3C counts them, in all.
    pub freezes: u32,
    /// Encoding a picture, milliseconds.
    pub encode_ms: f32,
    /// Decoding a picture, milliseconds.
    pub decode_ms: f32,
}

/// A verdict on the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export_to = "view.ts")]
pub enum Grade {
    /// Nothing to notice.
    Good,
    /// Noticeable, and fine to talk.
    Fair,
    /// Hard to talk.
    Poor,
    /// Not measured yet.
    Unknown,
}
