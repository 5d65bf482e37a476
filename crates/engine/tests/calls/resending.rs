//! Lost video is asked for and sent again (RFC 4585, RFC 4588), and about as often as it was lost.

use std::time::Duration;

use visavis_testkit::net::{Fate, LinkConfig, World};

use super::harness::{Equipment, FPS, MEDIA_DELAY, Meeting, is_rising, play};

const SPAN: Duration = Duration::from_secs(20);

/// Larger than anything but video.
const VIDEO_BYTES: usize = 250;

fn losing(loss: f64) -> LinkConfig {
    LinkConfig { loss, ..LinkConfig::with_delay(MEDIA_DELAY) }
}

/// Packets that "a" sent since then: all of video's size, and those of them that got lost.
fn sent(world: &World, since: Duration) -> (usize, usize) {
    let trace = world.trace();
    let video = trace.iter().filter(|packet| packet.at >= since && packet.from == "a" && packet.bytes >= VIDEO_BYTES);
    let (mut all, mut lost) = (0, 0);
    for packet in video {
        all += 1;
        lost += usize::from(packet.fate == Fate::Lost);
    }
    (all, lost)
}

#[test]
fn every_picture_is_whole_with_one_packet_in_twenty_lost() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        world.connect("a", "b", &losing(0.05));
        // Until the round trip is known.
        meeting.pass(Duration::from_secs(3)).await;
        let (since, before) = (world.elapsed(), meeting.a.stats().outbound);
        meeting.pass(SPAN).await;
        for party in [&meeting.a, &meeting.b] {
            let numbers = party.remote.numbers_since(since);
            let gap = party.remote.longest_gap_since(since);
            eprintln!("{}: {} pictures, longest gap {gap:?}", party.name, numbers.len());
            assert!(is_rising(&numbers));
            let first_to_last = (numbers[numbers.len() - 1] - numbers[0] + 1) as usize;
            assert!(
                numbers.len() * 1000 >= first_to_last * 995,
                "{}: {} of {first_to_last}",
                party.name,
                numbers.len()
            );
            // W3C: a freeze is a gap of the mean and 150 ms more.
            assert!(gap < Duration::from_millis(u64::from(1000 / FPS) + 150), "{}: {gap:?}", party.name);
        }
        let keyframes = meeting.a.stats().outbound.key_frames_encoded - before.key_frames_encoded;
        assert!(keyframes <= 1, "{keyframes} keyframes where resending should have done");
    });
}

#[test]
fn what_is_sent_again_is_what_was_lost() {
    play(|world, server| async move {
        let unprotected = || Equipment { forward_error_correction: false, ..Equipment::default() };
        let meeting = Meeting::connected_with(&world, &server, unprotected(), unprotected()).await;
        meeting.pass(Duration::from_secs(8)).await;
        // Settled: no probes, a known round trip.
        let since = world.elapsed();
        meeting.pass(SPAN).await;
        let (clean, _) = sent(&world, since);
        world.set_link("a", "b", losing(0.05));
        let since = world.elapsed();
        meeting.pass(SPAN).await;
        let (all, lost) = sent(&world, since);
        eprintln!("without loss {clean} packets; with {lost} losses {all}");
        assert!(lost > 20, "{lost}");
        let extra = all.saturating_sub(clean);
        assert!(extra <= lost * 3 / 2 + 10, "{lost} losses, {extra} packets more");
    });
}
