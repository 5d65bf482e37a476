//! What Windows and macOS read before the app may use a camera, a microphone or the network, and what Tauri reads before
//! its window may call Rust. None of it shows on the system where it is written: a key that is missing is an app that
//! macOS ends at its first call.

use std::path::Path;

use roxmltree::{Document, Node};
use serde_json::Value;

use crate::Findings;

const INFO: &str = "src-tauri/macos/Info.plist";
const ENTITLEMENTS: &str = "src-tauri/macos/Entitlements.plist";
const MANIFEST: &str = "src-tauri/windows/visavis.manifest";
const CAPABILITY: &str = "src-tauri/capabilities/main.json";
const CONFIG: &str = "tauri.conf.json";
const BUILD_SCRIPT: &str = "src-tauri/build.rs";

/// What macOS asks a person for, and a word that its text must have.
const USAGES: &[(&str, &str)] = &[
    ("NSCameraUsageDescription", "camera"),
    ("NSMicrophoneUsageDescription", "microphone"),
    ("NSLocalNetworkUsageDescription", "network"),
];
const ENTITLED: &[&str] = &[
    "com.apple.security.device.camera",
    "com.apple.security.device.audio-input",
    "com.apple.security.network.client",
    "com.apple.security.network.server",
];
const SETTINGS: &[(&str, &str)] =
    &[("dpiAwareness", "PerMonitorV2"), ("longPathAware", "true"), ("dpiAware", "true/pm")];

/// Reads these files and compares them with one another.
pub(crate) fn check(root: &Path, findings: &mut Findings) {
    let mut run = |path: &str, check: fn(&Path, &str) -> Result<(), String>| {
        let text = std::fs::read_to_string(root.join(path)).map_err(|error| error.to_string());
        if let Err(error) = text.and_then(|text| check(root, &text)) {
            findings.error(format!("{path}: {error}"));
        }
    };
    run(INFO, |_, text| usages(text));
    run(ENTITLEMENTS, |_, text| entitlements(text));
    run(MANIFEST, |_, text| manifest(text));
    run(CONFIG, |_, text| config(text));
    run(CAPABILITY, |root, text| {
        let script = std::fs::read_to_string(root.join(BUILD_SCRIPT)).map_err(|error| error.to_string())?;
        capability(text, &script)
    });
}

fn parse(text: &str) -> Result<Document<'_>, String> {
    // Apple's files name a document type.
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    Document::parse_with_options(text, options).map_err(|error| error.to_string())
}

/// The value of a key in a property list's one dictionary.
fn value<'a>(document: &'a Document<'_>, key: &str) -> Option<Node<'a, 'a>> {
    let named = |node: &Node<'_, '_>| node.has_tag_name("key") && node.text() == Some(key);
    document.descendants().find(named)?.next_sibling_element()
}

fn usages(text: &str) -> Result<(), String> {
    let document = parse(text)?;
    for (key, word) in USAGES {
        let shown = value(&document, key).and_then(|node| node.text()).ok_or_else(|| format!("{key} is missing"))?;
        let is_sentence = shown.starts_with("Visavis ") && shown.ends_with('.') && shown.contains(word);
        is_sentence.then_some(()).ok_or_else(|| format!("{key} must say what Visavis does with the {word}"))?;
    }
    Ok(())
}

fn entitlements(text: &str) -> Result<(), String> {
    let document = parse(text)?;
    let lacks = |key: &&&str| value(&document, key).is_none_or(|node| !node.has_tag_name("true"));
    ENTITLED.iter().find(lacks).map_or(Ok(()), |key| Err(format!("{key} is missing")))
}

fn manifest(text: &str) -> Result<(), String> {
    let document = parse(text)?;
    let element = |name: &str| document.descendants().find(|node| node.tag_name().name() == name);
    for (name, wanted) in SETTINGS {
        if element(name).and_then(|node| node.text()) != Some(wanted) {
            return Err(format!("{name} isn't {wanted}"));
        }
    }
    let controls = element("assemblyIdentity").and_then(|node| node.attribute("name"));
    let level = element("requestedExecutionLevel").and_then(|node| node.attribute("level"));
    if (controls, level) == (Some("Microsoft.Windows.Common-Controls"), Some("asInvoker")) {
        Ok(())
    } else {
        Err("Tauri needs the common controls, and no more rights than the person has".to_owned())
    }
}

fn config(text: &str) -> Result<(), String> {
    let config: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let named = |pointer: &str, wanted: &str| {
        let is_it = config.pointer(pointer).and_then(Value::as_str) == Some(wanted);
        is_it.then_some(()).ok_or_else(|| format!("{pointer} isn't {wanted}"))
    };
    named("/bundle/macOS/infoPlist", INFO)?;
    named("/bundle/macOS/entitlements", ENTITLEMENTS)?;
    named("/bundle/windows/nsis/installMode", "currentUser")
}

/// Each command that the build script names is allowed to the window, and nothing else of ours.
fn capability(text: &str, script: &str) -> Result<(), String> {
    let capability: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let granted = capability["permissions"].as_array().ok_or("it grants nothing")?;
    let mut granted: Vec<&str> = granted.iter().filter_map(Value::as_str).filter(|name| !name.contains(':')).collect();
    let named = script.split_once(".commands(&[").and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = named.ok_or_else(|| format!("{BUILD_SCRIPT} names no commands"))?;
    let quoted = list.split('"').skip(1).step_by(2);
    let mut commands: Vec<String> = quoted.map(|name| format!("allow-{}", name.replace('_', "-"))).collect();
    granted.sort_unstable();
    commands.sort_unstable();
    if granted == commands { Ok(()) } else { Err(format!("it grants {granted:?}, but the commands are {commands:?}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_files_are_whole() {
        let mut findings = Findings::default();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        check(&root, &mut findings);
        assert_eq!(findings, Findings::default());
    }

    #[test]
    fn what_is_missing_is_named() {
        let plist = |inside: &str| format!("<!DOCTYPE plist><plist><dict>{inside}</dict></plist>");
        let lacking = usages(&plist("<key>NSCameraUsageDescription</key><string>Camera</string>"));
        assert_eq!(lacking, Err("NSCameraUsageDescription must say what Visavis does with the camera".to_owned()));
        let refused = entitlements(&plist("<key>com.apple.security.device.camera</key><false/>"));
        assert_eq!(refused, Err("com.apple.security.device.camera is missing".to_owned()));
        assert!(usages("<plist>").is_err() && manifest("<assembly/>").is_err() && config("{}").is_err());
        let script = ".commands(&[\"get_view\", \"hang_up\"])";
        assert_eq!(
            capability(r#"{"permissions": ["core:event:x", "allow-hang-up", "allow-get-view"]}"#, script),
            Ok(())
        );
        assert!(capability(r#"{"permissions": ["allow-hang-up"]}"#, script).is_err());
    }
}
