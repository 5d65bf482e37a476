//! What one client may cost: bytes relayed, and answers to datagrams that nobody has signed (RFC 8656, section 21).

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A token bucket of bytes, a second deep.
#[derive(Debug)]
pub(super) struct Bytes {
    per_second: f64,
    level: f64,
    filled_at: Instant,
}

impl Bytes {
    pub(super) fn new(now: Instant, per_second: u64) -> Self {
        let per_second = per_second as f64;
        Self { per_second, level: per_second, filled_at: now }
    }

    /// Takes so many; `false` when there aren't as many.
    pub(super) fn take(&mut self, now: Instant, bytes: usize) -> bool {
        let gained = now.saturating_duration_since(self.filled_at).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(self.per_second);
        self.filled_at = now;
        let enough = self.level >= bytes as f64;
        if enough {
            self.level -= bytes as f64;
        }
        enough
    }
}

/// Sources remembered within one second. Where more come, the rest gets no answer: that is a flood.
const MOST_SOURCES: usize = 20_000;

/// Counts answers to each source within each second, so that nobody uses the server to shower another (whose address a
/// datagram may forge).
#[derive(Debug)]
pub(super) struct Answers {
    per_second: u32,
    since: Instant,
    counted: HashMap<IpAddr, u32>,
}

impl Answers {
    pub(super) fn new(now: Instant, per_second: u32) -> Self {
        Self { per_second, since: now, counted: HashMap::new() }
    }

    /// Counts one; whether it may be given.
    pub(super) fn allow(&mut self, now: Instant, source: IpAddr) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.counted.clear();
        }
        if self.counted.len() >= MOST_SOURCES && !self.counted.contains_key(&source) {
            return false;
        }
        let count = self.counted.entry(source).or_default();
        *count += 1;
        *count <= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_with_time() {
        let start = Instant::now();
        let mut bytes = Bytes::new(start, 1000);
        assert!(bytes.take(start, 900) && !bytes.take(start, 200));
        assert!(bytes.take(start + Duration::from_millis(100), 200));
        assert!(!bytes.take(start + Duration::from_secs(9), 1001));
    }

    #[test]
    fn each_source_has_its_own_answers() {
        let start = Instant::now();
        let mut answers = Answers::new(start, 2);
        let (one, other) = (IpAddr::from([1, 1, 1, 1]), IpAddr::from([1, 1, 1, 2]));
        assert!(answers.allow(start, one) && answers.allow(start, one) && !answers.allow(start, one));
        assert!(answers.allow(start, other));
        assert!(answers.allow(start + Duration::from_secs(1), one));
    }

    #[test]
    fn a_flood_of_sources_is_forgotten() {
        let start = Instant::now();
        let mut answers = Answers::new(start, 2);
        let given = (0..40_000u32).filter(|n| answers.allow(start, IpAddr::from(n.to_be_bytes()))).count();
        assert_eq!((given, answers.counted.len()), (MOST_SOURCES, MOST_SOURCES));
    }
}
