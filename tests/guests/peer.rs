//! `visavis-cli` as the other of a guest, and what the guest's browser is given to show.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;
use visavis_engine::device::{Camera, TestPattern, VideoFormat, Y4mCamera, Y4mWriter, pattern};
use visavis_engine::frame::{FramePool, SAMPLE_RATE_HZ, Size, Timestamp, VideoFrame};
use visavis_testkit::sound;

use crate::programs::{Process, cli};

/// Which browser a guest has, and so what it has for a camera and a microphone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Browser {
    /// Shows a [`Clip`] and beeps once a second; sends H.264.
    Chromium,
    /// Shows one colour after another and hums; without H.264, as Debian's is.
    Firefox,
}

/// What Firefox hums.
const HUM_HZ: f64 = 1000.0;

/// The browser plays it in a loop.
const CLIP_FRAMES: u32 = 60;
const CLIP: VideoFormat = VideoFormat { size: Size::NHD, fps: 30 };

/// Numbered pictures for a browser's camera.
pub struct Clip(TempDir);

impl Clip {
    /// Draws them.
    pub fn make() -> Result<Self> {
        let clip = Self(tempfile::tempdir()?);
        let mut file = Y4mWriter::create(&clip.path(), CLIP.fps)?;
        let pattern = TestPattern::new(CLIP, 2, FramePool::new());
        for frame in 0..CLIP_FRAMES {
            let captured = Timestamp::from_micros(u64::from(frame) * 1_000_000 / u64::from(CLIP.fps));
            file.write(&pattern.draw(pattern::Stamp { frame, captured }))?;
        }
        file.finish()?;
        Ok(clip)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("clip.y4m")
    }

    /// What Chromium is told. Its microphone goes on beeping once a second.
    pub fn chromium_flags(&self) -> Vec<String> {
        vec![format!("--use-file-for-fake-video-capture={}", self.path().display())]
    }
}

/// A peer that records what it is sent.
pub struct Peer {
    process: Process,
    recording: TempDir,
}

impl Peer {
    /// Starts one: `create`, or `join CODE`.
    pub fn start(server: &str, action: &[&str]) -> Result<Self> {
        let recording = tempfile::tempdir()?;
        let folder = recording.path().to_str().context("a folder with a strange name")?;
        let process = cli(server, action, "tone:440", &["--record", folder, "--raw"]);
        Ok(Self { process, recording })
    }

    /// The next event of this kind that `wanted` is true of.
    pub fn event(&self, kind: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.process.event(kind, wanted)
    }

    /// The path that a picture of the other's has come by.
    pub fn path(&self) -> Value {
        let seen = |event: &Value| event["stats"]["inbound"]["framesDecoded"].as_u64() > Some(15);
        self.event("stats", seen)["stats"]["path"].clone()
    }

    /// Waits for a state of the call.
    pub fn reaches(&self, state: &str) -> Value {
        self.event("call-state", |event| event["state"] == state)
    }

