//! Cameras through nokhwa 0.10: V4L2 on Linux, Media Foundation on Windows, AVFoundation on macOS.
//!
//! A driver may block for ever (V4L2 does when a camera gives no more pictures), so the camera lives on a thread of its
//! own which leaves the newest picture in a slot, and a second thread watches that pictures keep coming and that the
//! capture ends when it should. Nothing in the engine waits for either.

mod claim;
mod errors;
mod find;
mod format;
#[cfg(target_os = "linux")]
mod v4l2;
#[cfg(all(test, target_os = "linux"))]
mod vivid;
mod wake;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use nokhwa::utils::{CameraIndex, CameraInfo};
use visavis_frame::{FramePool, LatestSlot, Size, SlotReader, Timestamp, VideoFrame, latest_slot};

use self::claim::Claim;
use self::errors::{classify, is_busy, lost};
pub(crate) use self::find::list;
use self::format::open_nearest;
use crate::convert::{Layout, from_nv12, from_yuyv, layout};
use crate::error::DeviceError;
use crate::jpeg::JpegReader;
use crate::traits::{Camera, VideoFormat};

/// How long a camera may take to be set up; some warm up for seconds.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// A camera that was opened and gives no picture for so long has gone. Twice as long for the first one.
const STALLED_FOR: Duration = Duration::from_secs(3);
/// A capture that was told to stop and doesn't within this is stuck in its driver.
const STOPS_WITHIN: Duration = Duration::from_millis(500);
/// How long to wait for a camera that another part of this program is about to let go: a little longer than that.
const CLAIM_PATIENCE: Duration = Duration::from_millis(800);
/// The same for another program's, which may have been told to close it a moment ago.
const BUSY_PATIENCE: Duration = Duration::from_millis(300);
const BUSY_RETRY: Duration = Duration::from_millis(60);
/// Pictures in a row that can't be read, after which the camera is given up. The first few of a stream often are broken.
const MOST_BAD_PICTURES: u32 = 90;

/// The engine's clock against this machine's, known from the first time that the engine asks.
type Anchor = OnceLock<(Instant, Timestamp)>;

/// What capture, watch and engine share.
#[derive(Debug, Default)]
struct Shared {
    anchor: Anchor,
    stop: AtomicBool,
    pictures: AtomicU64,
    /// Of those, the ones that couldn't be read.
    broken: AtomicU64,
}

type Delivery = Result<VideoFrame, DeviceError>;

/// A camera of this machine.
#[derive(Debug)]
struct RealCamera {
    name: String,
    format: VideoFormat,
    slot: SlotReader<Delivery>,
    shared: Arc<Shared>,
    lost: Option<DeviceError>,
    /// The watching thread ends the capture when this is dropped.
    _keep: mpsc::Sender<()>,
}

/// A camera that runs, as its thread tells the one who opened it.
struct Opened {
    name: String,
    format: VideoFormat,
    index: CameraIndex,
    /// Its other end goes when the thread has let the camera go.
    finished: mpsc::Receiver<()>,
}

/// Opens a camera by id or name; the system's first for `None`.
pub(crate) fn open(name: Option<&str>, wanted: VideoFormat, pool: FramePool) -> Result<Box<dyn Camera>, DeviceError> {
    let shown = name.unwrap_or("the camera").to_owned();
    let failed = |reason: &str| DeviceError::Failed { name: shown.clone(), reason: reason.to_owned() };
    let (writer, slot) = latest_slot();
    let shared = Arc::new(Shared::default());
    let (reply, replied) = mpsc::channel();
    let job = Job { name: name.map(str::to_owned), wanted, pool, writer: writer.clone(), shared: Arc::clone(&shared) };
    let spawned = thread::Builder::new().name("camera".to_owned()).spawn(move || job.run(&reply));
    spawned.map_err(|why| failed(&why.to_string()))?;
    let opened = match replied.recv_timeout(OPEN_TIMEOUT) {
        Ok(opened) => opened?,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(failed("the system didn't answer"));
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => return Err(failed("the system's driver failed")),
    };
    let (name, format) = (opened.name.clone(), opened.format);
    let (keep, ended) = mpsc::channel();
    let watch = Watch { shared: Arc::clone(&shared), ended, slot: writer, opened, stalled_for: STALLED_FOR };
    let spawned = thread::Builder::new().name("camera watch".to_owned()).spawn(move || watch.run());
    spawned.map_err(|why| failed(&why.to_string()))?;
    Ok(Box::new(RealCamera { name, format, slot, shared, lost: None, _keep: keep }))
}

