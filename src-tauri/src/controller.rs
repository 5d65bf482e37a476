//! The app without its window: what each button does. Generic over [`Shell`], so that all of it is tested without one.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use serde_json::{Map, Value};
use visavis_engine::call::{CloseReason, Intent, MediaState};
use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice, list_devices};
use visavis_engine::signaling::RoomCode;
use visavis_engine::transport::{IceServer, TransportConfig};
use visavis_engine::{Call, CallConfig, Devices, Event, Host, Sinks, VideoSettings, WebSocketConnector, server_url};
use visavis_server::Embedded;

use crate::model::{Changed, Model};
use crate::settings::{Loaded, SettingsFiles, validate};
use crate::video::{Feeds, VideoServer};
use crate::view::{
    AppView, CallView, ConnectionView, DeviceView, DevicesView, ErrorView, NoticeAction, QualityView, ServerKind,
    ServerView, SettingsView, VideoEndpoint,
};

/// What the controller needs of whoever shows it.
pub trait Shell: Send + Sync + 'static {
    /// The call changed.
    fn show_call(&self, view: CallView);
    /// The connections changed.
    fn show_connection(&self, view: ConnectionView);
    /// The quality was measured.
    fn show_quality(&self, view: QualityView);
    /// Keeps the settings.
    ///
    /// # Errors
    /// In the system's words.
    fn store(&self, settings: Map<String, Value>) -> Result<(), String>;
}

/// Where a controller keeps things and what it is called.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The profile, if it isn't the usual one.
    pub profile: Option<String>,
    /// The app's version.
    pub version: String,
}

struct Running {
    /// Counts calls, so that the last words of an old one aren't taken for those of the next.
    number: u64,
    call: Option<Call>,
    /// The server of a call without a server address; it goes with the call.
    embedded: Option<Embedded>,
}

struct Inner {
    model: Model,
    settings: SettingsView,
    map: Map<String, Value>,
    running: Running,
    media: MediaState,
}

/// The app without its window.
pub struct Controller<S> {
    shell: S,
    identity: Identity,
    host: Host,
    files: SettingsFiles,
    feeds: Feeds,
    video: VideoServer,
    inner: Mutex<Inner>,
}

impl<S: Shell> Controller<S> {
    /// Loads the settings in `folder` and makes everything ready.
    ///
    /// # Errors
    /// When no port for the window's pictures can be had.
    pub async fn new(shell: S, identity: Identity, folder: &Path) -> std::io::Result<Arc<Self>> {
        let files = SettingsFiles::new(folder);
        let Loaded { settings, map, problem } = files.load();
        let mut model = Model::idle();
        if let Some(problem) = problem {
            tracing::warn!(?problem, "the settings file had a problem");
            model.notice("settings", problem.text(), Some(NoticeAction::OpenSettings));
            // A good file from now on; the damaged one was set aside.
            if problem.is_damage()
                && let Err(error) = shell.store(map.clone())
            {
                tracing::warn!(%error, "the repaired settings couldn't be stored");
            }
        }
        let feeds = Feeds::default();
        let video = VideoServer::start(feeds.clone()).await?;
        let running = Running { number: 0, call: None, embedded: None };
        let media = MediaState { microphone: true, camera: true };
        let inner = Mutex::new(Inner { model, settings, map, running, media });
        Ok(Arc::new(Self { shell, identity, host: Host::tokio(), files, feeds, video, inner }))
    }

    /// Whoever shows all this.
    #[must_use]
    pub const fn shell(&self) -> &S {
        &self.shell
    }

    /// Everything that the window draws, right now.
    #[must_use]
    pub fn view(&self) -> AppView {
        let inner = self.lock();
        AppView {
            call: inner.model.call(Instant::now()),
            connection: inner.model.connection().clone(),
            quality: inner.model.quality().clone(),
            server: server_view(&inner.settings),
            settings: inner.settings.clone(),
            version: self.identity.version.clone(),
            profile: self.identity.profile.clone(),
        }
    }

    /// Starts a call.
    pub async fn start_call(self: &Arc<Self>) {
        if self.is_busy() {
            return;
        }
        self.begin(None);
        let named = self.lock().settings.server.trim().to_owned();
        let servers = if named.is_empty() {
            self.own_server().await
        } else {
            server_url(&named).map_err(|e| e.to_string()).map(|url| vec![url])
        };
        match servers {
            Ok(servers) => self.launch(Intent::Create, servers),
            Err(text) => self.fail("no-server", text),
        }
    }

