//! A peer that was let in and sends what no peer should: the call goes on, and what it sent is counted.

use std::time::Duration;

use visavis_codec::VideoPacketizer as _;
use visavis_codec::h264::{Encoder, Packetizer};
use visavis_codec::{EncodedFrame, VideoEncoder, VideoTarget};
use visavis_device::VideoFormat;
use visavis_device::pattern::{Stamp, TestPattern};
use visavis_engine::call::{CallState, Intent};
use visavis_engine::frame::{BitRate, FramePool, Size, Timestamp};
use visavis_testkit::net::{SignalingServer, World};

use super::harness::{Equipment, FPS, Party, play, waiting};
use super::stranger::Stranger;

/// No picture by RFC 6184, each of them. The first takes down depacketizers that trust its lengths.
const NO_PICTURES: [&[&[u8]]; 12] = [
    &[&[0x78, 0x00, 0x01, 0x67, 0x00]],
    // Aggregates: nothing in them, a length of zero, one beyond the end, one inside another.
    &[&[0x78]],
    &[&[0x78, 0x00, 0x00]],
    &[&[0x78, 0xff, 0xff, 0x67]],
    &[&[0x78, 0x00, 0x05, 0x78, 0x00, 0x02, 0x67, 0x42]],
    // Fragments: no header, none of the body, an end with no start, a start with no end, a start in the middle.
    &[&[0x7c]],
    &[&[0x7c, 0x85]],
    &[&[0x7c, 0x45, 0x01]],
    &[&[0x7c, 0x85, 0x01], &[0x67, 0x42]],
    &[&[0x7c, 0x85, 0x01], &[0x7c, 0x85, 0x02], &[0x7c, 0x45, 0x03]],
    // Kinds that aren't for this mode, and the forbidden bit.
    &[&[0x79, 0x00, 0x00, 0x00, 0x01, 0x67], &[0x7a, 0x00, 0x01], &[0x7d, 0x85, 0x00], &[0x00]],
    &[&[0xff, 0xff, 0xff, 0xff]],
];

/// Parameter sets and slices that a decoder gets to see, and can't decode.
const NO_KEYFRAMES: [&[&[u8]]; 3] = [
    &[&[0x67, 0x42], &[0x68], &[0x65]],
    &[&[0x67, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x68, 0xff, 0xff], &[0x65, 0xff, 0xff, 0xff]],
    &[&[0x67, 0x42, 0xc0, 0x1f, 0x00, 0x00, 0x03, 0x00, 0x00], &[0x68, 0xce, 0x3c, 0x80], &[0x65, 0x88, 0x84, 0x00]],
];

const NO_SOUND: [&[u8]; 6] =
    [&[], &[0xff], &[0xfc], &[0x03, 0xff], &[0x03, 0x00], &[0x7b, 0xbf, 0xff, 0xff, 0xff, 0x00]];

const NO_MESSAGES: [&str; 6] = [
    "",
    "{",
    "[[[[[[[[",
    r#"{"type":"dance"}"#,
    r#"{"type":"stats","width":-1}"#,
    r#"{"type":"media","camera":"yes"}"#,
];

/// An engine that made a call, and whoever came.
async fn connected(world: &World, server: &SignalingServer) -> (Party, Stranger) {
    let mut engine = Party::start(world, server, "a", Intent::Create, Equipment::default());
    let code = waiting(&mut engine).await;
    let stranger = Stranger::join(world, server, Intent::Join(code)).await;
    engine.until_state("connected").await;
    (engine, stranger)
}

async fn pass(world: &World, time: Duration) {
    use visavis_engine::transport::runtime::Runtime;
    world.host("a").sleep(time).await;
}

fn assert_goes_on(engine: &Party) {
    let ended = engine.time_of(|event| matches!(event, visavis_engine::Event::State(CallState::Closed(_))));
    let lost = engine.time_of(|event| matches!(event, visavis_engine::Event::State(CallState::Disconnected { .. })));
    assert_eq!((ended, lost), (None, None), "the call didn't go on");
}

/// Real pictures from the stranger; the numbers that the engine showed.
async fn real_pictures(world: &World, stranger: &mut Stranger, engine: &Party) -> Vec<u32> {
    let format = VideoFormat { size: Size::SMALL, fps: FPS };
    let pattern = TestPattern::new(format, 3, FramePool::new());
    let mut encoder = Encoder::new(VideoTarget { rate: BitRate::from_kbps(400), fps: FPS }).unwrap();
    let mut packetizer = Packetizer::new(1000, 0);
    let since = world.elapsed();
    for number in 0..FPS {
        let captured = Timestamp::from_micros(u64::from(number * 1_000_000 / FPS));
        let picture = pattern.draw(Stamp { frame: number, captured });
        let mut coded = EncodedFrame::default();
        if encoder.encode(&picture, number == 0, &mut coded).unwrap() {
            let mut packets = Vec::new();
            packetizer.packetize(&coded.data, 0, &mut packets);
            let payloads: Vec<_> = packets.iter().map(|packet| packet.payload.as_slice()).collect();
            stranger.picture(&payloads).await;
        }
        pass(world, Duration::from_secs(1) / FPS).await;
    }
    engine.remote.numbers_since(since)
}

#[test]
fn five_bytes_and_their_like_do_nothing() {
    play(|world, server| async move {
        let (engine, mut stranger) = connected(&world, &server).await;
        let before = real_pictures(&world, &mut stranger, &engine).await;
        assert!(before.len() >= 10, "{before:?}");
        let dropped = engine.stats().inbound.frames_dropped;
        for payloads in NO_PICTURES {
            stranger.picture(payloads).await;
            pass(&world, Duration::from_millis(50)).await;
        }
        pass(&world, Duration::from_secs(2)).await;
        assert_goes_on(&engine);
        let inbound = engine.stats().inbound;
        assert!(inbound.frames_dropped >= dropped + NO_PICTURES.len() as u64, "{inbound:?}");
        assert!(inbound.keyframes_requested > 0, "{inbound:?}");
        let heard = stranger.heard();
        let after = real_pictures(&world, &mut stranger, &engine).await;
        assert!(after.len() >= 10, "{after:?}");
        assert!(stranger.heard() > heard + 10, "the engine sends no pictures any more");
    });
}

#[test]
fn what_no_decoder_can_decode_does_nothing_either() {
    play(|world, server| async move {
        let (engine, mut stranger) = connected(&world, &server).await;
        for payloads in NO_KEYFRAMES {
            stranger.picture(payloads).await;
            stranger.sound(&NO_SOUND).await;
            pass(&world, Duration::from_millis(200)).await;
        }
        for text in NO_MESSAGES {
            stranger.say(text);
        }
        pass(&world, Duration::from_secs(2)).await;
        assert_goes_on(&engine);
        assert!(engine.remote.all().is_empty(), "something was made of it");
        let shown = real_pictures(&world, &mut stranger, &engine).await;
        assert!(shown.len() >= 10, "{shown:?}");
    });
}
