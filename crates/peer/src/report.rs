//! What a call tells the one who started the program: plain lines for people, or one JSON object a line.
#![allow(clippy::wildcard_enum_match_arm, reason = "only some events have something to say here")]

use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};
use visavis_engine::call::{CallState, Obstacle, SignalingState};
use visavis_engine::signaling::Invitation;
use visavis_engine::{CallStats, DeviceReport, Event};

/// Writes events as they come.
pub(crate) struct Reporter {
    json: bool,
    started: Instant,
    /// A statistics line stands on the terminal, to be written over by the next.
    open_line: bool,
    /// The server has answered: a failure to reach it is a loss.
    reached: bool,
    /// What was last said of the call's quality.
    quality: String,
    terminal: bool,
    /// Where this process serves the room of its call.
    address: Option<SocketAddr>,
}

impl Reporter {
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            started: Instant::now(),
            open_line: false,
            reached: false,
            quality: String::new(),
            terminal: std::io::stdout().is_terminal(),
            address: None,
        }
    }

    /// Tells with the code where in the local network it is good.
    pub(crate) fn serving_at(self, address: Option<SocketAddr>) -> Self {
        Self { address, ..self }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        if self.json {
            if let Some(mut value) = as_json(event) {
                if let Some(longer) = self.longer_code(event) {
                    value["withAddress"] = json!(longer);
                }
                value["ms"] = json!(self.started.elapsed().as_millis() as u64);
                self.line(&value.to_string());
            }
        } else if let Event::Stats(stats) = event {
            self.progress(&stats_line(stats));
        } else if let Some(text) = self.as_text(event) {
            self.line(&text);
        }
    }

    fn as_text(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::State(CallState::Waiting { code }) if self.longer_code(event).is_some() => {
                let longer = self.longer_code(event).unwrap_or_default();
                Some(format!(
                    "Your code: {code}\nWhere this machine isn't found in its network: {longer}\nWaiting for the other person to \
                     enter it…"
                ))
            }
            Event::Signaling(SignalingState::Online) => {
                self.reached = true;
                None
            }
            Event::Signaling(SignalingState::Offline { reason }) if self.reached => {
                Some(format!("Server lost ({reason}), trying again…"))
            }
            Event::Signaling(SignalingState::Offline { reason }) => {
                Some(format!("The server can't be reached: {reason}. Trying again…"))
            }
            Event::Quality(quality) => {
                // The number in it moves every second; said is what kind it is.
                let kind = format!("{} {}", quality.grade.name(), quality.cause.map_or("none", |cause| cause.name()));
                let news = self.quality != kind;
                self.quality = kind;
                news.then(|| format!("Quality {}: {quality}", quality.grade.name()))
            }
            event => as_text(event),
        }
    }

    fn longer_code(&self, event: &Event) -> Option<String> {
        let Event::State(CallState::Waiting { code }) = event else { return None };
        let address = Some(self.address?);
        Some(Invitation { code: code.clone(), address }.to_string())
    }

    /// A line that stays.
    pub(crate) fn line(&mut self, text: &str) {
        let mut out = std::io::stdout().lock();
        let clear = if std::mem::take(&mut self.open_line) { "\r\x1b[K" } else { "" };
        // With standard output gone there is nobody to tell; the call itself goes on.
        let _ = writeln!(out, "{clear}{text}");
        let _ = out.flush();
    }

    /// A line that the next one replaces, where that is possible.
    fn progress(&mut self, text: &str) {
        if !self.terminal {
            self.line(text);
            return;
        }
        let mut out = std::io::stdout().lock();
        let _ = write!(out, "\r\x1b[K{text}");
        let _ = out.flush();
        self.open_line = true;
    }
}

/// The statistics of one second, in one line.
pub(crate) fn stats_line(stats: &CallStats) -> String {
    let (sent, got) = (&stats.outbound, &stats.inbound);
    let path = stats.path.as_ref().map_or("no path", |path| if path.is_relayed() { "by relay" } else { "direct" });
    format!(
        "{path} · sending {} kb/s at {:.0} fps · receiving {} kb/s, {}×{} at {:.0} fps, loss {:.1}% · sound {} ms late, {:.1}% concealed",
        sent.kbps,
        sent.frames_per_second,
        got.kbps,
        got.frame_width,
        got.frame_height,
        got.frames_per_second,
        got.loss_percent,
        got.playout_delay_ms,
        got.concealed_percent,
    )
}

