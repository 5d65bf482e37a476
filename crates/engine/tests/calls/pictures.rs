//! Pictures and sound on a good network: all of them, in order, late by the way alone.

use std::time::Duration;

use visavis_testkit::sound::pitch_hz;

use super::harness::{FPS, MEDIA_DELAY, Meeting, is_rising, play};

#[test]
fn pictures_and_sound_arrive_in_order_on_both_sides() {
    play(|world, server| async move {
        let meeting = Meeting::connected(&world, &server).await;
        let since = world.elapsed() + Duration::from_secs(1);
        meeting.pass(Duration::from_secs(6)).await;
        for party in [&meeting.a, &meeting.b] {
            let numbers = party.remote.numbers_since(since);
            assert!(is_rising(&numbers), "{}: {numbers:?}", party.name);
            let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
            assert_eq!((last - first + 1) as usize, numbers.len(), "{}: some are missing: {numbers:?}", party.name);
            assert!(numbers.len() >= (FPS * 5 - 3) as usize, "{}: {}", party.name, numbers.len());
            let pitch = pitch_hz(&party.last_sound(Duration::from_millis(500)), 48_000);
            assert!(pitch.is_some_and(|pitch| (pitch - 440.0).abs() < 5.0), "{}: {pitch:?}", party.name);
        }
        assert_delay(&meeting);
    });
}

/// Without a clock that coding could cost, a picture is late by the way, by the pacer that doesn't let it go at once, and by
/// the sound that it is held for.
fn assert_delay(meeting: &Meeting) {
    let (sent, got) = (meeting.a.own.all(), meeting.b.remote.all());
    let last = got[got.len() - 1];
    let left = sent.iter().find(|seen| seen.number == last.number).unwrap().at;
    assert!(last.at - left <= MEDIA_DELAY + Duration::from_millis(30), "{:?}", last.at - left);
}
