//! A network that is gone for seconds.

use std::time::Duration;

use visavis_engine::Event;

use super::harness::{Meeting, play};

/// Longer than ICE is patient: it takes a path that is silent for five seconds for lost.
#[test]
fn a_blackout_is_shown_and_survived_without_a_button() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        let dark = Duration::from_secs(8);
        world.blackout("a", "b", dark);
        let light = world.elapsed() + dark;
        meeting.a.until_state("disconnected").await;
        meeting.b.until_state("disconnected").await;
        meeting.a.until_state("connected").await;
        meeting.b.until_state("connected").await;
        let back = world.elapsed().saturating_sub(light);
        meeting.pass(Duration::from_secs(3)).await;
        for party in [&meeting.a, &meeting.b] {
            let first = party.remote.all().into_iter().find(|seen| seen.at > light).unwrap().at - light;
            eprintln!("{}: connected {back:?}, first picture {first:?} after the light", party.name);
            assert!(first <= Duration::from_secs(3), "{}: {first:?}", party.name);
            assert!(party.remote.longest_gap_since(light + first) < Duration::from_millis(100), "{}", party.name);
        }
    });
}

#[test]
fn three_seconds_of_darkness_end_by_themselves() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        let dark = Duration::from_secs(3);
        world.blackout("a", "b", dark);
        let light = world.elapsed() + dark;
        meeting.pass(Duration::from_secs(6)).await;
        for party in [&meeting.a, &meeting.b] {
            let first = party.remote.all().into_iter().find(|seen| seen.at > light).unwrap().at - light;
            eprintln!("{}: first picture {first:?} after the light", party.name);
            assert!(first <= Duration::from_secs(1), "{}: {first:?}", party.name);
            let closed = party.time_of(|e| matches!(e, Event::State(s) if s.name() == "closed"));
            assert_eq!(closed, None);
        }
    });
}
