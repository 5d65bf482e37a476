//! What settings are valid, and what is wrong with those that aren't, field by field.

use visavis_engine::server_url;

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
    Ok(())
}

fn validate_ice(server: &IceServerView, path: &str) -> Result<(), ErrorView> {
    let urls = format!("{path}.urls");
    if server.urls.is_empty() {
        return Err(wrong("bad-ice-url", "Enter an address such as stun:host:3478.".to_owned(), &urls));
    }
    for url in &server.urls {
        let Some((scheme, host)) = url.split_once(':') else {
            return Err(wrong("bad-ice-url", format!("{url} needs stun: or turn: in front."), &urls));
        };
        match scheme {
            "stun" | "turn" => {}
            "turns" | "stuns" => {
                return Err(wrong(
                    "no-tls-yet",
                    "Servers over TLS can't be used yet; use turn: for now.".to_owned(),
                    &urls,
                ));
            }
            _ => return Err(wrong("bad-ice-url", format!("{url} is neither stun: nor turn:"), &urls)),
        }
        if host.is_empty() || url.len() > MAX_TEXT || url.contains(char::is_whitespace) {
            return Err(wrong("bad-ice-url", format!("{url} names no host."), &urls));
        }
        if scheme == "turn" && server.username.is_empty() {
            return Err(wrong(
                "missing-user",
                "A TURN server needs a user name.".to_owned(),
                &format!("{path}.username"),
            ));
        }
        if scheme == "turn" && server.credential.is_empty() {
            let field = format!("{path}.credential");
            return Err(wrong("missing-password", "A TURN server needs a password.".to_owned(), &field));
        }
    }
    Ok(())
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
        let server = IceServerView { urls: vec![url.into()], username: username.into(), credential: credential.into() };
        SettingsView { ice_servers: vec![server], ..defaults() }
    }

    #[test]
    fn good_settings_pass() {
        validate(&defaults()).unwrap();
        validate(&with_ice("stun:stun.example.org", "", "")).unwrap();
        validate(&with_ice("turn:relay.example.org:3478?transport=udp", "me", "secret")).unwrap();
    }

    #[test]
    fn what_is_wrong_is_named_by_field() {
        for (url, user, password, code, field) in [
            ("example.org", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("http://x", "", "", "bad-ice-url", "iceServers.0.urls"),
            ("turns:x", "u", "p", "no-tls-yet", "iceServers.0.urls"),
            ("turn:", "u", "p", "bad-ice-url", "iceServers.0.urls"),
            ("turn:x", "", "p", "missing-user", "iceServers.0.username"),
            ("turn:x", "u", "", "missing-password", "iceServers.0.credential"),
        ] {
            let error = validate(&with_ice(url, user, password)).unwrap_err();
            assert_eq!((error.code.as_str(), error.field.as_deref()), (code, Some(field)), "{url}");
        }
        let error = validate(&SettingsView { server: "a b".into(), ..defaults() }).unwrap_err();
        assert_eq!(error.field.as_deref(), Some("server"));
    }
}
