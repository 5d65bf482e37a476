//! What settings are valid, and what is wrong with those that aren't, field by field.

use std::net::Ipv6Addr;

use visavis_engine::device::ChoiceError;
use visavis_engine::{Devices, server_url};

use super::passwords::is_name;
use crate::view::{ErrorView, IceServerView, SettingsView};

/// Nobody has more servers than this; a file that does is damaged.
const MAX_SERVERS: usize = 16;
/// The longest text in a field, bytes.
const MAX_TEXT: usize = 1024;

/// Checks all settings.
///
/// # Errors
/// The first thing that is wrong, with the path of its field.
pub fn validate(settings: &SettingsView) -> Result<(), ErrorView> {
    validate_fields(settings)?;
    let relays = settings.ice_servers.iter().flat_map(|server| &server.urls).any(|url| is_relay(url));
    // A server may hand out a relay of its own: whether it does is known in the call.
    if settings.relay_only && !relays && settings.server.trim().is_empty() {
        let text =
            "Calls through a relay only need a TURN server. Add one, set a server that has one, or turn this off.";
        return Err(wrong("relay-without-turn", text.to_owned(), "relayOnly"));
    }
    Ok(())
}

/// Checks each field for itself.
pub(super) fn validate_fields(settings: &SettingsView) -> Result<(), ErrorView> {
    if !settings.server.trim().is_empty() {
        server_url(&settings.server).map_err(|error| wrong("bad-server", error.to_string(), "server"))?;
    }
    if settings.ice_servers.len() > MAX_SERVERS {
        return Err(wrong("too-many-servers", format!("More than {MAX_SERVERS} servers can't be used."), "iceServers"));
    }
    for (index, server) in settings.ice_servers.iter().enumerate() {
        validate_ice(server, &format!("iceServers.{index}"))?;
    }
    for (field, text) in
        [("camera", &settings.camera), ("microphone", &settings.microphone), ("speaker", &settings.speaker)]
    {
        if text.is_empty() || text.len() > MAX_TEXT {
            return Err(wrong("bad-device", "Pick a device from the list.".to_owned(), field));
        }
    }
    devices(settings).map(drop)
}

/// The devices in the settings.
///
/// # Errors
/// The first that can't be one.
pub fn devices(settings: &SettingsView) -> Result<Devices, ErrorView> {
    let bad = |error: ChoiceError| wrong("bad-device", format!("{error}. Pick a device from the list."), error.kind);
    Ok(Devices {
        camera: settings.camera.parse().map_err(bad)?,
        microphone: settings.microphone.parse().map_err(bad)?,
        speaker: settings.speaker.parse().map_err(bad)?,
    })
}

fn validate_ice(server: &IceServerView, path: &str) -> Result<(), ErrorView> {
    let urls = format!("{path}.urls");
    if server.urls.is_empty() {
        return Err(wrong("bad-ice-url", "Enter an address such as stun:host:3478.".to_owned(), &urls));
    }
    for url in &server.urls {
        validate_ice_url(url).map_err(|(code, text)| wrong(code, text, &urls))?;
        if is_relay(url) && server.username.is_empty() {
            return Err(wrong(
                "missing-user",
                "A TURN server needs a user name.".to_owned(),
                &format!("{path}.username"),
            ));
        }
        if is_relay(url) && server.credential.is_empty() && !server.kept.as_deref().is_some_and(is_name) {
            let field = format!("{path}.credential");
            return Err(wrong("missing-password", "A TURN server needs a password.".to_owned(), &field));
        }
    }
    Ok(())
}

pub(super) fn is_relay(url: &str) -> bool {
    url.starts_with("turn:") || url.starts_with("turns:")
}

/// Checks a `stun:`, `turn:` or `turns:` address (RFC 7064, section 3.1; RFC 7065, section 3.1).
fn validate_ice_url(url: &str) -> Result<(), (&'static str, String)> {
    let bad = |text: String| Err(("bad-ice-url", text));
    if url.len() > MAX_TEXT {
        return bad("This address is too long.".to_owned());
    }
    let Some((scheme, rest)) = url.split_once(':') else {
        return bad(format!("{url} needs stun: or turn: in front."));
    };
    match scheme {
        "stun" | "turn" | "turns" => {}
        "stuns" => return bad("STUN over TLS finds no address that a call can use: write stun:".to_owned()),
        _ => return bad(format!("{url} is neither stun: nor turn:")),
    }
    if let Some(rest) = rest.strip_prefix("//") {
        return bad(format!("This address has no slashes: write {scheme}:{rest}"));
    }
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    match (scheme, query) {
        (_, None) | ("turn", Some("transport=udp")) | ("turn" | "turns", Some("transport=tcp")) => {}
        (_, Some(query)) => return bad(format!("{url} can't be used with ?{query}: leave that out.")),
    }
    match validate_place(place) {
        None => Ok(()),
        Some(text) => bad(format!("{url} {text}")),
    }
}

