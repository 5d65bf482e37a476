//! Tokens that open the window's pictures: random, good once, and not for long.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A page uses its token at once.
const LIFETIME: Duration = Duration::from_secs(30);
/// Tokens that wait at once; a page that asks for more than it uses loses the oldest.
const MAX_WAITING: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<Vec<(String, Instant)>>);

impl Tokens {
    pub(super) fn issue(&self) -> Result<String, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut waiting = self.lock();
        if waiting.len() == MAX_WAITING {
            waiting.remove(0);
        }
        waiting.push((token.clone(), Instant::now()));
        Ok(token)
    }

    /// Whether the token is good; it isn't any more afterwards.
    pub(super) fn redeem(&self, token: &str) -> bool {
        let mut waiting = self.lock();
        waiting.retain(|(_, issued)| issued.elapsed() < LIFETIME);
        let found = waiting.iter().position(|(good, _)| good == token);
        found.map(|at| waiting.remove(at)).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;

    #[test]
    fn a_token_is_good_once() {
        let tokens = Tokens::default();
        let token = tokens.issue().unwrap();
        assert!(!tokens.redeem("guess"));
        assert!(tokens.redeem(&token));
        assert!(!tokens.redeem(&token));
    }

    #[test]
    fn waiting_tokens_are_bounded() {
        let tokens = Tokens::default();
        let first = tokens.issue().unwrap();
        for _ in 0..MAX_WAITING {
            tokens.issue().unwrap();
        }
        assert!(!tokens.redeem(&first));
    }
}
