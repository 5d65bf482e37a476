//! Who may ask: programs, and the web pages that the host wants. Browsers name the page behind a request in `Origin` (RFC
//! 6454) and programs don't. Without this any page could have its visitors' browsers knock at rooms, each from another
//! address.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Which pages are let through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pages {
    /// None at all: the server is part of an app, and any page may try a local port.
    None,
    /// Those that this server gave out itself, and those of these origins, such as `https://example.org`.
    OwnAnd(Vec<String>),
    /// All of them.
    All,
}

impl Pages {
    /// Whether a request with these headers may go on.
    fn admit(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        match self {
            Self::None => false,
            Self::All => true,
            Self::OwnAnd(others) => {
                others.iter().any(|other| other.eq_ignore_ascii_case(origin)) || is_own(origin, headers)
            }
        }
    }
}

/// A page of this very server has the host that the request is for. A proxy in between has to leave it as it is.
fn is_own(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let of_origin = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    matches!((host, of_origin), (Some(host), Some(of_origin)) if host.eq_ignore_ascii_case(of_origin))
}

pub(crate) async fn check(State(pages): State<Pages>, request: Request, next: Next) -> Response {
    if !pages.admit(request.headers()) {
        return (StatusCode::FORBIDDEN, "not for web pages of this origin").into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_page_is_known_by_its_origin_and_a_program_has_none() {
        let headers = |origin: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, "call.example:7880".parse().unwrap());
            if !origin.is_empty() {
                headers.insert(header::ORIGIN, origin.parse().unwrap());
            }
            headers
        };
        let own = Pages::OwnAnd(vec!["https://friend.example".into()]);
        for origin in ["", "http://call.example:7880", "https://CALL.example:7880", "https://friend.example"] {
            assert!(own.admit(&headers(origin)), "{origin}");
        }
        for origin in ["null", "https://call.example", "https://evil.example", "https://friend.example.evil.example"] {
            assert!(!own.admit(&headers(origin)), "{origin}");
            assert!(Pages::All.admit(&headers(origin)) && !Pages::None.admit(&headers(origin)));
        }
        assert!(Pages::None.admit(&headers("")));
    }
}
