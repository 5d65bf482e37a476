//! A panic in the middle of the media: it takes that medium away and nothing else.

use std::time::Duration;

use visavis_engine::frame::VideoFrame;
use visavis_engine::{DeviceReport, Event, FrameSink};
use visavis_testkit::sound::rms;

use super::harness::{Equipment, FPS, Meeting, play};

struct Bomb {
    frames_left: u32,
}

impl FrameSink for Bomb {
    fn frame(&mut self, _: &VideoFrame) {
        self.frames_left = self.frames_left.checked_sub(1).unwrap();
    }
}

#[test]
fn a_panic_ends_a_medium_and_not_the_call() {
    play(|world, server| async move {
        let bomb = Bomb { frames_left: 3 * FPS };
        let with_a = Equipment { self_view: vec![Box::new(bomb)], ..Equipment::default() };
        let mut meeting = Meeting::connected_with(&world, &server, with_a, Equipment::default()).await;
        let failed = |event: &Event| match event {
            Event::Device(DeviceReport::Failed { what, .. }) => Some(*what),
            _ => None,
        };
        assert_eq!(meeting.a.until("failure", failed).await, "sending video");
        let open = meeting.a.log().into_iter().rev().find_map(|(_, event)| match event {
            Event::Local(local) => Some(local.camera),
            _ => None,
        });
        assert_eq!(open, Some(None), "the camera is said to be closed");
        let since = world.elapsed();
        meeting.pass(Duration::from_secs(2)).await;
        assert!(meeting.a.remote.longest_gap_since(since) < Duration::from_millis(100));
        assert!(rms(&meeting.b.last_sound(Duration::from_millis(200))) > 0.01);
        meeting.b.call().hang_up();
        meeting.a.until_event(&Event::Finished).await;
        meeting.b.until_event(&Event::Finished).await;
    });
}
