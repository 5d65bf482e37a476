//! A camera that is pulled out in the middle of a call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use visavis_engine::device::{Camera, CameraChoice, DeviceError, VideoFormat, open_camera};
use visavis_engine::frame::{FramePool, Timestamp, VideoFrame};
use visavis_engine::{DeviceOpener, DeviceReport, Event};

use super::harness::{Equipment, Meeting, play};

/// Cameras that can be pulled out.
#[derive(Default)]
struct Cable {
    out: AtomicBool,
    tries: AtomicU32,
}

fn gone() -> DeviceError {
    DeviceError::Gone { name: "The camera".to_owned() }
}

struct CameraOnACable(Arc<Cable>);

/// The same, and a second camera that nobody pulls out.
struct AnotherBesideIt(Arc<Cable>);

impl DeviceOpener for AnotherBesideIt {
    fn camera(
        &self,
        choice: &CameraChoice,
        wanted: VideoFormat,
        pool: FramePool,
    ) -> Result<Option<Box<dyn Camera>>, DeviceError> {
        let other = || open_camera(&CameraChoice::Test { look: 2 }, wanted, pool.clone());
        CameraOnACable(Arc::clone(&self.0)).camera(choice, wanted, pool.clone()).or_else(|_| other())
    }
}

impl DeviceOpener for CameraOnACable {
    fn camera(
        &self,
        choice: &CameraChoice,
        wanted: VideoFormat,
        pool: FramePool,
    ) -> Result<Option<Box<dyn Camera>>, DeviceError> {
        self.0.tries.fetch_add(1, Ordering::Relaxed);
        if self.0.out.load(Ordering::Relaxed) {
            return Err(gone());
        }
        let camera = open_camera(choice, wanted, pool)?;
        Ok(camera.map(|camera| Box::new(Plugged { camera, cable: Arc::clone(&self.0) }) as Box<dyn Camera>))
    }
}

struct Plugged {
    camera: Box<dyn Camera>,
    cable: Arc<Cable>,
}

impl Camera for Plugged {
    fn name(&self) -> &str {
        self.camera.name()
    }

    fn format(&self) -> VideoFormat {
        self.camera.format()
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<Result<VideoFrame, DeviceError>> {
        if self.cable.out.load(Ordering::Relaxed) { Poll::Ready(Err(gone())) } else { self.camera.poll_frame(cx, now) }
    }

    fn next_due(&self, now: Timestamp) -> Option<Timestamp> {
        self.camera.next_due(now)
    }
}

#[test]
fn a_camera_that_goes_is_said_and_comes_back_by_itself() {
    let cable = Arc::new(Cable::default());
    play(|world, server| async move {
        let with_a = Equipment { opener: Arc::new(CameraOnACable(Arc::clone(&cable))), ..Equipment::default() };
        let mut meeting = Meeting::connected_with(&world, &server, with_a, Equipment::default()).await;
        meeting.pass(Duration::from_secs(2)).await;

        cable.out.store(true, Ordering::Relaxed);
        let lost = Event::Device(DeviceReport::Lost { kind: "camera", error: gone() });
        meeting.a.until_event(&lost).await;
        let dark = world.elapsed();
        meeting.pass(Duration::from_secs(5)).await;
        assert!(meeting.a.time_of(|event| matches!(event, Event::State(state) if state.name() == "closed")).is_none());
        assert!(meeting.a.remote.longest_gap_since(dark) < Duration::from_millis(100), "the other's pictures go on");
        assert_eq!(cable.tries.load(Ordering::Relaxed), 4, "tried again at once, and then every two seconds");

        cable.out.store(false, Ordering::Relaxed);
        let back = world.elapsed();
        let opened = |event: &Event| matches!(event, Event::Device(DeviceReport::Camera(Some(_)))).then_some(());
        meeting.a.until("camera", opened).await;
        assert!(world.elapsed() - back <= Duration::from_secs(2));
        let opened = world.elapsed();
        meeting.pass(Duration::from_secs(1)).await;
        let seen = meeting.b.remote.all().into_iter().find(|seen| seen.at > opened).unwrap();
        assert!(seen.at - opened < Duration::from_millis(100), "{:?}", seen.at - opened);
        let stats = meeting.b.stats();
        assert_eq!(stats.inbound.keyframes_requested, 0, "the new camera's first picture is a keyframe");
    });
}

#[test]
fn another_camera_takes_over_at_once() {
    let cable = Arc::new(Cable::default());
    play(|world, server| async move {
        let with_a = Equipment { opener: Arc::new(AnotherBesideIt(Arc::clone(&cable))), ..Equipment::default() };
        let meeting = Meeting::connected_with(&world, &server, with_a, Equipment::default()).await;
        meeting.pass(Duration::from_secs(2)).await;
        let pulled = world.elapsed();
        cable.out.store(true, Ordering::Relaxed);
        meeting.pass(Duration::from_secs(2)).await;
        let gap = meeting.b.remote.longest_gap_since(pulled);
        assert!(gap < Duration::from_millis(200), "without a picture for {gap:?}");
        assert_eq!(meeting.b.stats().inbound.keyframes_requested, 0);
    });
}