impl Camera for RealCamera {
    fn name(&self) -> &str {
        &self.name
    }

    fn format(&self) -> VideoFormat {
        self.format
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<Delivery> {
        if let Some(lost) = &self.lost {
            return Poll::Ready(Err(lost.clone()));
        }
        self.shared.anchor.get_or_init(|| (Instant::now(), now));
        let delivery = match self.slot.poll_take(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Some(delivery)) => delivery,
            Poll::Ready(None) => Err(DeviceError::Gone { name: self.name.clone() }),
        };
        self.lost = delivery.as_ref().err().cloned();
        Poll::Ready(delivery)
    }

    fn next_due(&self, _: Timestamp) -> Option<Timestamp> {
        None
    }
}

impl Drop for RealCamera {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

/// Sees that pictures keep coming, and that the capture lets the camera go in the end.
struct Watch {
    shared: Arc<Shared>,
    /// Its other end goes with the engine's side.
    ended: mpsc::Receiver<()>,
    slot: LatestSlot<Delivery>,
    opened: Opened,
    stalled_for: Duration,
}

impl Watch {
    fn run(self) {
        if self.has_stalled() {
            tracing::warn!(camera = self.opened.name, "a camera gives no more pictures");
            self.slot.put(Err(DeviceError::Gone { name: self.opened.name.clone() }));
        }
        self.shared.stop.store(true, Ordering::Relaxed);
        if self.opened.finished.recv_timeout(STOPS_WITHIN) == Err(mpsc::RecvTimeoutError::Timeout) {
            wake::end_stream(&self.opened.index);
        }
    }

    /// Returns when no pictures come any more, or when nobody wants them any more.
    fn has_stalled(&self) -> bool {
        let (mut seen, mut since, mut patience) = (0, Instant::now(), 2 * self.stalled_for);
        while self.ended.recv_timeout(self.stalled_for / 6) == Err(mpsc::RecvTimeoutError::Timeout) {
            let pictures = self.shared.pictures.load(Ordering::Relaxed);
            if pictures != seen {
                (seen, since, patience) = (pictures, Instant::now(), self.stalled_for);
            } else if since.elapsed() > patience {
                return true;
            }
        }
        false
    }
}

/// What the capture thread needs.
struct Job {
    name: Option<String>,
    wanted: VideoFormat,
    pool: FramePool,
    writer: LatestSlot<Delivery>,
    shared: Arc<Shared>,
}

/// An open camera. The fields are dropped in this order: first the camera is closed, then another may open it, then the
/// watch learns of it.
struct Running {
    camera: nokhwa::Camera,
    _claim: Claim,
    _finished: mpsc::Sender<()>,
}

impl Job {
    fn run(self, reply: &mpsc::Sender<Result<Opened, DeviceError>>) {
        let (running, opened) = match self.start() {
            Ok(started) => started,
            Err(error) => return drop(reply.send(Err(error))),
        };
        let (name, size) = (opened.name.clone(), opened.format.size);
        if reply.send(Ok(opened)).is_ok() {
            self.capture(running, &name, size);
        }
    }

    fn start(&self) -> Result<(Running, Opened), DeviceError> {
        let info = find::find(self.name.as_deref())?;
        let name = info.human_name();
        if !nokhwa::nokhwa_check() {
            // macOS asks the person once, and answers later; the camera can be opened again then.
            nokhwa::nokhwa_initialize(|_| {});
            return Err(DeviceError::Refused { name });
        }
        let busy = || DeviceError::Busy { name: name.clone() };
        let claim = Claim::take(&info.index().as_string(), CLAIM_PATIENCE).ok_or_else(busy)?;
        let camera = open_patiently(&info, self.wanted).map_err(|why| classify(&name, &why))?;
        let format = camera.camera_format();
        let size = Size::new(format.width() & !1, format.height() & !1)
            .map_err(|why| DeviceError::Failed { name: name.clone(), reason: why.to_string() })?;
        tracing::info!(camera = name, %format, "a camera was opened");
        let (held, finished) = mpsc::channel();
        let format = VideoFormat { size, fps: format.frame_rate().max(1) };
        let opened = Opened { name, format, index: info.index().clone(), finished };
        Ok((Running { camera, _claim: claim, _finished: held }, opened))
    }

