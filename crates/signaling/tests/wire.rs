//! The bytes on the wire are those of docs/protocol.md.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use visavis_signaling::{Body, ClientMessage, ErrorCode, ServerMessage};

const PROTOCOL: &str = include_str!("../../../docs/protocol.md");

/// The JSON lines of the page's blocks that carry this mark.
fn examples(mark: &str) -> Vec<&'static str> {
    let fence = format!("```json {mark}\n");
    let blocks = PROTOCOL.split(&fence[..]).skip(1).map(|rest| rest.split("```").next().unwrap());
    blocks.flat_map(str::lines).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_example_of_the_page_is_what_this_crate_writes() {
    let (client, server, body) = (examples("client"), examples("server"), examples("body"));
    assert!(client.len() >= 8 && server.len() >= 10 && body.len() >= 6, "{client:?} {server:?} {body:?}");
    for line in client {
        assert_eq!(ClientMessage::parse(line).unwrap().to_json(), line);
    }
    for line in server {
        assert_eq!(ServerMessage::parse(line).unwrap().to_json(), line);
    }
    for line in body {
        let body: Body = serde_json::from_str(line).unwrap();
        body.check().unwrap();
        assert_eq!(serde_json::to_string(&body).unwrap(), line);
    }
}

#[test]
fn every_error_code_is_on_the_page_and_unknown_ones_are_read() {
    let text = |code: &str| format!(r#"{{"type":"error","code":"{code}","text":"t","fatal":false}}"#);
    let mut known = BTreeSet::new();
    for line in PROTOCOL.lines().filter_map(|line| line.strip_prefix("| `")) {
        let code = line.split('`').next().unwrap();
        if let Ok(ServerMessage::Error { code: read, .. }) = ServerMessage::parse(&text(code))
            && read != ErrorCode::Unknown
        {
            assert_eq!(read.as_str(), code);
            known.insert(code);
        }
    }
    assert_eq!(known.len(), 17, "{known:?}");
    let unknown = ServerMessage::parse(&text("from-the-future")).unwrap();
    assert!(matches!(unknown, ServerMessage::Error { code: ErrorCode::Unknown, .. }));
}
