//! The playout buffer in virtual time, over networks that delay, lose, repeat and reorder, and against clocks that drift.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests, whose virtual time needs a zero")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use visavis_dsp::{PlayoutAction, PlayoutBuffer, PlayoutConfig, PlayoutStats, Speed};
use visavis_frame::RtpPacket;

const MS: Duration = Duration::from_millis(1);
const PACKET: Duration = Duration::from_millis(20);
/// A period of a voice, taken out or put in by a change of speed.
const PERIOD: Duration = Duration::from_millis(7);

/// A packet whose payload says which it is: an Opus header of 20 ms, then the number.
fn packet(number: u32) -> RtpPacket {
    let payload = [&[0x78][..], &number.to_be_bytes()].concat();
    let timestamp = (u32::MAX - 48_000).wrapping_add(number * 960);
    RtpPacket { sequence: 65_000u16.wrapping_add(number as u16), timestamp, marker: false, payload }
}

fn number(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[1..].try_into().unwrap())
}

/// What was heard: packet numbers with when, and what stood in for packets.
struct Heard {
    played: Vec<(Duration, u32)>,
    actions: Vec<(Duration, PlayoutAction)>,
    stats: Vec<(Duration, PlayoutStats)>,
}

impl Heard {
    fn last(&self) -> PlayoutStats {
        self.stats.last().unwrap().1
    }

    fn count(&self, from: Duration, what: impl Fn(&PlayoutAction) -> bool) -> usize {
        self.actions.iter().filter(|(at, action)| *at >= from && what(action)).count()
    }

    fn stats_at(&self, at: Duration) -> PlayoutStats {
        self.stats.iter().rfind(|(when, _)| *when <= at).unwrap().1
    }
}

/// Plays `arrivals` (time, packet number) for `seconds`.
fn play(mut arrivals: Vec<(Duration, u32)>, seconds: u64) -> Heard {
    arrivals.sort();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut buffer = PlayoutBuffer::new(PlayoutConfig::default());
    let start = Instant::now();
    let mut due = 3 * MS;
    let mut heard = Heard { played: Vec::new(), actions: Vec::new(), stats: Vec::new() };
    while due < Duration::from_secs(seconds) {
        while let Some((at, number)) = arrivals.next_if(|&(at, _)| at <= due) {
            buffer.insert(start + at, packet(number));
        }
        let action = buffer.next(start + due);
        let mut lasts = PACKET;
        if let PlayoutAction::Play { payload, speed } = &action {
            heard.played.push((due, number(payload)));
            match speed {
                Speed::Normal => {}
                Speed::Faster => lasts -= PERIOD,
                Speed::Slower => lasts += PERIOD,
            }
        }
        if let PlayoutAction::Recover { from } = &action {
            heard.played.push((due, number(from) - 1));
        }
        heard.actions.push((due, action));
        heard.stats.push((due, buffer.stats()));
        due += lasts;
    }
    heard
}

fn steady(seconds: u32) -> impl Iterator<Item = (Duration, u32)> {
    (0..seconds * 50).map(|number| (PACKET * number, number))
}

/// A small generator, so that every run is the same.
fn noise(seed: u32) -> impl FnMut(u32) -> u32 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    }
}

fn is_stand_in(action: &PlayoutAction) -> bool {
    matches!(action, PlayoutAction::Conceal | PlayoutAction::Silence)
}

#[test]
fn a_steady_stream_settles_low_and_is_whole() {
    let heard = play(steady(20).collect(), 19);
    let from = Duration::from_secs(5);
    assert_eq!(heard.count(Duration::from_millis(100), is_stand_in), 0);
    assert!(heard.played.windows(2).all(|w| w[1].1 == w[0].1 + 1));
    for (_, stats) in heard.stats.iter().filter(|(at, _)| *at > from) {
        assert!(stats.delay >= 5 * MS && stats.delay <= 25 * MS, "{:?}", stats.delay);
    }
    let speeds = heard.count(from, |a| matches!(a, PlayoutAction::Play { speed, .. } if *speed != Speed::Normal));
    assert!(speeds <= 2, "{speeds} changes of speed with nothing to change for");
}

