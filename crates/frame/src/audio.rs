//! Sound as the call carries it: mono, 48 kHz, 32-bit float in −1.0..=1.0, in blocks of 10 ms.
//!
//! Opus, the echo canceller and every modern sound server work at 48 kHz; devices that don't are resampled at the edge.

use std::time::Duration;

/// Sample rate of all sound inside the engine, hertz.
pub const SAMPLE_RATE_HZ: u32 = 48_000;
/// Samples in one block.
pub const BLOCK_SAMPLES: usize = 480;
/// Time that one block covers.
pub const BLOCK_DURATION: Duration = Duration::from_millis(10);

/// Ten milliseconds of mono sound at 48 kHz.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioBlock {
    /// The samples, −1.0..=1.0.
    pub samples: [f32; BLOCK_SAMPLES],
}

impl AudioBlock {
    /// A block of silence.
    pub const SILENCE: Self = Self { samples: [0.0; BLOCK_SAMPLES] };

    /// Root mean square of the block, 0.0..=1.0.
    #[must_use]
    pub fn rms(&self) -> f32 {
        let sum: f32 = self.samples.iter().map(|s| s * s).sum();
        (sum / BLOCK_SAMPLES as f32).sqrt()
    }
}

impl Default for AudioBlock {
    fn default() -> Self {
        Self::SILENCE
    }
}
