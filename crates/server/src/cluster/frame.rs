//! What servers say to one another about the connections that one carries for the other. A frame is a line of JSON, who
//! says what about which connection, and behind it, as it is, the text that a client or the rooms have sent.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use visavis_signaling::ErrorCode;

use super::table::ServerId;

/// The longest line: a connection that is opened, with a token and a nameplate.
const MAX_LINE_BYTES: usize = 4096;

/// A connection, by the number that the server that has its socket gave it.
pub(super) type Link = u64;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Said {
    /// A client comes; this is said on its behalf, and if it was greeted it gets no second welcome.
    Open { link: Link, from: Option<IpAddr>, greeted: bool, say: Vec<String> },
    /// The text of this frame came from the client, or goes to it.
    Text { link: Link },
    /// Something came from the client that is no text.
    Unreadable { link: Link, code: ErrorCode },
    /// The client is gone.
    Gone { link: Link },
    /// The client's connection is to be closed.
    Close { link: Link, code: ErrorCode },
    /// The room that the client asks for is another server's.
    Elsewhere { link: Link, nameplate: String, greeted: bool, say: Vec<String> },
    /// Frames were lost: nothing that either carried for the other goes on.
    Lost,
}

/// Who says it, and how many frames it has sent to this server before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    from: String,
    number: u64,
    said: Said,
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) from: ServerId,
    pub(super) number: u64,
    pub(super) said: Said,
    pub(super) text: String,
}

impl Frame {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let line = Line { from: self.from.to_string(), number: self.number, said: self.said.clone() };
        // Nothing in it can fail to be written.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        bytes.extend_from_slice(self.text.as_bytes());
        bytes
    }

    /// `None`: that isn't one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().take(MAX_LINE_BYTES).position(|byte| *byte == b'\n')?;
        let (line, text) = bytes.split_at(end);
        let Line { from, number, said } = serde_json::from_slice(line).ok()?;
        let text = std::str::from_utf8(text.get(1..)?).ok()?.to_owned();
        Some(Self { from: ServerId::parse(&from)?, number, said, text })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let say = vec!["{\"type\":\"hello\"}".to_owned(), "a\nb".to_owned()];
        let all = [
            Said::Open { link: 1, from: Some("192.0.2.1".parse().unwrap()), greeted: true, say },
            Said::Text { link: u64::MAX },
            Said::Unreadable { link: 3, code: ErrorCode::BadMessage },
            Said::Gone { link: 4 },
            Said::Close { link: 5, code: ErrorCode::Idle },
            Said::Elsewhere { link: 6, nameplate: "482713".into(), greeted: false, say: vec![] },
            Said::Lost,
        ];
        for said in all {
            let frame = Frame { from: ServerId(7), number: 9, said, text: "two\nlines\u{0}🙂".into() };
            assert_eq!(Frame::parse(&frame.to_bytes()), Some(frame));
        }
    }

    #[test]
    fn what_is_no_frame_is_none() {
        let frame = Frame { from: ServerId(7), number: 9, said: Said::Lost, text: String::new() }.to_bytes();
        for end in 0..frame.len() {
            assert_eq!(Frame::parse(&frame[..end]), None);
        }
        let endless = [vec![b' '; MAX_LINE_BYTES], frame.clone()].concat();
        assert_eq!(Frame::parse(&endless), None);
        assert_eq!(Frame::parse(&[frame, vec![0xff]].concat()), None);
    }
}
