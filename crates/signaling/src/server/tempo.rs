//! How long real creators take to answer, seen from the server, so that those that it plays take as long. What is kept is two
//! times of each of a few, and nothing that says in which room or with whom; where there are too few, times are drawn.
//!
//! Whoever plays creators of their own, to know the played ones by times that nobody else has, is heard once for each large
//! network that they are in. Addresses, even whole /48 of IPv6, are too cheap to be counted by.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use super::source::Source;
use crate::message::Role;
use crate::random::Randomness;

/// Creators that are remembered. So many have to come before none is drawn any more.
const MOST: usize = 64;
/// A longer time is that of a connection that was lost in between.
const LONGEST: Duration = Duration::from_secs(1);
/// Drawn: the way from the server to a creator's app and back, milliseconds; of two the shorter one.
const TRIP: (u64, u64) = (6, 180);
/// Drawn: how long an app takes to make its offer, milliseconds.
const OFFER: (u64, u64) = (15, 90);
/// By how much a played creator differs from the one that it is like, percent: no two have the very same times.
const ALIKE: (u64, u64) = (80, 125);

/// How quick one creator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tempo {
    /// From a body that is sent to it to its acknowledgement.
    pub(super) trip: Duration,
    /// From there to its offer.
    pub(super) offer: Duration,
}

impl Tempo {
    fn drawn(random: &mut dyn Randomness) -> Self {
        let trip = millis(random, TRIP).min(millis(random, TRIP));
        Self { trip, offer: millis(random, OFFER) }
    }

    /// About the same.
    fn another(self, random: &mut dyn Randomness) -> Self {
        let mut about = |time: Duration| time * u32::try_from(between(random, ALIKE)).unwrap_or(100) / 100;
        Self { trip: about(self.trip), offer: about(self.offer) }
    }
}

/// A network as large as a provider's: what is kept of where a creator was.
fn network_of(source: Source) -> Option<IpAddr> {
    match source {
        Source::One(IpAddr::V4(v4)) => Some(Ipv4Addr::from_bits(v4.to_bits() & !0xFFFF).into()),
        Source::One(IpAddr::V6(v6)) => Some(Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX >> 32)).into()),
        Source::Rest => None,
    }
}

/// The creators of late.
#[derive(Debug, Default)]
pub(super) struct Tempos {
    /// The oldest first, of each network the newest one.
    known: VecDeque<(IpAddr, Tempo)>,
}

impl Tempos {
    pub(super) fn keep(&mut self, source: Source, tempo: Tempo) {
        let fits = tempo.trip <= LONGEST && tempo.offer <= LONGEST;
        let Some(network) = network_of(source).filter(|_| fits) else { return };
        self.known.retain(|(other, _)| *other != network);
        if self.known.len() >= MOST {
            self.known.pop_front();
        }
        self.known.push_back((network, tempo));
    }

    /// That of a creator who might come next.
    pub(super) fn draw(&self, random: &mut dyn Randomness) -> Tempo {
        let place = usize::try_from(between(random, (0, MOST as u64 - 1))).unwrap_or_default();
        match self.known.get(place) {
            Some((_, tempo)) => tempo.another(random),
            None => Tempo::drawn(random),
        }
    }
}

/// How one exchange begins.
#[derive(Debug, Default)]
pub(super) struct Beginning {
    asked: Option<Instant>,
    trip: Option<Duration>,
    offer: Option<Duration>,
}

impl Beginning {
    /// The first body of that one of the two was passed on.
    pub(super) fn first_body(&mut self, now: Instant, from: Role) {
        match from {
            Role::Joiner => self.asked = Some(now),
            Role::Creator => {
                let acknowledged = self.asked.zip(self.trip).map(|(asked, trip)| asked + trip);
                self.offer = acknowledged.map(|acknowledged| now.saturating_duration_since(acknowledged));
            }
        }
    }

    /// The creator has acknowledged something.
    pub(super) fn acknowledged(&mut self, now: Instant) {
        self.trip = self.trip.or_else(|| Some(now.saturating_duration_since(self.asked?)));
    }

    /// The creator's tempo, once it has answered.
    pub(super) fn tempo(&self) -> Option<Tempo> {
        Some(Tempo { trip: self.trip?, offer: self.offer? })
    }
}

pub(super) fn between(random: &mut dyn Randomness, (low, high): (u64, u64)) -> u64 {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    low + u64::from_le_bytes(bytes) % (high - low + 1)
}

pub(super) fn millis(random: &mut dyn Randomness, range: (u64, u64)) -> Duration {
    Duration::from_millis(between(random, range))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::random::SplitMix;

    fn source(number: u8) -> Source {
        Source::One(IpAddr::from([7, number, 0, 1]))
    }

    fn tempo(trip: u64, offer: u64) -> Tempo {
        Tempo { trip: Duration::from_millis(trip), offer: Duration::from_millis(offer) }
    }

    /// How many of a thousand are like one with these times, which are longer than any drawn.
    fn like(tempos: &Tempos, trip: u64, offer: u64) -> usize {
        let mut random = SplitMix::new(1);
        let about = |time: Duration, of: u64| (of * 8 / 10..=of * 125 / 100).contains(&(time.as_millis() as u64));
        let drawn = (0..1000).map(|_| tempos.draw(&mut random));
        drawn.filter(|drawn| about(drawn.trip, trip) && about(drawn.offer, offer)).count()
    }

    #[test]
    fn they_are_drawn_until_enough_are_known() {
        let mut tempos = Tempos::default();
        assert_eq!(like(&tempos, 400, 200), 0);
        (0..32).for_each(|number| tempos.keep(source(number), tempo(400, 200)));
        assert!((400..600).contains(&like(&tempos, 400, 200)));
        (0..200).for_each(|number| tempos.keep(source(number), tempo(400, 200)));
        assert_eq!((like(&tempos, 400, 200), tempos.known.len()), (1000, MOST));
    }

    #[test]
    fn a_network_is_heard_once() {
        let mut tempos = Tempos::default();
        (0..62).for_each(|number| tempos.keep(source(number), tempo(400, 200)));
        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            tempos.keep(Source::One(IpAddr::from([7, 99, high, low])), tempo(900, 900));
            let address = Ipv6Addr::new(0x2001, 0xdb8, number, number, 0, 0, 0, 0);
            tempos.keep(Source::One(address.into()), tempo(900, 900));
            tempos.keep(Source::Rest, tempo(900, 900));
        }
        assert_eq!(tempos.known.len(), MOST);
        assert!((1..70).contains(&like(&tempos, 900, 900)), "two of {MOST}");
    }

    #[test]
    fn what_no_app_and_network_take_isnt_heard() {
        let mut tempos = Tempos::default();
        tempos.keep(source(1), tempo(1001, 1));
        tempos.keep(source(2), tempo(1, 1001));
        assert!(tempos.known.is_empty());
    }

    #[test]
    fn no_two_have_the_very_same_times() {
        let mut tempos = Tempos::default();
        (0..64).for_each(|number| tempos.keep(source(number), tempo(400, 200)));
        let mut random = SplitMix::new(1);
        let drawn: std::collections::HashSet<_> =
            (0..20).map(|_| tempos.draw(&mut random)).map(|tempo| (tempo.trip, tempo.offer)).collect();
        assert!(drawn.len() > 15);
    }
}
