//! Two who have hung up call one another again: another call in every way but the code.

use std::time::Duration;

use visavis_engine::call::Again;
use visavis_engine::signaling::Pictures;
use visavis_engine::{DeviceReport, Event};

use super::harness::{Equipment, Meeting, Party, is_rising, play};

fn stays() -> Equipment {
    Equipment { stays: true, ..Equipment::default() }
}

fn verified(party: &Party) -> Vec<Pictures> {
    let pictures = |(_, event)| match event {
        Event::Verified(pictures) => Some(pictures),
        _ => None,
    };
    party.log().into_iter().filter_map(pictures).collect()
}

/// How often the camera was opened and closed.
fn camera(party: &Party) -> (usize, usize) {
    let of = |open: bool| {
        let is = |event: &Event| matches!(event, Event::Device(DeviceReport::Camera(name)) if name.is_some() == open);
        party.log().iter().filter(|(_, event)| is(event)).count()
    };
    (of(true), of(false))
}

#[test]
fn picture_and_sound_flow_again_once_both_want_it() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected_with(&world, &server, stays(), stays()).await;
        meeting.pass(Duration::from_secs(3)).await;
        meeting.a.call().hang_up();
        for party in [&mut meeting.a, &mut meeting.b] {
            party.until_event(&Event::Again(Again::Possible)).await;
        }
        meeting.pass(Duration::from_secs(5)).await;
        let ended = world.elapsed();
        for party in [&meeting.a, &meeting.b] {
            assert_eq!(camera(party), (1, 1), "{}: nobody's camera is on between two calls", party.name);
            let last = party.own.all().last().unwrap().at;
            assert!(last + Duration::from_secs(4) < ended, "{}", party.name);
        }

        meeting.b.call().again();
        meeting.a.until_event(&Event::Again(Again::Asked)).await;
        assert_eq!(camera(&meeting.b), (1, 1), "nor while one waits for the other");
        meeting.a.call().again();
        for party in [&mut meeting.a, &mut meeting.b] {
            party.until_state("connected").await;
        }
        let up = world.elapsed();
        meeting.pass(Duration::from_secs(4)).await;
        for party in [&meeting.a, &meeting.b] {
            let numbers = party.remote.numbers_since(up + Duration::from_secs(1));
            assert!(numbers.len() > 30 && is_rising(&numbers), "{}: {numbers:?}", party.name);
            let sound = party.last_sound(Duration::from_secs(1));
            let level = (sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len() as f32).sqrt();
            assert!(level > 0.05, "{}: {level}", party.name);
            // What was counted is this call's alone.
            let stats = party.stats();
            assert!((30..200).contains(&stats.inbound.frames_decoded), "{}: {:?}", party.name, stats.inbound);
        }
        let (a, b) = (verified(&meeting.a), verified(&meeting.b));
        assert!(a == b && a.len() == 2 && a[0] != a[1], "{a:?} {b:?}");
    });
}

#[test]
fn who_leaves_releases_everything_on_both_sides() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected_with(&world, &server, stays(), stays()).await;
        meeting.b.call().hang_up();
        for party in [&mut meeting.a, &mut meeting.b] {
            party.until_event(&Event::Again(Again::Possible)).await;
        }
        // To drop the call is to leave it.
        meeting.a.call = None;
        meeting.b.until_event(&Event::Again(Again::Over)).await;
        for party in [&mut meeting.a, &mut meeting.b] {
            party.until_event(&Event::Finished).await;
        }
        meeting.pass(Duration::from_secs(1)).await;
        assert_eq!(world.tasks(), 0);
    });
}
