//! What the speaker plays right now, for the pictures to keep to.
//!
//! One number: by how much our clock is ahead of the other side's when its sound is heard. The sound's thread writes it with
//! every packet it plays, the pictures' thread reads it with every picture; neither waits for the other.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Sound that was played longer ago says nothing about now.
const STALE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(crate) struct SoundMoment {
    began: Instant,
    /// Ours less theirs, microseconds.
    offset: AtomicI64,
    /// When that was written, microseconds; zero: never.
    at: AtomicU64,
}

impl SoundMoment {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, offset: AtomicI64::new(0), at: AtomicU64::new(0) }
    }

    /// What the other side captured at `captured` by its clock is heard here at `heard`.
    pub(crate) fn note(&self, heard: Instant, captured: Duration) {
        let ours = heard.saturating_duration_since(self.began).as_micros();
        let (Ok(ours), Ok(theirs)) = (i64::try_from(ours), i64::try_from(captured.as_micros())) else { return };
        self.offset.store(ours.saturating_sub(theirs), Relaxed);
        self.at.store(u64::try_from(ours).unwrap_or(0).max(1), Relaxed);
    }

    /// When the sound is heard that the other side captured at `captured`; `None` while no sound is played.
    pub(crate) fn heard(&self, now: Instant, captured: Duration) -> Option<Instant> {
        let at = self.at.load(Relaxed);
        if at == 0 || now.saturating_duration_since(self.began + Duration::from_micros(at)) > STALE {
            return None;
        }
        let ours = i64::try_from(captured.as_micros()).ok()?.checked_add(self.offset.load(Relaxed))?;
        self.began.checked_add(Duration::from_micros(u64::try_from(ours).ok()?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, whose virtual time needs a zero")]

    use super::*;

    #[test]
    fn what_was_captured_together_is_heard_together_until_the_sound_ends() {
        let zero = Instant::now();
        let second = Duration::from_secs(1);
        let moment = SoundMoment::new(zero);
        assert_eq!(moment.heard(zero, second), None);
        moment.note(zero + 5 * second, 3_600 * second);
        assert_eq!(moment.heard(zero + 5 * second, 3_601 * second), Some(zero + 6 * second));
        assert_eq!(moment.heard(zero + 5 * second, 3_590 * second), None, "before this call began");
        assert_eq!(moment.heard(zero + 7 * second, 3_601 * second), None, "long silent");
    }
}
