//! How good a call is, in one word with its reason: decided once a second from what both sides measure.
//!
//! The word is about what the person at this machine notices; the reason is the worst thing that can be named. Loss and
//! delay are graded by what people notice in speech (ITU-T G.114: a one-way delay over 150 ms is noticed, over 400 ms is
//! unacceptable). So that the word doesn't flicker, measures are smoothed, a reason has to be clearly over before it goes,
//! and a better word has to hold for [`CALM`] before it is said.

use std::fmt;
use std::time::{Duration, Instant};

use crate::control::ReceiveReport;

/// How long a call has to be better before it is called better.
pub const CALM: Duration = Duration::from_secs(5);
/// How much of a measure's value is its newest second.
const NEWEST: f32 = 0.4;
/// A reason that is being shown goes when its measure is under this share of what brought it up.
const RELIEF: f32 = 0.7;

/// What one side knows of the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// What we receive, and what the other side should know of us.
    pub report: ReceiveReport,
    /// There and back.
    pub round_trip: Option<Duration>,
    /// How much of the last second the other's picture stood still.
    pub frozen: Duration,
}

/// A verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Nothing to notice.
    Good,
    /// Noticeable, and fine to talk.
    Fair,
    /// Hard to talk.
    Poor,
}

impl Grade {
    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Fair => "fair",
            Self::Poor => "poor",
        }
    }
}

/// The reason for a verdict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cause {
    /// Both directions lose packets, percent.
    NetworkLoses(f32),
    /// Of what they send, percent.
    TheirUplinkLoses(f32),
    /// Of what we send, percent.
    YourUplinkLoses(f32),
    /// Our way out carries so little, kilobits a second.
    YourNetworkSlow(f32),
    /// Their way out carries so little, kilobits a second.
    TheirNetworkSlow(f32),
    /// There and back, milliseconds.
    RoundTrip(f32),
    /// Of their sound, percent: it had to be made up.
    SoundConcealed(f32),
    /// Of the time, percent: their picture stands still.
    PictureFreezes(f32),
    /// Our processor doesn't keep up with the pictures.
    YourComputerSlow,
    /// Theirs doesn't.
    TheirComputerSlow,
}

impl Cause {
    /// A stable word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NetworkLoses(_) => "network-loses",
            Self::TheirUplinkLoses(_) => "their-uplink-loses",
            Self::YourUplinkLoses(_) => "your-uplink-loses",
            Self::YourNetworkSlow(_) => "your-network-slow",
            Self::TheirNetworkSlow(_) => "their-network-slow",
            Self::RoundTrip(_) => "round-trip",
            Self::SoundConcealed(_) => "sound-concealed",
            Self::PictureFreezes(_) => "picture-freezes",
            Self::YourComputerSlow => "your-computer-slow",
            Self::TheirComputerSlow => "their-computer-slow",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NetworkLoses(percent) => write!(f, "The network between you loses {percent:.0}%."),
            Self::TheirUplinkLoses(percent) => write!(f, "Their uplink loses {percent:.0}%."),
            Self::YourUplinkLoses(percent) => write!(f, "Your uplink loses {percent:.0}%."),
            Self::YourNetworkSlow(kbps) => write!(f, "Your network is slow: {kbps:.0} kb/s."),
            Self::TheirNetworkSlow(kbps) => write!(f, "Their network is slow: {kbps:.0} kb/s."),
            Self::RoundTrip(ms) => write!(f, "Sound takes long: {ms:.0} ms there and back."),
            Self::SoundConcealed(percent) => write!(f, "{percent:.0}% of their sound doesn't arrive in time."),
            Self::PictureFreezes(percent) => write!(f, "Their picture stands still {percent:.0}% of the time."),
            Self::YourComputerSlow => f.write_str("Your computer can't keep up with the pictures."),
            Self::TheirComputerSlow => f.write_str("Their computer can't keep up with the pictures."),
        }
    }
}

/// The verdict with its reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The word.
    pub grade: Grade,
    /// The reason; none where there is nothing to notice.
    pub cause: Option<Cause>,
}

impl Quality {
    /// Nothing to notice.
    pub const GOOD: Self = Self { grade: Grade::Good, cause: None };
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Some(cause) => cause.fmt(f),
            None => f.write_str("Sound and picture flow freely."),
        }
    }
}

/// What is judged, smoothed.
#[derive(Clone, Copy, Debug, Default)]
struct Smooth {
    from_them: f32,
    to_them: f32,
    concealed: f32,
    frozen: f32,
    round_trip_ms: f32,
    our_kbps: f32,
    their_kbps: f32,
    we_lag: f32,
    they_lag: f32,
}

/// Judges a call, second by second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judge {
    smooth: Option<Smooth>,
    shown: Option<Quality>,
    /// Since when it has been better than what is shown.
    better: Option<Instant>,
}

