//! The same seed gives the same call, packet by packet.

use std::time::Duration;

use visavis_engine::Event;
use visavis_testkit::net::LinkConfig;

use super::harness::{Meeting, Seen, world};

type Told = Vec<(Duration, String)>;

fn run(seed: u64) -> (Told, Vec<Seen>, Vec<String>) {
    let (world, server) = world(seed);
    let config = LinkConfig {
        delay: Duration::from_millis(20),
        jitter: Duration::from_millis(10),
        loss: 0.03,
        ..LinkConfig::default()
    };
    world.connect("a", "b", &config);
    world.run(async {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(3)).await;
        meeting.a.call().hang_up();
        meeting.pass(Duration::from_secs(1)).await;
        let told = [&meeting.a, &meeting.b].into_iter().flat_map(|party| party.log());
        // Statistics hold ports and sizes, which keys and the system choose; the pictures are drawn from certificates.
        let told =
            told.filter(|(_, event)| !matches!(event, Event::Stats(_) | Event::RemoteReport(_) | Event::Verified(_)));
        let told = told.map(|(at, event)| (at, without_instants(&event))).collect();
        let trace = world.trace().iter().map(|t| format!("{:?} {} {} {:?}", t.at, t.from, t.to, t.fate)).collect();
        (told, meeting.b.remote.all(), trace)
    })
}

/// Instants are the machine's, and differ from run to run.
fn without_instants(event: &Event) -> String {
    match event {
        Event::State(state) => state.name().to_owned(),
        event => format!("{event:?}"),
    }
}

#[test]
fn the_same_seed_gives_the_same_call() {
    let (first, second) = (run(5), run(5));
    for (i, (one, other)) in first.2.iter().zip(&second.2).enumerate() {
        assert_eq!(one, other, "packet {i} of {} and {}", first.2.len(), second.2.len());
    }
    assert_eq!(first.0, second.0);
    assert_eq!(first.1, second.1);
    assert_ne!(first.2, run(6).2);
}
