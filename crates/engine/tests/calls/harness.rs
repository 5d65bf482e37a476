//! The world that the tests play in.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::channel::mpsc::{Sender, UnboundedReceiver, unbounded};
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use visavis_engine::call::{CallState, Intent, MediaState, SocketInput};
use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice, VideoFormat, pattern};
use visavis_engine::frame::{BitRate, Size, VideoFrame};
use visavis_engine::signaling::RoomCode;
use visavis_engine::transport::TransportConfig;
use visavis_engine::transport::runtime::Runtime;
use visavis_engine::{
    BoxFuture, Call, CallConfig, CallStats, Connector, DeviceOpener, Devices, Event, FrameSink, Host, MediaThreads,
    Nearby, Sinks, SocketSender, SoundSettings, SystemDevices, VideoSettings, start,
};
use visavis_testkit::net::{HostRuntime, LinkConfig, SignalingServer, World};

pub(crate) const FPS: u32 = 15;
/// One way, between the two.
pub(crate) const MEDIA_DELAY: Duration = Duration::from_millis(20);
/// One way, between either and the server.
pub(crate) const SERVER_DELAY: Duration = Duration::from_millis(15);
/// Nothing in a test takes longer than this without being wrong.
const PATIENCE: Duration = Duration::from_secs(60);

/// Media tasks are tasks like any other, and nothing blocks.
struct Inline(Arc<HostRuntime>);

impl MediaThreads for Inline {
    fn spawn(&self, _: &'static str, future: BoxFuture<()>) {
        self.0.spawn(future).detach();
    }

    fn block(&self, _: &'static str, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

struct Wire(SignalingServer);

impl Connector for Wire {
    fn connect(&self, host: &Host, _: &str, events: Sender<SocketInput>) -> SocketSender {
        let (sender, inputs) = unbounded();
        host.spawn(inputs.map(Ok).forward(events).map(drop));
        self.0.connect(sender)
    }
}

/// A picture that came out of an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Since the world began.
    pub(crate) at: Duration,
    /// The number that the test pattern burnt in; `None`: it can't be read.
    pub(crate) number: Option<u32>,
}

/// A record of pictures; clones are the same record.
#[derive(Clone)]
pub(crate) struct Pictures {
    world: World,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Pictures {
    fn new(world: &World) -> Self {
        Self { world: world.clone(), seen: Arc::default() }
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The numbers of what was seen since then; every one must be readable.
    pub(crate) fn numbers_since(&self, at: Duration) -> Vec<u32> {
        self.all().into_iter().filter(|seen| seen.at >= at).map(|seen| seen.number.unwrap()).collect()
    }

    /// The longest time without a picture from then on until now.
    pub(crate) fn longest_gap_since(&self, at: Duration) -> Duration {
        let times = self.all().into_iter().map(|seen| seen.at).filter(|seen| *seen >= at);
        let (last, longest) =
            times.fold((at, Duration::ZERO), |(last, longest), next| (next, longest.max(next.saturating_sub(last))));
        longest.max(self.world.elapsed() - last)
    }
}

impl FrameSink for Pictures {
    fn frame(&mut self, frame: &VideoFrame) {
        let number = pattern::read(frame).map(|stamp| stamp.frame);
        let seen = Seen { at: self.world.elapsed(), number };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
    }
}

type Log = Arc<Mutex<Vec<(Duration, Event)>>>;

/// One side of a call.
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) call: Option<Call>,
    pub(crate) remote: Pictures,
    pub(crate) own: Pictures,
    pub(crate) sound: Arc<Mutex<Vec<f32>>>,
    world: World,
    log: Log,
    news: UnboundedReceiver<Event>,
}

/// What one side has and wants.
pub(crate) struct Equipment {
    pub(crate) devices: Devices,
    pub(crate) media: MediaState,
    pub(crate) sound: SoundSettings,
    pub(crate) opener: Arc<dyn DeviceOpener>,
    pub(crate) video: VideoSettings,
    pub(crate) forward_error_correction: bool,
    /// Joiner: who is asked besides the server.
    pub(crate) nearby: Nearby,
    /// Whether it stays for another call.
    pub(crate) stays: bool,
    /// Besides the record of what it sees.
    pub(crate) self_view: Vec<Box<dyn FrameSink>>,
    /// Besides the record of what the other shows.
    pub(crate) remote_video: Vec<Box<dyn FrameSink>>,
}

impl Default for Equipment {
    fn default() -> Self {
        Self {
            devices: Devices {
                camera: CameraChoice::Test { look: 1 },
                microphone: MicrophoneChoice::Tone { pitch_hz: 440 },
                speaker: SpeakerChoice::Silence,
            },
            media: MediaState { microphone: true, camera: true },
            sound: SoundSettings::default(),
            opener: Arc::new(SystemDevices),
            video: VideoSettings {
                format: VideoFormat { size: Size::SMALL, fps: FPS },
                rate: BitRate::from_kbps(400),
                ..VideoSettings::default()
            },
            forward_error_correction: true,
            nearby: Nearby::default(),
            stays: false,
            self_view: Vec::new(),
            remote_video: Vec::new(),
        }
    }
}

impl Party {
    pub(crate) fn start(
        world: &World,
        server: &SignalingServer,
        name: &'static str,
        intent: Intent,
        with: Equipment,
    ) -> Self {
        let runtime = world.host(name);
        let host = Host::new(Arc::clone(&runtime) as Arc<dyn Runtime>, Arc::new(Inline(Arc::clone(&runtime))))
            .with_devices(with.opener);
        let (remote, own) = (Pictures::new(world), Pictures::new(world));
        let mut self_view = with.self_view;
        self_view.push(Box::new(own.clone()));
        let mut remote_video = with.remote_video;
        remote_video.push(Box::new(remote.clone()));
        let sound = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&sound);
        let config = CallConfig {
            intent,
            servers: vec!["server".to_owned()],
            nearby: with.nearby,
            connector: Arc::new(Wire(server.clone())),
            transport: TransportConfig {
                bind: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
                forward_error_correction: with.forward_error_correction,
                ..TransportConfig::default()
            },
            devices: with.devices,
            media: with.media,
            stays: with.stays,
            sound: with.sound,
            video: with.video,
            sinks: Sinks {
                remote_video,
                self_view,
                remote_audio: vec![Box::new(move |samples: &[f32]| {
                    heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(samples);
                })],
            },
            seed: if name == "a" { 1 } else { 2 },
        };
        let (call, mut events) = start(&host, config).unwrap();
        let (sender, news) = unbounded();
        let log = Log::default();
        let (written, clock) = (Arc::clone(&log), world.clone());
        host.spawn(async move {
            while let Some(event) = events.next().await {
                written.lock().unwrap_or_else(PoisonError::into_inner).push((clock.elapsed(), event.clone()));
                let _ = sender.unbounded_send(event);
            }
        });
        Self { name, call: Some(call), remote, own, sound, world: world.clone(), log, news }
    }

