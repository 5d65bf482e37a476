//! How much forward error correction video needs: decided from what the path loses, how it loses it, and how long a resend takes.
//!
//! A lost packet that comes again soon enough is never seen: a picture may be late by [`HIDDEN`] before anybody calls it a
//! freeze. Where a resend, and a resend of the resend, fit into that, little or nothing has to be sent in advance. Where
//! the round trip is longer, only repair packets (RFC 8681 describes the kind of code) that left with the pictures help,
//! and there must be enough of them that in nearly every stretch of [`HIDDEN`] no more is lost than they make good.
//!
//! What is spent comes out of the estimate's target: [`Protection::media_share`] is what is left for new pictures.

use std::time::{Duration, Instant};

use crate::packet::Arrival;

/// How late a picture may be and nobody sees it: the W3C's freeze is 150 ms over the mean gap (webrtc-stats, `freezeCount`),
/// less what a timer, a pacer and a decoder take.
pub const HIDDEN: Duration = Duration::from_millis(130);
/// From a gap in the numbers to the request, and from the request to the resend, besides the round trip: waiting for repairs, timers
/// and pacers.
const ASKING: Duration = Duration::from_millis(20);
/// The share of stretches in which more may be lost than can be made good in time.
const FAILING: f64 = 1e-4;
/// Never more repairs than media: beyond, a smaller picture is the better protection.
const MOST: f64 = 1.0;
/// Of what repairs don't make good in time much comes again.
const STILL_RESENT: f64 = 0.3;

/// Packets over which loss is remembered.
const MEMORY_PACKETS: f64 = 500.0;
/// And for how long, roughly.
const MEMORY: f64 = 6.0;
/// Loss of a path of which nothing is known yet counts as seen over so many packets.
const UNKNOWN_PACKETS: f64 = 20.0;
/// Losses that are taken to be single ones until more is known.
const UNKNOWN_LOSSES: f64 = 8.0;
/// Bursts count as at most so strongly connected.
const MOST_CONNECTED: f64 = 0.8;

/// What a path loses, over some seconds: smoother than the estimate's own measure, which must be quick.
#[derive(Debug, Default)]
pub struct PathLoss {
    /// The newest packet that was heard of, and whether it was lost.
    newest: Option<(u64, bool)>,
    heard: Option<Instant>,
    /// Forgotten bit by bit: packets, losses, losses right after a loss.
    packets: f64,
    losses: f64,
    pairs: f64,
}

impl PathLoss {
    /// The receiver told of packets, in the order of their numbers. Those that were told of before say nothing new.
    pub fn on_report(&mut self, now: Instant, arrivals: &[Arrival]) {
        let passed = self.heard.replace(now).map_or(0.0, |last| now.saturating_duration_since(last).as_secs_f64());
        self.forget((-passed / MEMORY).exp());
        for arrival in arrivals {
            if self.newest.is_some_and(|(newest, _)| arrival.sequence <= newest) {
                continue;
            }
            let lost = arrival.received.is_none();
            let follows = self.newest.is_some_and(|(newest, was_lost)| was_lost && newest + 1 == arrival.sequence);
            self.forget(1.0 - 1.0 / MEMORY_PACKETS);
            self.packets += 1.0;
            self.losses += f64::from(u8::from(lost));
            self.pairs += f64::from(u8::from(lost && follows));
            self.newest = Some((arrival.sequence, lost));
        }
    }

    fn forget(&mut self, share: f64) {
        self.packets *= share;
        self.losses *= share;
        self.pairs *= share;
    }

    /// Share of packets lost, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        (self.losses / self.packets.max(UNKNOWN_PACKETS)).clamp(0.0, 1.0)
    }

    /// How much more the number of losses varies than if each fell on its own: 1 where they do, more where they come in
    /// bursts. For a path that loses in runs (Gilbert's model) it is (1 + c) / (1 − c), with c the correlation of neighbours.
    #[must_use]
    pub fn burstiness(&self) -> f64 {
        let share = self.share();
        let after_a_loss = (self.pairs + share * UNKNOWN_LOSSES) / (self.losses + UNKNOWN_LOSSES);
        let connected = ((after_a_loss - share) / (1.0 - share).max(0.01)).clamp(0.0, MOST_CONNECTED);
        (1.0 + connected) / (1.0 - connected)
    }
}

/// What to spend on losses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Protection {
    /// Repair packets for each packet of media, 0 to 1.
    pub repairs: f64,
    /// Packets that will be sent again for each packet of media.
    pub resends: f64,
}

impl Protection {
    /// Protection where nothing is sent in advance: every lost packet comes again.
    #[must_use]
    pub fn by_resending(loss: f64) -> Self {
        let loss = sane(loss);
        Self { repairs: 0.0, resends: loss / (1.0 - loss) }
    }

    /// What a path needs that loses this `share` of packets with this [`burstiness`](PathLoss::burstiness), where about
    /// `packets` of media leave in [`HIDDEN`].
    #[must_use]
    pub fn against(share: f64, burstiness: f64, round_trip: Duration, packets: f64) -> Self {
        let loss = sane(share);
        let packets = if packets.is_finite() { packets.clamp(1.0, 500.0) } else { 1.0 };
        let burstiness = if burstiness.is_finite() { burstiness.clamp(1.0, 10.0) } else { 1.0 };
        let resending = Self::by_resending(loss);
        let failing = FAILING / resend_fails(loss, round_trip);
        let any_lost = 1.0 - (1.0 - loss).powf(packets / burstiness);
        if failing >= any_lost {
            return resending;
        }
        let repairs = repairs_for(loss, burstiness, packets, deviations(failing));
        Self { repairs: (repairs / packets).min(MOST), resends: resending.resends * STILL_RESENT }
    }

