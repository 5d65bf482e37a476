//! How many ways over the network a join takes, and that the first picture adds none of its own.

use std::time::Duration;

use visavis_engine::call::Intent;
use visavis_engine::transport::runtime::Runtime;
use visavis_testkit::net::{LinkConfig, SignalingServer, World};

use super::harness::{Equipment, Party, waiting};

/// How long a join took, until both were connected and until both saw the other.
struct Join {
    connected: Duration,
    seen: Duration,
    /// What went to the server meanwhile.
    frames: u64,
}

fn join(media: Duration, to_server: Duration) -> Join {
    let world = World::new(1);
    world.connect("a", "b", &LinkConfig::with_delay(media));
    let server = SignalingServer::new(&world, to_server);
    world.run(async {
        let pause = || world.host("a").sleep(Duration::from_millis(1010));
        let mut a = Party::start(&world, &server, "a", Intent::Create, Equipment::default());
        let code = waiting(&mut a).await;
        pause().await;
        let (begun, before) = (world.elapsed(), server.frames_received());
        let mut b = Party::start(&world, &server, "b", Intent::Join(code), Equipment::default());
        b.until_state("connected").await;
        a.until_state("connected").await;
        let (connected, frames) = (world.elapsed() - begun, server.frames_received() - before);
        pause().await;
        pause().await;
        let seen = b.remote.all()[0].at.max(a.remote.all()[0].at) - begun;
        Join { connected, seen, frames }
    })
}

/// Counted in ways: half a round trip to the other, or between one of the two and the server.
///
/// The server: four for the socket, two for the greeting, two for the knock, and two for each of the three messages by
/// which the two exchange descriptions. The other: three for ICE's check and nomination, six for DTLS 1.2 with its
/// cookie, one for the picture.
#[test]
fn a_join_takes_few_round_trips() {
    let long = Duration::from_millis(200);
    let (bare, by_server, by_media) =
        (join(Duration::ZERO, Duration::ZERO), join(Duration::ZERO, long), join(long, Duration::ZERO));
    let ways = |slow: Duration, fast: Duration| slow.saturating_sub(fast).as_secs_f64() / long.as_secs_f64();
    let server = (ways(by_server.connected, bare.connected), ways(by_server.seen, bare.seen));
    let media = (ways(by_media.connected, bare.connected), ways(by_media.seen, bare.seen));
    eprintln!("no delay: connected after {:?}, seen after {:?}", bare.connected, bare.seen);
    eprintln!("{} frames to the server, {:.2} ways until connected, {:.2} until seen", bare.frames, server.0, server.1);
    eprintln!("to the other, {:.2} ways until connected, {:.2} until seen", media.0, media.1);
    assert!(
        bare.seen <= bare.connected + Duration::from_millis(40),
        "the first picture waits for its own length alone"
    );
    assert!(bare.seen <= Duration::from_millis(60), "{:?}", bare.seen);
    assert!(server.1 < 14.5, "{}", server.1);
    assert!(media.1 < 10.5, "{}", media.1);
}
