//! One side has no camera, no microphone and no speaker.

use std::time::Duration;

use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice};
use visavis_engine::{Devices, Event};

use super::harness::{Equipment, Meeting, play};

#[test]
fn one_without_any_device_still_sees() {
    play(|world, server| async move {
        let bare =
            Devices { camera: CameraChoice::None, microphone: MicrophoneChoice::None, speaker: SpeakerChoice::None };
        let with_b = Equipment { devices: bare, ..Equipment::default() };
        let mut meeting = Meeting::connected_with(&world, &server, Equipment::default(), with_b).await;
        let since = world.elapsed() + Duration::from_secs(1);
        meeting.pass(Duration::from_secs(4)).await;
        assert!(meeting.b.remote.longest_gap_since(since) < Duration::from_millis(100));
        assert!(meeting.a.remote.all().is_empty());
        // A recorder hears what nobody plays.
        assert!(visavis_testkit::sound::rms(&meeting.b.last_sound(Duration::from_millis(500))) > 0.01);
        meeting.b.call().hang_up();
        meeting.a.until_event(&Event::Finished).await;
        meeting.b.until_event(&Event::Finished).await;
    });
}
