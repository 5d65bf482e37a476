//! Two clocks that should run alike and don't: how far to bend the rate between them so that what waits there neither
//! grows nor shrinks.
//!
//! A critically damped proportional-integral controller: sound cards are up to ±100 parts per million off, constantly but
//! for their temperature, so the integral finds that figure and the proportional part takes what is left. It is slow on
//! purpose; what moves faster than it can follow is the network's doing, and the playout buffer's to mend.

use std::time::Duration;

/// The most that the rate is bent, parts per million: under a hundredth of a semitone.
pub const MOST_BEND_PPM: f64 = 500.0;
/// The controller's own pace, per second: four fifths of a step are taken back within a minute.
const PACE: f64 = 0.05;
/// Parts per million for each millisecond too much: a bend of 1000 ppm takes away a millisecond each second.
const PROPORTIONAL: f64 = 2.0 * PACE * 1000.0;
/// The same for each millisecond and second that it stays.
const INTEGRAL: f64 = PACE * PACE * 1000.0;
/// Callbacks and packets make the measurement jump by milliseconds; so long a mean hides that, seconds.
const SMOOTHING: f64 = 1.0;
/// Measurements further apart than this say nothing about what was in between.
const PAUSE: Duration = Duration::from_secs(2);
/// How often the bend changes.
const STEP: Duration = Duration::from_millis(100);

/// Follows what waits between two clocks.
#[derive(Clone, Debug, Default)]
pub struct DriftControl {
    seen: Option<Duration>,
    excess_ms: Option<f64>,
    integral_ppm: f64,
    ppm: f64,
}

impl DriftControl {
    /// A controller that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes how much more waits than should, milliseconds; negative when it is too little. `now` counts from whatever
    /// beginning. Gives the new bend for [`crate::Resampler::set_ratio_adjust`] when it is time to change it: with too much
    /// waiting it is negative, so that fewer samples come out for those that go in.
    pub fn observe(&mut self, now: Duration, excess_ms: f64) -> Option<f64> {
        let Some(seen) = self.seen else {
            (self.seen, self.excess_ms) = (Some(now), Some(excess_ms));
            return None;
        };
        let passed = now.saturating_sub(seen);
        if passed < STEP {
            return None;
        }
        self.seen = Some(now);
        if passed > PAUSE || !excess_ms.is_finite() {
            self.excess_ms = None;
            return None;
        }
        let seconds = passed.as_secs_f64();
        let before = self.excess_ms.unwrap_or(excess_ms);
        let smooth = before + (excess_ms - before) * (seconds / (seconds + SMOOTHING));
        self.excess_ms = Some(smooth);
        self.bend(smooth, seconds);
        Some(-self.ppm)
    }

    /// The bend found so far, as the last [`DriftControl::observe`] gave it, parts per million.
    #[must_use]
    pub fn ppm(&self) -> f64 {
        -self.ppm
    }

    /// Forgets the measurement but not the clocks: what waits was changed by somebody else.
    pub fn restart(&mut self) {
        (self.seen, self.excess_ms) = (None, None);
    }

    fn bend(&mut self, excess_ms: f64, seconds: f64) {
        let wanted = PROPORTIONAL * excess_ms + self.integral_ppm;
        self.ppm = wanted.clamp(-MOST_BEND_PPM, MOST_BEND_PPM);
        // What the bend can't do now must not pile up for later.
        if self.ppm == wanted {
            let integral = self.integral_ppm + INTEGRAL * excess_ms * seconds;
            self.integral_ppm = integral.clamp(-MOST_BEND_PPM, MOST_BEND_PPM);
        }
    }
}