    pub(crate) fn call(&self) -> &Call {
        self.call.as_ref().unwrap()
    }

    /// Every event so far, with its time.
    pub(crate) fn log(&self) -> Vec<(Duration, Event)> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for an event that `wanted` makes something of, passing over all before it.
    pub(crate) async fn until<T>(&mut self, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let started = self.world.elapsed();
        let sleep = self.world.host(self.name).sleep(PATIENCE);
        let news = &mut self.news;
        let found = pin!(async move {
            while let Some(event) = news.next().await {
                if let Some(found) = wanted(&event) {
                    return Some(found);
                }
            }
            None
        });
        if let Either::Left((Some(found), _)) = select(found, sleep).await {
            return found;
        }
        panic!("{}: no {what} from {started:?} until {:?}\n{}", self.name, self.world.elapsed(), self.story());
    }

    pub(crate) async fn until_state(&mut self, name: &str) -> CallState {
        self.until(name, |event| match event {
            Event::State(state) if state.name() == name => Some(state.clone()),
            _ => None,
        })
        .await
    }

    pub(crate) async fn until_event(&mut self, wanted: &Event) {
        self.until(&format!("{wanted:?}"), |event| (event == wanted).then_some(())).await;
    }

    /// The latest measure of the call, at most a second old.
    pub(crate) fn stats(&self) -> CallStats {
        let latest = self.log().into_iter().rev().find_map(|(_, event)| match event {
            Event::Stats(stats) => Some(*stats),
            _ => None,
        });
        latest.unwrap()
    }

    /// When it said so first.
    pub(crate) fn time_of(&self, wanted: impl Fn(&Event) -> bool) -> Option<Duration> {
        self.log().into_iter().find(|(_, event)| wanted(event)).map(|(at, _)| at)
    }

    /// What was played lately.
    pub(crate) fn last_sound(&self, length: Duration) -> Vec<f32> {
        let sound = self.sound.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = (length.as_secs_f64() * 48_000.0) as usize;
        sound[sound.len().saturating_sub(samples)..].to_vec()
    }

    fn story(&self) -> String {
        let lines = self.log().into_iter().filter(|(_, event)| !matches!(event, Event::Stats(_)));
        lines.map(|(at, event)| format!("{at:?} {event:?}\n")).collect()
    }
}

/// A call between "a", who made the room, and "b", who joined.
pub(crate) struct Meeting {
    pub(crate) world: World,
    pub(crate) a: Party,
    pub(crate) b: Party,
}

pub(crate) fn world(seed: u64) -> (World, SignalingServer) {
    let world = World::new(seed);
    world.connect("a", "b", &LinkConfig::with_delay(MEDIA_DELAY));
    let server = SignalingServer::new(&world, SERVER_DELAY);
    (world, server)
}

impl Meeting {
    /// Both have just become connected.
    pub(crate) async fn connected(world: &World, server: &SignalingServer) -> Self {
        Self::connected_with(world, server, Equipment::default(), Equipment::default()).await
    }

    pub(crate) async fn connected_with(
        world: &World,
        server: &SignalingServer,
        with_a: Equipment,
        with_b: Equipment,
    ) -> Self {
        let mut a = Party::start(world, server, "a", Intent::Create, with_a);
        let code = waiting(&mut a).await;
        let mut b = Party::start(world, server, "b", Intent::Join(code), with_b);
        a.until_state("connected").await;
        b.until_state("connected").await;
        Self { world: world.clone(), a, b }
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.world.host("a").sleep(time).await;
    }
}

pub(crate) async fn waiting(party: &mut Party) -> RoomCode {
    party
        .until("code", |event| match event {
            Event::State(CallState::Waiting { code }) => Some(code.clone()),
            _ => None,
        })
        .await
}

/// Plays a test in a world of its own.
pub(crate) fn play<F: Future<Output = ()>>(test: impl FnOnce(World, SignalingServer) -> F) {
    let (world, server) = world(1);
    world.run(test(world.clone(), server));
}

pub(crate) fn is_rising(numbers: &[u32]) -> bool {
    numbers.is_sorted_by(|one, next| one < next)
}
