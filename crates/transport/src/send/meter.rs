//! Rates by the second: how fast something goes, and how fast it may go.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use visavis_frame::BitRate;

const WINDOW: Duration = Duration::from_secs(1);

/// Bits of the last second.
#[derive(Debug, Default)]
pub(super) struct Meter {
    counted: VecDeque<(Instant, usize)>,
    bytes: usize,
}

impl Meter {
    pub(super) fn add(&mut self, now: Instant, bytes: usize) {
        self.counted.push_back((now, bytes));
        self.bytes += bytes;
        self.forget(now);
    }

    pub(super) fn rate(&mut self, now: Instant) -> BitRate {
        self.forget(now);
        BitRate::from_bps(self.bytes as u64 * 8)
    }

    fn forget(&mut self, now: Instant) {
        while let Some(&(at, bytes)) = self.counted.front()
            && now.saturating_duration_since(at) >= WINDOW
        {
            self.counted.pop_front();
            self.bytes -= bytes;
        }
    }
}

/// Lets so many bits a second through, and of what was not used as much as a quarter of a second's at once.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: f64,
    at: Instant,
}

impl Allowance {
    const BURST: f64 = 0.25;

    pub(super) const fn new(now: Instant) -> Self {
        Self { bytes: 0.0, at: now }
    }

    /// Whether so many bytes may go now; then they have gone.
    pub(super) fn take(&mut self, now: Instant, rate: BitRate, bytes: usize) -> bool {
        let per_second = rate.bps() as f64 / 8.0;
        let earned = now.saturating_duration_since(self.at).as_secs_f64() * per_second;
        // One packet must always fit, however low the rate.
        self.bytes = (self.bytes + earned).min((per_second * Self::BURST).max(bytes as f64));
        self.at = self.at.max(now);
        let fits = self.bytes >= bytes as f64;
        if fits {
            self.bytes -= bytes as f64;
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_second() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        for tenth in 0..20 {
            meter.add(start + Duration::from_millis(100 * tenth), 1000);
        }
        assert_eq!(meter.rate(start + Duration::from_millis(1900)), BitRate::from_kbps(80));
        assert_eq!(meter.rate(start + Duration::from_secs(9)), BitRate::default());
    }

    #[test]
    fn what_goes_through_keeps_to_the_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let through = |allowance: &mut Allowance, from: u64, to: u64| {
            let times = (from..to).map(|millis| start + Duration::from_millis(millis));
            times.filter(|&now| allowance.take(now, BitRate::from_kbps(800), 1000)).count()
        };
        assert!((95..=101).contains(&through(&mut allowance, 0, 1000)));
        // After a pause a quarter of a second's worth may go at once.
        let at = start + Duration::from_secs(5);
        assert_eq!((0..100).filter(|_| allowance.take(at, BitRate::from_kbps(800), 1000)).count(), 25);
        assert!(allowance.take(at + Duration::from_secs(20), BitRate::from_kbps(1), 1500), "one always fits");
    }
}
