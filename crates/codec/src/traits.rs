//! What the engine asks of a codec, whichever it is.

use visavis_frame::{AudioBlock, BitRate, RtpPacket, Timestamp, VideoFrame};

use crate::error::CodecError;

/// One coded picture: H.264 in Annex B form (start codes, parameter sets in front of every keyframe), VP8 as RFC 6386 has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EncodedFrame {
    /// The bytes.
    pub data: Vec<u8>,
    /// Whether decoding can start here.
    pub keyframe: bool,
    /// When the picture was captured.
    pub captured: Timestamp,
}

/// What an encoder is asked to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoTarget {
    /// Average rate over about a second.
    pub rate: BitRate,
    /// The cadence in which frames really come.
    pub fps: u32,
}

/// Pictures in, coded pictures out.
pub trait VideoEncoder: Send {
    /// Codes `frame` into `out` (whose buffer is reused). `false`: the encoder dropped this picture to hold its rate, and
    /// `out` says nothing. A change of picture size restarts the stream with a keyframe.
    ///
    /// # Errors
    /// When the codec refuses the picture or fails inside.
    fn encode(&mut self, frame: &VideoFrame, keyframe: bool, out: &mut EncodedFrame) -> Result<bool, CodecError>;

    /// Changes the target from the next picture on, without a keyframe.
    ///
    /// # Errors
    /// When the codec refuses the target.
    fn set_target(&mut self, target: VideoTarget) -> Result<(), CodecError>;
}

/// Coded pictures in, RTP packets out, numbered one after the other.
pub trait VideoPacketizer: Send {
    /// Appends the packets of one coded picture to `out`; the last of them carries the marker.
    fn packetize(&mut self, picture: &[u8], rtp_timestamp: u32, out: &mut Vec<RtpPacket>);
}

/// Coded pictures in, pictures out.
pub trait VideoDecoder: Send {
    /// Decodes one coded picture; `None` when it gave no picture. `captured` is put on the picture.
    ///
    /// # Errors
    /// When the bytes aren't a decodable picture. The decoder stays usable: feed it the next keyframe.
    fn decode(&mut self, unit: &[u8], captured: Timestamp) -> Result<Option<VideoFrame>, CodecError>;
}

/// Sound in, packets out. One packet covers 10 or 20 ms: one or two blocks, as the moment asks for.
pub trait AudioEncoder: Send {
    /// Codes one block or two into `out`, which is cleared first.
    ///
    /// # Errors
    /// When the codec fails inside, or is given another number of blocks.
    fn encode(&mut self, blocks: &[&AudioBlock], out: &mut Vec<u8>) -> Result<(), CodecError>;

    /// Tells the encoder how many packets in a hundred get lost, so that it spends that much on forward error correction.
    ///
    /// # Errors
    /// When the codec refuses.
    fn set_expected_loss(&mut self, percent: u8) -> Result<(), CodecError>;
}

/// What to make sound from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioPayload<'a> {
    /// A packet that came.
    Packet(&'a [u8]),
    /// The packet before this one was lost: restore it from the copy that this one carries (RFC 6716, section 2.1.7).
    Forward(&'a [u8]),
    /// Nothing came: conceal.
    Lost,
}

/// Packets in, sound out.
pub trait AudioDecoder: Send {
    /// Appends the sound, mono at 48 kHz, to `out`; returns how many samples. For `Forward` and `Lost` it is exactly
    /// `samples_lost` (a multiple of 120), for `Packet` what the packet holds (at most 120 ms: 5760).
    ///
    /// # Errors
    /// When the bytes aren't a packet of this codec.
    fn decode(
        &mut self,
        payload: AudioPayload<'_>,
        samples_lost: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, CodecError>;
}
