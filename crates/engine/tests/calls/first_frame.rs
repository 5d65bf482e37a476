use std::time::Duration;

use visavis_engine::call::Intent;
use visavis_testkit::net::{LinkConfig, SignalingServer, World};

use super::harness::{Equipment, Party, waiting};

/// From the join to both connected, and to the joiner's first picture of the other.
fn join(media: Duration, server_trip: Duration) -> (Duration, Duration, u64) {
    let world = World::new(1);
    world.connect("a", "b", &LinkConfig::with_delay(media));
    let server = SignalingServer::new(&world, server_trip);
    world.run(async {
        let mut a = Party::start(&world, &server, "a", Intent::Create, Equipment::default());
        let code = waiting(&mut a).await;
        world_passes(&world).await;
        let (begun, frames) = (world.elapsed(), server.frames_received());
        let mut b = Party::start(&world, &server, "b", Intent::Join(code), Equipment::default());
        b.until_state("connected").await;
        a.until_state("connected").await;
        let connected = world.elapsed() - begun;
        let frames = server.frames_received() - frames;
        while b.remote.all().is_empty() || a.remote.all().is_empty() {
            world_passes(&world).await;
        }
        (connected, b.remote.all()[0].at.max(a.remote.all()[0].at) - begun, frames)
    })
}

async fn world_passes(world: &World) {
    use visavis_engine::transport::runtime::Runtime;
    world.host("a").sleep(Duration::from_secs(1)).await;
}

#[test]
fn a_join_takes_few_round_trips() {
    let (none, long) = (Duration::ZERO, Duration::from_millis(200));
    let (bare, by_server, by_media) = (join(none, none), join(none, long), join(long, none));
    let trips = |slow: Duration, fast: Duration| slow.saturating_sub(fast).as_secs_f64() / long.as_secs_f64();
    eprintln!(
        "without any delay: connected after {:?}, first picture after {:?}, {} frames to the server",
        bare.0, bare.1, bare.2
    );
    eprintln!(
        "ways to or from the server until connected: {:.2}, first picture: {:.2}",
        trips(by_server.0, bare.0),
        trips(by_server.1, bare.1)
    );
    eprintln!(
        "ways to the other until connected: {:.2}, first picture: {:.2}",
        trips(by_media.0, bare.0),
        trips(by_media.1, bare.1)
    );
}
