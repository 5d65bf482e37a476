//! How short a speaker's buffers may be. Nobody knows before trying, so each device begins short and is given more when
//! sound ran out; what was learnt is kept for as long as the program runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use visavis_frame::Timestamp;

/// Callback lengths to try, samples at 48 kHz: 5, 10, 20 and 40 ms.
const PERIODS: [u32; 4] = [240, 480, 960, 1920];
/// The first to try.
const FIRST: usize = 1;
/// How much is kept queued beyond one callback for the time until the engine looks again: at first, and at most. Each time
/// that it wasn't enough it is doubled.
const MARGIN: [Duration; 2] = [Duration::from_millis(3), Duration::from_millis(40)];
/// What runs out more than once within this time counts once: a busy machine stumbles over several callbacks.
const ONE_STUMBLE: Duration = Duration::from_millis(500);
/// So many times within [`SPELL`] that the system's own buffer ran out, and a longer one is due.
const MOST_STARVED: u32 = 3;
const SPELL: Duration = Duration::from_secs(10);

static LEARNT: Mutex<BTreeMap<String, Learnt>> = Mutex::new(BTreeMap::new());

#[derive(Clone, Copy, Debug)]
struct Learnt {
    period: usize,
    margin: Duration,
}

impl Learnt {
    const NOTHING: Self = Self { period: FIRST, margin: MARGIN[0] };
}

/// Callback length to ask this device for, samples.
pub(super) fn period(device: &str) -> u32 {
    PERIODS[recall(device).period.min(PERIODS.len() - 1)]
}

fn recall(device: &str) -> Learnt {
    LEARNT.lock().unwrap_or_else(PoisonError::into_inner).get(device).copied().unwrap_or(Learnt::NOTHING)
}

/// Watches one speaker run out of sound.
#[derive(Debug)]
pub(super) struct Stumbles {
    device: String,
    learnt: Learnt,
    /// Callbacks that found less than they wanted, as counted so far, and when that last changed.
    dry: u32,
    dry_at: Option<Timestamp>,
    /// Times that the system asked for all at once, as counted so far.
    starved: u32,
    /// How many of them count, and since when.
    spell: (u32, Timestamp),
    outgrown: bool,
}

impl Stumbles {
    pub(super) fn new(device: String) -> Self {
        let learnt = recall(&device);
        Self { device, learnt, dry: 0, dry_at: None, starved: 0, spell: (0, Timestamp::ZERO), outgrown: false }
    }

    /// What to keep queued beyond one callback.
    pub(super) fn margin(&self) -> Duration {
        self.learnt.margin
    }

    /// A longer callback than the stream has is worth opening the device anew.
    pub(super) fn outgrown(&self) -> bool {
        self.outgrown
    }

    /// Takes the stream's counts as they are now.
    pub(super) fn see(&mut self, now: Timestamp, dry: u32, starved: u32) {
        if dry != self.dry {
            self.dry = dry;
            if self.dry_at.is_none_or(|at| now.since(at) > ONE_STUMBLE) {
                self.dry_at = Some(now);
                self.learnt.margin = (2 * self.learnt.margin).min(MARGIN[1]);
                self.remember();
            }
        }
        if starved != self.starved {
            self.starved = starved;
            if now.since(self.spell.1) > SPELL {
                self.spell = (0, now);
            }
            self.spell.0 += 1;
            if self.spell.0 >= MOST_STARVED && self.learnt.period + 1 < PERIODS.len() && !self.outgrown {
                self.outgrown = true;
                self.learnt.period += 1;
                self.remember();
            }
        }
    }

    fn remember(&self) {
        tracing::debug!(device = self.device, learnt = ?self.learnt, "a speaker ran out of sound and gets longer buffers");
        LEARNT.lock().unwrap_or_else(PoisonError::into_inner).insert(self.device.clone(), self.learnt);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Timestamp {
        Timestamp::from_micros(millis * 1000)
    }

    #[test]
    fn running_dry_widens_the_margin_and_is_remembered() {
        let mut stumbles = Stumbles::new("margin".to_owned());
        stumbles.see(ms(1_000), 0, 0);
        assert_eq!(stumbles.margin(), MARGIN[0]);
        stumbles.see(ms(1_010), 1, 0);
        stumbles.see(ms(1_020), 2, 0);
        assert_eq!(stumbles.margin(), 2 * MARGIN[0], "one stumble");
        (0..100).for_each(|step| stumbles.see(ms(2_000 + step * 1_000), 3 + step as u32, 0));
        assert_eq!(stumbles.margin(), MARGIN[1]);
        assert_eq!(Stumbles::new("margin".to_owned()).margin(), MARGIN[1]);
    }

    #[test]
    fn a_starved_device_gets_longer_callbacks_the_next_time() {
        let before = period("starved");
        let mut stumbles = Stumbles::new("starved".to_owned());
        for count in 1..MOST_STARVED {
            stumbles.see(ms(u64::from(count) * 100), 0, count);
        }
        // Long after: a new spell.
        stumbles.see(ms(60_000), 0, MOST_STARVED);
        assert!(!stumbles.outgrown());
        for count in 1..MOST_STARVED {
            stumbles.see(ms(60_000 + u64::from(count)), 0, MOST_STARVED + count);
        }
        assert!(stumbles.outgrown());
        assert_eq!((period("starved"), period("another")), (2 * before, before));
    }
}
