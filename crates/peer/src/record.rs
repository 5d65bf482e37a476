//! Recording of what is received: the coded pictures, the sound, and on request every picture raw.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use visavis_engine::device::{WavWriter, Y4mWriter};
use visavis_engine::frame::{SAMPLE_RATE_HZ, VideoCodec, VideoFrame};
use visavis_engine::{FrameSink, Sinks};

use crate::ivf::IvfWriter;

/// Sinks that write into `dir`, which is made if need be.
pub(crate) fn sinks(dir: &Path, raw: bool) -> Result<Sinks> {
    std::fs::create_dir_all(dir).with_context(|| format!("{} can't be made", dir.display()))?;
    let mut sinks = Sinks::default();
    sinks.remote_video.push(Box::new(Units { dir: dir.to_owned(), file: None, failed: false }));
    if raw {
        sinks.remote_video.push(Box::new(Pictures { dir: dir.to_owned(), files: 0, writer: None, failed: false }));
    }
    let path = dir.join("remote.wav");
    let mut sound =
        WavWriter::create(&path, SAMPLE_RATE_HZ).with_context(|| format!("{} can't be written", path.display()))?;
    let mut broken = false;
    sinks.remote_audio.push(Box::new(move |samples| {
        if !broken && let Err(error) = sound.write(samples) {
            broken = true;
            complain(&error);
        }
    }));
    Ok(sinks)
}

/// Said once for each file; the call goes on.
fn complain(error: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "visavis-cli: the recording stopped: {error}");
}

/// The coded pictures as they came: `remote.h264`, or `remote.ivf` where VP8 was agreed on.
struct Units {
    dir: PathBuf,
    file: Option<Coded>,
    failed: bool,
}

/// A file of one codec's pictures.
enum Coded {
    /// An Annex B stream needs nothing around it.
    H264(BufWriter<File>),
    Vp8(IvfWriter<BufWriter<File>>),
}

impl FrameSink for Units {
    fn frame(&mut self, _frame: &VideoFrame) {}

    fn unit(&mut self, codec: VideoCodec, unit: &[u8]) {
        if self.failed {
            return;
        }
        if let Err(error) = self.write(codec, unit) {
            complain(&error);
            self.failed = true;
        }
    }
}

impl Units {
    fn write(&mut self, codec: VideoCodec, unit: &[u8]) -> Result<()> {
        // Another codec in the middle of a call begins its own file; no side does that today.
        let file = match (self.file.take(), codec) {
            (Some(Coded::H264(file)), VideoCodec::H264) => Coded::H264(file),
            (Some(Coded::Vp8(file)), VideoCodec::Vp8) => Coded::Vp8(file),
            (_, VideoCodec::H264) => Coded::H264(BufWriter::new(create(&self.dir.join("remote.h264"))?)),
            (_, VideoCodec::Vp8) => Coded::Vp8(IvfWriter::new(BufWriter::new(create(&self.dir.join("remote.ivf"))?))),
        };
        match self.file.insert(file) {
            Coded::H264(file) => file.write_all(unit)?,
            Coded::Vp8(file) => file.write(Instant::now(), unit)?,
        }
        Ok(())
    }
}

fn create(path: &Path) -> Result<File> {
    File::create(path).with_context(|| format!("{} can't be written", path.display()))
}

/// A Y4M file has pictures of one size. The other side changes it as its network does, so each change begins another file:
/// `remote.y4m`, `remote-2.y4m` and so on.
struct Pictures {
    dir: PathBuf,
    files: u32,
    writer: Option<Y4mWriter>,
    failed: bool,
}

impl FrameSink for Pictures {
    fn frame(&mut self, frame: &VideoFrame) {
        if self.failed {
            return;
        }
        if let Err(error) = self.write(frame) {
            complain(&error);
            self.failed = true;
        }
    }
}

impl Pictures {
    fn write(&mut self, frame: &VideoFrame) -> Result<()> {
        let writer = match self.writer.take().filter(|writer| writer.size() == Some(frame.size())) {
            Some(writer) => writer,
            None => self.next_file()?,
        };
        self.writer.insert(writer).write(frame)?;
        Ok(())
    }

    fn next_file(&mut self) -> Result<Y4mWriter> {
        self.files += 1;
        let name = if self.files == 1 { "remote.y4m".to_owned() } else { format!("remote-{}.y4m", self.files) };
        Ok(Y4mWriter::create(&self.dir.join(name), 30)?)
    }
}
