//! An RTP packet (RFC 3550) as codec and transport hand it to one another: the header fields that matter, the payload.

/// RTP clock of video, hertz (RFC 6184, section 8.2.1).
pub const VIDEO_CLOCK_HZ: u32 = 90_000;
/// RTP clock of Opus, hertz (RFC 7587, section 4.1).
pub const AUDIO_CLOCK_HZ: u32 = 48_000;

/// One RTP packet. Payload type and SSRC belong to the transport, which fills them in and checks them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpPacket {
    /// Sequence number, wraps at 2¹⁶.
    pub sequence: u16,
    /// Media time in units of the RTP clock, wraps at 2³².
    pub timestamp: u32,
    /// Video: last packet of a picture. Audio: first packet after silence.
    pub marker: bool,
    /// What the codec made, without RTP padding.
    pub payload: Vec<u8>,
}
