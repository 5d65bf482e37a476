//! Every deadline of a call, by name.

use std::time::{Duration, Instant};

/// The deadlines that a call can have running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// The code exchange and the first offer and answer must be done.
    Exchange,
    /// ICE and DTLS must be up.
    Connecting,
    /// The path has been lost for so long that ICE is restarted.
    Restart,
    /// A call that has ended keeps its connections a moment longer, so that the goodbye gets out.
    Linger,
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Exchange, Self::Connecting, Self::Restart, Self::Linger];

    /// How long it runs.
    #[must_use]
    pub const fn duration(self) -> Duration {
        match self {
            // DESIGN: one exchange at a time, ten seconds each.
            Self::Exchange => Duration::from_secs(10),
            // A named cause within 15 s, never an endless spinner.
            Self::Connecting => Duration::from_secs(15),
            Self::Restart => Duration::from_secs(2),
            Self::Linger => Duration::from_millis(250),
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Exchange => 0,
            Self::Connecting => 1,
            Self::Restart => 2,
            Self::Linger => 3,
        }
    }
}

/// The deadlines that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn start(&mut self, timer: Timer, now: Instant) {
        self.0[timer.index()] = Some(now + timer.duration());
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer.index()] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        self.0 = Default::default();
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes one deadline that has passed; ask until `None`.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL.into_iter().find(|t| self.0[t.index()].is_some_and(|at| at <= now))?;
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::disallowed_methods, reason = "an origin for virtual time")]
    use super::*;

    #[test]
    fn a_timer_fires_once_and_by_name() {
        let now = Instant::now();
        let mut timers = Timers::default();
        timers.start(Timer::Connecting, now);
        timers.start(Timer::Exchange, now);
        assert_eq!(timers.next(), Some(now + Timer::Exchange.duration()));
        assert_eq!(timers.expired(now), None);
        let late = now + Timer::Connecting.duration();
        assert_eq!(timers.expired(late), Some(Timer::Exchange));
        assert_eq!(timers.expired(late), Some(Timer::Connecting));
        assert_eq!(timers.expired(late), None);
    }
}
