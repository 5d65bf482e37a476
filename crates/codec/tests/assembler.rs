//! The frame assembler against networks that lose, repeat, reorder and invent packets.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use visavis_codec::h264::Packetizer;
use visavis_codec::{Assembler, AssemblerConfig, AssemblerOutput, VideoPacketizer as _};
use visavis_frame::{RtpPacket, VideoCodec};

const MS: Duration = Duration::from_millis(1);
const GAP: Duration = Duration::from_millis(33);

/// One unit: a header and a body that tells pictures apart.
fn unit(header: u8, picture: u32, len: usize) -> Vec<u8> {
    let mut unit = vec![0, 0, 0, 1, header];
    unit.extend((0..len).map(|i| (picture as usize * 31 + i * 7) as u8 | 1));
    unit
}

fn picture(index: u32, keyframe: bool) -> Vec<u8> {
    if keyframe {
        [unit(0x67, index, 9), unit(0x68, index, 4), unit(0x65, index, 3000), unit(0x65, index, 700)].concat()
    } else {
        [unit(0x41, index, 900), unit(0x41, index, 1500)].concat()
    }
}

fn timestamp(index: u32) -> u32 {
    (u32::MAX - 9_000).wrapping_add(index * 3_000)
}

/// Packets of `count` pictures, a keyframe every `interval`.
fn stream(count: u32, interval: u32, first_sequence: u16) -> Vec<Vec<RtpPacket>> {
    let mut packetizer = Packetizer::new(1000, first_sequence);
    (0..count)
        .map(|index| {
            let mut packets = Vec::new();
            packetizer.packetize(&picture(index, index % interval == 0), timestamp(index), &mut packets);
            packets
        })
        .collect()
}

fn drain(assembler: &mut Assembler, now: Instant) -> (Vec<u32>, usize) {
    let (mut frames, mut requests) = (Vec::new(), 0);
    while let Some(output) = assembler.poll(now) {
        match output {
            AssemblerOutput::Frame(frame) => {
                let index = frame.timestamp.wrapping_sub(timestamp(0)) / 3_000;
                assert_eq!(frame.data, picture(index, frame.keyframe), "picture {index} isn't what was sent");
                frames.push(index);
            }
            AssemblerOutput::NeedKeyframe => requests += 1,
        }
    }
    (frames, requests)
}

struct Rig {
    assembler: Assembler,
    now: Instant,
    frames: Vec<u32>,
    requests: usize,
}

impl Rig {
    fn new() -> Self {
        let assembler = Assembler::new(VideoCodec::H264, AssemblerConfig::default());
        Self { assembler, now: Instant::now(), frames: Vec::new(), requests: 0 }
    }

    fn push(&mut self, packets: impl IntoIterator<Item = RtpPacket>) {
        for packet in packets {
            self.assembler.push(self.now, packet);
            self.poll();
        }
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.poll();
    }

    fn poll(&mut self) {
        let (frames, requests) = drain(&mut self.assembler, self.now);
        self.frames.extend(frames);
        self.requests += requests;
    }
}

#[test]
fn a_whole_stream_comes_out_at_once_across_the_wraps() {
    let mut rig = Rig::new();
    for (index, packets) in stream(10, 100, 65_530).into_iter().enumerate() {
        rig.push(packets);
        assert_eq!(rig.frames.len(), index + 1, "no picture waits for the next");
        rig.wait(GAP);
    }
    assert_eq!(rig.requests, 0);
    assert_eq!(rig.assembler.poll_timeout(), None);
}

#[test]
fn packets_that_overtake_one_another_are_put_in_order() {
    let mut rig = Rig::new();
    let mut packets = stream(4, 100, 9).concat();
    packets.reverse();
    rig.push(packets);
    assert_eq!(rig.frames, [0, 1, 2, 3]);
    assert_eq!(rig.requests, 0);
}

#[test]
fn duplicates_change_nothing() {
    let mut rig = Rig::new();
    for packets in stream(5, 100, 9) {
        rig.push(packets.iter().flat_map(|p| [p.clone(), p.clone()]));
        rig.push(packets);
    }
    assert_eq!(rig.frames, [0, 1, 2, 3, 4]);
    let counters = rig.assembler.counters();
    assert_eq!((counters.frames, counters.late, counters.lost), (5, 0, 0));
    assert_eq!(counters.duplicates * 3, counters.packets * 2);
}

