//! MJPEG files, which are nothing but JPEG pictures one behind the other (ITU-T T.81, annex B), as a camera.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};

use visavis_frame::{FramePool, Timestamp, VideoFrame};

use super::{file_error, file_name};
use crate::error::DeviceError;
use crate::jpeg::JpegReader;
use crate::pacing::FramePacer;
use crate::traits::{Camera, VideoFormat};

/// A picture larger than this is no camera's.
const LARGEST_PICTURE: u64 = 16 << 20;
/// Pictures that are indexed: nine hours at 30 a second.
const MOST_PICTURES: usize = 1 << 20;

/// An MJPEG file, played in a loop. The format carries no rate, so it plays at the one that is asked for.
#[derive(Debug)]
pub struct MjpegCamera {
    name: String,
    path: PathBuf,
    file: BufReader<File>,
    pictures: Vec<Range<u64>>,
    format: VideoFormat,
    pacer: FramePacer,
    jpeg: JpegReader,
    data: Vec<u8>,
    pool: FramePool,
    failed: Option<DeviceError>,
}

impl MjpegCamera {
    /// Opens a file, finds its pictures and decodes the first.
    ///
    /// # Errors
    /// When the file can't be read, or doesn't begin with a JPEG picture that can be decoded.
    pub fn open(path: &Path, fps: u32, pool: FramePool) -> Result<Self, DeviceError> {
        let file = File::open(path).map_err(|why| file_error(path, why))?;
        let mut file = BufReader::with_capacity(1 << 16, file);
        let pictures = index(&mut file).map_err(|why| file_error(path, why))?;
        if pictures.is_empty() {
            return Err(file_error(path, "it is neither a Y4M nor an MJPEG file"));
        }
        let mut camera = Self {
            name: file_name(path),
            path: path.to_owned(),
            file,
            pictures,
            format: VideoFormat { fps: fps.max(1), ..VideoFormat::HD30 },
            pacer: FramePacer::new(fps, 1),
            jpeg: JpegReader::new(),
            data: Vec::new(),
            pool,
            failed: None,
        };
        camera.format.size = camera.read_picture(0, Timestamp::ZERO)?.size();
        Ok(camera)
    }

    fn read_picture(&mut self, number: u64, captured: Timestamp) -> Result<VideoFrame, DeviceError> {
        let index = usize::try_from(number % self.pictures.len() as u64).unwrap_or(0);
        let place = self.pictures[index].clone();
        self.load(place).map_err(|why| file_error(&self.path, why))?;
        self.jpeg.read(&self.data, captured, &self.pool).map_err(|why| file_error(&self.path, why))
    }

    fn load(&mut self, place: Range<u64>) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(place.start))?;
        self.data.resize(usize::try_from(place.end - place.start).unwrap_or(0), 0);
        self.file.read_exact(&mut self.data)
    }
}

impl Camera for MjpegCamera {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, _: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>> {
        if let Some(error) = &self.failed {
            return Poll::Ready(Err(error.clone()));
        }
        let Some(due) = self.pacer.take(now) else { return Poll::Pending };
        let read = self.read_picture(due.number, due.at);
        self.failed = read.as_ref().err().cloned();
        Poll::Ready(read)
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        Some(self.pacer.next_due(now))
    }
}

/// Where each picture lies. Ends at the first bytes that aren't a whole picture.
fn index(file: &mut (impl BufRead + Seek)) -> io::Result<Vec<Range<u64>>> {
    let mut pictures = Vec::new();
    let mut at = 0;
    while pictures.len() < MOST_PICTURES {
        match picture_length(file) {
            Ok(length) if length <= LARGEST_PICTURE => pictures.push(at..at + length),
            Ok(_) => break,
            Err(why) if matches!(why.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData) => break,
            Err(why) => return Err(why),
        }
        at = file.stream_position()?;
    }
    Ok(pictures)
}