#[test]
fn what_is_asked_for_early_waits_no_longer_than_that() {
    // Ten milliseconds a packet, asked for twelve before its turn.
    let lead = 12 * MS;
    let mut buffer = PlayoutBuffer::new(PlayoutConfig::default());
    buffer.set_lead(lead);
    let start = Instant::now();
    for index in 0..2_000u32 {
        let now = start + 10 * MS * index;
        let payload = [&[0x70][..], &index.to_be_bytes()].concat();
        buffer.insert(now, RtpPacket { sequence: index as u16, timestamp: index * 480, marker: false, payload });
        let action = buffer.next(now + lead + 3 * MS);
        assert!(index < 10 || !is_stand_in(&action), "{index}: {action:?}");
    }
    assert_eq!(buffer.packet_samples(), 480);
    assert!(buffer.stats().target >= lead && buffer.stats().target <= lead + 10 * MS, "{:?}", buffer.stats());
}

#[test]
fn lost_packets_are_restored_from_the_next() {
    for percent in [5, 10] {
        let mut random = noise(percent);
        let heard = play(steady(30).filter(|_| random(100) >= percent).collect(), 29);
        let stats = heard.last();
        let lost = 29 * 50 * u64::from(percent) / 100;
        assert!(stats.recovered * 10 > lost * 7, "{percent}%: {} of about {lost} restored", stats.recovered);
        assert!(stats.concealed * 10 < lost * 4, "{percent}%: {} concealed", stats.concealed);
        assert!(stats.delay < 60 * MS, "{percent}%: {:?}", stats.delay);
    }
}

#[test]
fn jitter_raises_the_target_until_nearly_nothing_is_late() {
    let mut random = noise(7);
    let heard = play(steady(30).map(|(at, n)| (at + MS * random(80), n)).collect(), 29);
    let stats = heard.last();
    assert!(stats.target >= 70 * MS && stats.target <= 110 * MS, "{:?}", stats.target);
    let missing = heard.count(Duration::from_secs(10), is_stand_in);
    assert!(missing < 19 * 50 / 20, "{missing} stand-ins in 19 s");
}

#[test]
fn bursts_raise_the_target_and_calm_brings_it_down_again() {
    // From 5 s to 15 s the network holds everything back for 200 ms, once a second.
    let held = |at: Duration| {
        let in_second = at.subsec_millis();
        let burst = (5..15).contains(&at.as_secs()) && in_second < 200;
        if burst { Duration::from_secs(at.as_secs()) + 200 * MS } else { at }
    };
    let heard = play(steady(60).map(|(at, n)| (held(at), n)).collect(), 59);
    let (calm, rough, after) = (Duration::from_secs(4), Duration::from_secs(14), Duration::from_secs(58));
    assert!(heard.stats_at(calm).target <= 25 * MS);
    assert!(heard.stats_at(rough).target >= 150 * MS, "{:?}", heard.stats_at(rough).target);
    assert!(heard.stats_at(after).target <= 40 * MS, "{:?}", heard.stats_at(after).target);
    assert!(heard.stats_at(after).delay <= 60 * MS, "{:?}", heard.stats_at(after).delay);
}

#[test]
fn drift_of_the_senders_clock_is_followed() {
    for micros in [19_500, 20_500] {
        let arrivals = (0..3000).map(|number| (Duration::from_micros(micros) * number, number)).collect();
        let seconds = micros * 3000 / 1_000_000 - 1;
        let heard = play(arrivals, seconds);
        for (at, stats) in heard.stats.iter().filter(|(at, _)| *at > Duration::from_secs(5)) {
            assert!(stats.delay <= 150 * MS, "{micros} µs a packet: {:?} at {at:?}", stats.delay);
        }
        let stand_ins = heard.count(Duration::from_secs(5), is_stand_in);
        assert!(stand_ins * 50 < heard.actions.len(), "{micros} µs a packet: {stand_ins} stand-ins");
        assert_eq!(heard.last().discarded, 0);
    }
}

#[test]
fn a_long_hole_is_silence_and_playing_starts_anew_behind_it() {
    let (from, to) = (Duration::from_secs(5), Duration::from_secs(8));
    let heard = play(steady(15).filter(|(at, _)| *at < from || *at >= to).collect(), 14);
    let silence = heard.count(from, |a| matches!(a, PlayoutAction::Silence));
    assert!((130..160).contains(&silence), "{silence}");
    assert!(heard.count(from, |a| matches!(a, PlayoutAction::Conceal)) <= 6);
    let (at, first) = *heard.played.iter().find(|(at, _)| *at > to).unwrap();
    assert_eq!(first, 400);
    assert!(at < to + 100 * MS);
    assert!(heard.last().delay < 40 * MS);
}

