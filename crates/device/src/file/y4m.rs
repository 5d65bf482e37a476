//! Y4M (YUV4MPEG2) files: a text header, then raw pictures. As a camera, and as a recording.
//!
//! The format is the one of mjpegtools: `YUV4MPEG2 W640 H360 F30:1 …`, then `FRAME` and the planes for each picture.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use visavis_frame::{FramePool, Size, Timestamp, VideoFrame};

use super::{file_error, file_name};
use crate::error::DeviceError;
use crate::pacing::FramePacer;
use crate::traits::{Camera, VideoFormat};

const MAGIC: &[u8] = b"YUV4MPEG2";
/// Longer header lines come from no program that writes this format.
const LONGEST_LINE: u64 = 512;
/// Faster than any camera; a file that says more has a broken header.
const MOST_FPS: u32 = 240;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    size: Size,
    numerator: u32,
    denominator: u32,
}

/// A Y4M file, played in a loop at its own size and rate.
#[derive(Debug)]
pub struct Y4mCamera {
    name: String,
    path: PathBuf,
    file: BufReader<File>,
    first_frame: u64,
    header: Header,
    position: u64,
    pacer: FramePacer,
    pool: FramePool,
    failed: Option<DeviceError>,
}

/// Whether a file begins as Y4M files do.
pub(crate) fn is_y4m(path: &Path) -> Result<bool, DeviceError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|why| file_error(path, why))?;
    file.take(MAGIC.len() as u64).read_to_end(&mut start).map_err(|why| file_error(path, why))?;
    Ok(start == MAGIC)
}

impl Y4mCamera {
    /// Opens a file of 8-bit 4:2:0 pictures.
    ///
    /// # Errors
    /// When the file can't be read, isn't Y4M, has another chroma format or holds no picture.
    pub fn open(path: &Path, pool: FramePool) -> Result<Self, DeviceError> {
        let file = File::open(path).map_err(|why| file_error(path, why))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let line = read_line(&mut file).map_err(|why| file_error(path, why))?;
        let header = parse_header(&line).map_err(|why| file_error(path, why))?;
        let first_frame = file.stream_position().map_err(|why| file_error(path, why))?;
        let mut camera = Self {
            name: file_name(path),
            path: path.to_owned(),
            file,
            first_frame,
            header,
            position: 0,
            pacer: FramePacer::new(header.numerator, header.denominator),
            pool,
            failed: None,
        };
        match camera.read_picture(Timestamp::ZERO) {
            Ok(Some(_)) => camera.rewind().map_err(|why| file_error(path, why))?,
            Ok(None) => return Err(file_error(path, "it holds no picture")),
            Err(why) => return Err(file_error(path, why)),
        }
        Ok(camera)
    }

    fn rewind(&mut self) -> io::Result<()> {
        self.position = 0;
        self.file.seek(SeekFrom::Start(self.first_frame)).map(drop)
    }

    /// The next picture; `None` at the end of the file, and at a last picture that was cut off.
    fn read_picture(&mut self, captured: Timestamp) -> io::Result<Option<VideoFrame>> {
        if !self.read_frame_line()? {
            return Ok(None);
        }
        let Self { file, pool, header, .. } = self;
        let mut read = Ok(());
        let frame = pool.frame(header.size, captured, |y, u, v| {
            read = [y, u, v].into_iter().try_for_each(|plane| file.read_exact(plane));
        });
        match read {
            Ok(()) => Ok(Some(frame)),
            Err(why) if why.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(why) => Err(why),
        }
    }

    fn read_frame_line(&mut self) -> io::Result<bool> {
        let line = read_line(&mut self.file)?;
        if line.is_empty() {
            return Ok(false);
        }
        if line.split(|&b| b == b' ').next() != Some(b"FRAME") {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a picture doesn't begin with FRAME"));
        }
        Ok(true)
    }

    /// Leaves out pictures whose time has passed, then reads the one that is due, from the start again after the last.
    fn read_due(&mut self, number: u64, captured: Timestamp) -> io::Result<VideoFrame> {
        while self.position < number {
            if !self.skip_picture()? {
                self.start_again(number)?;
            }
        }
        if let Some(frame) = self.read_picture(captured)? {
            self.position += 1;
            return Ok(frame);
        }
        self.start_again(number)?;
        self.position += 1;
        let gone = || io::Error::new(io::ErrorKind::UnexpectedEof, "the file holds no picture any more");
        self.read_picture(captured)?.ok_or_else(gone)
    }

