//! What is sent follows what the path carries.

use std::time::Duration;

use visavis_engine::QualityLimitation;
use visavis_testkit::net::{Fate, LinkConfig, World};

use super::harness::{MEDIA_DELAY, Meeting, is_rising, play};

/// So many bits per second, and a queue that holds 300 ms of them.
fn narrow(rate_bps: u64) -> LinkConfig {
    let buffer_bytes = usize::try_from(rate_bps * 3 / 80).unwrap();
    LinkConfig { rate_bps: Some(rate_bps), buffer_bytes, ..LinkConfig::with_delay(MEDIA_DELAY) }
}

/// What "a" sent since then: bits per second, packets that the queue had no room for, and the longest that one waited.
fn sent(world: &World, since: Duration) -> (f64, usize, Duration) {
    let (mut bytes, mut overflowed, mut longest) = (0, 0, Duration::ZERO);
    for packet in world.trace().iter().filter(|packet| packet.at >= since && packet.from == "a" && packet.to == "b") {
        bytes += packet.bytes + 28;
        match packet.fate {
            Fate::Arrives(after) => longest = longest.max(after - MEDIA_DELAY),
            Fate::Overflowed => overflowed += 1,
            Fate::Lost | Fate::Dark | Fate::Nowhere => {}
        }
    }
    (bytes as f64 * 8.0 / (world.elapsed() - since).as_secs_f64(), overflowed, longest)
}

#[test]
fn a_path_that_narrows_is_not_filled() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(5)).await;
        let (wide, ..) = sent(&world, world.elapsed() - Duration::from_secs(2));
        world.set_link("a", "b", narrow(250_000));
        // Time to notice.
        meeting.pass(Duration::from_secs(3)).await;
        let since = world.elapsed();
        meeting.pass(Duration::from_secs(10)).await;
        let (rate, overflowed, longest) = sent(&world, since);
        eprintln!(
            "wide {wide:.0} b/s, narrow {rate:.0} b/s, {overflowed} overflowed, at most {longest:?} in the queue"
        );
        assert!(rate < 250_000.0, "{rate}");
        assert_eq!(overflowed, 0);
        assert!(longest < Duration::from_millis(250), "{longest:?}");
        let numbers = meeting.b.remote.numbers_since(since);
        assert!(is_rising(&numbers));
        assert!(meeting.b.remote.longest_gap_since(since) < Duration::from_millis(400));
        assert_eq!(meeting.a.stats().outbound.quality_limitation_reason, QualityLimitation::Bandwidth);

        world.set_link("a", "b", LinkConfig::with_delay(MEDIA_DELAY));
        meeting.pass(Duration::from_secs(10)).await;
        let (again, ..) = sent(&world, world.elapsed() - Duration::from_secs(2));
        eprintln!("wide again {again:.0} b/s");
        assert!(again > wide * 0.85, "{again} of {wide}");
    });
}

#[test]
fn a_keyframe_leaves_piece_by_piece() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(3)).await;
        let trace = world.trace();
        let video = trace.iter().filter(|packet| packet.from == "a" && packet.to == "b" && packet.bytes > 800);
        let times = video.map(|packet| packet.at).collect::<Vec<_>>();
        // A timer's step may let two or three go together; ten at a time would be a burst.
        let burst = times.windows(10).filter(|ten| ten[9] - ten[0] < Duration::from_millis(10)).count();
        assert_eq!(burst, 0, "{} large packets", times.len());
        let sound = trace.iter().filter(|packet| packet.from == "a" && packet.to == "b" && packet.bytes < 250);
        let sound = sound.map(|packet| packet.at).filter(|&at| at > Duration::from_secs(1)).collect::<Vec<_>>();
        let late = sound.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(late <= Duration::from_millis(25), "sound waited behind pictures: {late:?}");
    });
}