    /// Joins the one who waits behind a code.
    ///
    /// # Errors
    /// When what was typed isn't a code.
    pub fn join_call(self: &Arc<Self>, typed: &str) -> Result<(), ErrorView> {
        let code = RoomCode::parse(typed).map_err(|error| ErrorView {
            code: "bad-code".to_owned(),
            text: error.to_string(),
            field: Some("code".to_owned()),
        })?;
        if !self.is_busy() {
            self.join(code);
        }
        Ok(())
    }

    /// Calls again: with a new code, or with the one that was typed if the call never came about.
    pub async fn again(self: &Arc<Self>) {
        let retry = {
            let inner = self.lock();
            inner.model.joined_with().filter(|_| !inner.model.has_connected()).cloned()
        };
        match retry {
            Some(code) if !self.is_busy() => self.join(code),
            Some(_) => {}
            None => self.start_call().await,
        }
    }

    /// Ends the call.
    pub fn hang_up(&self) {
        if let Some(call) = &self.lock().running.call {
            call.hang_up();
        }
    }

    /// The end has been read.
    pub fn dismiss(&self) {
        if self.is_busy() {
            return;
        }
        let view = {
            let mut inner = self.lock();
            inner.model.dismiss();
            inner.model.call(Instant::now())
        };
        self.shell.show_call(view);
    }

    /// Sends what the microphone hears, or not.
    pub fn set_microphone(&self, on: bool) {
        let mut inner = self.lock();
        inner.media.microphone = on;
        if let Some(call) = &inner.running.call {
            call.set_microphone(on);
        }
    }

    /// Opens the camera, or closes it.
    pub fn set_camera(&self, on: bool) {
        let mut inner = self.lock();
        inner.media.camera = on;
        if !on {
            self.feeds.own.clear();
        }
        if let Some(call) = &inner.running.call {
            call.set_camera(on);
        }
    }

    /// The settings as they were last saved.
    #[must_use]
    pub fn settings(&self) -> SettingsView {
        self.lock().settings.clone()
    }

    /// Saves the settings, and uses the devices in them from now on.
    ///
    /// # Errors
    /// When something in them isn't valid, or the disk refuses; nothing has changed then.
    pub fn save_settings(&self, settings: SettingsView) -> Result<SettingsView, ErrorView> {
        validate(&settings)?;
        let devices = devices(&settings)?;
        let map = self.files.next_map(self.lock().map.clone(), &settings);
        let refused = |text: String| ErrorView { code: "not-saved".to_owned(), text, field: None };
        self.files
            .write_spare(&map)
            .map_err(|error| refused(format!("The settings couldn't be saved: {error}. The old ones still hold.")))?;
        self.shell
            .store(map.clone())
            .map_err(|error| refused(format!("The settings couldn't be saved: {error}. The old ones still hold.")))?;
        if let Err(error) = self.files.restrict_main() {
            tracing::warn!(%error, "the settings file can be read by other users");
        }
        let view = {
            let mut inner = self.lock();
            inner.settings = settings.clone();
            inner.map = map;
            inner.model.withdraw("settings");
            if let Some(call) = &inner.running.call {
                call.use_devices(devices);
            }
            inner.model.call(Instant::now())
        };
        self.shell.show_call(view);
        Ok(settings)
    }

    /// The devices of this machine. May take a second: not for the thread of the window.
    #[must_use]
    pub fn list_devices(&self) -> DevicesView {
        let found = list_devices();
        let views = |list: Vec<visavis_engine::device::DeviceInfo>| {
            list.into_iter().map(|device| DeviceView { id: device.id, name: device.name }).collect()
        };
        DevicesView {
            cameras: views(found.cameras),
            microphones: views(found.microphones),
            speakers: views(found.speakers),
        }
    }

