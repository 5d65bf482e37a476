//! Every deadline of a call, by name.

use std::time::{Duration, Instant};

/// The deadlines that a call can have running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Servers are looked for in the local network.
    Search,
    /// A server of the local network must answer.
    Reach,
    /// The code exchange and the first offer and answer must be done.
    Exchange,
    /// ICE and DTLS must be up.
    Connecting,
    /// The path has been lost for so long that ICE is restarted.
    Restart,
    /// A restart of ICE has brought no path back; another one is made.
    RestartAgain,
    /// The path has been lost for so long that the call is over.
    Lost,
    /// The path is lost, and the server can't help to find a new one any more: the old one must come back by itself.
    Alone,
    /// A call that has ended keeps its connections a moment longer, so that the goodbye gets out.
    Linger,
    /// Two whose call has ended may still call one another again.
    Apart,
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Search,
        Self::Reach,
        Self::Exchange,
        Self::Connecting,
        Self::Restart,
        Self::RestartAgain,
        Self::Lost,
        Self::Alone,
        Self::Linger,
        Self::Apart,
    ];

    /// How long it runs.
    #[must_use]
    pub const fn duration(self) -> Duration {
        match self {
            // Multicast is lost now and then, in the air above all: time for the question to be asked three times (RFC 6762,
            // section 5.2: after a second, then after two more).
            Self::Search => Duration::from_secs(4),
            // Some hundred times what a local network needs. Who announces itself and doesn't answer sits behind a firewall.
            Self::Reach => Duration::from_millis(1500),
            // One exchange at a time, ten seconds each; the server counts the same ten.
            Self::Exchange => Duration::from_secs(10),
            // A named cause within 15 s, never an endless spinner.
            Self::Connecting => Duration::from_secs(15),
            // A network that is gone for half a minute is survived without a server, too.
            Self::Alone => Duration::from_secs(45),
            Self::Restart => Duration::from_secs(2),
            // Over a slow relay the description alone takes seconds; a second restart would undo the first.
            Self::RestartAgain => Duration::from_secs(8),
            // Four times what a server keeps a lost seat for: it has told us by then whether the other is gone.
            Self::Lost => Duration::from_secs(120),
            Self::Linger => Duration::from_millis(250),
            // Whoever is wanted again after that is called anew; until then a server keeps the room.
            Self::Apart => Duration::from_secs(600),
        }
    }

    /// Its name, for logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Reach => "reach",
            Self::Exchange => "exchange",
            Self::Connecting => "connecting",
            Self::Restart => "restart",
            Self::RestartAgain => "restart-again",
            Self::Lost => "lost",
            Self::Alone => "alone",
            Self::Linger => "linger",
            Self::Apart => "apart",
        }
    }
}

/// The deadlines that run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn start(&mut self, timer: Timer, now: Instant) {
        self.0[timer as usize] = Some(now + timer.duration());
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn stop_all(&mut self) {
        self.0 = Default::default();
    }

    pub(crate) fn is_running(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes the earliest deadline that has passed; ask until `None`.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: &Timer| self.0[*timer as usize].filter(|at| *at <= now);
        let timer = Timer::ALL.into_iter().filter(|timer| due(timer).is_some()).min_by_key(due)?;
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
        timers.start(Timer::Linger, now);
        assert_eq!(timers.next(), Some(now + Timer::Linger.duration()));
        assert_eq!(timers.expired(now), None);
        let late = now + Timer::Connecting.duration();
        assert_eq!(timers.expired(late), Some(Timer::Linger), "the earliest first");
        assert_eq!(timers.expired(late), Some(Timer::Exchange));
        assert_eq!(timers.expired(late), Some(Timer::Connecting));
        assert_eq!(timers.expired(late), None);
    }

    #[test]
    fn each_has_a_place_and_a_name_of_its_own() {
        for (place, timer) in Timer::ALL.into_iter().enumerate() {
            assert_eq!(timer as usize, place);
            assert_eq!(Timer::ALL.iter().filter(|other| other.name() == timer.name()).count(), 1);
        }
    }
}
