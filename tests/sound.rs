//! Calls with real microphones and speakers, those of a sound server that the test owns: speech arrives as it was said, and
//! whatever happens to devices and server, the call goes on and sound returns by itself.
//!
//! Times are printed, and asserted so generously that a busy machine doesn't decide.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::wildcard_enum_match_arm, reason = "tests")]

mod desk;

use std::time::Duration;

use desk::{Desk, hears, tone};
use visavis_engine::{DeviceReport, Event};
use visavis_testkit::mouth_to_ear;
use visavis_testkit::sound_server::{self, ONE_CLOCK, SoundServer, TWO_DEVICES};

/// What Ann's first and second microphone hear, hertz.
const PITCHES: [f64; 2] = [997.0, 1499.0];
/// Far more than anything here needs on a machine of its own: a busy one tears the sound, and it is known by its pitch.
const AT_MOST: Duration = Duration::from_secs(12);

fn is_lost(wanted: &'static str) -> impl Fn(&Event) -> Option<()> {
    move |event| matches!(event, Event::Device(DeviceReport::Lost { kind, .. }) if *kind == wanted).then_some(())
}

fn stand_in(event: &Event) -> Option<String> {
    match event {
        Event::Device(DeviceReport::StandIn { wanted, .. }) => Some(wanted.clone()),
        _ => None,
    }
}

#[test]
fn what_one_says_the_other_hears() {
    sound_server::inside("inside_speech_arrives");
}

#[test]
#[ignore = "runs inside what_one_says_the_other_hears"]
fn inside_speech_arrives() {
    let server = SoundServer::start(ONE_CLOCK);
    let desk = Desk::talk("default", "default");
    let recording = server.record("rig.monitor", 2);
    let _mouth = server.feed("micfeed", mouth_to_ear::chirps());
    std::thread::sleep(Duration::from_secs(12));

    // The first seconds are for the buffers to settle.
    let from = 4 * sound_server::RATE_HZ as usize;
    let mut delays = mouth_to_ear::delays(&recording.since(from, 0), &recording.since(from, 1));
    delays.sort();
    assert!(delays.len() >= 3, "{} of about 20 chirps were heard", delays.len());
    let at = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!("mouth to ear: {} chirps, p50 {:?}, p95 {:?}", delays.len(), at(50), at(95));
    assert!(at(50) < Duration::from_millis(300), "{delays:?}");
    desk.ann.assert_undisturbed();
    desk.bob.assert_undisturbed();
}

#[test]
fn devices_are_changed_in_mid_call() {
    sound_server::inside("inside_devices_are_changed");
}

#[test]
#[ignore = "runs inside devices_are_changed_in_mid_call"]
fn inside_devices_are_changed() {
    let server = SoundServer::start(TWO_DEVICES);
    let second = server.plug(&["module-null-sink", "sink_name=spk2"]);
    server.plug(&["module-null-sink", "sink_name=micfeed2"]);
    server.plug(&["module-remap-source", "source_name=mic2", "master=micfeed2.monitor"]);
    let (first, other) = (server.record("spk.monitor", 1), server.record("spk2.monitor", 1));
    let _tones = [server.feed("micfeed", tone(PITCHES[0])), server.feed("micfeed2", tone(PITCHES[1]))];
    let desk = Desk::talk("default", "default");
    hears(&first, 0, PITCHES[0]);

    let from = other.len();
    desk.bob.use_speaker("spk2");
    let swapped = hears(&other, from, PITCHES[0]);
    let from = other.len();
    desk.ann.use_microphone("mic2");
    let spoken = hears(&other, from, PITCHES[1]);
    println!("another speaker after {swapped:?}, another microphone after {spoken:?}");
    assert!(swapped < AT_MOST && spoken < AT_MOST);

    // The chosen speaker goes: the default stands in. It comes back: it is used again.
    let (from, seen) = (first.len(), desk.bob.seen());
    server.unplug(&second);
    let rerouted = hears(&first, from, PITCHES[1]);
    assert_eq!(desk.bob.event(seen, "stand-in", stand_in), "spk2");
    server.plug(&["module-null-sink", "sink_name=spk2"]);
    let other = server.record("spk2.monitor", 1);
    let back = hears(&other, 0, PITCHES[1]);
    println!("the default after {rerouted:?}, the chosen one again after {back:?} of its being recorded");
    assert!(rerouted < AT_MOST && back < AT_MOST);
    desk.ann.assert_undisturbed();
    desk.bob.assert_undisturbed();
}

#[test]
fn default_devices_go_and_come_back() {
    sound_server::inside("inside_devices_go");
}

#[test]
#[ignore = "runs inside default_devices_go_and_come_back"]
fn inside_devices_go() {
    const SPEAKER: [&str; 2] = ["module-null-sink", "sink_name=only"];
    const MICROPHONE: [&str; 3] = ["module-remap-source", "source_name=mic", "master=micfeed.monitor"];
    let server = SoundServer::start("load-module module-null-sink sink_name=micfeed\n");
    let (speaker, microphone) = (server.plug(&SPEAKER), server.plug(&MICROPHONE));
    server.command(&["set-default-sink", "only"]);
    server.command(&["set-default-source", "mic"]);
    let _tone = server.feed("micfeed", tone(PITCHES[0]));
    let desk = Desk::talk("default", "default");
    hears(&server.record("only.monitor", 1), 0, PITCHES[0]);

    // No microphone but what speakers play, which is none.
    let seen = desk.ann.seen();
    server.unplug(&microphone);
    desk.ann.event(seen, "lost microphone", is_lost("microphone"));
    server.plug(&MICROPHONE);
    let recording = server.record("only.monitor", 1);
    println!("a microphone again: heard after {:?}", hears(&recording, 0, PITCHES[0]));

    // Another speaker appears, and the first one goes.
    server.plug(&["module-null-sink", "sink_name=next"]);
    let recording = server.record("next.monitor", 1);
    while recording.is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let from = recording.len();
    server.unplug(&speaker);
    server.command(&["set-default-sink", "next"]);
    let moved = hears(&recording, from, PITCHES[0]);
    println!("the other speaker after {moved:?}");
    assert!(moved < AT_MOST);
    desk.ann.assert_undisturbed();
    desk.bob.assert_undisturbed();
}

#[test]
fn the_sound_server_dies_and_comes_back() {
    sound_server::inside("inside_the_server_comes_back");
}

#[test]
#[ignore = "runs inside the_sound_server_dies_and_comes_back"]
fn inside_the_server_comes_back() {
    let mut server = SoundServer::start(TWO_DEVICES);
    let desk = {
        let _tone = server.feed("micfeed", tone(PITCHES[0]));
        let desk = Desk::talk("default", "default");
        hears(&server.record("spk.monitor", 1), 0, PITCHES[0]);
        desk
    };
    let (of_ann, of_bob) = (desk.ann.seen(), desk.bob.seen());
    server.kill();
    desk.ann.event(of_ann, "lost microphone", is_lost("microphone"));
    desk.bob.event(of_bob, "lost speaker", is_lost("speaker"));

    server.run();
    let recording = server.record("spk.monitor", 1);
    let _tone = server.feed("micfeed", tone(PITCHES[0]));
    println!("sound again: heard after {:?}", hears(&recording, 0, PITCHES[0]));
    desk.ann.assert_undisturbed();
    desk.bob.assert_undisturbed();
}