    /// Goes to the first picture, which now stands for the one that is due.
    fn start_again(&mut self, number: u64) -> io::Result<()> {
        self.rewind()?;
        self.position = number;
        Ok(())
    }

    fn skip_picture(&mut self) -> io::Result<bool> {
        if !self.read_frame_line()? {
            return Ok(false);
        }
        let length = self.header.size.i420_len() as i64;
        self.file.seek_relative(length)?;
        self.position += 1;
        Ok(true)
    }
}

impl Camera for Y4mCamera {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&self) -> VideoFormat {
        let fps = (self.header.numerator + self.header.denominator / 2) / self.header.denominator;
        VideoFormat { size: self.header.size, fps: fps.max(1) }
    }

    fn poll_frame(&mut self, _: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        let Some(due) = self.pacer.take(now) else { return Poll::Pending };
        Poll::Ready(self.read_due(due.number, due.at).map_err(|why| {
            let error = file_error(&self.path, why);
            self.failed = Some(error.clone());
            error
        }))
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.pacer.next_due(now))
    }
}

/// A line without its end; empty at the end of the file.
fn read_line(file: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    file.take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.is_empty() || line.pop() == Some(b'\n') {
        return Ok(line);
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a line of its header has no end"))
}

fn parse_header(line: &[u8]) -> Result<Header, String> {
    let line = std::str::from_utf8(line).map_err(|_| "it isn't a Y4M file")?;
    let mut words = line.split_ascii_whitespace();
    if words.next().map(str::as_bytes) != Some(MAGIC) {
        return Err("it isn't a Y4M file".to_owned());
    }
    let (mut width, mut height, mut rate, mut chroma) = (0, 0, (30, 1), "420");
    for word in words {
        let Some((tag, value)) = word.split_at_checked(1) else { continue };
        match tag {
            "W" => width = value.parse().unwrap_or(0),
            "H" => height = value.parse().unwrap_or(0),
            "F" => rate = parse_rate(value).ok_or_else(|| format!("{value} isn't a frame rate"))?,
            "C" => chroma = value,
            // Interlacing, aspect and comments change nothing in how the planes lie.
            _ => {}
        }
    }
    if !matches!(chroma, "420" | "420jpeg" | "420mpeg2" | "420paldv") {
        return Err(format!("its chroma format is {chroma}; only 8-bit 4:2:0 can be played"));
    }
    let size = Size::new(width, height).map_err(|why| why.to_string())?;
    Ok(Header { size, numerator: rate.0, denominator: rate.1 })
}

fn parse_rate(value: &str) -> Option<(u32, u32)> {
    let (numerator, denominator) = value.split_once(':')?;
    let (numerator, denominator) = (numerator.parse::<u32>().ok()?, denominator.parse::<u32>().ok()?);
    let sane =
        denominator > 0 && numerator > 0 && denominator <= 1_000_000 && numerator.div_ceil(denominator) <= MOST_FPS;
    sane.then_some((numerator, denominator))
}

/// Writes pictures to a Y4M file. The first picture sets the size; later ones of another size end the file's story, so
/// they are refused.
#[derive(Debug)]
pub struct Y4mWriter {
    path: PathBuf,
    file: BufWriter<File>,
    fps: u32,
    size: Option<Size>,
}

impl Y4mWriter {
    /// Starts a file that says `fps`; an older one of that name is replaced.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn create(path: &Path, fps: u32) -> Result<Self, DeviceError> {
        let file = File::create(path).map_err(|why| file_error(path, why))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), fps, size: None })
    }

    /// The size of the pictures so far, `None` before the first.
    #[must_use]
    pub fn size(&self) -> Option<Size> {
        self.size
    }

    /// Appends a picture.
    ///
    /// # Errors
    /// When its size isn't that of the first, or the file can't be written any more.
    pub fn write(&mut self, frame: &VideoFrame) -> Result<(), DeviceError> {
        let size = *self.size.get_or_insert(frame.size());
        if size != frame.size() {
            return Err(file_error(&self.path, format!("a picture of {} doesn't fit a file of {size}", frame.size())));
        }
        self.put(frame).map_err(|why| file_error(&self.path, why))
    }

    /// Brings everything to the file. Dropping does the same, but can't say what went wrong.
    ///
    /// # Errors
    /// When the file can't be written any more.
    pub fn finish(mut self) -> Result<(), DeviceError> {
        self.file.flush().map_err(|why| file_error(&self.path, why))
    }

    fn put(&mut self, frame: &VideoFrame) -> io::Result<()> {
        if self.file.stream_position()? == 0 {
            let size = frame.size();
            writeln!(self.file, "YUV4MPEG2 W{} H{} F{}:1 Ip A1:1 C420jpeg", size.width(), size.height(), self.fps)?;
        }
        self.file.write_all(b"FRAME\n")?;
        self.file.write_all(frame.i420())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    fn poll(camera: &mut Y4mCamera, micros: u64) -> Option<u8> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match camera.poll_frame(&mut cx, Timestamp::from_micros(micros)) {
            Poll::Ready(frame) => Some(frame.unwrap().y()[0]),
            Poll::Pending => None,
        }
    }

    fn write(path: &Path, pictures: u8) {
        let pool = FramePool::new();
        let mut writer = Y4mWriter::create(path, 10).unwrap();
        for shade in 0..pictures {
            let frame = pool
                .frame(Size::SMALL, Timestamp::ZERO, |y, u, v| [y, u, v].map(|p| p.fill(shade)).into_iter().collect());
            writer.write(&frame).unwrap();
        }
        writer.finish().unwrap();
    }

    #[test]
    fn what_is_recorded_plays_in_a_loop_at_its_rate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.y4m");
        write(&path, 3);
        assert!(is_y4m(&path).unwrap());
        let mut camera = Y4mCamera::open(&path, FramePool::new()).unwrap();
        assert_eq!(camera.format(), VideoFormat { size: Size::SMALL, fps: 10 });
        let shades: Vec<_> = (0..7).map(|n| poll(&mut camera, n * 50_000)).collect();
        assert_eq!(shades, [Some(0), None, Some(1), None, Some(2), None, Some(0)]);
        assert_eq!(poll(&mut camera, 550_000), Some(2), "pictures 3 and 4 were missed");
    }

    #[test]
    fn a_last_picture_that_was_cut_off_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.y4m");
        write(&path, 2);
        let length = std::fs::metadata(&path).unwrap().len();
        File::options().write(true).open(&path).unwrap().set_len(length - 7).unwrap();
        let mut camera = Y4mCamera::open(&path, FramePool::new()).unwrap();
        assert_eq!([0, 1, 2].map(|n| poll(&mut camera, n * 100_000)), [Some(0); 3]);
    }

    #[test]
    fn other_formats_are_named_in_the_error() {
        let header = |text: &str| parse_header(text.as_bytes());
        assert!(header("YUV4MPEG2 W320 H180 F30:1 C444").unwrap_err().contains("444"));
        assert!(header("YUV4MPEG2 W320 H180 F30:1 C420p10").unwrap_err().contains("420p10"));
        assert!(header("YUV4MPEG2 W321 H180 F30:1").unwrap_err().contains("321×180"));
        assert!(header("YUV4MPEG2 W320 H180 F30:0").unwrap_err().contains("30:0"));
        assert!(header("RIFF").is_err());
        let ntsc = header("YUV4MPEG2 W320 H180 F30000:1001 Ip A1:1 C420jpeg XCOMMENT").unwrap();
        assert_eq!((ntsc.numerator, ntsc.denominator), (30000, 1001));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), head in any::<bool>()) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("x.y4m");
            let start: &[u8] = if head { b"YUV4MPEG2 W4 H2 F30:1 C420\nFRAME\n" } else { b"" };
            std::fs::write(&path, [start, &bytes].concat()).unwrap();
            if let Ok(mut camera) = Y4mCamera::open(&path, FramePool::new()) {
                let mut cx = Context::from_waker(std::task::Waker::noop());
                for step in 0..20 {
                    let _ = camera.poll_frame(&mut cx, Timestamp::from_micros(step * 70_000));
                }
            }
        }
    }
}
