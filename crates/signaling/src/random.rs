//! Randomness is told like time: whoever builds a machine passes the source in, so that a test can run it again.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha512;
use zeroize::{Zeroize, Zeroizing};

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

/// Thirty-two bytes of the operating system's randomness, stretched to as many as a call needs (HMAC-SHA512 over a
/// counter, keyed with them). The system is asked once, before the call, where it can still be told that it has none.
pub struct Entropy {
    key: Zeroizing<[u8; 32]>,
    drawn: u64,
}

impl Entropy {
    /// The same bytes give the same stream: bytes that were used once must never be used again.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Zeroizing::new(key), drawn: 0 }
    }
}

impl Randomness for Entropy {
    fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(64) {
            // HMAC takes a key of any length, so there is a MAC; the other branch can't be taken.
            let Ok(mut mac) = <Hmac<Sha512> as Mac>::new_from_slice(&*self.key) else { return };
            mac.update(b"visavis/1 entropy");
            mac.update(&self.drawn.to_be_bytes());
            self.drawn += 1;
            let mut block: [u8; 64] = mac.finalize().into_bytes().into();
            chunk.copy_from_slice(&block[..chunk.len()]);
            block.zeroize();
        }
    }
}

impl fmt::Debug for Entropy {
    // Every secret of the call follows from it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_never_repeats_itself() {
        let (mut entropy, mut again) = (Entropy::new([1; 32]), Entropy::new([1; 32]));
        let (mut long, mut first, mut second) = ([0; 128], [0; 64], [0; 64]);
        entropy.fill(&mut long);
        again.fill(&mut first);
        again.fill(&mut second);
        assert_ne!(first, second);
        assert_eq!(long, [first, second].concat().as_slice());
        assert_eq!(format!("{entropy:?}"), "Entropy");
    }
}
