//! The camera against a real V4L2 device: the kernel's `vivid`, which is a webcam in every respect but the lens. These
//! tests need a machine of their own whose camera they may pull out, and an order: `./dev camera` starts a virtual one
//! and runs them there (xtask/vm/camera-init.sh).

#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Child, Command, Stdio};
use std::task::Waker;

use nokhwa::utils::FrameFormat;

use super::format::{FORMATS, open_as};
use super::*;

/// 75% colour bars in BT.601 limited range, left to right: white, yellow, cyan, green, magenta, red, blue, black.
const BARS: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];
const VGA25: VideoFormat = VideoFormat { size: vga(), fps: 25 };

const fn vga() -> Size {
    match Size::new(640, 480) {
        Ok(size) => size,
        Err(_) => Size::HD,
    }
}

/// On a line of its own, since the test's name stands on the one that is begun.
fn say(words: &str) {
    eprintln!("\n    {words}");
}

fn open_any(wanted: VideoFormat) -> Result<Box<dyn Camera>, DeviceError> {
    open(None, wanted, FramePool::new())
}

/// What comes within so long, as the engine would ask for it.
fn next(camera: &mut dyn Camera, begin: Instant, within: Duration) -> Option<Delivery> {
    let mut cx = Context::from_waker(Waker::noop());
    let asked = Instant::now();
    while asked.elapsed() < within {
        if let Poll::Ready(delivery) = camera.poll_frame(&mut cx, Timestamp::ZERO + begin.elapsed()) {
            return Some(delivery);
        }
        thread::sleep(Duration::from_millis(2));
    }
    None
}

fn frames(camera: &mut dyn Camera, count: usize) -> Vec<VideoFrame> {
    let begin = Instant::now();
    (0..count).map(|_| next(camera, begin, Duration::from_secs(5)).unwrap().unwrap()).collect()
}

/// How long until the camera is said to have gone.
fn until_gone(camera: &mut dyn Camera, within: Duration) -> Duration {
    let begin = Instant::now();
    while let Some(delivery) = next(camera, begin, within.saturating_sub(begin.elapsed())) {
        match delivery {
            Ok(_) => {}
            Err(DeviceError::Gone { .. }) => return begin.elapsed(),
            Err(other) => panic!("not gone, but {other}"),
        }
    }
    panic!("nothing was said in {within:?}");
}

/// Furthest that the middle of a bar is from its colour. The lower half is looked at: vivid writes into the upper.
fn worst_colour(frame: &VideoFrame) -> u8 {
    let (width, height) = (frame.size().width(), frame.size().height());
    let off = |bar: usize, [y, u, v]: [u8; 3]| {
        let (x, row) = ((2 * bar + 1) * width / 16, height * 3 / 4);
        let chroma = (row / 2) * (width / 2) + x / 2;
        let offs =
            [frame.y()[row * width + x].abs_diff(y), frame.u()[chroma].abs_diff(u), frame.v()[chroma].abs_diff(v)];
        offs.into_iter().max().unwrap_or(0)
    };
    BARS.into_iter().enumerate().map(|(bar, colour)| off(bar, colour)).max().unwrap_or(u8::MAX)
}