#[test]
fn a_held_up_network_does_not_leave_half_a_second_of_delay() {
    let stall = |at: Duration| if (5_000..6_500).contains(&at.as_millis()) { Duration::from_millis(6_500) } else { at };
    let heard = play(steady(30).map(|(at, n)| (stall(at), n)).collect(), 29);
    let soon = heard.stats_at(Duration::from_secs(9));
    assert!(soon.delay < 450 * MS, "{:?}", soon.delay);
    assert!(heard.last().delay < 120 * MS, "{:?}", heard.last().delay);
}

#[test]
fn a_jump_of_the_timestamps_starts_a_new_stream() {
    let mut buffer = PlayoutBuffer::new(PlayoutConfig::default());
    let start = Instant::now();
    let mut heard = Vec::new();
    for index in 0..200u32 {
        let now = start + PACKET * index;
        let mut next = packet(index);
        if index >= 100 {
            next.timestamp = next.timestamp.wrapping_add(1 << 31);
        }
        buffer.insert(now, next);
        if let PlayoutAction::Play { payload, .. } = buffer.next(now) {
            heard.push(number(&payload));
        }
    }
    assert!(heard.is_sorted());
    assert!(heard.len() > 190, "{}", heard.len());
}

#[test]
fn a_pause_of_the_sender_is_silence_and_no_loss() {
    let mut buffer = PlayoutBuffer::new(PlayoutConfig::default());
    let start = Instant::now();
    let mut actions = Vec::new();
    for tick in 0..100u32 {
        let now = start + PACKET * tick;
        // Numbers go on over the pause, timestamps go with the time.
        let number = if tick < 50 { tick } else { tick - 10 };
        if !(40..50).contains(&tick) {
            buffer.insert(now, RtpPacket { sequence: packet(number).sequence, ..packet(tick) });
        }
        actions.push(buffer.next(now));
    }
    assert_eq!(buffer.stats().recovered, 0);
    assert_eq!(buffer.stats().late, 0);
    assert!(actions[60..].iter().all(|a| matches!(a, PlayoutAction::Play { .. })), "{actions:?}");
}

#[test]
fn duplicates_and_latecomers_are_counted_and_dropped() {
    let twice = steady(5).flat_map(|(at, n)| [(at, n), (at + MS, n)]);
    let straggler = std::iter::once((Duration::from_secs(4), 10));
    let heard = play(twice.filter(|&(_, n)| n != 10).chain(straggler).collect(), 5);
    assert!(heard.played.windows(2).all(|w| w[1].1 == w[0].1 + 1));
    let stats = heard.last();
    assert_eq!(stats.recovered, 1);
    assert!(stats.late >= 1);
    assert!(stats.duplicates + stats.late > 240);
}

proptest! {
    #[test]
    fn whatever_comes_is_played_at_most_once_and_in_order(
        fates in proptest::collection::vec((0u32..10, 0u32..300, any::<bool>()), 1..300),
    ) {
        let mut arrivals = Vec::new();
        for (number, &(fate, late, twice)) in fates.iter().cycle().take(500).enumerate() {
            let at = PACKET * number as u32 + if fate < 3 { MS * late } else { Duration::ZERO };
            if fate != 9 {
                arrivals.push((at, number as u32));
            }
            if twice {
                arrivals.push((at + MS * late, number as u32));
            }
        }
        let heard = play(arrivals, 11);
        prop_assert!(heard.played.is_sorted_by(|a, b| a.1 < b.1));
        prop_assert!(heard.last().delay < 800 * MS);
    }

    #[test]
    fn any_packets_are_survived(
        packets in proptest::collection::vec((any::<u16>(), any::<u32>(), 0u32..50, proptest::collection::vec(any::<u8>(), 0..4)), 0..300),
    ) {
        let mut buffer = PlayoutBuffer::new(PlayoutConfig::default());
        let mut now = Instant::now();
        for (sequence, timestamp, later, payload) in packets {
            now += MS * later;
            // Half of them close together, so that not every packet starts a new stream.
            let timestamp = if sequence % 2 == 0 { timestamp } else { timestamp % 20_000 };
            buffer.insert(now, RtpPacket { sequence, timestamp, marker: false, payload });
            buffer.next(now);
        }
    }
}
