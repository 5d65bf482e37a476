//! Both halves together: what is lost comes back as it was, and nothing that comes from outside breaks them.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

type Packet = Source<Vec<u8>>;

/// Pictures of `packets` packets each, 30 a second, from just before the numbers wrap.
fn pictures(count: usize, packets: usize) -> Vec<Packet> {
    (0..count * packets)
        .map(|i| Source {
            sequence: 65_500_u16.wrapping_add(i as u16),
            timestamp: 0xffff_f000_u32.wrapping_add((i / packets) as u32 * 3000),
            marker: i % packets == packets - 1,
            payload: (0..20 + i * 37 % 400).map(|j| (i * 31 + j * 7) as u8).collect(),
        })
        .collect()
}

/// What is sent, in order: media by their place, repairs by their number.
enum OnWire {
    Media(usize),
    Repair(u16, Vec<u8>),
}

fn sent(packets: &[Packet], repairs: f64) -> Vec<OnWire> {
    let (mut encoder, mut wire, mut number) = (RepairEncoder::default(), Vec::new(), 65_530_u16);
    for (index, packet) in packets.iter().enumerate() {
        wire.push(OnWire::Media(index));
        let due = encoder.protect(packet.clone(), repairs);
        for nth in 1..=due {
            let payload = encoder.repair(number, packet.marker && nth == due).unwrap();
            wire.push(OnWire::Repair(number, payload));
            number = number.wrapping_add(1);
        }
    }
    wire
}

/// What is worked out when the packets at these places on the wire are lost.
fn recovered(packets: &[Packet], wire: &[OnWire], lost: impl Fn(usize) -> bool) -> Vec<Packet> {
    let mut decoder = RepairDecoder::default();
    let mut out = Vec::new();
    for (_, packet) in wire.iter().enumerate().filter(|(place, _)| !lost(*place)) {
        match packet {
            OnWire::Media(index) => decoder.media(packets[*index].clone()),
            OnWire::Repair(number, payload) => drop(decoder.repair(*number, payload).unwrap()),
        }
        out.extend(std::iter::from_fn(|| decoder.poll()));
    }
    out
}

#[test]
fn as_many_losses_as_repairs_are_made_good() {
    let packets = pictures(1, 6);
    let wire = sent(&packets, 0.5);
    assert_eq!(wire.len(), 9);
    for lost in [[0, 1, 2], [3, 4, 5], [0, 3, 5], [5, 6, 7]] {
        let expected: Vec<_> = lost.iter().filter(|&&at| at < 6).map(|&at| packets[at].clone()).collect();
        let mut found = recovered(&packets, &wire, |place| lost.contains(&place));
        found.sort_by_key(|packet| packet.sequence.wrapping_sub(65_500));
        assert_eq!(found, expected, "{lost:?}");
    }
    assert!(recovered(&packets, &wire, |place| place < 4).is_empty(), "four losses and three repairs");
}

#[test]
fn the_next_pictures_repairs_help_this_one() {
    let packets = pictures(3, 5);
    let wire = sent(&packets, 0.4);
    // The whole second picture's repairs are lost, and two of its packets.
    let lost = |place: usize| matches!(place, 7 | 9 | 12 | 13);
    let found = recovered(&packets, &wire, lost);
    assert_eq!(
        found.iter().map(|p| p.sequence).collect::<BTreeSet<_>>(),
        [packets[5].sequence, packets[7].sequence].into()
    );
}

#[test]
fn what_comes_late_makes_the_rest_possible() {
    let packets = pictures(1, 6);
    let mut decoder = RepairDecoder::default();
    let wire = sent(&packets, 0.34);
    for packet in &wire[3..] {
        match packet {
            OnWire::Media(index) => decoder.media(packets[*index].clone()),
            OnWire::Repair(number, payload) => drop(decoder.repair(*number, payload)),
        }
    }
    assert_eq!(decoder.poll(), None, "three lost, two repairs");
    decoder.media(packets[1].clone());
    let found: BTreeSet<_> = std::iter::from_fn(|| decoder.poll()).map(|packet| packet.sequence).collect();
    assert_eq!(found, [packets[0].sequence, packets[2].sequence].into());
}

#[test]
fn repairs_of_what_is_there_are_useless_and_harmless() {
    let packets = pictures(2, 4);
    let mut decoder = RepairDecoder::default();
    for packet in &packets {
        decoder.media(packet.clone());
    }
    let wire = sent(&packets, 0.5);
    let repairs = wire.iter().filter_map(|packet| match packet {
        OnWire::Media(_) => None,
        OnWire::Repair(number, payload) => Some((*number, payload)),
    });
    let covered: Vec<_> = repairs.map(|(number, payload)| decoder.repair(number, payload).unwrap()).collect();
    assert!(covered.iter().all(|covered| covered.useless), "{covered:?}");
    assert_eq!(covered.iter().map(|covered| covered.last).collect::<Vec<_>>(), [false, true, false, true]);
    assert_eq!(covered[3].newest, packets[7].sequence);
    assert_eq!(decoder.poll(), None);
}

#[test]
fn the_window_slides_by_time_and_never_grows_beyond_its_bound() {
    let mut encoder = RepairEncoder::default();
    for packet in pictures(10, 3) {
        encoder.protect(packet, 0.3);
    }
    // Four pictures of 33 ms are less than the horizon.
    assert_eq!(encoder.covered(), 4 * 3);
    let mut due = 0;
    for packet in pictures(1, 500) {
        due += encoder.protect(packet, 0.2);
        assert!(encoder.covered() <= MOST_COVERED);
    }
    assert!((99..=100).contains(&due), "{due}: within a large picture, too");
}

#[test]
fn a_break_in_the_numbers_begins_anew() {
    let mut encoder = RepairEncoder::default();
    let packets = pictures(1, 6);
    encoder.protect(packets[0].clone(), 1.0);
    encoder.protect(packets[2].clone(), 1.0);
    assert_eq!(encoder.covered(), 1);
}

#[test]
fn no_repair_is_longer_than_a_packet_may_be() {
    let payload = vec![9; 1180];
    let mut encoder = RepairEncoder::default();
    encoder.protect(Source { sequence: 1, timestamp: 0, marker: true, payload }, 1.0);
    // With RTP, its extension, SRTP, a TURN channel, UDP and IPv6 that is 1278 bytes.
    assert_eq!(encoder.repair(1, true).map(|payload| payload.len()), Some(1180 + OVERHEAD));
}

proptest! {
    #[test]
    fn whatever_is_lost_nothing_false_comes_back(packets in 1..9_usize, repairs in 0.1..1.0_f64, lost in prop::collection::vec(any::<bool>(), 200)) {
        let sources = pictures(8, packets);
        let wire = sent(&sources, repairs);
        let found = recovered(&sources, &wire, |place| lost.get(place).copied().unwrap_or(false));
        let mut seen = BTreeSet::new();
        for packet in found {
            prop_assert!(sources.contains(&packet));
            prop_assert!(seen.insert(packet.sequence), "twice");
        }
    }

    #[test]
    fn no_bytes_break_it(steps in prop::collection::vec((any::<bool>(), any::<u16>(), prop::collection::vec(any::<u8>(), 0..80)), 0..300)) {
        let mut decoder = RepairDecoder::default();
        for (media, number, payload) in steps {
            if media {
                decoder.media(Source { sequence: number % 200, timestamp: 0, marker: false, payload });
            } else {
                decoder.repair(number, &payload);
            }
            while decoder.poll().is_some() {}
        }
    }
}
