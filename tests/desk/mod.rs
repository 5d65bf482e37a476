//! Two people on one machine with a sound server of their own: Ann speaks into a microphone of it, Bob listens to a
//! speaker of it. No pictures, nobody else.
#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use visavis_engine::call::{CallState, Intent, MediaState, PeerState};
use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice};
use visavis_engine::transport::TransportConfig;
use visavis_engine::{
    Call, CallConfig, Devices, Event, Host, Nearby, Sinks, SoundSettings, VideoSettings, WebSocketConnector,
};
use visavis_server::{Embedded, Reach};
use visavis_testkit::sound;
use visavis_testkit::sound_server::{RATE_HZ, Stream};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// One side of the call.
pub struct Side {
    call: Call,
    devices: Mutex<Devices>,
    events: Arc<Mutex<Vec<Event>>>,
}

/// A call that is up.
pub struct Desk {
    pub ann: Side,
    pub bob: Side,
    _server: Embedded,
    _runtime: tokio::runtime::Runtime,
}

impl Desk {
    /// Ann calls Bob, each with what these choices mean.
    pub fn talk(microphone: &str, speaker: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let _inside = runtime.enter();
        let server = runtime.block_on(Embedded::start(Reach::Process)).unwrap();
        let host = Host::tokio();
        let urls = || vec![server.url()];
        let only = |microphone, speaker| Devices { camera: CameraChoice::None, microphone, speaker };
        let of_ann = only(microphone.parse().unwrap(), SpeakerChoice::Silence);
        let ann = Side::start(&host, config(Intent::Create, urls(), of_ann, 1));
        let code = ann.event(0, "a code", |event| match event {
            Event::State(CallState::Waiting { code }) => Some(code.clone()),
            _ => None,
        });
        let of_bob = only(MicrophoneChoice::Silence, speaker.parse().unwrap());
        let bob = Side::start(&host, config(Intent::Join(code), urls(), of_bob, 2));
        for side in [&ann, &bob] {
            side.event(0, "a call", |event| matches!(event, Event::State(CallState::Connected { .. })).then_some(()));
        }
        Self { ann, bob, _server: server, _runtime: runtime }
    }
}

fn config(intent: Intent, servers: Vec<String>, devices: Devices, seed: u64) -> CallConfig {
    CallConfig {
        intent,
        servers,
        nearby: Nearby::default(),
        connector: Arc::new(WebSocketConnector),
        transport: TransportConfig::default(),
        devices,
        media: MediaState { microphone: true, camera: false },
        stays: false,
        // A tone is noise to whoever suppresses noise.
        sound: SoundSettings { processing: visavis_engine::SoundProcessing::OFF, stand_ins_too: false },
        video: VideoSettings::default(),
        sinks: Sinks::default(),
        seed,
    }
}

impl Side {
    fn start(host: &Host, config: CallConfig) -> Self {
        let devices = Mutex::new(config.devices.clone());
        let (call, watcher) = visavis_engine::start(host, config).unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(keep(watcher, Arc::clone(&events)));
        Self { call, devices, events }
    }

    /// How many events there were.
    pub fn seen(&self) -> usize {
        self.events.lock().unwrap().len()
    }

    /// The first event after so many that `wanted` finds something in.
    pub fn event<T>(&self, after: usize, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(found) = self.events.lock().unwrap().iter().skip(after).find_map(&wanted) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "no {what}: {:?}", self.events.lock().unwrap());
            sleep(Duration::from_millis(5));
        }
    }

    /// Uses another microphone, in mid-call.
    pub fn use_microphone(&self, choice: &str) {
        let mut devices = self.devices.lock().unwrap();
        devices.microphone = choice.parse().unwrap();
        self.call.use_devices(devices.clone());
    }

    /// Uses another speaker, in mid-call.
    pub fn use_speaker(&self, choice: &str) {
        let mut devices = self.devices.lock().unwrap();
        devices.speaker = choice.parse().unwrap();
        self.call.use_devices(devices.clone());
    }

    /// The call came up once and was never anything else since: nothing was lost, nothing negotiated again.
    pub fn assert_undisturbed(&self) {
        let events = self.events.lock().unwrap();
        let connected = |event: &Event| matches!(event, Event::State(CallState::Connected { .. }));
        let up = events.iter().position(connected).unwrap();
        let other = |event: &&Event| match event {
            Event::State(_) | Event::Finished => true,
            Event::Peer(state) => *state != PeerState::Connected,
            _ => false,
        };
        assert_eq!(events[up + 1..].iter().find(other), None);
    }
}

async fn keep(mut watcher: UnboundedReceiver<Event>, into: Arc<Mutex<Vec<Event>>>) {
    while let Some(event) = watcher.next().await {
        into.lock().unwrap().push(event);
    }
}

/// A sine, for ever.
pub fn tone(pitch_hz: f64) -> impl FnMut() -> f32 + Send {
    let mut index = 0u32;
    move || {
        index = index.wrapping_add(1);
        (0.3 * (f64::from(index) * pitch_hz * std::f64::consts::TAU / f64::from(RATE_HZ)).sin()) as f32
    }
}

/// Waits until a tenth of a second of this tone was recorded, and says how long after sample `from` that began.
pub fn hears(recording: &Stream, from: usize, pitch_hz: f64) -> Duration {
    const PIECE: usize = RATE_HZ as usize / 10;
    let start = Instant::now();
    loop {
        let sound = recording.since(from, 0);
        let is_tone = |piece: &[f32]| {
            sound::tone_purity(piece, RATE_HZ, pitch_hz) > 0.8 && sound::tone_amplitude(piece, RATE_HZ, pitch_hz) > 0.1
        };
        // In steps of a tenth of a piece, so that the beginning is known to 10 ms.
        let begins =
            (0..sound.len().saturating_sub(PIECE)).step_by(PIECE / 10).find(|&at| is_tone(&sound[at..at + PIECE]));
        if let Some(at) = begins {
            return Duration::from_secs_f64(at as f64 / f64::from(RATE_HZ));
        }
        assert!(start.elapsed() < PATIENCE, "{pitch_hz} Hz isn't heard in {} samples", sound.len());
        sleep(Duration::from_millis(50));
    }
}
