//! A network that loses packets.

use std::time::Duration;

use visavis_testkit::net::LinkConfig;

use super::harness::{FPS, MEDIA_DELAY, Meeting, is_rising, play, world};

fn losing(loss: f64) -> LinkConfig {
    LinkConfig { loss, ..LinkConfig::with_delay(MEDIA_DELAY) }
}

#[test]
fn pictures_go_on_with_five_percent_lost() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        world.connect("a", "b", &losing(0.05));
        let since = world.elapsed();
        meeting.pass(Duration::from_secs(20)).await;
        for party in [&meeting.a, &meeting.b] {
            let numbers = party.remote.numbers_since(since);
            let gap = party.remote.longest_gap_since(since);
            eprintln!("{}: {} pictures in 20 s, longest gap {gap:?}", party.name, numbers.len());
            assert!(is_rising(&numbers));
            assert!(numbers.len() >= (FPS * 20 * 95 / 100) as usize, "{}: {}", party.name, numbers.len());
            assert!(gap < Duration::from_millis(500), "{}: {gap:?}", party.name);
        }
    });
}

#[test]
fn what_resending_cannot_mend_a_keyframe_does() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        let before = meeting.a.stats().outbound.key_frames_encoded;
        // What is lost one way can't be asked for the other way, for longer than it is waited for.
        world.set_link("a", "b", losing(0.3));
        world.set_link("b", "a", losing(1.0));
        meeting.pass(Duration::from_millis(1500)).await;
        world.connect("a", "b", &LinkConfig::with_delay(MEDIA_DELAY));
        meeting.pass(Duration::from_secs(4)).await;
        let after = meeting.a.stats().outbound.key_frames_encoded;
        assert!(meeting.b.stats().inbound.keyframes_requested > 0);
        assert!(after > before, "{after} keyframes, {before} before");
        let since = world.elapsed();
        meeting.pass(Duration::from_secs(2)).await;
        assert!(meeting.b.remote.longest_gap_since(since) < Duration::from_millis(100));
    });
}

/// Until the connection is up each message counts, and none of them is media: ICE and DTLS repeat their own.
#[test]
fn two_meet_over_a_link_that_loses() {
    for loss in [0.05, 0.1, 0.2, 0.3] {
        let mut times = Vec::new();
        for seed in 1..=8 {
            let (world, server) = world(seed);
            world.connect("a", "b", &losing(loss));
            world.run(async {
                let meeting = Meeting::connected(&world, &server).await;
                times.push(meeting.world.elapsed());
            });
        }
        times.sort();
        assert!(times.iter().all(|time| *time < Duration::from_secs(2)), "{loss} lost: {times:?}");
        eprintln!("{loss} lost: connected after {times:?}");
    }
}
