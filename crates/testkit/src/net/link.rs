//! One direction between two hosts: delay, jitter, loss one by one or in bursts, rate with a drop-tail queue, blackouts.

use std::time::{Duration, Instant};

/// What IPv4 and UDP add to a datagram.
const HEADER_BYTES: usize = 28;

/// Loss in bursts (Gilbert's model): each packet may begin a burst, and each packet of a burst, all of which are lost, may be its end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bursts {
    /// The chance of a packet to be the first of a burst, 0 to 1.
    pub begin: f64,
    /// The chance of the packet after a lost one to get through, 0 to 1.
    pub end: f64,
}

/// How one direction between two hosts treats packets.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkConfig {
    /// Time on the way.
    pub delay: Duration,
    /// Added to it, evenly between zero and this.
    pub jitter: Duration,
    /// Whether jitter may change the order.
    pub reorder: bool,
    /// Share of packets lost, 0 to 1, each on its own.
    pub loss: f64,
    /// Packets lost in bursts, besides.
    pub bursts: Option<Bursts>,
    /// Bits per second, IP and UDP headers included; none: no limit.
    pub rate_bps: Option<u64>,
    /// Bytes that wait where the rate is limited; what comes when they are full is dropped.
    pub buffer_bytes: usize,
}

impl Default for LinkConfig {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            reorder: false,
            loss: 0.0,
            bursts: None,
            rate_bps: None,
            buffer_bytes: 64 * 1024,
        }
    }
}

impl LinkConfig {
    /// A clean link with so much delay.
    #[must_use]
    pub fn with_delay(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It arrives, so long after it was sent.
    Arrives(Duration),
    /// It got lost.
    Lost,
    /// The queue was full.
    Overflowed,
    /// The link was dark.
    Dark,
    /// Nobody has that address.
    Nowhere,
}

/// The state of one direction.
#[derive(Debug, Default)]
pub(crate) struct Link {
    pub(crate) config: LinkConfig,
    busy_until: Option<Instant>,
    last_arrival: Option<Instant>,
    dark_until: Option<Instant>,
    in_burst: bool,
}

impl Link {
    pub(crate) fn darken(&mut self, until: Instant) {
        self.dark_until = Some(until);
    }

    /// Decides on a packet of `bytes` that is sent now.
    pub(crate) fn send(&mut self, now: Instant, bytes: usize, rng: &mut Rng) -> Fate {
        // Drawn for each packet, whatever happens to it, so that one setting doesn't shift the dice of another.
        let (loss, jitter) = (rng.unit(), rng.unit());
        let burst = self.config.bursts.is_some_and(|bursts| self.bursts(bursts, rng.unit()));
        if self.dark_until.is_some_and(|until| now < until) {
            return Fate::Dark;
        }
        if loss < self.config.loss || burst {
            return Fate::Lost;
        }
        let Some(departure) = self.departure(now, bytes + HEADER_BYTES) else { return Fate::Overflowed };
        let mut arrival = departure + self.config.delay + self.config.jitter.mul_f64(jitter);
        if !self.config.reorder {
            arrival = self.last_arrival.map_or(arrival, |last| arrival.max(last));
        }
        self.last_arrival = Some(arrival);
        Fate::Arrives(arrival - now)
    }

    fn bursts(&mut self, bursts: Bursts, dice: f64) -> bool {
        self.in_burst = if self.in_burst { dice >= bursts.end } else { dice < bursts.begin };
        self.in_burst
    }

    fn departure(&mut self, now: Instant, bytes: usize) -> Option<Instant> {
        let Some(rate) = self.config.rate_bps else { return Some(now) };
        let start = self.busy_until.map_or(now, |busy| busy.max(now));
        let waiting = (start - now).as_secs_f64() * rate as f64 / 8.0;
        if waiting + bytes as f64 > self.config.buffer_bytes as f64 {
            return None;
        }
        let departure = start + Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
        self.busy_until = Some(departure);
        Some(departure)
    }
}

/// SplitMix64: small, and the same everywhere.
#[derive(Clone, Debug)]
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limited_rate_queues_and_then_drops() {
        let config = LinkConfig { rate_bps: Some(1_000_000), buffer_bytes: 10_000, ..LinkConfig::default() };
        let mut link = Link { config, ..Link::default() };
        let (now, mut rng) = (Instant::now(), Rng::new(1));
        let fates: Vec<_> = (0..20).map(|_| link.send(now, 1000 - HEADER_BYTES, &mut rng)).collect();
        assert_eq!(fates[0], Fate::Arrives(Duration::from_millis(8)));
        assert_eq!(fates[9], Fate::Arrives(Duration::from_millis(80)));
        assert!(fates[10..].iter().all(|fate| *fate == Fate::Overflowed));
    }

    #[test]
    fn loss_is_near_what_was_asked_for_and_follows_the_seed() {
        let lost = |seed| {
            let mut link = Link { config: LinkConfig { loss: 0.1, ..LinkConfig::default() }, ..Link::default() };
            let (now, mut rng) = (Instant::now(), Rng::new(seed));
            (0..10_000).filter(|_| link.send(now, 100, &mut rng) == Fate::Lost).count()
        };
        assert!((900..1100).contains(&lost(7)), "{}", lost(7));
        assert_eq!(lost(7), lost(7));
        assert_ne!(lost(7), lost(8));
    }

    #[test]
    fn bursts_are_as_many_and_as_long_as_was_asked_for() {
        let bursts = Some(Bursts { begin: 0.03, end: 0.25 });
        let mut link = Link { config: LinkConfig { bursts, ..LinkConfig::default() }, ..Link::default() };
        let (now, mut rng) = (Instant::now(), Rng::new(4));
        let fates: Vec<_> = (0..50_000).map(|_| link.send(now, 100, &mut rng) == Fate::Lost).collect();
        let lost = fates.iter().filter(|lost| **lost).count();
        let runs = fates.windows(2).filter(|pair| !pair[0] && pair[1]).count();
        // 3 of 28 are lost, four at a time.
        assert!((5000..5700).contains(&lost), "{lost}");
        assert!((3.8..4.2).contains(&(lost as f64 / runs as f64)), "{lost} in {runs}");
    }

    #[test]
    fn jitter_keeps_the_order_unless_told_otherwise() {
        let arrivals = |reorder| {
            let config = LinkConfig { jitter: Duration::from_millis(50), reorder, ..LinkConfig::default() };
            let mut link = Link { config, ..Link::default() };
            let (start, mut rng) = (Instant::now(), Rng::new(3));
            let sent = (0..100).map(|i| start + Duration::from_millis(i));
            sent.filter_map(|now| match link.send(now, 100, &mut rng) {
                Fate::Arrives(after) => Some(now + after),
                Fate::Lost | Fate::Overflowed | Fate::Dark | Fate::Nowhere => None,
            })
            .collect::<Vec<_>>()
        };
        assert!(arrivals(false).is_sorted());
        assert!(!arrivals(true).is_sorted());
    }

    #[test]
    fn nothing_passes_in_the_dark() {
        let (mut link, now, mut rng) = (Link::default(), Instant::now(), Rng::new(1));
        link.darken(now + Duration::from_secs(1));
        assert_eq!(link.send(now, 1, &mut rng), Fate::Dark);
        assert_eq!(link.send(now + Duration::from_secs(1), 1, &mut rng), Fate::Arrives(Duration::ZERO));
    }
}
