//! Cameras through nokhwa 0.10: V4L2 on Linux, Media Foundation on Windows, AVFoundation on macOS.
//!
//! A driver may block for ever (V4L2 does when a camera is unplugged), so the camera lives on a thread of its own which
//! leaves the newest picture in a slot, and a second thread watches that pictures keep coming. A capture thread that is
//! stuck in its driver is left behind; nothing waits for it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraInfo, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};
use nokhwa::{NokhwaError, query};
use visavis_frame::{FramePool, LatestSlot, Size, SlotReader, Timestamp, VideoFrame, latest_slot};

use crate::convert::{JpegReader, Layout, from_nv12, from_yuyv, layout};
use crate::error::DeviceError;
use crate::list::DeviceInfo;
use crate::traits::{Camera, VideoFormat};

/// How long a camera may take to be set up; some warm up for seconds.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// A camera that was opened and gives no picture for so long has gone. Twice as long for the first one.
const STALLED_FOR: Duration = Duration::from_secs(3);
/// Pictures in a row that can't be read, after which the camera is given up. The first few of a stream often are broken.
const MOST_BAD_PICTURES: u32 = 90;
/// Least work first: NV12 is nearly I420, MJPEG must be decoded. Uncompressed HD doesn't fit through USB 2, so a camera
/// that offers it at the full rate has the room.
const FORMATS: [FrameFormat; 3] = [FrameFormat::NV12, FrameFormat::YUYV, FrameFormat::MJPEG];

/// The engine's clock against this machine's, known from the first time that the engine asks.
type Anchor = OnceLock<(Instant, Timestamp)>;

