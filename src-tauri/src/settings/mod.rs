//! What the user has set: its form, what is valid, and how it is read from a file that may be wrong in any way.
//!
//! A settings file can be torn, empty, filled with zeros, edited by hand or written by a later version. Reading never
//! fails: the spare copy stands in for a file that can't be read, a field that makes no sense falls back alone, and what
//! this version doesn't know is kept for the version that does.

mod files;
pub mod keychain;
pub mod passwords;
mod validate;

use serde_json::{Map, Value};
use visavis_engine::{NoiseSuppression, SoundProcessing};

pub use files::{Loaded, SettingsFiles};
pub use validate::{devices, validate};

use crate::view::{IceServerView, NoiseLevel, SettingsView};

/// The version of the file's form that this app writes.
pub const VERSION: u64 = 1;

/// The settings of somebody who has set nothing.
#[must_use]
pub fn defaults() -> SettingsView {
    SettingsView {
        server: String::new(),
        local_network: true,
        ice_servers: Vec::new(),
        relay_only: false,
        name_local: false,
        camera: "default".to_owned(),
        microphone: "default".to_owned(),
        speaker: "default".to_owned(),
        remove_echo: true,
        reduce_noise: NoiseLevel::Low,
        even_loudness: true,
    }
}

/// Whether others in the local network may find this machine's calls, and it theirs. Relaying hides this machine's address,
/// which speaking directly to a neighbour would show.
#[must_use]
pub const fn in_network(settings: &SettingsView) -> bool {
    settings.local_network && !settings.relay_only
}

/// How the microphone's sound is processed by these settings.
#[must_use]
pub const fn sound_processing(settings: &SettingsView) -> SoundProcessing {
    SoundProcessing {
        echo_canceller: settings.remove_echo,
        noise_suppression: match settings.reduce_noise {
            NoiseLevel::Off => NoiseSuppression::Off,
            NoiseLevel::Low => NoiseSuppression::Low,
            NoiseLevel::High => NoiseSuppression::High,
        },
        gain: settings.even_loudness,
    }
}

/// What is wrong with a settings file, for the user to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// It couldn't be read; the spare copy was used.
    SpareUsed,
    /// Neither it nor a spare copy could be read; everything is at its default.
    Lost,
    /// Some fields made no sense and are at their defaults.
    Fields(Vec<&'static str>),
    /// A later version wrote it; what that knows and this doesn't is kept.
    Future,
}

impl Problem {
    /// Whether something on the disk has to be put right.
    #[must_use]
    pub const fn is_damage(&self) -> bool {
        match self {
            Self::SpareUsed | Self::Lost | Self::Fields(_) => true,
            Self::Future => false,
        }
    }

    /// What the user is told.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::SpareUsed => {
                "The settings file was damaged. Your settings were taken from its spare copy.".to_owned()
            }
            Self::Lost => {
                "The settings file was damaged, and so was its spare copy. Both were kept beside the new one; \
                           please check the settings."
                    .to_owned()
            }
            Self::Fields(names) => {
                format!("Some settings made no sense and were reset: {}. The old file was kept.", names.join(", "))
            }
            Self::Future => {
                "These settings were written by a newer version of Visavis. What this one doesn't know is kept."
                    .to_owned()
            }
        }
    }
}

/// Reads the fields that this version knows; the names of those that made no sense come with it.
#[must_use]
pub fn from_map(map: &Map<String, Value>) -> (SettingsView, Vec<&'static str>) {
    let mut settings = defaults();
    let mut wrong = Vec::new();
    let mut take = |name: &'static str, set: &mut dyn FnMut(&Value) -> Option<()>| {
        if let Some(value) = map.get(name)
            && set(value).is_none()
        {
            wrong.push(name);
        }
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    take("server", &mut |v| text(v).map(|v| settings.server = v));
    take("localNetwork", &mut |v| v.as_bool().map(|v| settings.local_network = v));
    take("relayOnly", &mut |v| v.as_bool().map(|v| settings.relay_only = v));
    take("nameLocal", &mut |v| v.as_bool().map(|v| settings.name_local = v));
    take("camera", &mut |v| text(v).map(|v| settings.camera = v));
    take("microphone", &mut |v| text(v).map(|v| settings.microphone = v));
    take("speaker", &mut |v| text(v).map(|v| settings.speaker = v));
    take("removeEcho", &mut |v| v.as_bool().map(|v| settings.remove_echo = v));
    take("reduceNoise", &mut |v| serde_json::from_value(v.clone()).ok().map(|v| settings.reduce_noise = v));
    take("evenLoudness", &mut |v| v.as_bool().map(|v| settings.even_loudness = v));
    take("iceServers", &mut |v| {
        let servers: Vec<IceServerView> = serde_json::from_value(v.clone()).ok()?;
        settings.ice_servers = servers;
        Some(())
    });
    reset_invalid(&mut settings, &mut wrong);
    (settings, wrong)
}