impl Judge {
    /// Forgets what was: a path that was just found is judged anew.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// The verdict as of now; `theirs` is what the other side last said of itself.
    pub(crate) fn judge(&mut self, now: Instant, ours: &Measured, theirs: Option<&ReceiveReport>) -> Quality {
        let newest = Smooth::of(ours, theirs);
        let smooth = self.smooth.map_or(newest, |before| before.toward(newest));
        self.smooth = Some(smooth);
        let shown = self.shown.unwrap_or(Quality::GOOD);
        let found = smooth.verdict(shown);
        let said = if found.grade < shown.grade {
            let since = *self.better.get_or_insert(now);
            if now.saturating_duration_since(since) < CALM {
                // The reason that was named keeps its word, and its number as it is now.
                Quality { grade: shown.grade, cause: shown.cause.map(|cause| smooth.renew(cause)) }
            } else {
                found
            }
        } else {
            self.better = None;
            found
        };
        if said.grade != shown.grade {
            self.better = None;
        }
        self.shown = Some(said);
        said
    }
}

impl Smooth {
    fn of(ours: &Measured, theirs: Option<&ReceiveReport>) -> Self {
        let flag = |on: bool| if on { 1.0 } else { 0.0 };
        let theirs = theirs.copied().unwrap_or_default();
        Self {
            from_them: ours.report.loss_percent,
            to_them: theirs.loss_percent,
            concealed: ours.report.concealed_percent,
            frozen: ours.frozen.as_secs_f32().min(1.0) * 100.0,
            round_trip_ms: ours.round_trip.map_or(0.0, |rtt| rtt.as_secs_f32() * 1000.0),
            our_kbps: ours.report.available_kbps as f32,
            their_kbps: theirs.available_kbps as f32,
            we_lag: flag(ours.report.overloaded),
            they_lag: flag(theirs.overloaded),
        }
    }

    fn toward(self, newest: Self) -> Self {
        let mix = |old: f32, new: f32| old + (new - old) * NEWEST;
        // Zero says that there is no estimate: nothing to mix.
        let rate = |old: f32, new: f32| if old == 0.0 || new == 0.0 { new } else { mix(old, new) };
        Self {
            from_them: mix(self.from_them, newest.from_them),
            to_them: mix(self.to_them, newest.to_them),
            concealed: mix(self.concealed, newest.concealed),
            frozen: mix(self.frozen, newest.frozen),
            round_trip_ms: mix(self.round_trip_ms, newest.round_trip_ms),
            our_kbps: rate(self.our_kbps, newest.our_kbps),
            their_kbps: rate(self.their_kbps, newest.their_kbps),
            we_lag: mix(self.we_lag, newest.we_lag),
            they_lag: mix(self.they_lag, newest.they_lag),
        }
    }

    /// The worst that can be named. What was named before is held to a lower bound.
    fn verdict(&self, shown: Quality) -> Quality {
        let candidates = self.candidates().map(|(cause, measure, fair, poor)| {
            let named = shown.cause.is_some_and(|named| named.name() == cause.name());
            let exceeds =
                |bound: f32, grade: Grade| measure > if named && shown.grade >= grade { bound * RELIEF } else { bound };
            let grade = if exceeds(poor, Grade::Poor) {
                Grade::Poor
            } else if exceeds(fair, Grade::Fair) {
                Grade::Fair
            } else {
                Grade::Good
            };
            Quality { grade, cause: (grade != Grade::Good).then_some(cause) }
        });
        // Of two that are as bad the one that is named first: causes stand before their effects.
        candidates.into_iter().rev().max_by_key(|quality| quality.grade).unwrap_or(Quality::GOOD)
    }

    /// Each cause with its measure, and from where on that is fair and poor.
    fn candidates(&self) -> [(Cause, f32, f32, f32); 10] {
        let both = self.from_them.min(self.to_them);
        // Slowness grows as the rate falls: 1 is where it is noticed. No estimate is no slowness.
        let slowness = |kbps: f32| if kbps == 0.0 { 0.0 } else { 500.0 / kbps };
        [
            (Cause::NetworkLoses(self.from_them.max(self.to_them)), both, 2.0, 10.0),
            (Cause::TheirUplinkLoses(self.from_them), self.from_them, 2.0, 10.0),
            (Cause::YourUplinkLoses(self.to_them), self.to_them, 2.0, 10.0),
            (Cause::YourNetworkSlow(self.our_kbps), slowness(self.our_kbps), 1.0, 3.0),
            (Cause::TheirNetworkSlow(self.their_kbps), slowness(self.their_kbps), 1.0, 3.0),
            (Cause::YourComputerSlow, self.we_lag, 0.6, f32::INFINITY),
            (Cause::TheirComputerSlow, self.they_lag, 0.6, f32::INFINITY),
            (Cause::RoundTrip(self.round_trip_ms), self.round_trip_ms, 300.0, 800.0),
            (Cause::SoundConcealed(self.concealed), self.concealed, 3.0, 10.0),
            (Cause::PictureFreezes(self.frozen), self.frozen, 5.0, 30.0),
        ]
    }