/// What capture, watch and engine share.
#[derive(Debug, Default)]
struct Shared {
    anchor: Anchor,
    stop: AtomicBool,
    pictures: AtomicU64,
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
    /// The watching thread ends when this is dropped.
    _keep: mpsc::Sender<()>,
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
    let (name, format) = match replied.recv_timeout(OPEN_TIMEOUT) {
        Ok(opened) => opened?,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            shared.stop.store(true, Ordering::Relaxed);
            return Err(failed("the system didn't answer"));
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => return Err(failed("the system's driver failed")),
    };
    let (keep, ended) = mpsc::channel();
    let (watched, watched_name) = (Arc::clone(&shared), name.clone());
    let watch = move || watch(&watched, &ended, &writer, &watched_name, STALLED_FOR);
    thread::Builder::new().name("camera watch".to_owned()).spawn(watch).map_err(|why| failed(&why.to_string()))?;
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

/// Ends the camera for the engine when pictures stop coming, whatever the driver does meanwhile.
fn watch(shared: &Shared, ended: &mpsc::Receiver<()>, slot: &LatestSlot<Delivery>, name: &str, stalled_for: Duration) {
    let (mut seen, mut since, mut patience) = (0, Instant::now(), 2 * stalled_for);
    while ended.recv_timeout(stalled_for / 6) == Err(mpsc::RecvTimeoutError::Timeout) {
        let pictures = shared.pictures.load(Ordering::Relaxed);
        if pictures != seen {
            (seen, since, patience) = (pictures, Instant::now(), stalled_for);
        } else if since.elapsed() > patience {
            shared.stop.store(true, Ordering::Relaxed);
            slot.put(Err(DeviceError::Gone { name: name.to_owned() }));
            return;
        }
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

impl Job {
    fn run(self, reply: &mpsc::Sender<Result<(String, VideoFormat), DeviceError>>) {
        let (mut camera, name, size, fps) = match self.start() {
            Ok(started) => started,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if reply.send(Ok((name.clone(), VideoFormat { size, fps }))).is_err() {
            return;
        }
        let mut converter = Converter { jpeg: JpegReader::new(), pool: self.pool.clone(), size };
        let mut bad = 0;
        while !self.shared.stop.load(Ordering::Relaxed) {
            let taken = camera.frame_raw().map_err(|why| lost(&name, &why));
            let delivery = taken.and_then(|buffer| {
                self.shared.pictures.fetch_add(1, Ordering::Relaxed);
                // Until the engine has asked once there is no time to give a picture.
                let Some(captured) = self.captured() else { return Ok(None) };
                let frame = converter.convert(&buffer, captured);
                bad = if frame.is_some() { 0 } else { bad + 1 };
                let reason = || format!("{} bytes aren't a picture that can be read", buffer.len());
                if bad < MOST_BAD_PICTURES {
                    Ok(frame)
                } else {
                    Err(DeviceError::Failed { name: name.clone(), reason: reason() })
                }
            });
            match delivery {
                Ok(Some(frame)) => self.writer.put(Ok(frame)),
                Ok(None) => {}
                Err(error) => return self.writer.put(Err(error)),
            }
        }
    }

    fn start(&self) -> Result<(nokhwa::Camera, String, Size, u32), DeviceError> {
        let info = find(self.name.as_deref())?;
        let name = info.human_name();
        if !nokhwa::nokhwa_check() {
            // macOS asks the person once, and answers later; the camera can be opened again then.
            nokhwa::nokhwa_initialize(|_| {});
            return Err(DeviceError::Refused { name });
        }
        let mut camera = open_nearest(&info, self.wanted).map_err(|why| classify(&name, &why))?;
        camera.open_stream().map_err(|why| classify(&name, &why))?;
        let format = camera.camera_format();
        let size = Size::new(format.width() & !1, format.height() & !1)
            .map_err(|why| DeviceError::Failed { name: name.clone(), reason: why.to_string() })?;
        Ok((camera, name, size, format.frame_rate().max(1)))
    }

    fn captured(&self) -> Option<Timestamp> {
        self.shared.anchor.get().map(|(instant, timestamp)| *timestamp + instant.elapsed())
    }
}

/// The format asked for, exactly; then each format as near as it gets; then whatever can be read.
fn open_nearest(info: &CameraInfo, wanted: VideoFormat) -> Result<nokhwa::Camera, NokhwaError> {
    let resolution = Resolution::new(wanted.size.width() as u32, wanted.size.height() as u32);
    let of = |format| CameraFormat::new(resolution, format, wanted.fps);
    let exact = FORMATS.map(|format| RequestedFormatType::Exact(of(format)));
    let closest = FORMATS.map(|format| RequestedFormatType::Closest(of(format)));
    let mut failure = None;
    for request in exact.into_iter().chain(closest).chain([RequestedFormatType::None]) {
        match nokhwa::Camera::new(info.index().clone(), RequestedFormat::with_formats(request, &FORMATS)) {
            Ok(camera) => return Ok(camera),
            // Another format won't help against another program, a lock or an empty socket.
            Err(why) if is_final(&why) => return Err(why),
            Err(why) => failure = Some(why),
        }
    }
    Err(failure.unwrap_or_else(|| NokhwaError::GeneralError("it has no format that can be read".to_owned())))
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

/// nokhwa passes the system's words on and no code, so the words are what there is.
fn says(error: &NokhwaError, words: &[&str]) -> bool {
    let text = error.to_string().to_lowercase();
    words.iter().any(|word| text.contains(word))
}

fn is_busy(error: &NokhwaError) -> bool {
    says(error, &["os error 16", "busy", "in use", "0xc00d3ea3", "hardware mft failed"])
}

fn is_refused(error: &NokhwaError) -> bool {
    says(error, &["os error 13", "os error 1)", "permission", "access is denied", "0x80070005", "not authorized"])
}

fn is_missing(error: &NokhwaError) -> bool {
    says(
        error,
        &["os error 19", "os error 6)", "os error 2)", "no such device", "no such file", "0xc00d3e85", "not found"],
    )
}

fn is_final(error: &NokhwaError) -> bool {
    is_busy(error) || is_refused(error) || is_missing(error)
}

/// What a person can do about a camera that can't be opened.
fn classify(name: &str, error: &NokhwaError) -> DeviceError {
    let name = name.to_owned();
    if is_busy(error) {
        DeviceError::Busy { name }
    } else if is_refused(error) {
        DeviceError::Refused { name }
    } else if is_missing(error) {
        DeviceError::NotFound { name }
    } else {
        DeviceError::Failed { name, reason: error.to_string() }
    }
}

/// A camera that ran and then failed has gone, as far as anybody can do something about it.
fn lost(name: &str, error: &NokhwaError) -> DeviceError {
    tracing::warn!(camera = name, %error, "a camera was lost");
    DeviceError::Gone { name: name.to_owned() }
}

fn cameras() -> Result<Vec<CameraInfo>, NokhwaError> {
    let mut found = query(ApiBackend::Auto)?;
    found.retain(takes_pictures);
    found.sort_by_key(|info| info.index().as_index().unwrap_or(u32::MAX));
    Ok(found)
}

/// A USB camera has a second device on Linux, for metadata only; the first is index 0 of its kind.
#[cfg(target_os = "linux")]
fn takes_pictures(info: &CameraInfo) -> bool {
    let path = format!("/sys/class/video4linux/video{}/index", info.index());
    std::fs::read_to_string(path).map_or(true, |index| index.trim() == "0")
}

#[cfg(not(target_os = "linux"))]
fn takes_pictures(_: &CameraInfo) -> bool {
    true
}

/// What to keep in settings: the system's own id where nokhwa gives one, and the name otherwise, since numbers change
/// with every plug.
fn id(info: &CameraInfo) -> String {
    if cfg!(target_os = "linux") || info.misc().is_empty() { info.human_name() } else { info.misc() }
}

fn find(name: Option<&str>) -> Result<CameraInfo, DeviceError> {
    let found = cameras().map_err(|why| classify("the camera", &why))?;
    let Some(name) = name else {
        return found.into_iter().next().ok_or(DeviceError::None { kind: "camera" });
    };
    let number = name.strip_prefix("/dev/video").unwrap_or(name);
    let is_it = |info: &CameraInfo| id(info) == name || info.human_name() == name || info.index().as_string() == number;
    found.into_iter().find(is_it).ok_or_else(|| DeviceError::NotFound { name: name.to_owned() })
}

/// All cameras; the first is the one that `default` means.
pub(crate) fn list() -> Result<Vec<DeviceInfo>, String> {
    let found = cameras().map_err(|why| why.to_string())?;
    let mut listed: Vec<DeviceInfo> = Vec::with_capacity(found.len());
    for info in &found {
        let (mut id, mut name) = (id(info), info.human_name());
        // Two webcams of one make have one name: the second is told apart by its number.
        if listed.iter().any(|other| other.id == id) {
            let number = info.index().as_string();
            name = format!("{name} ({number})");
            id = if cfg!(target_os = "linux") { format!("/dev/video{number}") } else { number };
        }
        listed.push(DeviceInfo { id, name, is_default: listed.is_empty() });
    }
    Ok(listed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn told(words: &str) -> DeviceError {
        classify("Cam", &NokhwaError::OpenDeviceError("0".to_owned(), words.to_owned()))
    }

    #[test]
    fn failures_are_told_apart_by_what_can_be_done() {
        let name = || "Cam".to_owned();
        assert_eq!(told("V4L2 Error: Device or resource busy (os error 16)"), DeviceError::Busy { name: name() });
        assert_eq!(told("V4L2 Error: Permission denied (os error 13)"), DeviceError::Refused { name: name() });
        assert_eq!(told("V4L2 Error: No such device (os error 19)"), DeviceError::NotFound { name: name() });
        assert!(matches!(told("V4L2 Error: Invalid argument (os error 22)"), DeviceError::Failed { .. }));
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
        let gone = Err(DeviceError::Gone { name: "Cam".to_owned() });
        writer.put(gone.clone());
        for _ in 0..3 {
            let Poll::Ready(delivery) = camera.poll_frame(&mut cx, Timestamp::ZERO) else { panic!("still waiting") };
            assert_eq!(delivery.err(), gone.clone().err());
        }
        drop(camera);
        assert!(shared.stop.load(Ordering::Relaxed));
        drop(ended);
    }

    #[test]
    fn the_watch_ends_a_camera_whose_driver_hangs() {
        let (writer, slot) = latest_slot();
        let (_keep, ended) = mpsc::channel();
        let shared = Shared::default();
        watch(&shared, &ended, &writer, "Cam", Duration::from_millis(12));
        assert_eq!(slot.take().unwrap().unwrap_err(), DeviceError::Gone { name: "Cam".to_owned() });
        assert!(shared.stop.load(Ordering::Relaxed));
    }
}
