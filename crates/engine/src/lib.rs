//! The engine: one call, with everything that it takes, behind commands and events.
//!
//! App, headless peer and tests drive this same crate. [`start`] gives a [`Call`] to command and a stream of [`Event`]s to
//! watch; the last one is [`Event::Finished`]. Events wait without bound, so take them as they come: there are a few a
//! second. All time, timers, sockets, threads and devices come from the [`Host`].

mod adapt;
mod audio;
mod audio_in;
mod audio_out;
pub mod check;
mod config;
mod counters;
mod devices;
mod event;
mod freeze;
mod host;
mod names;
mod nearby;
mod network;
mod peer_link;
mod processing;
pub mod report;
mod run;
mod scale;
mod server_url;
mod socket;
mod sound_moment;
mod stats;
mod steady;
mod streams;
mod tls;
mod video_in;
mod video_out;
mod wanted;
pub mod webrtc_stats;
mod words;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use futures::channel::mpsc;
use visavis_call::{Entropy, Intent, NearbyServers, Ways, WaysConfig};
use visavis_transport::Certificate;

pub use config::{CallConfig, Devices, FrameSink, Sinks, SoundSettings, SoundSink, VideoSettings};
pub use counters::QualityLimitation;
pub use devices::{DeviceOpener, SystemDevices};
pub use event::{DeviceReport, Event, LocalMedia};
pub use host::{BoxFuture, Host, MediaThreads};
pub use nearby::{Discovery, MulticastDns, Nearby, nearby_url};
pub use server_url::{DEFAULT_PORT, ServerUrlError, server_url};
pub use socket::{Connector, SocketSender, WebSocketConnector};
pub use stats::{CallStats, Inbound, Outbound, Path, PathEnd};
pub use visavis_call as call;
pub use visavis_device as device;
pub use visavis_dsp::{NoiseSuppression, SoundProcessing};
pub use visavis_frame as frame;
pub use visavis_signaling as signaling;
pub use visavis_transport as transport;

use crate::audio::Audio;
use crate::audio_in::AudioIn;
use crate::audio_out::AudioOut;
use crate::counters::Counters;
use crate::processing::Processing;
use crate::run::{CallLoop, Inbox, Wiring, Wish};
use crate::sound_moment::SoundMoment;
use crate::video_in::VideoIn;
use crate::video_out::VideoOut;

