//! Noise from a seed: SplitMix64 (Steele, Lea and Flood 2014), small and good enough to be white.

/// Numbers from a seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in `from..to`.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly in −1..1.
    pub(super) fn sample(&mut self) -> f64 {
        self.between(-1.0, 1.0)
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.next() as usize % from.len()]
    }
}

/// White noise with its root mean square at `dbfs`.
#[must_use]
pub fn noise(seed: u64, samples: usize, dbfs: f64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let amplitude = 10f64.powf(dbfs / 20.0) * 3f64.sqrt();
    (0..samples).map(|_| (amplitude * random.sample()) as f32).collect()
}