/// A hand-edited file may hold values of the right kind that no form would have let through. Each falls back alone.
fn reset_invalid(settings: &mut SettingsView, wrong: &mut Vec<&'static str>) {
    let defaults = defaults();
    // A field at its default is valid, so that each is reset once at most.
    while let Err(error) = validate::validate_fields(settings) {
        let name = match error.field.as_deref().unwrap_or_default() {
            "server" => {
                settings.server.clone_from(&defaults.server);
                "server"
            }
            "camera" => {
                settings.camera.clone_from(&defaults.camera);
                "camera"
            }
            "microphone" => {
                settings.microphone.clone_from(&defaults.microphone);
                "microphone"
            }
            "speaker" => {
                settings.speaker.clone_from(&defaults.speaker);
                "speaker"
            }
            field if field.starts_with("iceServers") => {
                settings.ice_servers.clear();
                "iceServers"
            }
            _ => {
                *settings = defaults;
                wrong.push("settings");
                return;
            }
        };
        wrong.push(name);
    }
}

/// The names of passwords in the keychain that nobody uses any more, or that nobody uses yet: what stands here and in no
/// server is to be forgotten at the next opportunity.
const TO_FORGET: &str = "passwordsToForget";
/// More than a person leaves behind; a file that has more is damaged.
const MAX_TO_FORGET: usize = 64;

/// The passwords that the keychain is to forget.
#[must_use]
pub fn to_forget(map: &Map<String, Value>) -> Vec<String> {
    let names = map.get(TO_FORGET).and_then(Value::as_array).into_iter().flatten();
    let names = names.filter_map(Value::as_str).filter(|name| passwords::is_name(name));
    names.take(MAX_TO_FORGET).map(str::to_owned).collect()
}

/// The same with these to be forgotten. Nothing is said of none where nothing ever was.
#[must_use]
pub fn with_to_forget(mut map: Map<String, Value>, names: &[String]) -> Map<String, Value> {
    if !names.is_empty() || map.contains_key(TO_FORGET) {
        let newest = &names[names.len().saturating_sub(MAX_TO_FORGET)..];
        map.insert(TO_FORGET.to_owned(), Value::from(newest));
    }
    map
}

/// The fields as the file holds them.
#[must_use]
pub fn to_map(settings: &SettingsView) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(map)) => map,
        // Plain strings, flags and lists always become an object.
        Ok(_) | Err(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let settings = SettingsView {
            server: "wss://calls.example.org".into(),
            ice_servers: vec![IceServerView {
                urls: vec!["turn:relay.example.org:3478".into()],
                username: "me".into(),
                credential: "secret".into(),
                kept: Some("a".into()),
            }],
            local_network: false,
            relay_only: true,
            name_local: true,
            camera: "front".into(),
            remove_echo: false,
            reduce_noise: NoiseLevel::High,
            even_loudness: false,
            ..defaults()
        };
        assert_eq!(from_map(&to_map(&settings)), (settings, vec![]));
    }

    #[test]
    fn a_wrong_field_falls_back_alone() {
        let (settings, wrong) = from_map(&map(&json!({
            "server": 42, "relayOnly": true, "camera": null, "iceServers": [{"urls": "turn:x"}], "microphone": "usb",
            "removeEcho": false, "reduceNoise": "loud", "evenLoudness": 1,
        })));
        assert_eq!(wrong, ["server", "camera", "reduceNoise", "evenLoudness", "iceServers"]);
        assert_eq!((settings.remove_echo, settings.reduce_noise), (false, NoiseLevel::Low));
        assert!(settings.even_loudness);
        assert_eq!((settings.relay_only, settings.microphone.as_str()), (true, "usb"));
        assert_eq!(settings.camera, "default");
    }

    #[test]
    fn values_that_no_form_lets_through_are_reset() {
        let (settings, wrong) = from_map(&map(&json!({"server": "ftp://x", "relayOnly": true})));
        assert_eq!((settings.server.as_str(), wrong.as_slice()), ("", ["server"].as_slice()));
        assert!(settings.relay_only);
    }

    #[test]
    fn a_device_that_cannot_be_one_is_reset_alone() {
        let (settings, wrong) = from_map(&map(&json!({
            "camera": "test:0", "microphone": "file:", "speaker": "silence", "server": "calls.example.org",
        })));
        assert_eq!(wrong, ["camera", "microphone"]);
        assert_eq!((settings.camera.as_str(), settings.microphone.as_str()), ("default", "default"));
        assert_eq!((settings.speaker.as_str(), settings.server.as_str()), ("silence", "calls.example.org"));
    }

    #[test]
    fn a_lost_relay_never_shows_the_address_that_it_hid() {
        let (settings, wrong) = from_map(&map(&json!({"relayOnly": true, "iceServers": [{"urls": 7}]})));
        assert_eq!(wrong, ["iceServers"]);
        assert!(settings.relay_only);
    }

    #[test]
    fn what_is_to_be_forgotten_is_read_again() {
        assert_eq!(with_to_forget(Map::new(), &[]), Map::new());
        let one = with_to_forget(Map::new(), &["a".to_owned()]);
        assert_eq!(to_forget(&one), ["a"]);
        assert_eq!(to_forget(&with_to_forget(one, &[])), Vec::<String>::new());
        assert_eq!(to_forget(&map(&json!({"passwordsToForget": [7, "a b", "c"]}))), ["c"]);
        assert_eq!(to_forget(&map(&json!({"passwordsToForget": "a"}))), Vec::<String>::new());
    }

    #[test]
    fn nothing_is_everything_at_its_default() {
        assert_eq!(from_map(&Map::new()), (defaults(), vec![]));
    }
}
