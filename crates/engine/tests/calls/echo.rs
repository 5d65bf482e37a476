//! A loudspeaker beside a microphone.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use visavis_engine::call::MediaState;
use visavis_engine::device::{CameraChoice, DeviceError, Microphone, MicrophoneChoice, Speaker, SpeakerChoice};
use visavis_engine::frame::{SAMPLE_RATE_HZ, Timestamp};
use visavis_engine::{DeviceOpener, Devices, NoiseSuppression, SoundProcessing, SoundSettings};
use visavis_testkit::acoustics::{LiveEcho, Room, stoi, voice};
use visavis_testkit::sound::{delay_by_correlation, level_db};

use super::harness::{Equipment, Meeting, play};

const SECOND: usize = SAMPLE_RATE_HZ as usize;
/// What the speaker keeps queued.
const QUEUE: usize = SECOND / 50;
/// Of the room's response: the first 40 ms.
const RESPONSE: usize = SECOND / 25;
/// How far the speaker's volume is turned up; the test speech is loud.
const VOLUME: f32 = 0.125;
/// How long the other talks alone.
const ALONE: Duration = Duration::from_secs(10);
/// How long both talk.
const BOTH: Duration = Duration::from_secs(4);

/// A room with a speaker, a microphone and maybe somebody who talks.
struct Acoustics {
    echo: LiveEcho,
    queued: VecDeque<f32>,
    heard: Vec<f32>,
    voice: VecDeque<f32>,
    /// Samples until now.
    passed: u64,
}

impl Acoustics {
    fn pass(&mut self, now: Timestamp) {
        let until = now.as_micros() * u64::from(SAMPLE_RATE_HZ) / 1_000_000;
        let due = until.saturating_sub(self.passed) as usize;
        self.passed = until;
        let played: Vec<f32> = (0..due).map(|_| VOLUME * self.queued.pop_front().unwrap_or(0.0)).collect();
        let before = self.heard.len();
        self.echo.hear(&played, &mut self.heard);
        self.heard[before..].iter_mut().for_each(|s| *s += self.voice.pop_front().unwrap_or(0.0));
    }
}

#[derive(Clone)]
struct Laptop(Arc<Mutex<Acoustics>>);

impl Laptop {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Acoustics {
            echo: LiveEcho::new(&Room::LAPTOP.echo_path(1), RESPONSE),
            queued: VecDeque::new(),
            heard: Vec::new(),
            voice: VecDeque::new(),
            passed: 0,
        })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut Acoustics) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Microphone for Laptop {
    fn name(&self) -> &str {
        "Laptop"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn read(&mut self, now: Timestamp, out: &mut Vec<f32>) -> Result<(), DeviceError> {
        self.with(|room| {
            room.pass(now);
            out.append(&mut room.heard);
        });
        Ok(())
    }
}

impl Speaker for Laptop {
    fn name(&self) -> &str {
        "Laptop"
    }

    fn rate_hz(&self) -> u32 {
        SAMPLE_RATE_HZ
    }

    fn wanted(&mut self, now: Timestamp) -> Result<usize, DeviceError> {
        Ok(self.with(|room| {
            room.pass(now);
            QUEUE.saturating_sub(room.queued.len())
        }))
    }

    fn write(&mut self, samples: &[f32]) {
        self.with(|room| room.queued.extend(samples));
    }

    fn queued(&self) -> usize {
        self.with(|room| room.queued.len())
    }
}

impl DeviceOpener for Laptop {
    fn microphone(&self, _: &MicrophoneChoice) -> Result<Option<Box<dyn Microphone>>, DeviceError> {
        Ok(Some(Box::new(self.clone())))
    }

    fn speaker(&self, _: &SpeakerChoice) -> Result<Option<Box<dyn Speaker>>, DeviceError> {
        Ok(Some(Box::new(self.clone())))
    }
}

fn sound_only(microphone: MicrophoneChoice, speaker: SpeakerChoice) -> Equipment {
    Equipment {
        devices: Devices { camera: CameraChoice::None, microphone, speaker },
        media: MediaState { microphone: true, camera: false },
        ..Equipment::default()
    }
}

/// What B hears: while only B talks from the sixth second on, and while A says `near`.
async fn heard_by_b(
    world: &visavis_testkit::net::World,
    server: &visavis_testkit::net::SignalingServer,
    processing: SoundProcessing,
    near: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let laptop = Laptop::new();
    let with_a = Equipment {
        sound: SoundSettings { processing, stand_ins_too: false },
        opener: Arc::new(laptop.clone()),
        ..sound_only(MicrophoneChoice::Default, SpeakerChoice::Default)
    };
    let with_b = sound_only(MicrophoneChoice::Test, SpeakerChoice::Silence);
    let meeting = Meeting::connected_with(world, server, with_a, with_b).await;
    meeting.pass(ALONE).await;
    let alone = meeting.b.last_sound(ALONE / 2);
    laptop.with(|room| room.voice.extend(near));
    meeting.pass(BOTH).await;
    (alone, meeting.b.last_sound(BOTH))
}

#[test]
fn the_other_hears_no_echo_of_himself_and_understands_an_answer() {
    const CANCELLING: SoundProcessing =
        SoundProcessing { echo_canceller: true, noise_suppression: NoiseSuppression::Off, gain: false };
    let near = voice(2, BOTH.as_secs_f64());
    let mut levels = Vec::new();
    for processing in [SoundProcessing::OFF, CANCELLING] {
        let near = near.clone();
        let (sender, receiver) = std::sync::mpsc::channel();
        play(|world, server| async move {
            let (alone, both) = heard_by_b(&world, &server, processing, &near).await;
            // From the answer's first second to what the network's and the processor's delay leave of the last.
            let source = &near[SECOND..SECOND + SECOND / 8];
            let delay = delay_by_correlation(source, &both[SECOND..], SECOND / 2).unwrap().delay;
            let length = near.len() - SECOND / 2;
            sender.send((level_db(&alone), stoi(&near[..length], &both[delay..]))).unwrap();
        });
        levels.push(receiver.recv().unwrap());
    }
    let [(echo_db, _), (left_db, stoi)] = levels[..] else { unreachable!("two runs") };
    eprintln!("echo {echo_db:.1} dBFS, cancelled {left_db:.1} dBFS; the answer's STOI {stoi:.3}");
    assert!(echo_db > -50.0, "there is an echo to cancel: {echo_db} dBFS");
    assert!(echo_db - left_db >= 30.0, "{echo_db} dBFS became {left_db} dBFS");
    assert!(stoi >= 0.7, "STOI {stoi}");
}
