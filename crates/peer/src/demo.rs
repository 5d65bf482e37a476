//! Two peers, one call, one process: the whole path from a camera over a real server and real sockets to a picture,
//! on any machine, with nothing plugged in.
#![allow(clippy::wildcard_enum_match_arm, reason = "only some events have something to say here")]

use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use futures::StreamExt;
use serde_json::json;
use visavis_engine::call::{CallState, Intent};
use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice, pattern};
use visavis_engine::frame::{VideoFrame, latest_slot};
use visavis_engine::signaling::RoomCode;
use visavis_engine::{CallStats, Devices, Event, FrameSink, Host, Sinks};
use visavis_server::{Embedded, Reach};

use crate::args::DemoArgs;
use crate::exit::Exit;
use crate::meeting::{config, watch};
use crate::picture::write_png;
use crate::report::{Reporter, stats_line};

/// Follows the frame numbers that are burnt into the test pattern.
#[derive(Debug, Default)]
struct Numbers {
    read: u32,
    first: Option<u32>,
    last: Option<u32>,
    backwards: u32,
}

impl Numbers {
    fn see(&mut self, number: u32) {
        self.read += 1;
        self.first.get_or_insert(number);
        if self.last.is_some_and(|last| number <= last) {
            self.backwards += 1;
        }
        self.last = Some(number);
    }
}

struct StampReader(mpsc::Sender<u32>);

impl FrameSink for StampReader {
    fn frame(&mut self, frame: &VideoFrame) {
        if let Some(stamp) = pattern::read(frame) {
            // The demo may be over already.
            let _ = self.0.send(stamp.frame);
        }
    }
}

/// Runs the demo: exit 0 only when a picture and a call came about.
pub(crate) async fn run(args: &DemoArgs) -> Result<Exit> {
    let mut reporter = Reporter::new(args.json);
    let server = Embedded::start(Reach::Process).await?;
    let servers = || vec![server.url()];
    let host = Host::tokio();
    if !args.json {
        reporter.line("Two peers in this process, over an embedded server and this machine's network.");
    }

    let silent = devices(args.camera.clone(), MicrophoneChoice::Tone { pitch_hz: 440 });
    let (creator, mut creator_events) =
        visavis_engine::start(&host, config(Intent::Create, servers(), silent, Sinks::default())?)?;
    let code = code(&mut creator_events).await?;

    let (slot, pictures) = latest_slot();
    let (stamps, numbers) = mpsc::channel();
    let sinks = Sinks { remote_video: vec![Box::new(slot), Box::new(StampReader(stamps))], ..Sinks::default() };
    let joined_at = Instant::now();
    let mut own = config(Intent::Join(code), servers(), devices(args.camera.clone(), MicrophoneChoice::Test), sinks)?;
    own.seed = own.seed.rotate_left(7);
    let (joiner, joiner_events) = visavis_engine::start(&host, own)?;

    let mut summary = Summary::default();
    let end = watch(&joiner, joiner_events, Some(args.duration), |event| {
        summary.see(event, joined_at);
        if !args.json {
            match event {
                Event::Stats(stats) => reporter.line(&stats_line(stats)),
                _ => reporter.event(event),
            }
        }
    })
    .await?;
    creator.hang_up();
    drain(creator_events).await;

    let Some(picture) = pictures.take() else { bail!("no picture was received") };
    write_png(&picture, &args.png)?;
    let mut seen = Numbers::default();
    numbers.try_iter().for_each(|number| seen.see(number));
    summary.tell(&mut reporter, args, &picture, &seen);
    Ok(if seen.backwards == 0 { end } else { Exit::Failed })
}

fn devices(camera: CameraChoice, microphone: MicrophoneChoice) -> Devices {
    Devices { camera, microphone, speaker: SpeakerChoice::Silence }
}

async fn code(events: &mut futures::channel::mpsc::UnboundedReceiver<Event>) -> Result<RoomCode> {
    while let Some(event) = events.next().await {
        match event {
            Event::State(CallState::Waiting { code }) => return Ok(code),
            Event::State(CallState::Closed(reason)) => bail!("{reason}"),
            _ => {}
        }
    }
    bail!("the call ended before it had a code")
}

/// Lets the other side end in its own time, but not for ever.
async fn drain(events: futures::channel::mpsc::UnboundedReceiver<Event>) {
    let rest = events.for_each(|_| std::future::ready(()));
    let _ = tokio::time::timeout(Duration::from_secs(3), rest).await;
}

#[derive(Default)]
struct Summary {
    connected_after: Option<Duration>,
    best: CallStats,
}

impl Summary {
    fn see(&mut self, event: &Event, joined_at: Instant) {
        match event {
            Event::State(CallState::Connected { .. }) => {
                self.connected_after.get_or_insert_with(|| joined_at.elapsed());
            }
            Event::Stats(stats) => self.best = (**stats).clone(),
            _ => {}
        }
    }

    fn tell(&self, reporter: &mut Reporter, args: &DemoArgs, picture: &VideoFrame, seen: &Numbers) {
        let inbound = &self.best.inbound;
        let ms = self.connected_after.map_or(0, |after| after.as_millis() as u64);
        if args.json {
            let value = json!({
                "connectedMs": ms, "framesDecoded": inbound.frames_decoded,
                "width": picture.size().width(), "height": picture.size().height(),
                "framesPerSecond": inbound.frames_per_second, "receiveKbps": inbound.kbps,
                "stampsRead": seen.read, "firstStamp": seen.first, "lastStamp": seen.last,
                "stampsBackwards": seen.backwards, "png": args.png,
            });
            reporter.line(&value.to_string());
            return;
        }
        reporter.line(&format!(
            "\nConnected {ms} ms after joining. {} pictures of {} decoded; {} frame numbers read, {}.",
            inbound.frames_decoded,
            picture.size(),
            seen.read,
            if seen.backwards == 0 { "all in order" } else { "NOT in order" },
        ));
        reporter.line(&format!("The last picture received: {}", args.png.display()));
    }
}
