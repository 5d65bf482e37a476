//! What is played, as the canceller is to see it: stretched by what the clocks of loudspeaker and microphone differ.

use std::time::Duration;

use visavis_frame::{AudioBlock, SAMPLE_RATE_HZ};

use crate::blocks::Blocker;
use crate::resample::{ResampleError, Resampler};

/// Stretches a stream of blocks.
pub(super) struct Reference {
    /// `None`: it can't be stretched, and passes as it is.
    stretch: Option<Resampler>,
    stretched: Vec<f32>,
    blocker: Blocker,
}

impl std::fmt::Debug for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reference").finish_non_exhaustive()
    }
}

impl Reference {
    pub(super) fn new() -> Self {
        let stretch = Resampler::new(SAMPLE_RATE_HZ, SAMPLE_RATE_HZ).ok();
        Self { stretch, stretched: Vec::new(), blocker: Blocker::new() }
    }

    /// Makes the stream longer by this from now on, parts per million.
    pub(super) fn stretch_by(&mut self, ppm: f64) {
        let fitted: Option<Result<(), ResampleError>> = self.stretch.as_mut().map(|s| s.set_ratio_adjust(ppm));
        if fitted.is_some_and(|result| result.is_err()) {
            self.stretch = None;
        }
    }

    /// By how much what was emitted is behind what was taken.
    pub(super) fn lag(&self) -> Duration {
        let samples = self.blocker.held() + self.stretch.as_ref().map_or(0, Resampler::delay);
        Duration::from_secs_f64(samples as f64 / f64::from(SAMPLE_RATE_HZ))
    }

    /// Takes the next 10 ms and gives every block of the stretched stream that they fill to `emit`.
    pub(super) fn push(&mut self, block: &AudioBlock, emit: impl FnMut(&AudioBlock)) {
        let Some(stretch) = &mut self.stretch else { return self.blocker.push(&block.samples, emit) };
        self.stretched.clear();
        if stretch.process(&block.samples, &mut self.stretched).is_err() {
            self.stretch = None;
        }
        self.blocker.push(&self.stretched, emit);
    }
}
