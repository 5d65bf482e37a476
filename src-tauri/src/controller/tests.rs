//! Everything that a button does, with nobody looking.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::settings::keychain::fake::Fake;
use crate::settings::{defaults, to_map};
use crate::view::{AgainView, CallPhase, PeerState, SignalingState};

/// How long anything may take that a person waits for.
const PATIENCE: Duration = Duration::from_secs(40);

/// Keeps what it is shown, and settings the way the store does: in place.
pub(super) struct Recorder {
    main: std::path::PathBuf,
    pub(super) refuses: AtomicBool,
    calls: Mutex<Vec<CallView>>,
    connections: Mutex<Vec<ConnectionView>>,
    qualities: Mutex<Vec<QualityView>>,
    pub(super) checks: Mutex<Vec<ServersCheckView>>,
    pub(super) keychains: Mutex<Vec<KeychainView>>,
}

impl Shell for Recorder {
    fn show_call(&self, view: CallView) {
        self.calls.lock().unwrap().push(view);
    }

    fn show_connection(&self, view: ConnectionView) {
        self.connections.lock().unwrap().push(view);
    }

    fn show_quality(&self, view: QualityView) {
        self.qualities.lock().unwrap().push(view);
    }

    fn show_servers_check(&self, view: ServersCheckView) {
        self.checks.lock().unwrap().push(view);
    }

    fn show_keychain(&self, view: KeychainView) {
        self.keychains.lock().unwrap().push(view);
    }

    fn store(&self, settings: Map<String, Value>) -> Result<(), String> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err("the disk is full".to_owned());
        }
        fs::write(&self.main, serde_json::to_vec(&settings).unwrap()).map_err(|error| error.to_string())
    }

    fn downloads(&self) -> PathBuf {
        self.main.with_file_name("downloads")
    }
}

pub(super) struct App {
    pub(super) controller: Arc<Controller<Recorder>>,
    folder: tempfile::TempDir,
}

impl App {
    async fn with_file(content: &Value) -> Self {
        Self::with_keychain(content, &Fake::default()).await
    }

