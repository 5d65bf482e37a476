//! Bit rates with their unit in the type.

use std::fmt;

/// A rate in bits per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(u64);

impl BitRate {
    /// A rate of so many bits per second.
    #[must_use]
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// A rate of so many kilobits (1000 bits) per second.
    #[must_use]
    pub const fn from_kbps(kbps: u64) -> Self {
        Self(kbps * 1000)
    }

    /// Bits per second.
    #[must_use]
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// Kilobits per second, rounded down.
    #[must_use]
    pub const fn kbps(self) -> u64 {
        self.0 / 1000
    }
}

impl fmt::Display for BitRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1_000_000 {
            write!(f, "{:.1} Mb/s", self.0 as f64 / 1e6)
        } else {
            write!(f, "{} kb/s", self.kbps())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_unit_that_fits() {
        assert_eq!(BitRate::from_kbps(640).to_string(), "640 kb/s");
        assert_eq!(BitRate::from_kbps(2_500).to_string(), "2.5 Mb/s");
    }
}
