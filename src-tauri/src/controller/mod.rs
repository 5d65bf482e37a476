//! The app without its window: what each button does. Generic over [`Shell`], so that all of it is tested without one.

mod calls;
mod checks;
mod keychain;
mod reports;
mod saving;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use visavis_engine::call::MediaState;
use visavis_engine::device::list_devices;
use visavis_engine::report::CallReport;
use visavis_engine::{Call, Host};

use self::keychain::{Keychain, Vault};
use self::saving::store;
use crate::model::{Changed, Model};
use crate::settings::keychain::Secrets;
use crate::settings::passwords::Passwords;
use crate::settings::{Loaded, SettingsFiles, in_network};
use crate::video::{Feeds, VideoServer};
use crate::view::{
    AppView, CallView, ConnectionView, DeviceView, DevicesView, ErrorView, KeychainView, NoticeAction, QualityView,
    ServerKind, ServerView, ServersCheckView, SettingsView, VideoEndpoint,
};

/// What the controller needs of whoever shows it.
pub trait Shell: Send + Sync + 'static {
    /// The call changed.
    fn show_call(&self, view: CallView);
    /// The connections changed.
    fn show_connection(&self, view: ConnectionView);
    /// The quality was measured.
    fn show_quality(&self, view: QualityView);
    /// Servers are being asked, or were.
    fn show_servers_check(&self, view: ServersCheckView);
    /// The keychain was asked, has answered, or keeps something else.
    fn show_keychain(&self, view: KeychainView);
    /// Keeps the settings.
    ///
    /// # Errors
    /// In the system's words. What was kept before is kept then.
    fn store(&self, settings: Map<String, Value>) -> Result<(), String>;
    /// Where the person finds what the app saves for them.
    fn downloads(&self) -> PathBuf;
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
    /// The call of this number, from when the engine has it.
    call: Option<Call>,
    /// Whether it hides this machine's address, whatever the settings say.
    relay_only: bool,
    /// Its story, until its end has been read.
    report: Option<CallReport>,
}

impl Running {
    /// Another number counts from now on. A call that is over and might have gone on with another one doesn't.
    fn leave(&mut self) {
        self.number += 1;
        if let Some(call) = self.call.take() {
            call.leave();
        }
    }
}

/// A settings file's content.
type Stored = Map<String, Value>;

struct Inner {
    model: Model,
    /// No password is in them.
    settings: SettingsView,
    passwords: Passwords,
    keychain: Keychain,
    /// What the file holds.
    map: Stored,
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
    /// Held while something is changed and shown; always taken before `inner`.
    showing: Mutex<()>,
    /// Held while settings are saved; always taken before the others.
    saving: tokio::sync::Mutex<()>,
    vault: Vault,
    /// Whether an answer of the keychain is waited for.
    asked: watch::Sender<bool>,
    /// Ends the asking of servers that goes on, if one does.
    checking: Mutex<Option<AbortHandle>>,
    inner: Mutex<Inner>,
}

impl<S: Shell> Controller<S> {
    /// Loads the settings in `folder` and makes everything ready.
    ///
    /// # Errors
    /// When no port for the window's pictures, no thread or no random number can be had.
    pub async fn new(shell: S, identity: Identity, secrets: impl Secrets, folder: &Path) -> std::io::Result<Arc<Self>> {
        let files = SettingsFiles::new(folder);
        if let Err(error) = files.close_to_others() {
            tracing::warn!(%error, "other users may be able to read the settings");
        }
        let Loaded { mut settings, map, problem } = files.load();
        let passwords = Passwords::take(&mut settings)?;
        let mut model = Model::idle();
        if let Some(problem) = problem {
            tracing::warn!(?problem, "the settings file had a problem");
            model.notice("settings", problem.text(), Some(NoticeAction::OpenSettings));
            // A good file from now on; the damaged one was set aside.
            if problem.is_damage()
                && let Err(error) = store(&shell, &files, &map, &map)
            {
                tracing::warn!(%error, "the repaired settings couldn't be stored");
            }
        }
        let feeds = Feeds::default();
        let video = VideoServer::start(feeds.clone()).await?;
        let running = Running { number: 0, call: None, relay_only: false, report: None };
        let media = MediaState { microphone: true, camera: true };
        let vault = Vault::start(secrets, identity.profile.as_deref())?;
        let inner = Inner { model, settings, passwords, keychain: Keychain::unasked(), map, running, media };
        let app = Arc::new(Self {
            shell,
            identity,
            host: Host::tokio(),
            files,
            feeds,
            video,
            showing: Mutex::default(),
            saving: tokio::sync::Mutex::default(),
            vault,
            asked: watch::Sender::new(false),
            checking: Mutex::default(),
            inner: Mutex::new(inner),
        });
        // Nobody who has no password anywhere is asked to unlock anything.
        if keychain::errand(&app.lock()).is_some() {
            app.ask_keychain();
        }
        Ok(app)
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
            keychain: inner.keychain.view(&inner.passwords),
            server: server_view(&inner.settings),
            settings: inner.settings.clone(),
            version: self.identity.version.clone(),
            profile: self.identity.profile.clone(),
        }
    }

    /// The settings as they were last saved.
    #[must_use]
    pub fn settings(&self) -> SettingsView {
        self.lock().settings.clone()
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

    /// Changes something and shows what that changed. Views go out in the order of the changes: the next change waits
    /// until those of this one are out, so that an older view never comes last.
    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> (T, Changed)) -> T {
        let _in_order = self.showing.lock().unwrap_or_else(PoisonError::into_inner);
        let (result, changed, call, connection, quality) = {
            let mut inner = self.lock();
            let (result, changed) = change(&mut inner);
            let model = &inner.model;
            (result, changed, model.call(Instant::now()), model.connection().clone(), model.quality().clone())
        };
        if changed.call {
            self.shell.show_call(call);
        }
        if changed.connection {
            self.shell.show_connection(connection);
        }
        if changed.quality {
            self.shell.show_quality(quality);
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in a critical section can panic half-way; what is there is whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn server_view(settings: &SettingsView) -> ServerView {
    let url = settings.server.trim().to_owned();
    let kind = match url.as_str() {
        "" if in_network(settings) => ServerKind::Network,
        "" => ServerKind::Machine,
        _ => ServerKind::Custom,
    };
    ServerView { kind, url }
}

#[cfg(test)]
mod tests;