fn as_text(event: &Event) -> Option<String> {
    match event {
        Event::State(state) => Some(match state {
            CallState::New => "Reaching the server…".to_owned(),
            CallState::Waiting { code } => format!("Your code: {code}\nWaiting for the other person to enter it…"),
            CallState::Verifying => "Somebody is there…".to_owned(),
            CallState::Connecting => "Connecting…".to_owned(),
            CallState::Connected { .. } => "Connected.".to_owned(),
            CallState::Disconnected { .. } => "Connection lost. Trying to get it back…".to_owned(),
            CallState::Closed(reason) => reason.to_string(),
        }),
        Event::WrongGuess { left } => Some(wrong_guess(*left)),
        Event::Verified(pictures) => {
            let pictures = pictures.map(|emoji| format!("{} {}", emoji.picture, emoji.name)).join(" · ");
            Some(format!("The words match. Both sides see: {pictures}"))
        }
        Event::Obstacle(Some(obstacle)) => Some(obstacle.to_string()),
        Event::InLine { ahead } if *ahead > 0 => Some(format!("{ahead} before you in line…")),
        Event::RemoteGuest { host } => Some(format!("The other side is a guest in a browser, and trusts {host}.")),
        Event::Remote(media) => {
            Some(format!("The other side: microphone {}, camera {}.", on_off(media.microphone), on_off(media.camera)))
        }
        Event::Device(DeviceReport::Lost { error, .. }) => Some(format!("{error}; the call goes on without it.")),
        Event::Device(DeviceReport::StandIn { wanted, used, .. }) => {
            Some(format!("{wanted} isn't connected; {used} is used until it is."))
        }
        Event::Device(DeviceReport::Failed { what, reason }) => Some(format!("{what}: {reason}")),
        _ => None,
    }
}

fn wrong_guess(left: u32) -> String {
    let tries = match left {
        0 => "This code is burnt.".to_owned(),
        1 => "One try left.".to_owned(),
        left => format!("{left} tries left."),
    };
    format!("The words didn't match: a typo, or someone guessing. {tries}")
}

const fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn as_json(event: &Event) -> Option<Value> {
    Some(match event {
        Event::State(CallState::Waiting { code }) => {
            json!({"event": "call-state", "state": "waiting", "code": code.to_string()})
        }
        Event::State(CallState::Closed(reason)) => {
            json!({"event": "call-state", "state": "closed", "reason": reason.code(), "text": reason.to_string()})
        }
        Event::State(state) => json!({"event": "call-state", "state": state.name()}),
        Event::Peer(state) => json!({"event": "connection-state", "state": state.name()}),
        Event::Signaling(SignalingState::Connecting) => json!({"event": "signaling", "state": "connecting"}),
        Event::Signaling(SignalingState::Online) => json!({"event": "signaling", "state": "online"}),
        Event::Signaling(SignalingState::Offline { reason }) => {
            json!({"event": "signaling", "state": "offline", "reason": reason})
        }
        Event::Again(again) => json!({"event": "again", "again": again.name()}),
        Event::Obstacle(obstacle) => json!({
            "event": "obstacle", "code": obstacle.as_ref().map(Obstacle::code),
            "text": obstacle.as_ref().map(ToString::to_string),
        }),
        Event::InLine { ahead } => json!({"event": "in-line", "ahead": ahead}),
        Event::WrongGuess { left } => json!({"event": "wrong-guess", "left": left, "text": wrong_guess(*left)}),
        Event::Verified(pictures) => json!({
            "event": "verified", "pictures": pictures.map(|emoji| json!({"picture": emoji.picture, "name": emoji.name})),
        }),
        Event::RemoteGuest { host } => json!({"event": "remote-guest", "host": host}),
        Event::Remote(media) => {
            json!({"event": "remote-media", "microphone": media.microphone, "camera": media.camera})
        }
        Event::Quality(quality) => json!({
            "event": "quality", "grade": quality.grade.name(), "cause": quality.cause.map(|cause| cause.name()),
            "text": quality.to_string(),
        }),
        Event::RemoteReport(report) => json!({"event": "remote-report", "report": report}),
        Event::Local(local) => json!({
            "event": "local-media", "microphone": local.microphone, "camera": local.camera, "speaker": local.speaker,
        }),
        Event::Device(DeviceReport::Lost { kind, error }) => {
            json!({"event": "device-lost", "kind": kind, "text": error.to_string()})
        }
        Event::Device(DeviceReport::StandIn { kind, wanted, used }) => {
            json!({
                "event": "device-stand-in", "kind": kind, "wanted": wanted, "used": used,
                "text": format!("{wanted} isn't connected"),
            })
        }
        Event::Device(DeviceReport::Failed { what, reason }) => {
            json!({"event": "failed", "what": what, "text": reason})
        }
        Event::Stats(stats) => json!({"event": "stats", "stats": stats}),
        Event::Dropped { count } => json!({"event": "dropped", "count": count}),
        Event::Finished => json!({"event": "finished"}),
        _ => return None,
    })
}