    pub(super) async fn with_keychain(content: &Value, keychain: &Fake) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let main = SettingsFiles::new(folder.path()).main().to_owned();
        fs::write(&main, content.to_string()).unwrap();
        Self::open(folder, keychain).await
    }

    /// The app started once more, with what is on the disk.
    pub(super) async fn restarted(self, keychain: &Fake) -> Self {
        Self::open(self.folder, keychain).await
    }

    async fn open(folder: tempfile::TempDir, keychain: &Fake) -> Self {
        let main = SettingsFiles::new(folder.path()).main().to_owned();
        let shell = Recorder {
            main,
            refuses: AtomicBool::new(false),
            calls: Mutex::default(),
            connections: Mutex::default(),
            qualities: Mutex::default(),
            checks: Mutex::default(),
            keychains: Mutex::default(),
        };
        let identity = Identity { profile: None, version: "0.0.0".to_owned() };
        let controller = Controller::new(shell, identity, keychain.clone(), folder.path()).await.unwrap();
        Self { controller, folder }
    }

    /// With devices that need no hardware, and no server address.
    pub(super) async fn new() -> Self {
        Self::with_file(&Value::Object(to_map(&synthetic()))).await
    }

    pub(super) fn call(&self) -> CallView {
        self.controller.view().call
    }

    pub(super) fn last_shown(&self) -> CallView {
        self.controller.shell().calls.lock().unwrap().last().unwrap().clone()
    }

    async fn until<T>(&self, what: &str, look: impl Fn(&CallView) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            let call = self.call();
            if let Some(found) = look(&call) {
                return found;
            }
            assert!(start.elapsed() < PATIENCE, "not {what}: {call:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn until_check(&self, wanted: impl Fn(&ServersCheckView) -> bool) {
        let start = Instant::now();
        while !self.controller.shell().checks.lock().unwrap().last().is_some_and(&wanted) {
            assert!(start.elapsed() < PATIENCE, "{:?}", self.controller.shell().checks.lock().unwrap());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// All that was shown of asking servers, once that is over.
    pub(super) async fn checks(&self) -> Vec<ServersCheckView> {
        self.until_check(|check| !check.running).await;
        std::mem::take(&mut *self.controller.shell().checks.lock().unwrap())
    }

    async fn until_phase(&self, what: &str, wanted: impl Fn(&CallPhase) -> bool) {
        self.until(what, |call| wanted(&call.phase).then_some(())).await;
    }

    async fn code(&self) -> String {
        self.until("waiting", |call| {
            let CallPhase::Waiting { code, reach: ServerKind::Machine, .. } = &call.phase else { return None };
            Some(code.clone())
        })
        .await
    }

    /// The code of the reason for which the call is over.
    fn end(&self) -> String {
        let CallPhase::Ended { reason, .. } = self.call().phase else { panic!("not over: {:?}", self.call()) };
        reason.code
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn spare(&self) -> Value {
        read(&self.folder.path().join("settings.spare.json"))
    }

    pub(super) fn main(&self) -> Value {
        read(&self.controller.shell().main)
    }
}

pub(super) fn synthetic() -> SettingsView {
    let devices = SettingsView { camera: "test".into(), microphone: "test".into(), ..defaults() };
    // What is tested here stays on this machine.
    SettingsView { speaker: "silence".into(), local_network: false, ..devices }
}

/// A settings file, which is written in place: looked at in the middle of that, it is looked at once more.
fn read(path: &Path) -> Value {
    let mut looks = 0;
    loop {
        let value = serde_json::from_slice(&fs::read(path).unwrap());
        looks += 1;
        if value.is_ok() || looks == 100 {
            return value.unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

const fn is_idle(phase: &CallPhase) -> bool {
    matches!(phase, CallPhase::Idle)
}

const fn is_connected(phase: &CallPhase) -> bool {
    matches!(phase, CallPhase::Connected { .. })
}

const fn is_ended(phase: &CallPhase) -> bool {
    matches!(phase, CallPhase::Ended { .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_meet_and_part() {
    let (ann, bob) = (App::new().await, App::new().await);
    ann.controller.start_call(false).await;
    let code = ann.code().await;
    bob.controller.join_call(&code, false).unwrap();
    ann.until_phase("connected", is_connected).await;
    bob.until_phase("connected", is_connected).await;
    bob.until("a picture", |call| call.remote.has_picture.then_some(())).await;
    assert!(bob.call().remote.microphone);

    ann.controller.set_microphone(false);
    bob.until("told of the mute", |call| (!call.remote.microphone).then_some(())).await;
    ann.until("muted", |call| (!call.local.microphone).then_some(())).await;
    assert!(bob.call().remote.camera);

    let other_camera = SettingsView { camera: "test:2".into(), ..synthetic() };
    ann.controller.save_settings(other_camera.clone()).await.unwrap();
    assert!(is_connected(&ann.call().phase));
    assert_eq!(ann.controller.settings(), other_camera);

    bob.controller.hang_up();
    bob.until_phase("over", is_ended).await;
    ann.until_phase("over", is_ended).await;
    let private = read(Path::new(&ann.controller.save_report(false).unwrap()));
    assert!(private["events"].as_array().unwrap().iter().any(|event| event["state"] == "closed"), "{private}");
    // The words are in no report, and the number in an open one only.
    let (number, words) = code.split_once('-').unwrap();
    assert!(
        !private.to_string().contains(words) && !private.to_string().contains(&format!("\"{number}\"")),
        "{private}"
    );
    let open = read(Path::new(&ann.controller.save_report(true).unwrap()));
    assert!(open.to_string().contains(&format!("\"{number}\"")) && !open.to_string().contains(words), "{open}");
    assert_eq!((ann.end().as_str(), bob.end().as_str()), ("peer-hung-up", "hung-up"));
    assert!(matches!(ann.call().phase, CallPhase::Ended { duration_ms: Some(_), .. }));
    let connection = ann.controller.view().connection;
    assert_eq!((connection.peer, connection.signaling), (PeerState::Closed, SignalingState::Offline));

    ann.controller.dismiss();
    assert!(is_idle(&ann.call().phase));
    assert_eq!(ann.controller.save_report(false).unwrap_err().code, "no-report");
    let view = ann.controller.view();
    let shell = ann.controller.shell();
    assert_eq!(shell.calls.lock().unwrap().last(), Some(&view.call));
    assert_eq!(shell.connections.lock().unwrap().last(), Some(&view.connection));
    assert_eq!(shell.qualities.lock().unwrap().last(), Some(&view.quality));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_have_met_call_again_without_a_code() {
    let (ann, bob) = (App::new().await, App::new().await);
    ann.controller.start_call(false).await;
    bob.controller.join_call(&ann.code().await, false).unwrap();
    for app in [&ann, &bob] {
        app.until_phase("connected", is_connected).await;
    }
    let pictures = ann.call().pictures;
    ann.controller.hang_up();
    for app in [&ann, &bob] {
        app.until_phase("both there", |phase| after(phase) == Some(AgainView::Ready)).await;
    }
    bob.controller.again().await;
    bob.until_phase("asked", |phase| after(phase) == Some(AgainView::Awaited)).await;
    ann.until_phase("asked", |phase| after(phase) == Some(AgainView::Asked)).await;
    ann.controller.again().await;
    for app in [&ann, &bob] {
        app.until_phase("connected again", is_connected).await;
        app.until("a new picture", |call| call.remote.has_picture.then_some(())).await;
        app.until("pictures of its own", |call| (!call.pictures.is_empty()).then_some(())).await;
        assert_ne!(app.call().pictures, pictures);
    }
    // The story is that of this call alone.
    let report = read(Path::new(&ann.controller.save_report(true).unwrap()));
    let states = report["events"].as_array().unwrap().iter().filter_map(|event| event["state"].as_str());
    assert_eq!(states.filter(|state| *state == "verifying").count(), 1, "{report}");

    bob.controller.hang_up();
    bob.until_phase("over", is_ended).await;
    bob.controller.dismiss();
    ann.until_phase("gone", |phase| after(phase) == Some(AgainView::No)).await;
    // Whoever is gone is called anew.
    ann.controller.again().await;
    ann.code().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_alone_can_hide_the_address() {
    let ann = App::new().await;
    for hidden in [true, false] {
        ann.controller.start_call(hidden).await;
        ann.code().await;
        assert_eq!(ann.controller.view().connection.relay_only, hidden);
        assert!(!ann.controller.settings().relay_only);
        ann.controller.hang_up();
        ann.until_phase("idle", is_idle).await;
    }
    // A code that led nowhere is tried again in the same way.
    ann.controller.join_call("0000-tulip-orbit", true).unwrap();
    ann.until_phase("over", is_ended).await;
    ann.controller.again().await;
    assert!(ann.controller.lock().running.relay_only);
}

const fn after(phase: &CallPhase) -> Option<AgainView> {
    if let CallPhase::Ended { again, .. } = phase { Some(*again) } else { None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_cancelled_is_gone() {
    let ann = App::new().await;
    ann.controller.start_call(false).await;
    ann.code().await;
    ann.controller.dismiss();
    ann.code().await;
    ann.controller.hang_up();
    ann.until_phase("idle", is_idle).await;
    assert!(is_idle(&ann.last_shown().phase));
    ann.controller.start_call(false).await;
    ann.code().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_presses_start_one_call() {
    let ann = App::new().await;
    tokio::join!(ann.controller.start_call(false), ann.controller.start_call(false));
    ann.code().await;
    assert_eq!(ann.controller.lock().running.number, 1);
    ann.controller.join_call("482713-tulip-orbit", false).unwrap();
    assert_eq!(ann.controller.lock().running.number, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_leads_nowhere_can_be_tried_again() {
    // A server of its own: those of other tests come and go.
    let server = visavis_server::Embedded::start(visavis_server::Reach::Process).await.unwrap();
    let settings = SettingsView { server: server.url(), ..synthetic() };
    let ann = App::with_file(&Value::Object(to_map(&settings))).await;
    assert_eq!(ann.controller.join_call("tulip", false).unwrap_err().field.as_deref(), Some("code"));
    assert!(is_idle(&ann.call().phase));
    ann.controller.join_call("0000-tulip-orbit", false).unwrap();
    ann.until_phase("over", is_ended).await;
    assert_eq!(ann.end(), "no-such-room");
    assert!(matches!(ann.call().phase, CallPhase::Ended { again: AgainView::Retry, duration_ms: None, .. }));
    ann.controller.again().await;
    assert!(ann.controller.lock().model.joined_with().is_some());
    ann.until_phase("over", is_ended).await;
    assert_eq!(ann.end(), "no-such-room");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_save_changes_nothing() {
    let ann = App::new().await;
    let first = SettingsView { server: "calls.example.org".into(), ..synthetic() };
    ann.controller.save_settings(first.clone()).await.unwrap();
    let (main, spare) = (ann.main(), ann.spare());

    // A store that fails half-way leaves half a file.
    fs::write(&ann.controller.shell().main, "{").unwrap();
    ann.controller.shell().refuses.store(true, Ordering::Relaxed);
    let refused = ann.controller.save_settings(synthetic()).await.unwrap_err();
    assert_eq!(refused.code, "not-saved");
    assert_eq!((ann.main(), ann.spare(), ann.controller.settings()), (main, spare, first));

    let senseless = SettingsView { camera: "test:0".into(), ..synthetic() };
    assert_eq!(ann.controller.save_settings(senseless).await.unwrap_err().field.as_deref(), Some("camera"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_version_finds_what_it_wrote() {
    let ann = App::with_file(&json!({"version": 9, "server": "a.example.org", "hologram": {"depth": 3}})).await;
    assert_eq!(ann.call().notices.len(), 1);
    let settings = SettingsView { server: "b.example.org".into(), ..ann.controller.settings() };
    ann.controller.save_settings(settings).await.unwrap();
    assert_eq!(ann.call().notices, []);
    for kept in [ann.main(), ann.spare()] {
        assert_eq!((&kept["version"], &kept["hologram"]["depth"]), (&json!(9), &json!(3)));
        assert_eq!(kept["server"], "b.example.org");
    }
    #[cfg(unix)]
    for name in ["settings.json", "settings.spare.json"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(ann.folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
