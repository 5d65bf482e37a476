//! Two that share no video codec.

use std::time::Duration;

use visavis_engine::frame::VideoCodec;
use visavis_engine::{DeviceReport, Event, Nearby, VideoSettings};

use super::harness::{Equipment, Meeting, play};

fn with(codecs: &'static [VideoCodec]) -> Equipment {
    let usual = Equipment::default();
    Equipment { video: VideoSettings { codecs, ..usual.video }, ..usual }
}

/// A joiner who goes two ways at once knows it before it knows which of them the call goes.
#[test]
fn both_are_told_and_the_sound_goes_on() {
    for known in [vec![], vec!["nearby".to_owned()]] {
        play(|world, server| async move {
            let joiner = Equipment { nearby: Nearby { known, discovery: None }, ..with(&[VideoCodec::Vp8]) };
            let meeting = Meeting::connected_with(&world, &server, with(&[VideoCodec::H264]), joiner).await;
            meeting.pass(Duration::from_secs(3)).await;
            for party in [&meeting.a, &meeting.b] {
                let refused = |event: &Event| matches!(event, Event::Device(DeviceReport::Failed { what, .. }) if *what == "video");
                let told = party.log().iter().filter(|(_, event)| refused(event)).count();
                assert_eq!((told, party.remote.all().len()), (1, 0), "{}", party.name);
                let loudest = party.last_sound(Duration::from_secs(1)).into_iter().fold(0.0, f32::max);
                assert!(loudest > 0.1, "{}: {loudest}", party.name);
            }
        });
    }
}
