//! Real microphones and speakers, against a PulseAudio server that the test starts for itself: what is played into one
//! null sink is heard by the microphone behind it, and when the server dies both devices say so.
//!
//! Skipped, with a line that says so, where PulseAudio isn't installed. The server's address goes by environment, which a
//! running program can't safely change, so each test runs its body in a child process.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::thread::sleep;
use std::time::{Duration, Instant};

use visavis_device::{
    DeviceError, Microphone, MicrophoneChoice, Speaker, SpeakerChoice, ToneMicrophone, list_devices, open_microphone,
    open_speaker,
};
use visavis_frame::Timestamp;
use visavis_testkit::sound;
use visavis_testkit::sound_server::{self, SoundServer, TWO_DEVICES};

const RATE_HZ: u32 = 48_000;
/// Not a divisor of the rate, so that no sample of the tone is exactly zero for long.
const PITCH_HZ: f64 = 997.0;

struct Clock(Instant);

impl Clock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(u64::try_from(self.0.elapsed().as_micros()).unwrap())
    }
}

#[test]
fn what_the_speaker_plays_the_microphone_hears() {
    sound_server::inside("inside_sound_goes_round");
}

#[test]
#[ignore = "runs inside what_the_speaker_plays_the_microphone_hears"]
fn inside_sound_goes_round() {
    let _server = SoundServer::start(TWO_DEVICES);
    let mut speaker = open_speaker(&SpeakerChoice::Named("micfeed".to_owned())).unwrap().unwrap();
    let mut microphone = open_microphone(&MicrophoneChoice::Default).unwrap().unwrap();
    assert_eq!((speaker.rate_hz(), microphone.rate_hz()), (RATE_HZ, RATE_HZ));
    let heard = play(&tone(3), speaker.as_mut(), microphone.as_mut(), Duration::from_secs(3));

    // A busy machine tears holes into the sound, so it is judged in pieces: what is heard is the tone and nothing else.
    let pieces: Vec<&[f32]> = heard.chunks_exact(480).filter(|piece| piece.iter().all(|s| s.abs() > 0.0)).collect();
    let is_tone = |piece: &&[f32]| {
        sound::tone_purity(piece, RATE_HZ, PITCH_HZ) > 0.9
            && (sound::tone_amplitude(piece, RATE_HZ, PITCH_HZ) - 0.25).abs() < 0.03
    };
    let pure = pieces.iter().filter(|piece| is_tone(piece)).count();
    println!("{} samples heard; of {} whole pieces {pure} are the tone", heard.len(), pieces.len());
    assert!(pieces.len() >= 20 && pure * 10 >= pieces.len() * 8);
}

/// The test signal, made in virtual time.
fn tone(seconds: u64) -> Vec<f32> {
    let (mut microphone, mut out) = (ToneMicrophone::new(PITCH_HZ as u32), Vec::new());
    for step in 0..=seconds * 100 {
        microphone.read(Timestamp::from_micros(step * 10_000), &mut out).unwrap();
    }
    out
}

/// Does as the engine does: every few milliseconds gives the speaker what it wants and takes what was heard.
fn play(source: &[f32], speaker: &mut dyn Speaker, microphone: &mut dyn Microphone, time: Duration) -> Vec<f32> {
    let (clock, mut at, mut heard) = (Clock(Instant::now()), 0, Vec::new());
    while clock.0.elapsed() < time {
        let wanted = speaker.wanted(clock.now()).unwrap().min(source.len() - at);
        speaker.write(&source[at..at + wanted]);
        at += wanted;
        microphone.read(clock.now(), &mut heard).unwrap();
        sleep(Duration::from_millis(3));
    }
    heard
}

#[test]
fn a_sound_server_that_dies_takes_its_devices_with_it() {
    sound_server::inside("inside_the_server_dies");
}