/// What is wrong with `host[:port]`; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
fn validate_place(place: &str) -> Option<&'static str> {
    const BRACKETS: &str = "has an IPv6 address that doesn't stand in brackets, such as [2001:db8::1]:3478.";
    let (good_host, port) = if let Some(rest) = place.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return Some(BRACKETS) };
        (address.parse::<Ipv6Addr>().is_ok(), port)
    } else if place.matches(':').count() > 1 {
        return Some(BRACKETS);
    } else {
        let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        (!host.is_empty() && host.chars().all(good), port)
    };
    let good_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|port| {
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
        });
    match (good_host, good_port) {
        (false, _) => Some("names no host."),
        (true, false) => Some("has a port that is none: ports are numbers from 1 to 65535."),
        (true, true) => None,
    }
}

fn wrong(code: &str, text: String, field: &str) -> ErrorView {
    ErrorView { code: code.to_owned(), text, field: Some(field.to_owned()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::super::defaults;
    use super::*;

    fn with_ice(url: &str, username: &str, credential: &str) -> SettingsView {
        let (urls, username, credential) = (vec![url.into()], username.into(), credential.into());
        let server = IceServerView { urls, username, credential, kept: None };
        SettingsView { ice_servers: vec![server], ..defaults() }
    }

    #[test]
    fn good_settings_pass() {
        validate(&defaults()).unwrap();
        validate(&with_ice("stun:stun.example.org", "", "")).unwrap();
        for url in [
            "turn:relay.example.org:3478?transport=udp",
            "turn:192.0.2.1",
            "turn:[2001:db8::1]:3478",
            "turn:relay.example.org?transport=tcp",
            "turns:relay.example.org:443",
            "turns:relay.example.org:443?transport=tcp",
        ] {
            let with = with_ice(url, "me", "secret");
            validate(&with).unwrap();
            validate(&SettingsView { relay_only: true, ..with }).unwrap();
        }
    }

    #[test]
    fn a_password_that_is_kept_need_not_be_typed() {
        let mut settings = with_ice("turn:x", "me", "");
        settings.ice_servers[0].kept = Some("a".into());
        validate(&settings).unwrap();
        settings.ice_servers[0].kept = Some("no name".into());
        assert_eq!(validate(&settings).unwrap_err().code, "missing-password");
    }

    #[test]
    fn what_is_wrong_is_named_by_field() {
        for (url, user, password, code, field) in [
            ("example.org", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("http://x", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("stuns:x", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("turns:x?transport=udp", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("turns:x", "", "p", "missing-user", "iceServers.0.username"),
            ("turn:", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("stun://x", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("turn://x:3478", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("turn:x:0", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("turn:x:", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("turn:x:+80", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("stun:x:65536", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("stun:2001:db8::1", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("stun:[2001:db8::1", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("stun:[example.org]", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("stun:x y", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("stun:x?transport=udp", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("turn:x?transport=sctp", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("turn:x", "", "p", "missing-user", "iceServers.0.username"),
            ("turn:x", "u", "", "missing-password", "iceServers.0.credential"),
        ] {
            let error = validate(&with_ice(url, user, password)).unwrap_err();
            assert_eq!((error.code.as_str(), error.field.as_deref()), (code, Some(field)), "{url}");
        }
        let relay_only = SettingsView { relay_only: true, ..with_ice("stun:x", "", "") };
        let error = validate(&relay_only).unwrap_err();
        assert_eq!((error.code.as_str(), error.field.as_deref()), ("relay-without-turn", Some("relayOnly")));
        let error = validate(&SettingsView { speaker: "record:".into(), ..defaults() }).unwrap_err();
        assert_eq!((error.code.as_str(), error.field.as_deref()), ("bad-device", Some("speaker")));
        let error = validate(&SettingsView { server: "a b".into(), ..defaults() }).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("server"));
    }
}
