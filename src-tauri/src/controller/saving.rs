//! How settings are saved: as a whole or not at all, in both copies of the file and in the keychain.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{Controller, Shell};
use crate::model::Changed;
use crate::settings::passwords::{Kept, Passwords};
use crate::settings::{SettingsFiles, devices, sound_processing, to_forget, validate, with_to_forget};
use crate::view::{ErrorView, SettingsView};

impl<S: Shell> Controller<S> {
    /// Saves the settings, and uses the devices in them from now on. Takes as long as the keychain does where a password
    /// was typed.
    ///
    /// # Errors
    /// When something in them isn't valid, or the disk refuses; nothing has changed then.
    pub async fn save_settings(self: &Arc<Self>, settings: SettingsView) -> Result<SettingsView, ErrorView> {
        let _one_at_a_time = self.saving.lock().await;
        let mut settings = self.lock().passwords.known(settings);
        validate(&settings)?;
        let devices = devices(&settings)?;
        let typed = Passwords::take_typed(&mut settings).map_err(|error| not_saved(&error))?;
        let kept = self.keep_typed(&typed).await.map_err(|error| not_saved(&error))?;
        let (before, mut passwords) = {
            let inner = self.lock();
            (inner.map.clone(), inner.passwords.clone())
        };
        let mut forget = to_forget(&before);
        for (name, secret) in typed {
            let in_keychain = kept.contains_key(&name);
            forget.retain(|unused| *unused != name);
            passwords.set(name, if in_keychain { Kept::Keychain(secret) } else { Kept::File(secret) });
        }
        forget.extend(passwords.drop_unused(&settings));
        let map = with_to_forget(self.files.next_map(before.clone(), &passwords.written(&settings)), &forget);
        let stored = self.keep(&before, &map);
        if stored.is_ok() {
            self.change(|inner| {
                inner.settings = settings.clone();
                inner.passwords = passwords;
                inner.map = map;
                inner.model.withdraw("settings");
                if let Some(call) = &inner.running.call {
                    call.use_devices(devices);
                    call.set_sound_processing(sound_processing(&settings));
                }
                ((), Changed::CALL)
            });
            self.change_keychain(|_| ());
        }
        // Whatever is in the keychain and in no settings now.
        if !to_forget(&self.lock().map).is_empty() {
            self.ask_keychain();
        }
        stored.map(|()| settings).map_err(|error| not_saved(&error))
    }

    /// Both copies hold `map` then, or what they held `before`.
    pub(super) fn keep(&self, before: &Map<String, Value>, map: &Map<String, Value>) -> Result<(), String> {
        self.files.write_spare(map).map_err(|error| error.to_string())?;
        let stored = store(&self.shell, &self.files, before, map);
        if stored.is_err()
            && let Err(error) = self.files.put_back(before)
        {
            tracing::warn!(%error, "the old settings couldn't be written again");
        }
        stored
    }
}

/// The store would create its file for everybody to read, so that there is one before it writes.
pub(super) fn store<S: Shell>(
    shell: &S,
    files: &SettingsFiles,
    before: &Map<String, Value>,
    map: &Map<String, Value>,
) -> Result<(), String> {
    files.create_main(before).map_err(|error| error.to_string())?;
    shell.store(map.clone())
}

fn not_saved(error: &dyn std::fmt::Display) -> ErrorView {
    let text = format!("The settings couldn't be saved: {error}. The old ones still hold.");
    ErrorView { code: "not-saved".to_owned(), text, field: None }
}
