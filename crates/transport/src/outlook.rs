//! What the sending side knows of the path, for those who make what is sent. Atomics only: looking never waits.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use visavis_congestion::{Estimate, Protection};
use visavis_frame::BitRate;

/// Shares are kept as parts of this.
const WHOLE: f64 = 1e6;

/// What may be sent now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SendOutlook {
    /// What everything together may take on the wire, headers included.
    pub target: BitRate,
    /// What audio leaves of it for video, its repairs and its resends.
    pub video: BitRate,
    /// The share of that which is for new pictures, 0 to 1; the rest goes against losses.
    pub media_share: f64,
    /// Share of our packets that got lost lately, 0 to 1.
    pub loss: f64,
    /// Video has waited for too long already: it is better to skip a picture.
    pub overdue: bool,
}

impl Default for SendOutlook {
    fn default() -> Self {
        Self { target: BitRate::default(), video: BitRate::default(), media_share: 1.0, loss: 0.0, overdue: false }
    }
}

/// As the sending side knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) estimate: Estimate,
    /// What audio takes on the wire.
    pub(crate) audio: BitRate,
    /// What is done against losses of video.
    pub(crate) protection: Protection,
    pub(crate) overdue: bool,
    /// Whether the other side has told anything yet.
    pub(crate) heard: bool,
}

impl Default for Known {
    fn default() -> Self {
        let nothing = Estimate {
            target: BitRate::default(),
            pacing: BitRate::default(),
            round_trip: None,
            loss: 0.0,
            queueing: Duration::ZERO,
        };
        Self {
            estimate: nothing,
            audio: BitRate::default(),
            protection: Protection::default(),
            overdue: false,
            heard: false,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Outlook {
    target: AtomicU64,
    video: AtomicU64,
    loss: AtomicU32,
    /// What isn't for new pictures.
    spent: AtomicU32,
    /// Microseconds; zero: not known yet.
    round_trip: AtomicU64,
    overdue: AtomicBool,
    heard: AtomicBool,
}

impl Outlook {
    pub(crate) fn publish(&self, known: &Known) {
        let target = known.estimate.target.bps();
        self.target.store(target, Relaxed);
        self.video.store(target.saturating_sub(known.audio.bps()), Relaxed);
        // From 0 to 1, so they fit.
        self.loss.store((known.estimate.loss.clamp(0.0, 1.0) * WHOLE) as u32, Relaxed);
        self.spent.store(((1.0 - known.protection.media_share()).clamp(0.0, 1.0) * WHOLE) as u32, Relaxed);
        let round_trip = known.estimate.round_trip.unwrap_or_default().as_micros();
        self.round_trip.store(u64::try_from(round_trip).unwrap_or(u64::MAX), Relaxed);
        self.overdue.store(known.overdue, Relaxed);
        self.heard.store(known.heard, Relaxed);
    }

    pub(crate) fn look(&self) -> SendOutlook {
        SendOutlook {
            target: BitRate::from_bps(self.target.load(Relaxed)),
            video: BitRate::from_bps(self.video.load(Relaxed)),
            loss: f64::from(self.loss.load(Relaxed)) / WHOLE,
            media_share: 1.0 - f64::from(self.spent.load(Relaxed)) / WHOLE,
            overdue: self.overdue.load(Relaxed),
        }
    }

    /// From sending a packet to hearing of its arrival.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        let micros = self.round_trip.load(Relaxed);
        (micros != 0).then(|| Duration::from_micros(micros))
    }

    /// The estimate; zero before the other side has told anything.
    pub(crate) fn available(&self) -> BitRate {
        if self.heard.load(Relaxed) { self.look().target } else { BitRate::default() }
    }
}
