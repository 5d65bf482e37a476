//! TURN passwords in a real Secret Service: GNOME Keyring on a message bus of its own, unlocked, locked and not there.
#![cfg(all(feature = "desktop", target_os = "linux"))]
#![allow(clippy::unwrap_used, reason = "a test: a failed unwrap is a failure")]

mod secret_service;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use secret_service::{Bus, inside};
use serde_json::{Map, Value, json};
use visavis::controller::{Controller, Identity, Shell};
use visavis::desktop::Keychain;
use visavis::settings::keychain::{KeychainError, Secrets};
use visavis::view::{
    CallView, ConnectionView, KeychainState, KeychainView, PasswordPlace, QualityView, ServersCheckView, SettingsView,
};

/// Longer than the app waits for a keychain that doesn't answer.
const PATIENCE: Duration = Duration::from_secs(50);
const PASSWORD: &str = "gr\u{fc}n \u{1f511} \"x\"\n";

/// Keeps settings as the store does, and shows nothing.
struct Disk(PathBuf);

impl Shell for Disk {
    fn show_call(&self, _: CallView) {}
    fn show_connection(&self, _: ConnectionView) {}
    fn show_quality(&self, _: QualityView) {}
    fn show_servers_check(&self, _: ServersCheckView) {}
    fn show_keychain(&self, _: KeychainView) {}

    fn store(&self, settings: Map<String, Value>) -> Result<(), String> {
        std::fs::write(&self.0, serde_json::to_vec(&settings).unwrap()).map_err(|error| error.to_string())
    }

    fn downloads(&self) -> PathBuf {
        self.0.with_file_name("downloads")
    }
}

async fn app(folder: &Path, profile: &str) -> Arc<Controller<Disk>> {
    let identity = Identity { profile: Some(profile.to_owned()), version: "0.0.0".to_owned() };
    Controller::new(Disk(folder.join("settings.json")), identity, Keychain, folder).await.unwrap()
}

/// With a password in the file, as they were before.
fn write_settings(folder: &Path) {
    let relay = json!({"urls": ["turn:relay.example.org"], "username": "me", "credential": PASSWORD});
    let settings = json!({"version": 1, "localNetwork": false, "iceServers": [relay]});
    std::fs::write(folder.join("settings.json"), settings.to_string()).unwrap();
}

fn on_disk(folder: &Path) -> bool {
    let quoted = json!(PASSWORD).to_string();
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        text.contains(&quoted)
    })
}

async fn until_place(app: &Arc<Controller<Disk>>, wanted: PasswordPlace) -> String {
    let start = Instant::now();
    loop {
        let keychain = app.view().keychain;
        if keychain.passwords.len() == 1 && keychain.passwords[0].place == wanted {
            return keychain.passwords[0].name.clone();
        }
        assert!(start.elapsed() < PATIENCE, "not {wanted:?}: {keychain:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_state(app: &Arc<Controller<Disk>>, wanted: KeychainState) -> KeychainView {
    let start = Instant::now();
    loop {
        let keychain = app.view().keychain;
        if keychain.state == wanted {
            return keychain;
        }
        assert!(start.elapsed() < PATIENCE, "not {wanted:?}: {keychain:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_move_in_and_out() {
    if !inside() {
        let Some(mut bus) = Bus::start() else { return };
        bus.unlocked_keyring();
        return bus.run("passwords_move_in_and_out");
    }
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path());
    let ann = app(folder.path(), "ann").await;
    let name = until_place(&ann, PasswordPlace::Keychain).await;
    let start = Instant::now();
    while on_disk(folder.path()) {
        assert!(start.elapsed() < PATIENCE, "the password is still in the file");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let entry = format!("turn@ann:{name}");
    assert_eq!(Keychain.read(&entry).unwrap().as_deref(), Some(PASSWORD));
    drop(ann);

    // The next start reads it; another profile with the same file finds nothing of its own.
    let ann = app(folder.path(), "ann").await;
    until_place(&ann, PasswordPlace::Keychain).await;
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(folder.path().join("settings.json"), copy.path().join("settings.json")).unwrap();
    let bob = app(copy.path(), "bob").await;
    until_place(&bob, PasswordPlace::Missing).await;

    ann.save_settings(SettingsView { ice_servers: Vec::new(), ..ann.settings() }).await.unwrap();
    let start = Instant::now();
    while Keychain.read(&entry).unwrap().is_some() {
        assert!(start.elapsed() < PATIENCE, "a removed server's password is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_the_file_keeps_them() {
    if !inside() {
        let Some(bus) = Bus::start() else { return };
        return bus.run("without_one_the_file_keeps_them");
    }
    assert_eq!(Keychain.read("anything"), Err(KeychainError::Missing));
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path());
    let ann = app(folder.path(), "ann").await;
    let keychain = until_state(&ann, KeychainState::Unusable).await;
    assert_eq!(keychain.problem.as_deref(), Some("There is no keychain here."));
    assert_eq!(keychain.passwords[0].place, PasswordPlace::File);
    assert!(on_disk(folder.path()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_one_takes_nothing_and_loses_nothing() {
    if !inside() {
        let Some(mut bus) = Bus::start() else { return };
        bus.unlocked_keyring();
        bus.locked_keyring();
        return bus.run("a_locked_one_takes_nothing_and_loses_nothing");
    }
    let folder = tempfile::tempdir().unwrap();
    write_settings(folder.path());
    let ann = app(folder.path(), "ann").await;
    let keychain = until_state(&ann, KeychainState::Unusable).await;
    assert_eq!(keychain.problem.as_deref(), Some("This computer's keychain is locked, or refused."));
    assert_eq!(keychain.passwords[0].place, PasswordPlace::File, "{keychain:?}");
    assert!(on_disk(folder.path()));
}