    /// The share of video's rate that is left for new pictures.
    #[must_use]
    pub fn media_share(&self) -> f64 {
        1.0 / (1.0 + self.repairs.max(0.0) + self.resends.max(0.0))
    }
}

fn sane(loss: f64) -> f64 {
    if loss.is_finite() { loss.clamp(0.0, 0.5) } else { 0.0 }
}

/// How likely a lost packet isn't there again in time: each round trip that fits gives one more try.
fn resend_fails(loss: f64, round_trip: Duration) -> f64 {
    let tries = (HIDDEN.as_secs_f64() / (round_trip + ASKING).as_secs_f64()).floor().min(5.0);
    // The request or its answer is lost.
    (1.0 - (1.0 - loss).powi(2)).powf(tries).max(1e-9)
}

/// So many repairs that what arrives of them is as much as is lost of the `packets`, but for losses that are that many standard
/// deviations over the mean.
fn repairs_for(loss: f64, burstiness: f64, packets: f64, deviations: f64) -> f64 {
    let mut repairs = packets * loss;
    // Converges quickly: what is spent on repairs can be lost, too.
    for _ in 0..6 {
        let spread = ((packets + repairs) * loss * (1.0 - loss) * burstiness).sqrt();
        repairs = (packets * loss + deviations * spread) / (1.0 - loss);
    }
    repairs
}

/// How many standard deviations a normal variable exceeds with this probability: the approximation of Abramowitz and Stegun,
/// 26.2.22, good to 0.003.
fn deviations(probability: f64) -> f64 {
    if probability >= 0.5 {
        return 0.0;
    }
    let t = (-2.0 * probability.max(1e-9).ln()).sqrt();
    t - (2.30753 + 0.27061 * t) / (1.0 + 0.99229 * t + 0.04481 * t * t)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn start() -> Instant {
        #[allow(clippy::disallowed_methods, reason = "any instant will do: the test counts from it")]
        Instant::now()
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Reports of 50 packets each, of which those are lost that `lost` says.
    fn heard(path: &mut PathLoss, reports: u64, lost: impl Fn(u64) -> bool) {
        let start = start();
        for report in 0..reports {
            let numbers = report * 50..(report + 1) * 50;
            let arrivals: Vec<_> = numbers
                .map(|sequence| Arrival { sequence, received: (!lost(sequence)).then_some(Duration::ZERO) })
                .collect();
            path.on_report(start + ms(100 * report), &arrivals);
        }
    }

    #[test]
    fn loss_is_measured_with_its_bursts() {
        let (mut even, mut bursts) = (PathLoss::default(), PathLoss::default());
        heard(&mut even, 40, |sequence| sequence % 10 == 0);
        heard(&mut bursts, 40, |sequence| sequence % 40 < 4);
        for path in [&even, &bursts] {
            assert!((path.share() - 0.1).abs() < 0.02, "{}", path.share());
        }
        assert!(even.burstiness() < 1.05, "{}", even.burstiness());
        assert!((4.0..8.0).contains(&bursts.burstiness()), "{}", bursts.burstiness());
    }

    #[test]
    fn what_was_told_twice_counts_once() {
        let mut path = PathLoss::default();
        heard(&mut path, 10, |sequence| sequence % 10 == 0);
        let before = path.share();
        heard(&mut path, 10, |_| true);
        assert!((path.share() - before).abs() < 0.01, "{} {before}", path.share());
    }

    #[test]
    fn nothing_is_sent_in_advance_where_resends_come_in_time() {
        for (loss, round_trip) in [(0.0, 400), (0.01, 40), (0.001, 200)] {
            let protection = Protection::against(loss, 1.0, ms(round_trip), 20.0);
            let few = if loss > 0.0 && round_trip > 100 { 0.12 } else { 0.0 };
            assert!(protection.repairs <= few, "{loss} at {round_trip} ms: {protection:?}");
        }
    }

    #[test]
    fn loss_bursts_and_distance_ask_for_more() {
        let repairs =
            |loss, burstiness, round_trip| Protection::against(loss, burstiness, ms(round_trip), 20.0).repairs;
        let near = repairs(0.05, 1.0, 40);
        assert!((0.08..0.2).contains(&near), "{near}");
        let ten = repairs(0.1, 1.0, 100);
        assert!((0.3..0.45).contains(&ten), "{ten}");
        assert!(repairs(0.1, 1.0, 400) > ten && repairs(0.1, 6.0, 100) > ten * 1.5 && repairs(0.2, 1.0, 100) > ten);
        assert!((0.9..=1.0).contains(&repairs(0.3, 1.0, 400)));
    }

    #[test]
    fn large_pictures_need_a_smaller_share() {
        let repairs = |packets| Protection::against(0.1, 1.0, ms(200), packets).repairs;
        assert!(repairs(10.0) > repairs(30.0) && repairs(30.0) > repairs(100.0) && repairs(100.0) > 0.11);
    }

    #[test]
    fn what_is_spent_is_missing_for_pictures() {
        let without = Protection::by_resending(0.2).media_share();
        assert!((without - 0.8).abs() < 1e-9, "{without}");
        let with = Protection { repairs: 0.5, resends: 0.1 }.media_share();
        assert!((with - 0.625).abs() < 1e-9, "{with}");
    }

    proptest! {
        #[test]
        fn any_figures_give_a_share(loss: f64, burstiness: f64, millis in 0..100_000_u64, packets: f64) {
            let protection = Protection::against(loss, burstiness, ms(millis), packets);
            prop_assert!((0.0..=MOST).contains(&protection.repairs), "{:?}", protection);
            prop_assert!((0.3..=1.0).contains(&protection.media_share()), "{:?}", protection);
        }
    }
}