#[test]
fn after_a_loss_nothing_comes_until_a_keyframe_which_is_asked_for() {
    let mut rig = Rig::new();
    for (index, mut packets) in stream(30, 20, 9).into_iter().enumerate() {
        if index == 5 {
            packets.remove(1);
        }
        rig.push(packets);
        rig.wait(GAP);
    }
    assert_eq!(rig.frames, [0, 1, 2, 3, 4, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
    assert_eq!(rig.requests, 1, "the keyframe came within the retry time");
    let counters = rig.assembler.counters();
    assert_eq!((counters.lost, counters.dropped_frames), (1, 15));
}

#[test]
fn a_keyframe_is_asked_for_again_while_packets_come() {
    let mut rig = Rig::new();
    for packets in stream(60, 100, 9).into_iter().skip(1) {
        rig.push(packets);
        rig.wait(GAP);
    }
    assert!(rig.frames.is_empty());
    assert!((3..=4).contains(&rig.requests), "{} in 2 s", rig.requests);
    let before = rig.requests;
    for _ in 0..100 {
        rig.wait(GAP);
    }
    assert!(rig.requests <= before + 1, "nobody is there to ask");
}

#[test]
fn a_missing_packet_is_waited_for_so_long_and_no_longer() {
    let wait = AssemblerConfig::default().max_wait;
    for (delay, saved) in [(wait - MS, true), (wait + MS, false)] {
        let mut rig = Rig::new();
        let mut pictures = stream(4, 100, 9).into_iter();
        rig.push(pictures.next().unwrap());
        let mut second = pictures.next().unwrap();
        let held = second.remove(0);
        rig.push(second);
        rig.push(pictures.next().unwrap());
        assert_eq!(rig.assembler.poll_timeout(), Some(rig.now + wait));
        assert!(rig.assembler.missing(rig.now).is_empty(), "it may only have been overtaken");
        assert_eq!(rig.assembler.missing(rig.now + 20 * MS), [held.sequence]);
        rig.wait(delay);
        rig.push([held]);
        assert_eq!(rig.frames, if saved { vec![0, 1, 2] } else { vec![0] });
        assert_eq!(rig.requests, usize::from(!saved));
        assert_eq!(rig.assembler.counters().late, u64::from(!saved));
    }
}

#[test]
fn a_whole_keyframe_behind_a_hole_ends_the_wait() {
    let mut rig = Rig::new();
    let mut pictures = stream(3, 2, 9).into_iter();
    rig.push(pictures.next().unwrap());
    rig.push(pictures.next().unwrap().into_iter().skip(1));
    rig.push(pictures.next().unwrap());
    assert_eq!((rig.frames, rig.requests), (vec![0, 2], 0));
}

#[test]
fn a_slow_keyframe_is_waited_for_without_asking_again() {
    let mut rig = Rig::new();
    for packet in stream(1, 1, 9).concat() {
        rig.push([packet]);
        rig.wait(100 * MS);
    }
    assert_eq!((rig.frames, rig.requests), (vec![0], 0));
}

#[test]
fn padding_uses_up_numbers_wherever_it_stands() {
    let mut rig = Rig::new();
    let mut sequence = 65_533u16;
    for (index, packets) in stream(6, 100, 0).into_iter().enumerate() {
        for mut packet in packets {
            let padding = RtpPacket { sequence, timestamp: packet.timestamp, marker: false, payload: Vec::new() };
            packet.sequence = sequence.wrapping_add(1);
            sequence = sequence.wrapping_add(2);
            rig.push([padding, packet]);
        }
        let padding = RtpPacket { sequence, timestamp: timestamp(index as u32), marker: false, payload: Vec::new() };
        sequence = sequence.wrapping_add(1);
        rig.push([padding]);
    }
    assert_eq!((rig.frames, rig.requests), (vec![0, 1, 2, 3, 4, 5], 0));
}

#[test]
fn a_picture_without_marker_ends_where_the_next_begins() {
    let mut rig = Rig::new();
    for mut packets in stream(4, 100, 9) {
        packets.iter_mut().for_each(|packet| packet.marker = false);
        rig.push(packets);
    }
    assert_eq!(rig.frames, [0, 1, 2]);
}

#[test]
fn fragments_of_two_units_are_never_glued() {
    let mut rig = Rig::new();
    rig.push(stream(1, 1, 0).concat());
    let next = stream(1, 1, 0).concat().len() as u16;
    let packet = |offset: u16, marker, payload: &[u8]| RtpPacket {
        sequence: next + offset,
        timestamp: timestamp(1),
        marker,
        payload: payload.to_vec(),
    };
    rig.push([
        packet(0, false, &[0x7c, 0x81, 1, 2]),
        packet(1, false, &[0x7c, 0x81, 3, 4]),
        packet(2, true, &[0x7c, 0x41, 5]),
    ]);
    assert_eq!((rig.frames, rig.requests), (vec![0], 1));
    assert_eq!(rig.assembler.counters().dropped_frames, 1);
}

#[test]
fn pictures_whose_timestamps_interleave_are_kept_apart() {
    let mut assembler = Assembler::new(VideoCodec::H264, AssemblerConfig::default());
    let now = Instant::now();
    let packets = stream(2, 1, 0).concat();
    let half = packets.len() / 2;
    let mixed = packets[..half].iter().zip(&packets[half..]).flat_map(|(a, b)| [a.clone(), b.clone()]);
    for (sequence, packet) in mixed.enumerate() {
        assembler.push(now, RtpPacket { sequence: sequence as u16, ..packet });
    }
    while let Some(output) = assembler.poll(now) {
        assert_eq!(output, AssemblerOutput::NeedKeyframe);
    }
}

#[test]
fn a_stream_that_starts_anew_is_followed() {
    let mut rig = Rig::new();
    rig.push(stream(3, 100, 50_000).concat());
    rig.push(stream(8, 4, 1_000).concat());
    assert_eq!(rig.frames, [0, 1, 2, 4, 5, 6, 7], "two packets go into being sure");
    assert_eq!(rig.requests, 1);
}

#[test]
fn a_lone_stray_packet_changes_nothing() {
    let mut rig = Rig::new();
    for (index, packets) in stream(6, 100, 9).into_iter().enumerate() {
        rig.push(packets);
        let sequence = 20_000 + 5_000 * index as u16;
        rig.push([RtpPacket { sequence, timestamp: 1, marker: true, payload: vec![0x41, 1] }]);
    }
    assert_eq!((rig.frames, rig.requests), (vec![0, 1, 2, 3, 4, 5], 0));
}

#[test]
fn when_the_decoder_gives_up_a_keyframe_is_asked_for() {
    let mut rig = Rig::new();
    let pictures = stream(4, 3, 9);
    rig.push(pictures[0].clone());
    rig.assembler.resync(rig.now);
    rig.poll();
    assert_eq!(rig.requests, 1);
    rig.push(pictures[1..].concat());
    assert_eq!(rig.frames, [0, 3]);
}

#[test]
fn memory_is_bounded() {
    let mut assembler = Assembler::new(VideoCodec::H264, AssemblerConfig::default());
    let now = Instant::now();
    let mut requests = 0;
    for number in 0..8_000u32 {
        // Every second packet missing, none ever complete, and nobody waits for time to pass.
        let packet =
            RtpPacket { sequence: (number * 2) as u16, timestamp: number, marker: false, payload: vec![0x67; 1000] };
        assembler.push(now, packet);
        requests += usize::from(assembler.poll(now).is_some());
    }
    assert!(assembler.missing(now + 20 * MS).len() <= 2_001);
    assert!(requests > 0);
}

fn packet() -> impl Strategy<Value = RtpPacket> {
    let payload = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40),
        (prop_oneof![Just(0x78u8), Just(0x7c), Just(0x67), Just(0x65)], proptest::collection::vec(any::<u8>(), 0..12))
            .prop_map(|(header, body)| [vec![header], body].concat()),
    ];
    (0u16..60, 0u32..6, any::<bool>(), payload).prop_map(|(sequence, timestamp, marker, payload)| RtpPacket {
        sequence: sequence.wrapping_sub(30),
        timestamp,
        marker,
        payload,
    })
}

