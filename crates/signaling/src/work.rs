//! Proof of work, after hashcash: a server under which many guess at rooms asks whoever knocks to look for a number first. It
//! costs somebody who calls a friend a moment, and somebody who tries thousands of numbers thousands of moments.
//!
//! The answer to a challenge is a text `nonce` such that SHA-256 (FIPS 180-4) over the bytes of challenge and nonce, one
//! behind the other, begins with at least `bits` zero bits. On average 2^bits hashes find one.

use sha2::{Digest as _, Sha256};

/// The most bits that a client takes on: about a minute of a browser's work.
pub const MAX_WORK_BITS: u8 = 24;
/// The longest nonce that a server looks at, bytes.
pub const MAX_NONCE_BYTES: usize = 32;

/// Whether a nonce answers a challenge.
#[must_use]
pub fn is_done(challenge: &str, bits: u8, nonce: &str) -> bool {
    nonce.len() <= MAX_NONCE_BYTES && leading_zeros(challenge, nonce) >= u32::from(bits)
}

fn leading_zeros(challenge: &str, nonce: &str) -> u32 {
    let hash = Sha256::new().chain_update(challenge).chain_update(nonce).finalize();
    let (first, _) = hash.split_first_chunk::<16>().map_or(([0; 16], &[][..]), |(first, rest)| (*first, rest));
    u128::from_be_bytes(first).leading_zeros()
}

/// Looks for a nonce, a slice at a time, so that whoever asks does other things in between.
#[derive(Debug)]
pub(crate) struct Search {
    challenge: String,
    bits: u8,
    next: u64,
}

impl Search {
    pub(crate) fn new(challenge: String, bits: u8) -> Self {
        Self { challenge, bits, next: 0 }
    }

    /// Tries so many more.
    pub(crate) fn go_on(&mut self, tries: u64) -> Option<String> {
        let end = self.next + tries;
        let found = (self.next..end).map(|number| number.to_string());
        self.next = end;
        let (challenge, bits) = (&self.challenge, self.bits);
        found.into_iter().find(|nonce| is_done(challenge, bits, nonce))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// As docs/protocol.md has it.
    #[test]
    fn the_example_of_the_page() {
        let mut search = Search::new("0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(), 16);
        assert_eq!(search.go_on(1_000_000).as_deref(), Some("1339"));
    }

    #[test]
    fn what_is_found_is_an_answer_to_that_challenge_alone() {
        let mut search = Search::new("0f1e2d3c4b5a69788796a5b4c3d2e1f0".into(), 12);
        let nonce = std::iter::repeat_with(|| search.go_on(1000)).find_map(|found| found).unwrap();
        assert!(is_done("0f1e2d3c4b5a69788796a5b4c3d2e1f0", 12, &nonce));
        assert!(!is_done("another", 12, &nonce) || !is_done("a third", 12, &nonce));
        assert!(!is_done("0f1e2d3c4b5a69788796a5b4c3d2e1f0", 12, &format!("{nonce:>40}")));
    }
}