/// Reads one picture, from its SOI marker to its EOI marker, and says how long it was. Segments are stepped over by
/// their length, so that a thumbnail inside one isn't taken for the end.
fn picture_length(file: &mut impl BufRead) -> io::Result<u64> {
    const START_OF_SCAN: u8 = 0xDA;
    const END_OF_IMAGE: u8 = 0xD9;
    let mut start = [0; 2];
    file.read_exact(&mut start)?;
    if start != [0xFF, 0xD8] {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut length = 2;
    let mut marker = read_marker(file, &mut length)?;
    while marker != END_OF_IMAGE {
        length += skip_segment(file)?;
        marker = if marker == START_OF_SCAN { skip_scan(file, &mut length)? } else { read_marker(file, &mut length)? };
    }
    Ok(length)
}

fn read_byte(file: &mut impl BufRead, length: &mut u64) -> io::Result<u8> {
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    *length += 1;
    Ok(byte[0])
}

/// A marker, with the fill bytes that may stand before it.
fn read_marker(file: &mut impl BufRead, length: &mut u64) -> io::Result<u8> {
    if read_byte(file, length)? != 0xFF {
        return Err(io::ErrorKind::InvalidData.into());
    }
    loop {
        match read_byte(file, length)? {
            0xFF => {}
            marker => return Ok(marker),
        }
    }
}

fn skip_segment(file: &mut impl BufRead) -> io::Result<u64> {
    let mut size = [0; 2];
    file.read_exact(&mut size)?;
    let size = u64::from(u16::from_be_bytes(size));
    let body = size.checked_sub(2).ok_or(io::ErrorKind::InvalidData)?;
    if io::copy(&mut file.take(body), &mut io::sink())? < body {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(size)
}

/// Steps over entropy-coded data to the marker behind it, which is neither stuffing nor a restart.
fn skip_scan(file: &mut impl BufRead, length: &mut u64) -> io::Result<u8> {
    let mut skipped = Vec::new();
    loop {
        skipped.clear();
        let read = file.take(LARGEST_PICTURE).read_until(0xFF, &mut skipped)?;
        *length += read as u64;
        if skipped.last() != Some(&0xFF) || *length > LARGEST_PICTURE {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut next = read_byte(file, length)?;
        while next == 0xFF {
            next = read_byte(file, length)?;
        }
        if !matches!(next, 0x00 | 0xD0..=0xD7) {
            return Ok(next);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::jpeg::samples::ORANGE_JPEG;

    #[test]
    fn pictures_are_told_apart_by_their_markers() {
        // An APP0 with an end marker inside, a scan with stuffing and a restart, fill bytes before the end.
        let picture = [
            0xFF, 0xD8, 0xFF, 0xE0, 0, 6, 0xFF, 0xD9, 1, 2, 0xFF, 0xDA, 0, 2, 7, 0xFF, 0, 8, 0xFF, 0xD0, 9, 0xFF, 0xFF,
            0xD9,
        ];
        let length = picture.len() as u64;
        let twice = [&picture[..], &picture, &picture[..9]].concat();
        assert_eq!(index(&mut Cursor::new(twice)).unwrap(), [0..length, length..2 * length]);
    }

    #[test]
    fn a_file_plays_in_a_loop_at_the_rate_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mjpeg");
        std::fs::write(&path, [ORANGE_JPEG, ORANGE_JPEG].concat()).unwrap();
        let mut camera = MjpegCamera::open(&path, 20, FramePool::new()).unwrap();
        assert_eq!((camera.format().fps, camera.format().size.width()), (20, 16));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for number in 0..5 {
            let polled = camera.poll_frame(&mut cx, Timestamp::from_micros(number * 50_000));
            let Poll::Ready(Ok(frame)) = polled else { panic!("no picture: {polled:?}") };
            assert_eq!(frame.captured().as_micros(), number * 50_000);
        }
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mjpeg");
        std::fs::write(&path, "not a picture").unwrap();
        assert!(MjpegCamera::open(&path, 30, FramePool::new()).unwrap_err().to_string().contains("neither"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(prop_oneof![Just(0xFFu8), any::<u8>()], 0..400)) {
            let _ = index(&mut Cursor::new([&[0xFF, 0xD8][..], &bytes].concat()));
        }
    }
}
