//! How the controller reaches the window and the store.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};
use tauri::{AppHandle, Emitter, Manager};
use tauri_plugin_store::StoreExt;

use crate::controller::Shell;
use crate::view::{CallView, ConnectionView, KeychainView, QualityView, ServersCheckView};

/// The app's one window.
pub(crate) struct WindowShell {
    app: AppHandle,
    store: PathBuf,
}

impl WindowShell {
    pub(crate) fn new(app: AppHandle, store: PathBuf) -> Self {
        Self { app, store }
    }

    pub(crate) fn app(&self) -> &AppHandle {
        &self.app
    }

    fn emit(&self, name: &str, view: impl Serialize + Clone) {
        if let Err(error) = self.app.emit(name, view) {
            tracing::warn!(%error, name, "the window couldn't be told");
        }
    }
}

impl Shell for WindowShell {
    fn downloads(&self) -> PathBuf {
        let path = self.app.path();
        path.download_dir().or_else(|_| path.document_dir()).or_else(|_| path.home_dir()).unwrap_or_default()
    }

    fn show_call(&self, view: CallView) {
        self.emit("call-state", view);
    }

    fn show_connection(&self, view: ConnectionView) {
        self.emit("connection-state", view);
    }

    fn show_quality(&self, view: QualityView) {
        self.emit("quality", view);
    }

    fn show_servers_check(&self, view: ServersCheckView) {
        self.emit("servers-check", view);
    }

    fn show_keychain(&self, view: KeychainView) {
        self.emit("keychain", view);
    }

    fn store(&self, settings: Map<String, Value>) -> Result<(), String> {
        // Saved here and now or not at all: nothing may reach the file behind our back.
        let store = self.app.store_builder(&self.store).disable_auto_save().build().map_err(|e| e.to_string())?;
        let before = store.entries();
        for (key, value) in settings {
            store.set(key, value);
        }
        let saved = store.save().map_err(|error| error.to_string());
        if saved.is_err() {
            // The store saves once more when the app ends.
            store.clear();
            for (key, value) in before {
                store.set(key, value);
            }
        }
        saved
    }
}
