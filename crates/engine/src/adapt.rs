//! What is encoded follows what the path carries: rate before each picture, size and cadence by the ladder.

use std::time::Instant;

use visavis_codec::VideoTarget;
use visavis_congestion::Ladder;
use visavis_frame::{BitRate, FramePool, Size, VideoFrame};
use visavis_transport::SendOutlook;

use crate::scale::Scaler;

/// What a packet takes on the wire besides its payload: RTP with its extension, SRTP's tag, UDP and IPv4.
const PACKET_OVERHEAD: f64 = 64.0;
/// Payload of a full packet, on average: slices don't fill them to the brim.
const USUAL_PAYLOAD: f64 = 1000.0;
/// An encoder that is asked for less shows nothing.
const LEAST_RATE: BitRate = BitRate::from_kbps(30);

/// What is to be done with a picture.
pub(crate) struct Plan {
    /// What the encoder must hold.
    pub(crate) target: VideoTarget,
    /// The picture in the size to encode; `None`: it is left out.
    pub(crate) frame: Option<VideoFrame>,
    /// Whether the path keeps it from being as good as the camera's.
    pub(crate) limited: bool,
}

/// Decides on each picture.
pub(crate) struct Adapter {
    ladder: Ladder,
    ceiling: BitRate,
    source: Size,
    fps: u32,
    /// Share of a picture that has been saved up; a whole one is encoded.
    credit: f64,
    scaler: Scaler,
    pool: FramePool,
}

impl Adapter {
    /// `ceiling` is what the encoder is given at most, `fps` the camera's cadence.
    pub(crate) fn new(ceiling: BitRate, source: Size, fps: u32) -> Self {
        let ladder = Ladder::new(source, fps);
        Self { ladder, ceiling, source, fps, credit: 1.0, scaler: Scaler::default(), pool: FramePool::new() }
    }

    /// Another camera has another cadence.
    pub(crate) fn set_cadence(&mut self, fps: u32) {
        self.fps = fps;
        self.ladder.set_source(self.source, fps);
    }

    /// What to do with this picture; `urgent`: it is to be a keyframe that somebody waits for.
    pub(crate) fn plan(&mut self, now: Instant, frame: &VideoFrame, outlook: &SendOutlook, urgent: bool) -> Plan {
        if frame.size() != self.source {
            self.source = frame.size();
            self.ladder.set_source(self.source, self.fps);
        }
        let rung = self.ladder.update(now, outlook.video, outlook.media_share);
        let rate = payload_rate(rung.rate, rung.frame_rate);
        let limited = rate < self.ceiling || rung.size != self.source || rung.frame_rate < self.fps;
        let target = VideoTarget { rate: rate.min(self.ceiling).max(LEAST_RATE), fps: rung.frame_rate };
        let wanted = !outlook.overdue && (self.is_due(rung.frame_rate) || urgent);
        Plan { target, frame: wanted.then(|| self.scaler.scale(frame, rung.size, &self.pool)), limited }
    }

    /// Whether a picture of this many a second is one of `frame_rate`.
    fn is_due(&mut self, frame_rate: u32) -> bool {
        self.credit = (self.credit + f64::from(frame_rate) / f64::from(self.fps.max(1))).min(1.0 + f64::EPSILON);
        let due = self.credit >= 1.0;
        if due {
            self.credit -= 1.0;
        }
        due
    }
}

/// What of a rate on the wire is left for the encoder.
fn payload_rate(wire: BitRate, frame_rate: u32) -> BitRate {
    let bytes = wire.bps() as f64 / 8.0;
    let packets = (bytes / (USUAL_PAYLOAD + PACKET_OVERHEAD)).max(f64::from(frame_rate));
    BitRate::from_bps(((bytes - packets * PACKET_OVERHEAD).max(0.0) * 8.0) as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use visavis_frame::Timestamp;

    use super::*;

    const CEILING: BitRate = BitRate::from_kbps(2_500);

    fn outlook(kbps: u64) -> SendOutlook {
        SendOutlook { video: BitRate::from_kbps(kbps), ..SendOutlook::default() }
    }

    fn picture() -> VideoFrame {
        FramePool::new().frame(Size::HD, Timestamp::ZERO, |y, u, v| {
            y.fill(100);
            u.fill(110);
            v.fill(120);
        })
    }

    #[test]
    fn a_good_path_changes_nothing() {
        let (mut adapter, frame) = (Adapter::new(CEILING, Size::HD, 30), picture());
        let plan = adapter.plan(Instant::now(), &frame, &outlook(5_000), false);
        assert_eq!(plan.target, VideoTarget { rate: CEILING, fps: 30 });
        let sent = plan.frame.map(|sent| (sent.size(), sent.y().as_ptr()));
        assert_eq!(sent, Some((Size::HD, frame.y().as_ptr())), "the very picture, not a copy");
        assert!(!plan.limited);
    }

    #[test]
    fn a_narrow_path_gets_a_smaller_picture_that_leaves_room_for_headers() {
        let mut adapter = Adapter::new(CEILING, Size::HD, 30);
        let plan = adapter.plan(Instant::now(), &picture(), &outlook(400), false);
        assert!((360..400).contains(&plan.target.rate.kbps()), "{}", plan.target.rate);
        let small = plan.frame.map(|frame| (frame.size(), frame.y()[0], frame.u()[0], frame.v()[0]));
        assert_eq!(small, Some((Size::NHD, 100, 110, 120)));
        assert!(plan.limited);
    }

    #[test]
    fn fewer_pictures_come_evenly() {
        let mut adapter = Adapter::new(CEILING, Size::HD, 30);
        let start = Instant::now();
        let sent = |adapter: &mut Adapter, i: u64| {
            let now = start + Duration::from_millis(33 * i);
            adapter.plan(now, &picture(), &outlook(80), false).frame.is_some()
        };
        let sent = (0..30).map(|i| sent(&mut adapter, i)).collect::<Vec<_>>();
        let count = sent.iter().filter(|sent| **sent).count();
        assert!((14..=16).contains(&count), "{count}");
        assert!(sent[2..].windows(2).all(|pair| pair[0] != pair[1]), "{sent:?}");
    }

    #[test]
    fn what_waits_too_long_makes_it_leave_pictures_out() {
        let mut adapter = Adapter::new(CEILING, Size::HD, 30);
        let late = SendOutlook { overdue: true, ..outlook(2_000) };
        assert!(adapter.plan(Instant::now(), &picture(), &late, true).frame.is_none());
        assert!(adapter.plan(Instant::now(), &picture(), &outlook(2_000), false).frame.is_some());
    }
}