    /// The code of a call that it has created.
    pub fn code(&self) -> String {
        self.reaches("waiting")["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The names of the six pictures, once the words have proved the other.
    pub fn emoji(&self) -> Vec<String> {
        let event = self.event("verified", |_| true);
        let pictures = event["pictures"].as_array().into_iter().flatten();
        pictures.filter_map(|picture| picture["name"].as_str()).map(str::to_owned).collect()
    }

    /// Waits until so many more of the other's pictures were decoded.
    pub fn sees_more(&self, pictures: u64) {
        let decoded = |event: &Value| event["stats"]["inbound"]["framesDecoded"].as_u64().unwrap_or(0);
        let before = decoded(&self.event("stats", |_| true));
        self.event("stats", |event| decoded(event) >= before + pictures);
    }

    /// Waits until the other says that it sends this.
    pub fn is_sent(&self, microphone: bool, camera: bool) {
        self.event("remote-media", |event| event["microphone"] == microphone && event["camera"] == camera);
    }

    /// Hangs up, as Ctrl-C does.
    pub fn hang_up(&self) {
        self.process.interrupt();
    }

    /// The end, which comes by itself: its reason and the program's exit code.
    pub fn ended(&mut self) -> (String, Option<i32>) {
        let reason = self.reaches("closed")["reason"].as_str().unwrap_or_default().to_owned();
        (reason, self.process.wait().code())
    }

    /// What it recorded: what the browser's camera showed and its microphone heard, in the codec that both have.
    pub fn has_recorded(&self, browser: Browser) -> Result<()> {
        let (folder, sound) = (self.recording.path(), self.recording.path().join("remote.wav"));
        let coded = match browser {
            Browser::Chromium => {
                check_numbers(folder)?;
                check_beeps(&sound)?;
                "remote.h264"
            }
            Browser::Firefox => {
                check_colours(folder)?;
                check_hum(&sound)?;
                "remote.ivf"
            }
        };
        ensure!(std::fs::metadata(folder.join(coded)).is_ok_and(|file| file.len() > 10_000), "no {coded}");
        Ok(())
    }
}

/// What stands in the raw recordings, file by file: each has pictures of one size.
fn read_all<T>(folder: &Path, read: impl Fn(&VideoFrame) -> Result<T>) -> Result<Vec<Vec<T>>> {
    let files =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    let pictures = files.into_iter().filter(|path| path.extension().is_some_and(|name| name == "y4m"));
    pictures.map(|path| read_file(&path, &read)).collect()
}

fn read_file<T>(path: &Path, read: impl Fn(&VideoFrame) -> Result<T>) -> Result<Vec<T>> {
    let mut camera = Y4mCamera::open(path, FramePool::new())?;
    let count = std::fs::metadata(path)?.len() / camera.format().size.i420_len() as u64;
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let mut found = Vec::new();
    for index in 0..count {
        let now = Timestamp::from_micros(index * 1_000_000 / u64::from(camera.format().fps) + 100);
        let std::task::Poll::Ready(frame) = camera.poll_frame(&mut cx, now) else { break };
        found.push(read(&frame?)?);
    }
    Ok(found)
}

/// The clip's pictures, in the clip's order.
fn check_numbers(folder: &Path) -> Result<()> {
    let number = |frame: &VideoFrame| Ok(pattern::read(frame).context("a picture without a number")?.frame);
    let longest = read_all(folder, number)?.into_iter().max_by_key(Vec::len).context("no pictures were recorded")?;
    ensure!(longest.len() > 60, "only {} pictures in the longest recording", longest.len());
    // The clip begins again after its last picture; what is left out on the way makes the steps longer than one.
    let forward = |pair: &&[u32]| (pair[1] + CLIP_FRAMES - pair[0]) % CLIP_FRAMES <= CLIP_FRAMES / 4;
    let in_order = longest.windows(2).filter(forward).count();
    ensure!(
        in_order + 2 >= longest.len(),
        "{in_order} of {} pictures follow the one before: {longest:?}",
        longest.len()
    );
    Ok(())
}

/// One colour after another: of a picture that stood still there would be one.
fn check_colours(folder: &Path) -> Result<()> {
    let mean = |plane: &[u8]| plane.iter().map(|&value| usize::from(value)).sum::<usize>() / plane.len();
    let colours = read_all(folder, |frame| Ok((mean(frame.u()), mean(frame.v()))))?.concat();
    let changes = colours.windows(2).filter(|pair| pair[0] != pair[1]).count();
    ensure!(
        colours.len() > 60 && changes > 30,
        "of {} pictures {changes} had another colour than the last",
        colours.len()
    );
    Ok(())
}

fn samples(path: &Path) -> Result<Vec<f32>> {
    let mut file = hound::WavReader::open(path)?;
    let samples = file.samples::<i16>().map(|sample| sample.map(|s| f32::from(s) / 32768.0));
    Ok(samples.collect::<Result<_, _>>()?)
}

/// From when it is first heard, half seconds of the pure tone, more than anything else: what was muted is something else. How
/// long a browser takes to come is its own affair.
fn check_hum(path: &Path) -> Result<()> {
    let samples = samples(path)?;
    let halves =
        samples.chunks_exact(SAMPLE_RATE_HZ as usize / 2).map(|half| sound::tone_purity(half, SAMPLE_RATE_HZ, HUM_HZ));
    let purities = halves.skip_while(|purity| *purity <= 0.9).collect::<Vec<_>>();
    let clean = purities.iter().filter(|&&purity| purity > 0.9).count();
    ensure!(clean * 2 > purities.len(), "of {} half seconds {clean} are the tone: {purities:.2?}", purities.len());
    Ok(())
}

/// Beeps with silence in between.
fn check_beeps(path: &Path) -> Result<()> {
    let samples = samples(path)?;
    let levels = samples.chunks(SAMPLE_RATE_HZ as usize / 50).map(sound::rms).collect::<Vec<_>>();
    let loud = levels.iter().filter(|&&level| level > 0.01).count();
    let quiet = levels.iter().filter(|&&level| level < 0.003).count();
    ensure!(loud >= 3 && quiet >= 3, "of {} stretches of 20 ms {loud} were loud and {quiet} quiet", levels.len());
    Ok(())
}
