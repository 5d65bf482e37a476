//! The data channel `control`: reliable, ordered, text (RFC 8831, RFC 8832).

#![allow(clippy::wildcard_enum_match_arm, reason = "the enums matched here are the library's, and open")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

use crate::event::TransportEvent;
use crate::shared::Shared;

/// Its name; the offerer makes it.
pub(crate) const LABEL: &str = "control";
/// The longest message, in bytes of UTF-8, in either direction.
pub const MAX_CONTROL_BYTES: usize = 16 * 1024;
/// No honest side says more than this in a second; the rest of that second is dropped.
const MAX_MESSAGES_PER_SECOND: u32 = 200;

/// Takes a channel into use and reads it until it ends.
pub(crate) fn adopt(shared: &Arc<Shared>, channel: Arc<dyn DataChannel>) {
    shared.set_control(Some(Arc::clone(&channel)));
    let task = read(Arc::clone(shared), channel);
    shared.runtime.spawn(Box::pin(task)).detach();
}

async fn read(shared: Arc<Shared>, channel: Arc<dyn DataChannel>) {
    let mut flood = FloodGate::new(shared.runtime.now());
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => shared.set_control_open(true),
            DataChannelEvent::OnMessage(message) => {
                if flood.admits(shared.runtime.now())
                    && let Some(text) = text_of(message)
                {
                    shared.emit(TransportEvent::ControlMessage(text));
                }
            }
            DataChannelEvent::OnClose | DataChannelEvent::OnClosing | DataChannelEvent::OnError => break,
            // Levels of the send buffer are of no interest to a channel that says little.
            _ => {}
        }
    }
    shared.set_control_open(false);
}

fn text_of(message: RTCDataChannelMessage) -> Option<String> {
    let fits = message.is_string && message.data.len() <= MAX_CONTROL_BYTES;
    let text = if fits { String::from_utf8(message.data.to_vec()).ok() } else { None };
    if text.is_none() {
        tracing::warn!(bytes = message.data.len(), text = message.is_string, "dropped a control message");
    }
    text
}

/// Lets so many messages through in each second.
struct FloodGate {
    since: Instant,
    count: u32,
}

impl FloodGate {
    const fn new(now: Instant) -> Self {
        Self { since: now, count: 0 }
    }

    fn admits(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            *self = Self::new(now);
        }
        self.count += 1;
        self.count <= MAX_MESSAGES_PER_SECOND
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8], is_string: bool) -> RTCDataChannelMessage {
        RTCDataChannelMessage { is_string, data: bytes.into() }
    }

    #[test]
    fn only_text_of_a_fitting_size_is_a_message() {
        assert_eq!(text_of(message(b"hi", true)).as_deref(), Some("hi"));
        assert_eq!(text_of(message(b"hi", false)), None);
        assert_eq!(text_of(message(b"\xff\xfe", true)), None);
        assert_eq!(text_of(message(&vec![b'x'; MAX_CONTROL_BYTES + 1], true)), None);
    }

    #[test]
    fn a_flood_is_cut_for_the_rest_of_its_second() {
        let start = Instant::now();
        let mut gate = FloodGate::new(start);
        let admitted = (0..1000).filter(|_| gate.admits(start)).count();
        assert_eq!(admitted, MAX_MESSAGES_PER_SECOND as usize);
        assert!(gate.admits(start + Duration::from_secs(1)));
    }
}
