//! Who may know whom: the dependency arrows of ARCHITECTURE.md, "The crates", checked against the manifests.

use serde_json::Value;

use crate::Findings;

/// Crates bottom up, each with what it may use. Nobody uses a crate on its own row or below unless it stands here.
const MAY_USE: &[(&str, &[&str])] = &[
    ("visavis-frame", &[]),
    ("visavis-signaling", &[]),
    ("visavis-stun", &[]),
    ("visavis-lan", &[]),
    ("visavis-call", &["visavis-frame", "visavis-signaling"]),
    ("visavis-congestion", &["visavis-frame"]),
    ("visavis-dsp", &["visavis-frame"]),
    ("visavis-codec", &["visavis-frame"]),
    ("visavis-device", &["visavis-frame"]),
    ("visavis-transport", &["visavis-frame", "visavis-call", "visavis-congestion", "visavis-stun"]),
    ("visavis-engine", ALL_BELOW),
    ("visavis-server", &["visavis-signaling", "visavis-stun", "visavis-lan"]),
    ("visavis-peer", PROGRAM),
    ("visavis-bench", EVERYTHING),
    ("visavis-testkit", MEDIA_AND_CALL),
    ("visavis-fuzz", EVERYTHING),
    ("visavis", PROGRAM),
    ("xtask", &[]),
];

const MEDIA_AND_CALL: &[&str] = &[
    "visavis-frame",
    "visavis-signaling",
    "visavis-stun",
    "visavis-call",
    "visavis-congestion",
    "visavis-dsp",
    "visavis-codec",
    "visavis-device",
    "visavis-transport",
];

const ALL_BELOW: &[&str] = &[
    "visavis-frame",
    "visavis-signaling",
    "visavis-stun",
    "visavis-lan",
    "visavis-call",
    "visavis-congestion",
    "visavis-dsp",
    "visavis-codec",
    "visavis-device",
    "visavis-transport",
];

/// The app and the peer drive the engine and embed the server; the rest are the types that both speak in.
const PROGRAM: &[&str] = &[
    "visavis-engine",
    "visavis-server",
    "visavis-frame",
    "visavis-signaling",
    "visavis-call",
    "visavis-codec",
    "visavis-device",
];

/// The fuzz targets read bytes wherever they come in, and the bench measures with what the tests measure with.
const EVERYTHING: &[&str] = &[
    "visavis",
    "visavis-engine",
    "visavis-server",
    "visavis-frame",
    "visavis-signaling",
    "visavis-stun",
    "visavis-lan",
    "visavis-call",
    "visavis-congestion",
    "visavis-dsp",
    "visavis-codec",
    "visavis-device",
    "visavis-transport",
    "visavis-testkit",
];

/// Packages whose manifests stay free of I/O, devices and the webview, even in tests: they are told the time.
const CORE: &[&str] =
    &["visavis-frame", "visavis-signaling", "visavis-stun", "visavis-call", "visavis-congestion", "visavis-dsp"];
const NOT_IN_CORE: &[&str] = &["tokio", "webrtc", "rtc", "cpal", "nokhwa", "tauri"];

/// The only packages that may name the peer connection's crates.
const WEBRTC_USERS: &[&str] = &["visavis-transport", "visavis-testkit", "visavis-fuzz"];

const TESTKIT: &str = "visavis-testkit";

/// One line of a manifest's dependency tables.
#[derive(Debug, PartialEq, Eq)]
struct Arrow {
    from: String,
    to: String,
    dev: bool,
}

/// Checks what `cargo metadata --no-deps` says about the workspace.
pub(crate) fn check(metadata: &Value, findings: &mut Findings) -> Result<(), String> {
    let packages = metadata["packages"].as_array().ok_or("cargo metadata names no packages")?;
    for package in packages {
        let name = text(&package["name"]);
        if !MAY_USE.iter().any(|(known, _)| *known == name) {
            findings.error(format!("{name}: no row in xtask/src/arrows.rs says what it may use"));
        }
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let arrow = Arrow {
                from: name.clone(),
                to: text(&dependency["name"]),
                dev: dependency["kind"].as_str() == Some("dev"),
            };
            judge(&arrow, findings);
        }
    }
    Ok(())
}

