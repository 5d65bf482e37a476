//! The quality ladder: what picture a rate is worth.
//!
//! A picture that gets too few bits falls apart long before a smaller one does, so size and frame rate step down first. Down goes
//! at once, up only when the rate has held for a while: each step in size costs a keyframe.

use std::time::{Duration, Instant};

use visavis_frame::{BitRate, Size};

/// How long a rate must hold before the ladder steps up.
const HOLD_BEFORE_UP: Duration = Duration::from_secs(2);
/// The same in the first moments, when the rate is low because nothing is known yet.
const HOLD_AT_FIRST: Duration = Duration::from_millis(300);
/// How long the first moments are.
const AT_FIRST: Duration = Duration::from_secs(5);
/// A step up needs this much more than the rung's least rate.
const UP_MARGIN: f64 = 1.15;
/// The rung's least rate, bits per pixel, for a picture of 1280×720; smaller pictures need more of them.
const BITS_PER_PIXEL: f64 = 0.040;
/// The reference area of [`BITS_PER_PIXEL`].
const REFERENCE_AREA: f64 = 1280.0 * 720.0;
/// Nobody follows speech on lips that move more seldom.
const LEAST_FRAME_RATE: u32 = 8;

/// Scale of each side and share of the frame rate, best first.
const RUNGS: [(f64, f64); 7] =
    [(1.0, 1.0), (0.75, 1.0), (0.5, 1.0), (0.375, 1.0), (0.25, 1.0), (0.25, 0.5), (0.25, 0.3)];

/// What to encode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// The picture's size.
    pub size: Size,
    /// Pictures a second.
    pub frame_rate: u32,
    /// The encoder's rate.
    pub rate: BitRate,
}

/// Chooses size and frame rate for a rate.
#[derive(Debug)]
pub struct Ladder {
    source: Size,
    frame_rate: u32,
    rung: Option<usize>,
    began: Option<Instant>,
    /// Since when a better rung has been affordable, and the worst of those seen since.
    better: Option<(Instant, usize)>,
}

impl Ladder {
    /// A ladder under a source of that size and frame rate.
    #[must_use]
    pub fn new(source: Size, frame_rate: u32) -> Self {
        Self { source, frame_rate: frame_rate.max(1), rung: None, began: None, better: None }
    }

    /// Takes another source; the rung stays.
    pub fn set_source(&mut self, source: Size, frame_rate: u32) {
        self.source = source;
        self.frame_rate = frame_rate.max(1);
    }

    /// What to encode now, where `rate` is what video may take on the wire with all that is done against losses, and
    /// `share` what new pictures get of it ([`Protection::media_share`](crate::Protection::media_share)).
    pub fn update(&mut self, now: Instant, rate: BitRate, share: f64) -> Rung {
        let share = if share.is_finite() { share.clamp(0.25, 1.0) } else { 1.0 };
        let encoder = rate.bps() as f64 * share;
        self.began.get_or_insert(now);
        let rung = self.step(now, encoder);
        self.rung = Some(rung);
        let (size, frame_rate) = self.picture(rung);
        Rung { size, frame_rate, rate: BitRate::from_bps(encoder as u64) }
    }

    fn step(&mut self, now: Instant, rate: f64) -> usize {
        let affordable = self.best_for(rate);
        let Some(current) = self.rung else { return affordable };
        if affordable >= current {
            self.better = None;
            return affordable;
        }
        let safe = self.best_for(rate / UP_MARGIN);
        if safe >= current {
            self.better = None;
            return current;
        }
        let (since, worst) = self.better.map_or((now, safe), |(since, worst)| (since, worst.max(safe)));
        let young = now.saturating_duration_since(self.began.unwrap_or(now)) < AT_FIRST;
        let hold = if young { HOLD_AT_FIRST } else { HOLD_BEFORE_UP };
        if now.saturating_duration_since(since) < hold {
            self.better = Some((since, worst));
            return current;
        }
        self.better = None;
        worst
    }

    fn best_for(&self, rate: f64) -> usize {
        let last = RUNGS.len() - 1;
        (0..last).find(|&rung| self.least_rate(rung) <= rate).unwrap_or(last)
    }

    fn least_rate(&self, rung: usize) -> f64 {
        let (size, frame_rate) = self.picture(rung);
        let area = size.luma_len() as f64;
        area * f64::from(frame_rate) * BITS_PER_PIXEL * (REFERENCE_AREA / area).powf(0.25)
    }

    fn picture(&self, rung: usize) -> (Size, u32) {
        let (scale, share) = RUNGS[rung.min(RUNGS.len() - 1)];
        let side = |length: usize| ((length as f64 * scale / 2.0).round() as u32 * 2).max(2);
        let size = Size::new(side(self.source.width()), side(self.source.height())).unwrap_or(self.source);
        let frame_rate = (f64::from(self.frame_rate) * share).round() as u32;
        (size, frame_rate.max(LEAST_FRAME_RATE.min(self.frame_rate)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "any instant will do: the test counts from it")]
        Instant::now()
    }

    #[test]
    fn steps_down_at_once_and_up_late() {
        let mut ladder = Ladder::new(Size::HD, 30);
        let mut now = start();
        assert_eq!(ladder.update(now, BitRate::from_kbps(2_000), 1.0).size, Size::HD);
        now += AT_FIRST;
        assert_eq!(ladder.update(now, BitRate::from_kbps(400), 1.0).size, Size::NHD);
        now += Duration::from_millis(100);
        assert_eq!(ladder.update(now, BitRate::from_kbps(2_000), 1.0).size, Size::NHD);
        now += HOLD_BEFORE_UP;
        assert_eq!(ladder.update(now, BitRate::from_kbps(2_000), 1.0).size, Size::HD);
    }

    #[test]
    fn climbs_quickly_when_nothing_is_known_yet() {
        let mut ladder = Ladder::new(Size::HD, 30);
        let mut now = start();
        assert_eq!(ladder.update(now, BitRate::from_kbps(500), 1.0).size, Size::NHD);
        ladder.update(now, BitRate::from_kbps(2_000), 1.0);
        now += HOLD_AT_FIRST;
        assert_eq!(ladder.update(now, BitRate::from_kbps(2_000), 1.0).size, Size::HD);
    }

    #[test]
    fn takes_frames_away_only_from_the_smallest_picture() {
        let mut ladder = Ladder::new(Size::HD, 30);
        let rung = ladder.update(start(), BitRate::from_kbps(70), 1.0);
        assert_eq!((rung.size, rung.frame_rate), (Size::SMALL, 15));
    }

    #[test]
    fn leaves_room_for_what_is_done_against_losses() {
        let mut ladder = Ladder::new(Size::HD, 30);
        assert_eq!(ladder.update(start(), BitRate::from_kbps(1_000), 0.8).rate, BitRate::from_kbps(800));
    }
}
