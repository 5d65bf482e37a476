//! Media time. Nothing here reads a clock: whoever runs the engine says what time it is.

use std::ops::Add;
use std::time::Duration;

/// Microseconds since the engine's own zero. Monotonic; comparable only within one engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The engine's zero.
    pub const ZERO: Self = Self(0);

    /// A time so many microseconds after zero.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since zero.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This time on an RTP clock of `clock_hz`, wrapping at 2³² as RTP does (RFC 3550, section 5.1).
    #[must_use]
    pub const fn to_rtp(self, clock_hz: u32) -> u32 {
        // Truncation is the wrap that RTP asks for.
        ((self.0 as u128 * clock_hz as u128 / 1_000_000) & 0xffff_ffff) as u32
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(rhs.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rtp_time_wraps() {
        assert_eq!(Timestamp::from_micros(1_000_000).to_rtp(90_000), 90_000);
        let wrap = (1u64 << 32) * 1_000_000 / 90_000 + 1_000_000;
        assert!(Timestamp::from_micros(wrap).to_rtp(90_000) < 100_000);
    }

    #[test]
    fn time_never_runs_backwards_into_a_panic() {
        assert_eq!(Timestamp::ZERO.since(Timestamp::from_micros(5)), Duration::ZERO);
    }
}
