//! Loss that no slower rate would heal doesn't take the rate away.

use std::time::Duration;

use visavis_testkit::net::LinkConfig;

use super::harness::{FPS, MEDIA_DELAY, Meeting, is_rising, play};

#[test]
fn one_packet_in_ten_lost_leaves_rate_and_picture() {
    play(|world, server| async move {
        world.connect("a", "b", &LinkConfig { loss: 0.1, ..LinkConfig::with_delay(MEDIA_DELAY) });
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(5)).await;
        let since = world.elapsed();
        meeting.pass(Duration::from_secs(20)).await;
        let outbound = meeting.a.stats().outbound;
        let numbers = meeting.b.remote.numbers_since(since);
        eprintln!("{} pictures in 20 s, {} kb/s available", numbers.len(), outbound.available_kbps);
        assert!(is_rising(&numbers));
        assert!(numbers.len() >= (FPS * 20 * 9 / 10) as usize, "{}", numbers.len());
        assert!(outbound.available_kbps >= 300, "{} kb/s", outbound.available_kbps);
    });
}
