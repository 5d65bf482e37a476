//! What both sides' cameras and microphones are given: the same two files.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;
use visavis_engine::Devices;
use visavis_engine::device::{
    CameraChoice, Microphone as _, MicrophoneChoice, SpeakerChoice, SpeechMicrophone, TestPattern, VideoFormat,
    WavWriter, Y4mWriter, pattern,
};
use visavis_engine::frame::{FramePool, SAMPLE_RATE_HZ, Timestamp, VideoFrame};

/// Both play it in a loop.
const SECONDS: u32 = 4;

/// The two files.
pub(crate) struct Clip {
    folder: TempDir,
}

impl Clip {
    /// Draws the picture of somebody at a desk, 720p at 30, and makes the speech.
    pub(crate) fn make() -> Result<Self> {
        let clip = Self { folder: tempfile::tempdir()? };
        let mut pictures = Y4mWriter::create(&clip.video(), VideoFormat::HD30.fps)?;
        for number in 0..SECONDS * VideoFormat::HD30.fps {
            pictures.write(&picture(number))?;
        }
        pictures.finish()?;
        let mut speech = Vec::new();
        SpeechMicrophone::new().read(Timestamp::ZERO, &mut speech)?;
        let mut microphone = SpeechMicrophone::new();
        for step in 0..=u64::from(SECONDS) * 100 {
            microphone.read(Timestamp::from_micros(step * 10_000), &mut speech)?;
        }
        let mut sound = WavWriter::create(&clip.audio(), SAMPLE_RATE_HZ)?;
        sound.write(&speech)?;
        sound.finish()?;
        Ok(clip)
    }

    fn video(&self) -> PathBuf {
        self.folder.path().join("clip.y4m")
    }

    fn audio(&self) -> PathBuf {
        self.folder.path().join("speech.wav")
    }

    /// What visavis-cli is told.
    pub(crate) fn cli_arguments(&self) -> Vec<String> {
        let microphone = format!("file:{}", self.audio().display());
        let sound = ["--mic", &microphone, "--speaker", "silence"].map(str::to_owned);
        [self.camera_arguments().as_slice(), &sound].concat()
    }

    /// The part of it that is the camera.
    pub(crate) fn camera_arguments(&self) -> Vec<String> {
        vec!["--camera".to_owned(), format!("file:{}", self.video().display())]
    }

    /// What the engine is told.
    pub(crate) fn devices(&self) -> Devices {
        Devices {
            camera: CameraChoice::File(self.video()),
            microphone: MicrophoneChoice::File(self.audio()),
            speaker: SpeakerChoice::Silence,
        }
    }

    /// What Chromium is told.
    pub(crate) fn browser_flags(&self) -> Vec<String> {
        vec![
            format!("--use-file-for-fake-video-capture={}", self.video().display()),
            format!("--use-file-for-fake-audio-capture={}", self.audio().display()),
        ]
    }
}

/// The clip's picture of that number, which also goes on beyond its end.
pub(crate) fn picture(number: u32) -> VideoFrame {
    let captured = picture_time(number);
    TestPattern::new(VideoFormat::HD30, 1, FramePool::new()).draw(pattern::Stamp { frame: number, captured })
}

/// A picture that moves everywhere, as one before a hand-held camera does: a texture that drifts, with grain.
pub(crate) fn moving(number: u32) -> VideoFrame {
    let size = VideoFormat::HD30.size;
    let (width, shift) = (size.width(), number as usize);
    FramePool::new().frame(size, picture_time(number), |y, u, v| {
        let mut grain = number | 1;
        for (index, pixel) in y.iter_mut().enumerate() {
            let (column, row) = (index % width + 3 * shift, index / width + shift);
            grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = 60 + (((column / 9) ^ (row / 7)) & 0x3f) as u8 + (grain >> 29) as u8;
        }
        u.iter_mut().enumerate().for_each(|(index, pixel)| *pixel = 110 + ((index + shift) / 16 % 32) as u8);
        v.iter_mut().enumerate().for_each(|(index, pixel)| *pixel = 120 + ((index / 7 + shift) % 24) as u8);
    })
}

fn picture_time(number: u32) -> Timestamp {
    Timestamp::ZERO + Duration::from_secs(1) * number / VideoFormat::HD30.fps
}