proptest! {
    #[test]
    fn any_packets_are_survived(packets in proptest::collection::vec((packet(), 0u64..60), 0..150)) {
        let mut assembler = Assembler::new(VideoCodec::H264, AssemblerConfig::default());
        let mut now = Instant::now();
        for (packet, later) in packets {
            now += later as u32 * MS;
            assembler.push(now, packet);
            let mut outputs = 0;
            while assembler.poll(now).is_some() {
                outputs += 1;
                prop_assert!(outputs < 1000, "polling must end");
            }
            prop_assert!(assembler.poll_timeout().is_none_or(|at| at > now), "a due time that poll doesn't serve");
        }
    }

    #[test]
    fn bad_networks_give_only_whole_pictures_in_order(
        first: u16,
        fates in proptest::collection::vec((0u32..20, 0u64..80, any::<bool>()), 220),
    ) {
        let mut arrivals = Vec::new();
        let start = Instant::now();
        for (index, packets) in stream(40, 7, first).into_iter().enumerate() {
            for packet in packets {
                let (fate, late, twice) = fates[arrivals.len() % fates.len()];
                if fate == 0 {
                    arrivals.push((start, None));
                    continue;
                }
                let late = if fate < 4 { late as u32 } else { 0 };
                arrivals.push((start + GAP * index as u32 + MS * late, Some(packet.clone())));
                if twice {
                    arrivals.push((start + GAP * index as u32 + MS * (late + 7), Some(packet)));
                }
            }
        }
        arrivals.sort_by_key(|(at, _)| *at);
        let mut rig = Rig::new();
        for (at, packet) in arrivals {
            rig.now = rig.now.max(at);
            rig.push(packet);
        }
        rig.wait(10 * GAP);
        prop_assert!(rig.frames.is_sorted_by(|a, b| a < b), "{:?}", rig.frames);
        for pair in rig.frames.windows(2) {
            prop_assert!(pair[1] == pair[0] + 1 || pair[1] % 7 == 0, "went on after a loss without a keyframe: {:?}", rig.frames);
        }
        prop_assert!(rig.frames.first().is_none_or(|first| first % 7 == 0));
    }
}
