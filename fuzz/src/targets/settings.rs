//! What stands in files and fields that anybody may have edited.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};
use tempfile::TempDir;
use visavis::settings::passwords::Passwords;
use visavis::settings::{SettingsFiles, devices, from_map, to_map};

use super::files::scratch;
use crate::Bytes;

/// The settings file and its spare copy.
pub(crate) fn settings(data: &[u8]) {
    if let Ok(Value::Object(map)) = serde_json::from_slice(data) {
        read_map(&map);
    }
    let mut input = Bytes::new(data);
    let (main, spare) = (input.chunk(), input.rest());
    let Ok(folder) = scratch() else { return };
    write(&folder, "settings.json", main);
    write(&folder, "settings.spare.json", spare);
    let files = SettingsFiles::new(folder.path());
    let loaded = files.load();
    check(&loaded.settings);
    let mut settings = loaded.settings.clone();
    let Ok(passwords) = Passwords::take(&mut settings) else { return };
    assert!(settings.ice_servers.iter().all(|server| server.credential.is_empty()), "a password is left");
    let written = passwords.written(&settings);
    for settings in [loaded.settings, written] {
        let map = files.next_map(loaded.map.clone(), &settings);
        assert_eq!(from_map(&map), (settings, Vec::new()), "what is written isn't what was read");
    }
}

fn write(folder: &TempDir, name: &str, content: &[u8]) {
    let path: &Path = folder.path();
    // An empty part stands for a file that isn't there.
    if !content.is_empty() {
        let _ = fs::write(path.join(name), content);
    }
}

fn read_map(map: &Map<String, Value>) {
    let (settings, _) = from_map(map);
    check(&settings);
    assert_eq!(from_map(&to_map(&settings)), (settings, Vec::new()), "what is written isn't what was read");
}

fn check(settings: &visavis::view::SettingsView) {
    assert!(devices(settings).is_ok(), "devices that can't be: {settings:?}");
}

/// A server's address as somebody wrote it.
pub(crate) fn server_url(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(url) = visavis_engine::server_url(&text) {
        assert!(url.starts_with("ws://") || url.starts_with("wss://"), "{url}");
        assert_eq!(visavis_engine::server_url(&url).as_deref(), Ok(url.as_str()), "its own form means another server");
    }
}
