//! Files in place of devices: pictures and sound that somebody picked, whatever they hold.

use std::io;
use std::path::Path;
use std::task::{Context, Waker};

use tempfile::TempDir;
use visavis_device::{Camera, Microphone, MjpegCamera, WavMicrophone, Y4mCamera};
use visavis_frame::{FramePool, Timestamp};

/// Looks at a file several times, so that it is played to its end and from its start again.
const LOOKS: u64 = 6;
const LOOK_MICROS: u64 = 40_000;

/// A folder, in memory where the system has one for that.
pub(crate) fn scratch() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }
}

fn with_file(data: &[u8], read: impl FnOnce(&Path)) {
    let Ok(folder) = scratch() else { return };
    let path = folder.path().join("file");
    if std::fs::write(&path, data).is_ok() {
        read(&path);
    }
}

fn watch(camera: &mut dyn Camera) {
    let mut context = Context::from_waker(Waker::noop());
    for look in 0..LOOKS {
        let _ = camera.poll_frame(&mut context, Timestamp::from_micros(look * LOOK_MICROS));
    }
}

/// A YUV4MPEG2 file.
pub(crate) fn y4m(data: &[u8]) {
    with_file(data, |path| {
        if let Ok(mut camera) = Y4mCamera::open(path, FramePool::new()) {
            watch(&mut camera);
        }
    });
}

/// A file of JPEG pictures.
pub(crate) fn mjpeg(data: &[u8]) {
    with_file(data, |path| {
        if let Ok(mut camera) = MjpegCamera::open(path, 30, FramePool::new()) {
            watch(&mut camera);
        }
    });
}

/// A WAV file.
pub(crate) fn wav(data: &[u8]) {
    with_file(data, |path| {
        let Ok(mut microphone) = WavMicrophone::open(path) else { return };
        let mut out = Vec::new();
        for look in 0..LOOKS {
            let before = out.len();
            if microphone.read(Timestamp::from_micros(look * LOOK_MICROS), &mut out).is_err() {
                return;
            }
            let most = u64::from(microphone.rate_hz()) * LOOK_MICROS / 1_000_000 + 1;
            assert!((out.len() - before) as u64 <= most, "more sound than time: {}", out.len() - before);
        }
    });
}