#[test]
#[ignore = "runs inside a_sound_server_that_dies_takes_its_devices_with_it"]
fn inside_the_server_dies() {
    let server = SoundServer::start(TWO_DEVICES);
    let list = list_devices();
    let default = |devices: &[visavis_device::DeviceInfo]| devices.iter().find(|d| d.is_default).unwrap().id.clone();
    assert_eq!(
        (default(&list.microphones), default(&list.speakers)),
        ("pulseaudio:mic".into(), "pulseaudio:spk".into())
    );
    assert!(list.microphones.iter().all(|device| !device.id.ends_with(".monitor")), "{list:?}");

    let stand_in = open_microphone(&"nobody's microphone".parse().unwrap()).unwrap().unwrap();
    assert_eq!(stand_in.stands_in_for(), Some("nobody's microphone"));
    let mut speaker = open_speaker(&default(&list.speakers).parse().unwrap()).unwrap().unwrap();
    let mut microphone = open_microphone(&default(&list.microphones).parse().unwrap()).unwrap().unwrap();
    play(&tone(1), speaker.as_mut(), microphone.as_mut(), Duration::from_millis(300));
    drop(server);

    let clock = Clock(Instant::now());
    let (mut microphone_gone, mut speaker_gone, mut out) = (None, None, Vec::new());
    while (microphone_gone.is_none() || speaker_gone.is_none()) && clock.0.elapsed() < Duration::from_secs(20) {
        microphone_gone = microphone_gone.or(microphone.read(clock.now(), &mut out).err());
        speaker_gone = speaker_gone.or(speaker.wanted(clock.now()).err());
        sleep(Duration::from_millis(3));
    }
    println!("both gone after {:?}", clock.0.elapsed());
    assert!(matches!(microphone_gone, Some(DeviceError::Gone { .. })), "{microphone_gone:?}");
    assert!(matches!(speaker_gone, Some(DeviceError::Gone { .. })), "{speaker_gone:?}");
    assert_eq!(
        (microphone.read(clock.now(), &mut out).err(), speaker.wanted(clock.now()).err()),
        (microphone_gone, speaker_gone)
    );

    let none = (open_microphone(&MicrophoneChoice::Default).err(), open_speaker(&SpeakerChoice::Default).err());
    let expected = (DeviceError::None { kind: "microphone" }, DeviceError::None { kind: "speaker" });
    assert_eq!(none, (Some(expected.0), Some(expected.1)));
    let unknown = open_microphone(&"nobody's microphone".parse().unwrap());
    assert_eq!(unknown.err(), Some(DeviceError::NotFound { name: "nobody's microphone".to_owned() }));
}

#[test]
fn a_choice_is_followed_as_devices_come_and_go() {
    sound_server::inside("inside_devices_come_and_go");
}

#[test]
#[ignore = "runs inside a_choice_is_followed_as_devices_come_and_go"]
fn inside_devices_come_and_go() {
    let server = SoundServer::start(TWO_DEVICES);
    let second = server.plug(&["module-null-sink", "sink_name=spk2"]);
    let chosen = SpeakerChoice::Named("spk2".to_owned());
    let speaker = open_speaker(&chosen).unwrap().unwrap();
    assert_eq!((speaker.stands_in_for(), speaker.is_outdated()), (None, false));

    server.unplug(&second);
    until("the speaker's going", || speaker.is_outdated());
    let stand_in = open_speaker(&chosen).unwrap().unwrap();
    assert_eq!(stand_in.stands_in_for(), Some("spk2"));
    server.plug(&["module-null-sink", "sink_name=spk2"]);
    until("the speaker's return", || stand_in.is_outdated());
    assert_eq!(open_speaker(&chosen).unwrap().unwrap().stands_in_for(), None);

    let default = open_speaker(&SpeakerChoice::Default).unwrap().unwrap();
    server.command(&["set-default-sink", "spk2"]);
    until("another default", || default.is_outdated());

    // What is left are monitors, in which the other side would hear itself.
    let microphone = open_microphone(&MicrophoneChoice::Default).unwrap().unwrap();
    server.unplug_all("module-remap-source");
    until("the microphone's going", || microphone.is_outdated());
    let none = open_microphone(&MicrophoneChoice::Default).err();
    assert_eq!(none, Some(DeviceError::None { kind: "microphone" }));
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what} wasn't noticed");
        sleep(Duration::from_millis(5));
    }
    println!("{what} was noticed after {:?}", start.elapsed());
}

#[test]
fn opening_again_and_again_leaves_nothing_behind() {
    sound_server::inside("inside_nothing_is_left");
}

#[test]
#[ignore = "runs inside opening_again_and_again_leaves_nothing_behind"]
fn inside_nothing_is_left() {
    let _server = SoundServer::start(TWO_DEVICES);
    let entries = |folder: &str| std::fs::read_dir(folder).unwrap().count();
    let counts = || (entries("/proc/self/task"), entries("/proc/self/fd"));
    let open = || {
        drop((open_speaker(&SpeakerChoice::Default).unwrap(), open_microphone(&MicrophoneChoice::Default).unwrap()));
        drop(list_devices());
    };
    open();
    sleep(Duration::from_secs(1));
    let before = counts();
    (0..5).for_each(|_| open());
    let settled = || counts().0 <= before.0 && counts().1 <= before.1;
    let start = Instant::now();
    while !settled() && start.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(20));
    }
    println!("threads and descriptors: {before:?} before, {:?} after", counts());
    assert!(settled());
}
