//! Blocks of 10 ms out of runs of samples of any length: devices hand over what suits them, the engine works in blocks.

use visavis_frame::{AudioBlock, BLOCK_SAMPLES};

/// Collects samples until they fill blocks.
#[derive(Clone, Debug, Default)]
pub struct Blocker {
    block: AudioBlock,
    filled: usize,
}

impl Blocker {
    /// A blocker that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes `samples` and gives every block that they fill to `emit`. Allocates nothing.
    pub fn push(&mut self, mut samples: &[f32], mut emit: impl FnMut(&AudioBlock)) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(BLOCK_SAMPLES - self.filled));
            self.block.samples[self.filled..self.filled + now.len()].copy_from_slice(now);
            self.filled += now.len();
            samples = later;
            if self.filled == BLOCK_SAMPLES {
                self.filled = 0;
                emit(&self.block);
            }
        }
    }

    /// Samples held that don't fill a block yet, under [`BLOCK_SAMPLES`].
    #[must_use]
    pub fn held(&self) -> usize {
        self.filled
    }

    /// Forgets what is held.
    pub fn clear(&mut self) {
        self.filled = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn no_sample_is_lost_or_moved(runs in proptest::collection::vec(0usize..1300, 0..20)) {
            let mut blocker = Blocker::new();
            let (mut given, mut got) = (0u32, Vec::new());
            for run in runs {
                let samples: Vec<f32> = (given..given + run as u32).map(|i| i as f32).collect();
                given += run as u32;
                blocker.push(&samples, |block| got.extend(block.samples));
            }
            proptest::prop_assert_eq!(got.len() + blocker.held(), given as usize);
            proptest::prop_assert!(got.iter().enumerate().all(|(i, &s)| s == i as f32));
        }
    }
}