    fn capture(&self, mut running: Running, name: &str, size: Size) {
        let mut converter = Converter { jpeg: JpegReader::new(), pool: self.pool.clone(), size };
        let mut bad = 0;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let taken = running.camera.frame_raw().map_err(|why| lost(name, &why));
            let delivery = taken.and_then(|buffer| {
                self.shared.pictures.fetch_add(1, Ordering::Relaxed);
                // Until the engine has asked once there is no time to give a picture.
                let Some(captured) = self.captured() else { return Ok(None) };
                let frame = converter.convert(&buffer, captured);
                if frame.is_some() {
                    bad = 0;
                    return Ok(frame);
                }
                self.shared.broken.fetch_add(1, Ordering::Relaxed);
                bad += 1;
                let reason = || format!("{} bytes aren't a picture that can be read", buffer.len());
                let give_up = || DeviceError::Failed { name: name.to_owned(), reason: reason() };
                if bad < MOST_BAD_PICTURES { Ok(None) } else { Err(give_up()) }
            });
            match delivery {
                Ok(Some(frame)) => self.writer.put(Ok(frame)),
                Ok(None) => {}
                Err(error) => {
                    self.writer.put(Err(error));
                    break;
                }
            }
        }
        let (pictures, broken) = (&self.shared.pictures, &self.shared.broken);
        let (pictures, broken) = (pictures.load(Ordering::Relaxed), broken.load(Ordering::Relaxed));
        tracing::info!(camera = name, pictures, broken, "a camera is closed");
    }

    fn captured(&self) -> Option<Timestamp> {
        self.shared.anchor.get().map(|(instant, timestamp)| *timestamp + instant.elapsed())
    }
}

/// A camera with its stream open; a busy one is tried again for a moment.
fn open_patiently(info: &CameraInfo, wanted: VideoFormat) -> Result<nokhwa::Camera, nokhwa::NokhwaError> {
    let begin = Instant::now();
    loop {
        let opened = open_nearest(info, wanted).and_then(|mut camera| camera.open_stream().map(|()| camera));
        match opened {
            Err(why) if is_busy(&why) && begin.elapsed() < BUSY_PATIENCE => thread::sleep(BUSY_RETRY),
            opened => return opened,
        }
    }
}

struct Converter {
    jpeg: JpegReader,
    pool: FramePool,
    size: Size,
}

impl Converter {
    fn convert(&mut self, buffer: &[u8], captured: Timestamp) -> Option<VideoFrame> {
        match layout(buffer, self.size)? {
            Layout::Jpeg => self.jpeg.read(buffer, captured, &self.pool).ok(),
            Layout::Yuyv => from_yuyv(buffer, self.size, captured, &self.pool),
            Layout::Nv12 { stride } => from_nv12(buffer, stride, self.size, captured, &self.pool),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn gone() -> DeviceError {
        DeviceError::Gone { name: "Cam".to_owned() }
    }

    #[test]
    fn a_camera_that_stalls_has_gone() {
        let (writer, slot) = latest_slot();
        let (_keep, ended) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let camera = RealCamera {
            name: "Cam".to_owned(),
            format: VideoFormat::HD30,
            slot,
            shared: Arc::clone(&shared),
            lost: None,
            _keep,
        };
        let mut camera: Box<dyn Camera> = Box::new(camera);
        let mut cx = Context::from_waker(std::task::Waker::noop());
        assert!(camera.poll_frame(&mut cx, Timestamp::ZERO).is_pending());
        assert!(shared.anchor.get().is_some());
        writer.put(Err(gone()));
        for _ in 0..3 {
            let Poll::Ready(delivery) = camera.poll_frame(&mut cx, Timestamp::ZERO) else { panic!("still waiting") };
            assert_eq!(delivery.err(), Some(gone()));
        }
        drop(camera);
        assert!(shared.stop.load(Ordering::Relaxed));
        drop(ended);
    }

    #[test]
    fn the_watch_ends_a_camera_whose_driver_hangs() {
        let (slot, reader) = latest_slot();
        let (_keep, ended) = mpsc::channel();
        let (capture, finished) = mpsc::channel();
        drop(capture);
        let shared = Arc::new(Shared::default());
        let index = CameraIndex::Index(4000);
        let opened = Opened { name: "Cam".to_owned(), format: VideoFormat::HD30, index, finished };
        let stalled_for = Duration::from_millis(12);
        Watch { shared: Arc::clone(&shared), ended, slot, opened, stalled_for }.run();
        assert_eq!(reader.take().unwrap().unwrap_err(), gone());
        assert!(shared.stop.load(Ordering::Relaxed));
    }
}
