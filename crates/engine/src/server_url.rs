//! The WebSocket address behind what a person writes as "the server".

pub use visavis_signaling::DEFAULT_PORT;

/// A server's address can't be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} isn't a server's address: write host, host:port, wss://host or https://host")]
pub struct ServerUrlError {
    /// What was written.
    text: String,
}

/// Turns `host`, `host:port`, `ws://…`, `wss://…`, `http://…` or `https://…` into the address of the server's WebSocket. A
/// bare host means an unencrypted server on [`DEFAULT_PORT`], as one runs it at home.
///
/// # Errors
/// When the text holds no host, a space, an unknown scheme or a port that is none.
pub fn server_url(text: &str) -> Result<String, ServerUrlError> {
    let wrong = || ServerUrlError { text: text.to_owned() };
    let trimmed = text.trim();
    let (scheme, rest) = trimmed.split_once("://").unwrap_or(("", trimmed));
    let scheme_out = match scheme.to_ascii_lowercase().as_str() {
        "" | "ws" | "http" => "ws",
        "wss" | "https" => "wss",
        _ => return Err(wrong()),
    };
    let rest = rest.split(['#', '?']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.contains('@') || trimmed.contains(char::is_whitespace) {
        return Err(wrong());
    }
    let (host, port) = split_port(authority).ok_or_else(wrong)?;
    let port = match (port, scheme) {
        (Some(port), _) => format!(":{port}"),
        (None, "") => format!(":{DEFAULT_PORT}"),
        (None, _) => String::new(),
    };
    let path = match path.trim_end_matches('/') {
        "" => "ws",
        path => path,
    };
    Ok(format!("{scheme_out}://{host}{port}/{path}"))
}

/// Host and port; an IPv6 address stands in brackets (RFC 3986, section 3.2.2).
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = if authority.starts_with('[') {
        authority.find(']')? + 1
    } else {
        authority.find(':').unwrap_or(authority.len())
    };
    let (host, port) = authority.split_at(end);
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || host == "[]" || !host.chars().all(good) {
        return None;
    }
    match port.strip_prefix(':') {
        None if port.is_empty() => Some((host, None)),
        None => None,
        Some(port) => Some((host, Some(port.parse().ok().filter(|port| *port != 0)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_understood() {
        for (written, meant) in [
            ("example.org", "ws://example.org:7880/ws"),
            (" 192.0.2.7:8000 ", "ws://192.0.2.7:8000/ws"),
            ("[2001:db8::1]", "ws://[2001:db8::1]:7880/ws"),
            ("[2001:db8::1]:80", "ws://[2001:db8::1]:80/ws"),
            ("wss://calls.example.org", "wss://calls.example.org/ws"),
            ("https://calls.example.org/", "wss://calls.example.org/ws"),
            ("https://calls.example.org/#4827", "wss://calls.example.org/ws"),
            ("http://localhost:7880/calls/ws", "ws://localhost:7880/calls/ws"),
        ] {
            assert_eq!(server_url(written).as_deref(), Ok(meant), "{written}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for written in
            ["", "  ", "ftp://x", "wss://", "host:0", "host:99999", "host:port", "a b", "user@host", "[::1", "h%st"]
        {
            assert!(server_url(written).is_err(), "{written}");
        }
    }
}