    /// Where the window's pictures are.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn video_endpoint(&self) -> Result<VideoEndpoint, ErrorView> {
        self.video.endpoint().map_err(|error| ErrorView {
            code: "no-video".to_owned(),
            text: format!("Pictures can't be shown: {error}. You can still talk."),
            field: None,
        })
    }

    // ── how a call runs ─────────────────────────────────────────────────────────────────────────────────────────

    fn join(self: &Arc<Self>, code: RoomCode) {
        self.begin(Some(code.clone()));
        let named = self.lock().settings.server.trim().to_owned();
        let servers = if named.is_empty() {
            Ok(Embedded::others())
        } else {
            server_url(&named).map(|url| vec![url]).map_err(|error| error.to_string())
        };
        match servers {
            Ok(servers) if servers.is_empty() => {
                let reason = CloseReason::NoSuchRoom { nameplate: code.nameplate().clone() };
                let hint = "Without a server address in the settings, calls reach this machine only.";
                self.fail(reason.code(), format!("{reason} {hint}"));
            }
            Ok(servers) => self.launch(Intent::Join(code), servers),
            Err(text) => self.fail("no-server", text),
        }
    }

    async fn own_server(&self) -> Result<Vec<String>, String> {
        let server = Embedded::start(true).await.map_err(|error| error.to_string())?;
        let url = server.url().to_owned();
        self.lock().running.embedded = Some(server);
        Ok(vec![url])
    }

    fn begin(&self, code: Option<RoomCode>) {
        self.feeds.remote.clear();
        self.feeds.own.clear();
        let view = {
            let mut inner = self.lock();
            let media = inner.media;
            inner.model.begin(code, media);
            inner.running.number += 1;
            inner.model.call(Instant::now())
        };
        self.shell.show_call(view);
    }

    fn fail(&self, code: &str, text: String) {
        let view = {
            let mut inner = self.lock();
            inner.running.embedded = None;
            inner.model.fail(code, text);
            inner.model.call(Instant::now())
        };
        self.shell.show_call(view);
    }

    fn launch(self: &Arc<Self>, intent: Intent, servers: Vec<String>) {
        let started = self
            .config(intent, servers)
            .and_then(|config| visavis_engine::start(&self.host, config).map_err(|error| error.to_string()));
        match started {
            Err(text) => self.fail("no-engine", text),
            Ok((call, events)) => {
                let number = {
                    let mut inner = self.lock();
                    inner.running.call = Some(call);
                    inner.running.number
                };
                tokio::spawn(Arc::clone(self).follow(number, events));
            }
        }
    }

    fn config(&self, intent: Intent, servers: Vec<String>) -> Result<CallConfig, String> {
        let inner = self.lock();
        let settings = &inner.settings;
        let ice_servers = settings.ice_servers.iter().map(|server| IceServer {
            urls: server.urls.clone(),
            username: server.username.clone(),
            credential: server.credential.clone(),
        });
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).map_err(|error| error.to_string())?;
        Ok(CallConfig {
            intent,
            servers,
            connector: Arc::new(WebSocketConnector),
            transport: TransportConfig {
                ice_servers: ice_servers.collect(),
                relay_only: settings.relay_only,
                ..TransportConfig::default()
            },
            devices: devices(settings).map_err(|error| error.text)?,
            media: inner.media,
            video: VideoSettings::default(),
            sinks: Sinks {
                remote_video: vec![Box::new(self.feeds.remote.clone())],
                self_view: vec![Box::new(self.feeds.own.clone())],
                remote_audio: Vec::new(),
            },
            seed: u64::from_le_bytes(seed),
        })
    }

    async fn follow(self: Arc<Self>, number: u64, mut events: UnboundedReceiver<Event>) {
        while let Some(event) = events.next().await {
            if !self.on_event(number, &event) {
                return;
            }
        }
    }

    /// `false` when this call is of no interest any more.
    fn on_event(&self, number: u64, event: &Event) -> bool {
        let now = Instant::now();
        let (changed, call, connection, quality) = {
            let mut inner = self.lock();
            if inner.running.number != number {
                return false;
            }
            if *event == Event::Finished {
                inner.running.call = None;
                inner.running.embedded = None;
            }
            let Changed { call, connection, quality } = inner.model.apply(now, event);
            let changed = (call, connection, quality);
            (changed, inner.model.call(now), inner.model.connection().clone(), inner.model.quality().clone())
        };
        if changed.0 {
            self.shell.show_call(call);
        }
        if changed.1 {
            self.shell.show_connection(connection);
        }
        if changed.2 {
            self.shell.show_quality(quality);
        }
        true
    }

    fn is_busy(&self) -> bool {
        !self.lock().model.is_over()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in a critical section can panic half-way; what is there is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server_view(settings: &SettingsView) -> ServerView {
    let url = settings.server.trim().to_owned();
    let kind = if url.is_empty() { ServerKind::Embedded } else { ServerKind::Custom };
    ServerView { kind, url }
}

fn devices(settings: &SettingsView) -> Result<Devices, ErrorView> {
    let wrong =
        |field: &str, text: String| ErrorView { code: "bad-device".to_owned(), text, field: Some(field.to_owned()) };
    Ok(Devices {
        camera: settings.camera.parse::<CameraChoice>().map_err(|e| wrong("camera", e.to_string()))?,
        microphone: settings.microphone.parse::<MicrophoneChoice>().map_err(|e| wrong("microphone", e.to_string()))?,
        speaker: settings.speaker.parse::<SpeakerChoice>().map_err(|e| wrong("speaker", e.to_string()))?,
    })
}