/// A call couldn't be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No server was named, and none may be looked for.
    #[error("no server was named")]
    NoServer,
    /// A codec can't be set up.
    #[error(transparent)]
    Codec(#[from] visavis_codec::CodecError),
    /// Sound can't be resampled.
    #[error(transparent)]
    Resample(#[from] visavis_dsp::ResampleError),
    /// The system has no randomness to give, and without it there are no secrets.
    #[error("the system has no randomness to give")]
    NoRandomness,
    /// No certificate could be made.
    #[error(transparent)]
    Transport(#[from] visavis_transport::TransportError),
}

/// A running call. Dropping it is to leave it.
#[derive(Clone, Debug)]
pub struct Call(mpsc::UnboundedSender<Wish>);

impl Call {
    /// Ends the call.
    pub fn hang_up(&self) {
        self.wish(Wish::HangUp);
    }

    /// Asks the other, after the end, for another call, or agrees to one ([`CallConfig::stays`]). Without one who could be
    /// asked nothing happens.
    pub fn again(&self) {
        self.wish(Wish::Again);
    }

    /// Ends the call, and any thought of another one. Everything is released then.
    pub fn leave(&self) {
        self.wish(Wish::Leave);
    }

    /// Sends what the microphone hears, or not.
    pub fn set_microphone(&self, on: bool) {
        self.wish(Wish::Microphone(on));
    }

    /// Opens the camera, or closes it.
    pub fn set_camera(&self, on: bool) {
        self.wish(Wish::Camera(on));
    }

    /// Uses these devices from now on.
    pub fn use_devices(&self, devices: Devices) {
        self.wish(Wish::Devices(devices));
    }

    /// Processes what the microphone hears like this from now on.
    pub fn set_sound_processing(&self, processing: SoundProcessing) {
        self.wish(Wish::Process(processing));
    }

    fn wish(&self, wish: Wish) {
        // A call that has finished wants nothing.
        let _ = self.0.unbounded_send(wish);
    }
}

/// Starts a call.
///
/// # Errors
/// When something that every call needs can't be set up. Missing devices are no such thing: a call works without them.
pub fn start(host: &Host, config: CallConfig) -> Result<(Call, mpsc::UnboundedReceiver<Event>), StartError> {
    let nearby = if matches!(config.intent, Intent::Join(_)) { config.nearby } else { Nearby::default() };
    if config.servers.is_empty() && nearby.is_none() {
        return Err(StartError::NoServer);
    }
    let certificate = Certificate::generate()?;
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|_| StartError::NoRandomness)?;
    let mut transport = config.transport;
    let session = Ways::new(
        host.now(),
        WaysConfig {
            intent: config.intent,
            servers: config.servers.len(),
            nearby: NearbyServers { known: nearby.known.len(), search: nearby.discovery.is_some() },
            fingerprint: certificate.fingerprint(),
            media: config.media,
            stays: config.stays,
            seed: config.seed,
        },
        Entropy::new(key),
    );
    transport.certificate = Some(certificate);
    transport.rates = config.video.limits(transport.rates);
    transport.video_codecs = config.video.codecs.to_vec();

    let counters = Arc::new(Counters::default());
    let (events, watcher) = mpsc::unbounded();
    let (wish, wishes) = mpsc::unbounded();
    let (reports, device_reports) = mpsc::unbounded();
    let (keyframe, keyframes) = mpsc::unbounded();
    let (audio, audio_commands) = mpsc::unbounded();
    let (video, video_commands) = mpsc::unbounded();
    let (remote_video, video_sources) = mpsc::unbounded();
    // RFC 3550, section 5.1: sequence numbers and timestamps start at random values.
    let start_at = config.seed ^ (config.seed >> 32);

    let moment = Arc::new(SoundMoment::new(host.now()));
    let sound = Audio {
        host: host.clone(),
        counters: Arc::clone(&counters),
        reports: reports.clone(),
        packets: None,
        output: AudioOut::new(start_at as u16, (start_at >> 16) as u32)?,
        input: AudioIn::new(config.sinks.remote_audio, Arc::clone(&moment))?,
        processing: Processing::new(config.sound),
    };
    let pictures_out = VideoOut {
        host: host.clone(),
        settings: config.video,
        sinks: config.sinks.self_view,
        counters: Arc::clone(&counters),
        reports: reports.clone(),
        sequence: (start_at >> 8) as u16,
    };
    let pictures_in = VideoIn {
        host: host.clone(),
        sinks: config.sinks.remote_video,
        counters: Arc::clone(&counters),
        freezes: freeze::FreezeMeter::default(),
        moment,
        keyframes: keyframe,
    };
    let no_sound = vec![DeviceReport::Microphone(None), DeviceReport::Speaker(None)];
    let no_camera = vec![DeviceReport::Camera(None)];
    host.spawn_media("audio", guarded("sound", no_sound, &reports, sound.run(audio_commands)));
    host.spawn_media("video-out", guarded("sending video", no_camera, &reports, pictures_out.run(video_commands)));
    host.spawn_media("video-in", guarded("receiving video", Vec::new(), &reports, pictures_in.run(video_sources)));
    drop(reports);

    let found = nearby.search();
    let wiring = Wiring {
        host: host.clone(),
        servers: config.servers,
        nearby: nearby.known,
        connector: config.connector,
        transport,
        devices: config.devices,
        counters,
        audio,
        video,
        remote_video,
        events,
    };
    let inbox = Inbox { reports: device_reports, keyframes, found };
    host.spawn(CallLoop::run(wiring, session, config.media, wishes, inbox));
    Ok((Call(wish), watcher))
}

/// Runs media to its end, which is when it lets go of `reports`. A panic ends it, not the call; `closed` is then true of
/// its devices.
fn guarded(
    what: &'static str,
    closed: Vec<DeviceReport>,
    reports: &mpsc::UnboundedSender<DeviceReport>,
    media: impl Future<Output = ()> + Send + 'static,
) -> impl Future<Output = ()> + Send + 'static {
    let reports = reports.clone();
    async move {
        if AssertUnwindSafe(media).catch_unwind().await.is_err() {
            for report in closed.into_iter().chain([DeviceReport::ended(what)]) {
                // The engine's loop may have ended already.
                let _ = reports.unbounded_send(report);
            }
        }
    }
}
