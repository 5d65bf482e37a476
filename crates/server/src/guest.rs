//! The page for guests: the app's screens against a browser's own WebRTC, for people who have installed nothing.
//!
//! Whoever serves this page could serve another one, so a guest trusts the host; docs/security.md says what that means.
//! Everybody else's code is kept out of it: nothing is loaded from elsewhere, nothing runs that doesn't lie beside it
//! (Content Security Policy Level 3), no page may frame it, and the code stands in the fragment of its address, which browsers
//! don't send.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

/// What `npm --prefix ui run build:guest` makes. Built in; a debug build reads it from there.
#[derive(RustEmbed)]
#[folder = "../../ui/dist-guest"]
#[allow_missing = true]
struct Files;

/// The page in there.
const PAGE: &str = "guest.html";
/// Names in there change with their content.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";
/// Scripts, styles and sockets of this host alone. Frames are drawn by the browser itself, so no `blob:` is needed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PERMISSIONS_POLICY: &str = "camera=(self), microphone=(self), speaker-selection=(self), clipboard-write=(self), \
     display-capture=(), geolocation=(), payment=(), usb=(), serial=(), hid=(), midi=()";
/// Of every answer.
const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("permissions-policy"), PERMISSIONS_POLICY),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The page at `/`, and what belongs to it.
pub(crate) fn router<State: Clone + Send + Sync + 'static>() -> Router<State> {
    Router::new().route("/", get(page)).route("/assets/{name}", get(asset))
}

async fn page() -> Response {
    if Files::get(PAGE).is_none() {
        return (StatusCode::NOT_FOUND, "this server was built without the page for guests").into_response();
    }
    file(PAGE, "no-cache")
}

async fn asset(Path(name): Path<String>) -> Response {
    file(&format!("assets/{name}"), FOR_GOOD)
}

fn file(path: &str, caching: &'static str) -> Response {
    let (Some(file), Some(kind)) = (Files::get(path), kind_of(path)) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let own = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, caching)];
    (HEADERS, own, file.data).into_response()
}

/// There is nothing else in the page.
fn kind_of(path: &str) -> Option<&'static str> {
    match path.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_the_page_is_given() {
        for name in ["assets/../../package.json", "assets/..", "assets/", "/etc/passwd", "assets/guest.map"] {
            assert_eq!(file(name, "no-cache").status(), StatusCode::NOT_FOUND, "{name}");
        }
    }

    #[test]
    fn every_file_keeps_others_code_out() {
        // A build without the page has no file; whatever it has is served so.
        for name in Files::iter() {
            let response = file(&name, "no-cache");
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            let policy = response.headers().get(header::CONTENT_SECURITY_POLICY).and_then(|value| value.to_str().ok());
            assert!(
                policy.is_some_and(|policy| policy.starts_with("default-src 'none'") && !policy.contains("unsafe"))
            );
        }
    }
}
