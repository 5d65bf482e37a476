//! Microphone and camera switched off and on.

use std::time::Duration;

use visavis_engine::Event;
use visavis_engine::call::MediaState;
use visavis_testkit::sound::rms;

use super::harness::{MEDIA_DELAY, Meeting, play};

#[test]
fn mute_and_camera_off_reach_the_other() {
    play(|world, server| async move {
        let mut meeting = Meeting::connected(&world, &server).await;
        meeting.pass(Duration::from_secs(2)).await;
        assert!(rms(&meeting.b.last_sound(Duration::from_millis(200))) > 0.01);

        meeting.a.call().set_microphone(false);
        let muted = world.elapsed();
        meeting.b.until_event(&Event::Remote(MediaState { microphone: false, camera: true })).await;
        let late = world.elapsed() - muted;
        assert!(late <= MEDIA_DELAY + Duration::from_millis(10), "{late:?}");
        meeting.pass(Duration::from_secs(1)).await;
        assert!(rms(&meeting.b.last_sound(Duration::from_millis(200))) < 0.001);

        meeting.a.call().set_camera(false);
        meeting.b.until_event(&Event::Remote(MediaState { microphone: false, camera: false })).await;
        meeting.pass(MEDIA_DELAY * 2).await;
        let dark = world.elapsed();
        meeting.pass(Duration::from_secs(1)).await;
        assert!(meeting.b.remote.numbers_since(dark).is_empty());

        meeting.a.call().set_camera(true);
        meeting.a.call().set_microphone(true);
        let on = world.elapsed();
        meeting.b.until_event(&Event::Remote(MediaState { microphone: true, camera: true })).await;
        meeting.pass(Duration::from_secs(1)).await;
        let first = meeting.b.remote.all().into_iter().find(|seen| seen.at > on).unwrap().at - on;
        // A keyframe is large, and doesn't leave at once.
        assert!(first <= MEDIA_DELAY + Duration::from_millis(70), "{first:?}");
        assert!(rms(&meeting.b.last_sound(Duration::from_millis(200))) > 0.01);
    });
}
