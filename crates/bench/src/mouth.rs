//! From mouth to ear through a real sound server: what one `visavis-cli` hears from its microphone beside what the other
//! plays to its speaker, recorded on one clock. What real sound cards add comes on top.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use visavis_engine::device::{Microphone as _, SpeechMicrophone};
use visavis_engine::frame::{SAMPLE_RATE_HZ, Timestamp};
use visavis_testkit::sound::delay_by_correlation;
use visavis_testkit::sound_server::{ONE_CLOCK, SoundServer};

use crate::clip::Clip;
use crate::programs::{Process, ServerProcess, program};

/// The speech is looked for in pieces of so many samples,
const PIECE: usize = SAMPLE_RATE_HZ as usize / 4;
/// one from each second,
const STEP: usize = SAMPLE_RATE_HZ as usize;
/// up to so many samples later.
const LONGEST: usize = SAMPLE_RATE_HZ as usize / 2;
/// Pieces that are less alike than this weren't found: pauses.
const ALIKE: f64 = 0.6;
/// Until the playout has found its delay.
const WARM_UP: Duration = Duration::from_secs(8);

/// The delays of one call, sorted; none where PulseAudio isn't installed.
pub(crate) fn measure(server: &ServerProcess, clip: &Clip, span: Duration) -> Result<Vec<Duration>> {
    if Command::new("pulseaudio").arg("--version").output().is_err() {
        return Ok(Vec::new());
    }
    let sound = SoundServer::start(ONE_CLOCK);
    let mut speech = speech(WARM_UP + 2 * span)?.into_iter().cycle();
    let _mouth = sound.feed("micfeed", move || speech.next().unwrap_or_default());
    let start = |action: &[&str], microphone: &str, speaker: &str| {
        let mut command = Command::new(program("visavis-cli"));
        command.args(action).args(["--server", &server.address, "--json"]).args(clip.camera_arguments());
        Process::start(command.args(["--mic", microphone, "--speaker", speaker]).envs(sound.environment()))
    };
    let speaks = start(&["create"], "default", "silence");
    let waiting = speaks.event("call-state", |event| event["state"] == "waiting");
    let listens = start(&["join", waiting["code"].as_str().context("no code")?], "silence", "default");
    listens.event("call-state", |event| event["state"] == "connected");
    std::thread::sleep(WARM_UP);
    let recording = sound.record("rig.monitor", 2);
    std::thread::sleep(span);
    let (mouth, ear) = (recording.since(0, 0), recording.since(0, 1));
    let pieces = (0..mouth.len().saturating_sub(PIECE + LONGEST)).step_by(STEP);
    let found = pieces.filter_map(|at| delay_by_correlation(&mouth[at..at + PIECE], &ear[at..], LONGEST));
    let alike = found.filter(|found| found.correlation > ALIKE);
    let mut delays: Vec<_> = alike.map(|found| samples(found.delay)).collect();
    delays.sort_unstable();
    Ok(delays)
}

fn samples(count: usize) -> Duration {
    Duration::from_secs_f64(count as f64 / f64::from(SAMPLE_RATE_HZ))
}

fn speech(length: Duration) -> Result<Vec<f32>> {
    let (mut microphone, mut speech) = (SpeechMicrophone::new(), Vec::new());
    for step in 0..=length.as_millis() as u64 / 10 {
        microphone.read(Timestamp::from_micros(step * 10_000), &mut speech)?;
    }
    Ok(speech)
}