    /// The same cause with its present number.
    fn renew(&self, cause: Cause) -> Cause {
        let same = |(candidate, ..): &(Cause, f32, f32, f32)| candidate.name() == cause.name();
        self.candidates().into_iter().find(same).map_or(cause, |(renewed, ..)| renewed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests; an origin for virtual time")]
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Call {
        now: Instant,
        judge: Judge,
    }

    impl Call {
        fn new() -> Self {
            Self { now: Instant::now(), judge: Judge::default() }
        }

        fn seconds(&mut self, count: u32, ours: &Measured, theirs: &ReceiveReport) -> Quality {
            let mut last = Quality::GOOD;
            for _ in 0..count {
                last = self.judge.judge(self.now, ours, Some(theirs));
                self.now += SECOND;
            }
            last
        }
    }

    fn losing(percent: f32) -> Measured {
        let report = ReceiveReport { loss_percent: percent, ..ReceiveReport::default() };
        Measured { report, ..Measured::default() }
    }

    fn name(quality: Quality) -> &'static str {
        quality.cause.map_or("none", Cause::name)
    }

    #[test]
    fn each_cause_is_named() {
        let calm = ReceiveReport::default();
        let loss = |percent| ReceiveReport { loss_percent: percent, ..calm };
        let rate = |kbps| ReceiveReport { available_kbps: kbps, ..calm };
        let lag = ReceiveReport { overloaded: true, ..calm };
        let of = |report| Measured { report, ..Measured::default() };
        let far = Measured { round_trip: Some(Duration::from_millis(600)), ..Measured::default() };
        let frozen = Measured { frozen: Duration::from_millis(500), ..Measured::default() };
        let patchy = of(ReceiveReport { concealed_percent: 20.0, ..calm });
        for (ours, theirs, grade, cause, words) in [
            (of(calm), calm, Grade::Good, "none", "Sound and picture flow freely."),
            (losing(8.0), calm, Grade::Fair, "their-uplink-loses", "Their uplink loses 8%."),
            (of(calm), loss(12.0), Grade::Poor, "your-uplink-loses", "Your uplink loses 12%."),
            (losing(12.0), loss(15.0), Grade::Poor, "network-loses", "The network between you loses 15%."),
            (of(rate(300)), calm, Grade::Fair, "your-network-slow", "Your network is slow: 300 kb/s."),
            (of(calm), rate(100), Grade::Poor, "their-network-slow", "Their network is slow: 100 kb/s."),
            (far, calm, Grade::Fair, "round-trip", "Sound takes long: 600 ms there and back."),
            (frozen, calm, Grade::Poor, "picture-freezes", "Their picture stands still 50% of the time."),
            (patchy, calm, Grade::Poor, "sound-concealed", "20% of their sound doesn't arrive in time."),
            (of(lag), calm, Grade::Fair, "your-computer-slow", "Your computer can't keep up with the pictures."),
            (of(calm), lag, Grade::Fair, "their-computer-slow", "Their computer can't keep up with the pictures."),
        ] {
            let quality = Call::new().seconds(3, &ours, &theirs);
            assert_eq!((quality.grade, name(quality)), (grade, cause), "{words}");
            assert_eq!(quality.to_string(), words);
        }
    }

    #[test]
    fn the_cause_stands_before_its_effects() {
        let report = ReceiveReport { loss_percent: 20.0, concealed_percent: 20.0, ..ReceiveReport::default() };
        let ours = Measured { report, frozen: SECOND, ..Measured::default() };
        assert_eq!(name(Call::new().seconds(1, &ours, &ReceiveReport::default())), "their-uplink-loses");
    }

    #[test]
    fn one_bad_second_among_good_ones_is_not_mentioned() {
        let (mut call, calm) = (Call::new(), ReceiveReport::default());
        assert_eq!(call.seconds(10, &losing(0.0), &calm), Quality::GOOD);
        assert_eq!(call.seconds(1, &losing(4.0), &calm), Quality::GOOD);
        assert_eq!(call.seconds(10, &losing(0.0), &calm), Quality::GOOD);
    }

    #[test]
    fn better_has_to_last_before_it_is_said() {
        let (mut call, calm) = (Call::new(), ReceiveReport::default());
        assert_eq!(call.seconds(5, &losing(20.0), &calm).grade, Grade::Poor);
        let calmed = u32::try_from(CALM.as_secs()).unwrap();
        assert_eq!(call.seconds(calmed, &losing(0.0), &calm).grade, Grade::Poor);
        assert_eq!(call.seconds(calmed + 2, &losing(0.0), &calm).grade, Grade::Good);
    }

    #[test]
    fn a_measure_at_its_bound_does_not_flicker() {
        let (mut call, calm) = (Call::new(), ReceiveReport::default());
        let mut changes = 0;
        let mut last = call.seconds(5, &losing(2.5), &calm).grade;
        for second in 0..60 {
            let grade = call.seconds(1, &losing(if second % 2 == 0 { 1.2 } else { 2.8 }), &calm).grade;
            changes += u32::from(grade != last);
            last = grade;
        }
        assert_eq!((last, changes), (Grade::Fair, 0));
    }
}