fn judge(arrow: &Arrow, findings: &mut Findings) {
    let Arrow { from, to, dev } = arrow;
    if CORE.contains(&from.as_str()) && NOT_IN_CORE.iter().any(|name| is_of(to, name)) {
        findings.error(format!("{from}: {to} doesn't belong in a crate that is told the time and does no I/O"));
    }
    if ["webrtc", "rtc"].iter().any(|name| is_of(to, name)) && !WEBRTC_USERS.contains(&from.as_str()) {
        findings.error(format!("{from}: only crates/transport names {to}"));
    }
    let ours = MAY_USE.iter().any(|(known, _)| known == to);
    if ours && !allowed(from, to, *dev) {
        findings.error(format!("{from}: may not use {to}: arrows point down only"));
    }
}

fn allowed(from: &str, to: &str, dev: bool) -> bool {
    let listed = MAY_USE.iter().any(|(name, uses)| *name == from && uses.contains(&to));
    // Tests may use the test kit, and the tests of whole programs whatever they need.
    listed
        || dev
            && (to == TESTKIT
                || from == TESTKIT
                || MAY_USE.iter().any(|(name, uses)| *name == from && *uses == PROGRAM))
}

/// Whether `package` is `family` itself or one of its parts, as `rtc-rtp` is of `rtc`.
fn is_of(package: &str, family: &str) -> bool {
    package.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn errors(from: &str, to: &str, kind: Option<&str>) -> Vec<String> {
        let metadata = json!({"packages": [{"name": from, "dependencies": [{"name": to, "kind": kind}]}]});
        let mut findings = Findings::default();
        check(&metadata, &mut findings).unwrap();
        findings.errors
    }

    #[test]
    fn arrows_down_pass() {
        assert!(errors("visavis-call", "visavis-signaling", None).is_empty());
        assert!(errors("visavis-engine", "visavis-transport", None).is_empty());
        assert!(errors("visavis", "visavis-server", None).is_empty());
        assert!(errors("visavis-call", "serde", None).is_empty());
    }

    #[test]
    fn arrows_up_and_sideways_fail() {
        assert_eq!(errors("visavis-frame", "visavis-call", None).len(), 1);
        assert_eq!(errors("visavis-codec", "visavis-device", None).len(), 1);
        assert_eq!(errors("visavis-server", "visavis-call", None).len(), 1);
    }

    #[test]
    fn the_test_kit_is_for_tests() {
        assert!(errors("visavis-codec", TESTKIT, Some("dev")).is_empty());
        assert_eq!(errors("visavis-codec", TESTKIT, None).len(), 1);
        assert_eq!(errors("visavis-peer", TESTKIT, None).len(), 1);
    }

    #[test]
    fn the_core_stays_free_of_io() {
        for name in ["tokio", "tokio-tungstenite", "cpal", "nokhwa", "tauri", "tauri-build"] {
            assert_eq!(errors("visavis-call", name, None).len(), 1, "{name}");
            assert_eq!(errors("visavis-call", name, Some("dev")).len(), 1, "{name}, for tests");
        }
        assert!(errors("visavis-engine", "tokio", None).is_empty());
    }

    #[test]
    fn only_transport_names_the_peer_connection() {
        assert!(errors("visavis-transport", "webrtc", None).is_empty());
        assert!(errors("visavis-transport", "rtc", None).is_empty());
        assert_eq!(errors("visavis-engine", "webrtc", None).len(), 1);
        assert_eq!(errors("visavis-codec", "rtc-rtp", None).len(), 1);
        assert!(errors("visavis-device", "rtcd", None).is_empty());
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        assert_eq!(errors("visavis-new", "serde", None).len(), 1);
    }
}
