//! Randomness is told like time: whoever builds a machine passes the source in, so that a test can run it again.

/// A source of random bytes. The server's must be the operating system's: nameplates and room ids come from it.
pub trait Randomness: Send {
    /// Fills the whole buffer.
    fn fill(&mut self, buffer: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send> Randomness for F {
    fn fill(&mut self, buffer: &mut [u8]) {
        self(buffer);
    }
}

/// SplitMix64: a small generator for jitter and for tests. Nothing secret may come from it.
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    /// The same seed gives the same numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Randomness for SplitMix {
    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let number = self.next_u64().to_le_bytes();
            chunk.copy_from_slice(&number[..chunk.len()]);
        }
    }
}
