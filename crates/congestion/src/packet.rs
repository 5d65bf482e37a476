//! The values that cross this crate's border: what was sent, what arrived, and what is made of it.

use std::time::{Duration, Instant};

use visavis_frame::BitRate;

/// What a packet is for; decides its place in the pacer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Speech: never waits.
    Audio,
    /// A packet of a new picture.
    Video,
    /// A lost packet sent again (RFC 4588).
    Resend,
    /// What lost packets of pictures are made good from (forward error correction): leaves right behind them.
    Repair,
    /// Sent only so that a probe has something to measure; the receiver ignores it.
    Padding,
}

/// Names one probe, so that its packets are known again in the feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u32);

/// One packet as it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The transport-wide sequence number, unwrapped: it never repeats in a call.
    pub sequence: u64,
    /// When it left.
    pub at: Instant,
    /// Bytes on the wire, with RTP, SRTP, UDP and IP headers.
    pub size: usize,
    /// What it was for.
    pub kind: Kind,
    /// The probe that it belongs to, as the [`Pacer`](crate::Pacer) said.
    pub probe: Option<ProbeId>,
}

/// What the receiver says of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The packet's unwrapped transport-wide sequence number.
    pub sequence: u64,
    /// When it arrived, on the receiver's clock, whose zero is anywhere but stays there. `None`: it didn't.
    pub received: Option<Duration>,
}

/// Between what the estimate moves, and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Never less than this.
    pub floor: BitRate,
    /// What is assumed before anything is known.
    pub start: BitRate,
    /// Never more than this: what the source can use.
    pub ceiling: BitRate,
}

impl Limits {
    pub(crate) fn clamp(self, rate: f64) -> f64 {
        let floor = self.floor.bps().max(1) as f64;
        rate.max(floor).min((self.ceiling.bps() as f64).max(floor))
    }
}

/// What is known of the path.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What everything together may send: audio, video, repairs, resends.
    pub target: BitRate,
    /// How fast the pacer lets a waiting picture go.
    pub pacing: BitRate,
    /// From sending a packet to hearing of its arrival, smoothed; `None` before the first feedback.
    pub round_trip: Option<Duration>,
    /// Share of packets lost lately, 0 to 1.
    pub loss: f64,
    /// How long a packet waits in the path's queue, over the shortest way seen lately.
    pub queueing: Duration,
}

/// A short burst at a rate above the target's that shows whether the path carries that rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Its name.
    pub id: ProbeId,
    /// The rate to send it at.
    pub rate: BitRate,
    /// It lasts at least so many packets,
    pub packets: u32,
    /// and at least so many bytes.
    pub bytes: usize,
}