fn run(program: &str, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn must(program: &str, arguments: &[&str]) {
    assert!(run(program, arguments).wait().unwrap().success(), "{program} {arguments:?}");
}

fn set(control: &str) {
    must("v4l2-ctl", &["-d", "0", "-c", control]);
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn a1_no_camera_at_all() {
    assert_eq!(list().unwrap(), []);
    assert_eq!(open_any(VGA25).err(), Some(DeviceError::None { kind: "camera" }));
    let named = open(Some("/dev/video0"), VGA25, FramePool::new()).err();
    assert_eq!(named, Some(DeviceError::NotFound { name: "/dev/video0".to_owned() }));
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn b1_exactly_what_is_asked_for_comes_in_order_and_in_colour() {
    let listed = list().unwrap();
    assert_eq!(listed.len(), 1);
    let opening = Instant::now();
    let mut camera = open(Some(&listed[0].id), VGA25, FramePool::new()).unwrap();
    assert_eq!(camera.format(), VGA25);
    let opened = opening.elapsed();
    let first = frames(camera.as_mut(), 1).remove(0);
    let first_after = opening.elapsed();
    let begin = Instant::now();
    let seen: Vec<VideoFrame> =
        (0..100).map(|_| next(camera.as_mut(), opening, Duration::from_secs(5)).unwrap().unwrap()).collect();
    let fps = seen.len() as f64 / begin.elapsed().as_secs_f64();
    assert_eq!(first.size(), vga());
    assert!(seen.windows(2).all(|pair| pair[0].captured() < pair[1].captured()), "in order");
    let changing = seen.windows(2).filter(|pair| pair[0].y() != pair[1].y()).count();
    let off = seen.iter().map(worst_colour).max().unwrap();
    let name = &listed[0].name;
    say(&format!("{name}: {:?}, open in {opened:.0?}, first picture after {first_after:.0?}", camera.format()));
    say(&format!("100 pictures, {fps:.1} a second, {changing} of 99 differ from the one before, colours within {off}"));
    assert!(off <= 4 && changing > 30 && fps > 10.0);
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn b2_every_pixel_format_shows_the_same_bars() {
    let info = find::find(None).unwrap();
    for format in FORMATS {
        let opened = open_as(&info, VGA25, &[format]).and_then(|mut camera| camera.open_stream().map(|()| camera));
        let mut camera = match opened {
            Ok(camera) => camera,
            Err(why) => {
                say(&format!("{format}: {why}"));
                assert_eq!(format, FrameFormat::MJPEG, "vivid has the others");
                continue;
            }
        };
        let buffer = camera.frame_raw().unwrap().into_owned();
        let kind = layout(&buffer, vga());
        let mut converter = Converter { jpeg: JpegReader::new(), pool: FramePool::new(), size: vga() };
        let off = worst_colour(&converter.convert(&buffer, Timestamp::ZERO).unwrap());
        say(&format!("{format}: {} bytes are {kind:?}, colours within {off}", buffer.len()));
        assert!(off <= 4);
    }
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn b3_a_camera_without_the_format_gives_the_best_that_it_has() {
    let mut camera = open_any(VideoFormat::HD30).unwrap();
    let format = camera.format();
    say(&format!("asked for 1280×720 at 30, got {format:?}"));
    assert!(format.fps >= 25, "motion goes before size");
    assert_eq!(frames(camera.as_mut(), 5)[4].size(), format.size);
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn c1_busy_with_another_program() {
    let mut other = run("v4l2-ctl", &["-d", "0", "--stream-mmap"]);
    thread::sleep(Duration::from_secs(2));
    let begin = Instant::now();
    let error = open_any(VGA25).err().unwrap();
    say(&format!("{error} (after {:.0?})", begin.elapsed()));
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(matches!(error, DeviceError::Busy { .. }), "{error:?}");
    frames(open_any(VGA25).unwrap().as_mut(), 3);
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn c2_busy_with_ourselves_and_free_at_once_when_closed() {
    let mut first = open_any(VGA25).unwrap();
    frames(first.as_mut(), 3);
    let error = open_any(VGA25).err().unwrap();
    assert!(matches!(error, DeviceError::Busy { .. }), "{error:?}");
    frames(first.as_mut(), 3);
    let begin = Instant::now();
    for _ in 0..5 {
        drop(first);
        first = open_any(VGA25).unwrap();
        frames(first.as_mut(), 1);
    }
    say(&format!("closed, opened and a picture seen, five times in {:.0?}", begin.elapsed()));
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn d1_refused_by_the_system() {
    let error = open_any(VGA25).err().unwrap();
    say(&error.to_string());
    assert!(matches!(error, DeviceError::Refused { .. }), "{error:?}");
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn e1_a_camera_that_stops_giving_pictures_is_let_go() {
    let mut camera = open_any(VGA25).unwrap();
    frames(camera.as_mut(), 10);
    set("percentage_of_dropped_buffers=100");
    let after = until_gone(camera.as_mut(), 3 * STALLED_FOR);
    // It still gives none, so the capture can't have ended by itself; and the engine may keep its side a moment longer.
    let mut again = open_any(VGA25).unwrap();
    say(&format!("said to have gone after {after:.1?}, and open again while it still gives none"));
    set("percentage_of_dropped_buffers=0");
    frames(again.as_mut(), 3);
    drop((camera, again));
    thread::sleep(2 * STOPS_WITHIN);
    must("v4l2-ctl", &["-d", "0", "--stream-mmap", "--stream-count=2"]);
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn e2_a_camera_closed_while_it_hangs_is_let_go() {
    let mut camera = open_any(VGA25).unwrap();
    frames(camera.as_mut(), 10);
    set("percentage_of_dropped_buffers=100");
    thread::sleep(Duration::from_millis(500));
    drop(camera);
    let begin = Instant::now();
    let mut again = open_any(VGA25).unwrap();
    say(&format!("open again {:.0?} after it was closed", begin.elapsed()));
    set("percentage_of_dropped_buffers=0");
    frames(again.as_mut(), 3);
}

#[test]
#[ignore = "needs a machine of its own: ./dev camera"]
fn f1_unplugged_and_plugged_in_again() {
    // vivid comes back when nobody holds it any more, so somebody has to.
    let mut holder = run("v4l2-ctl", &["-d", "0", "--sleep", "60"]);
    let mut camera = open_any(VGA25).unwrap();
    frames(camera.as_mut(), 25);
    set("disconnect=1");
    let after = until_gone(camera.as_mut(), STALLED_FOR);
    let error = open_any(VGA25).err().unwrap();
    say(&format!("said to have gone after {after:.0?}; opening it again says: {error}"));
    assert!(matches!(error, DeviceError::NotFound { .. }), "{error:?}");
    holder.kill().unwrap();
    holder.wait().unwrap();
    frames(open_any(VGA25).unwrap().as_mut(), 3);
    // The module can't be unloaded while anybody holds the device.
    thread::sleep(2 * STOPS_WITHIN);
    must("/vivid.sh", &["unplug"]);
    assert_eq!(open_any(VGA25).err(), Some(DeviceError::None { kind: "camera" }));
    must("/vivid.sh", &["plug"]);
    frames(open_any(VGA25).unwrap().as_mut(), 10);
    say("gone from the list when pulled out, and back with pictures when plugged in");
    drop(camera);
}
