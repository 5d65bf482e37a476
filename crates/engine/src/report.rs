//! The story of a call, for a file that somebody can send along with "it was bad last night": what happened, and the
//! statistics from second to second.
//!
//! Private by default: no code, no address, no device's name stands in it unless the person wants that. Its size is
//! bounded: when the history is full every other second of it goes, so that it always spans the whole call.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use visavis_call::{CallState, CloseReason, Obstacle, SignalingState};

use crate::event::{DeviceReport, Event};
use crate::webrtc_stats::{StatsEntries, StatsEntry};

/// The version of the file's form, see docs/statistics.md.
pub const REPORT_VERSION: u32 = 1;
/// A history longer than this is thinned: twenty minutes at one a second.
const MAX_SAMPLES: usize = 1200;
/// More happens in no honest call.
const MAX_EVENTS: usize = 2000;

/// What of a person may stand in a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// Nothing: no code, no address, no device's name.
    #[default]
    Private,
    /// All that was known.
    Open,
}

/// Keeps the story of one call.
#[derive(Clone, Debug)]
pub struct CallReport {
    began: Instant,
    began_unix_ms: u64,
    events: Vec<(Duration, Happened)>,
    samples: Vec<StatsEntries>,
    /// Of so many seconds one is kept.
    every: u32,
    seen: u32,
}

/// One line of the story: as it may always be told, and as it was.
#[derive(Clone, Debug)]
struct Happened {
    private: Value,
    open: Value,
}

impl CallReport {
    /// A story that begins now.
    #[must_use]
    pub fn new(now: Instant, wall: SystemTime) -> Self {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let began_unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self { began: now, began_unix_ms, events: Vec::new(), samples: Vec::new(), every: 1, seen: 0 }
    }

    /// Takes down what happened.
    pub fn see(&mut self, now: Instant, event: &Event) {
        if let Event::Stats(stats) = event {
            self.sample(&stats.entries);
        } else if self.events.len() < MAX_EVENTS
            && let Some(happened) = happened(event)
            && self.events.last().is_none_or(|(_, last)| last.open != happened.open)
        {
            self.events.push((now.saturating_duration_since(self.began), happened));
        }
    }

    fn sample(&mut self, entries: &StatsEntries) {
        if self.seen.is_multiple_of(self.every) {
            self.samples.push(entries.clone());
        }
        self.seen = self.seen.wrapping_add(1);
        if self.samples.len() > MAX_SAMPLES {
            let mut index = 0;
            self.samples.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.every = self.every.saturating_mul(2);
        }
    }

    /// The report, as JSON.
    #[must_use]
    pub fn to_json(&self, version: &str, privacy: Privacy) -> Value {
        let events = self.events.iter().map(|(at, happened)| {
            let mut event = match privacy {
                Privacy::Private => happened.private.clone(),
                Privacy::Open => happened.open.clone(),
            };
            event["timestamp"] = json!(at.as_millis() as u64);
            event
        });
        let stats = self.samples.iter().map(|entries| match privacy {
            Privacy::Private => entries.iter().cloned().map(StatsEntry::without_addresses).collect(),
            Privacy::Open => entries.clone(),
        });
        json!({
            "report": "visavis-call",
            "version": REPORT_VERSION,
            "app": { "version": version, "os": std::env::consts::OS, "arch": std::env::consts::ARCH },
            "timeOrigin": self.began_unix_ms,
            "secondsPerSample": self.every,
            "events": events.collect::<Vec<_>>(),
            "stats": stats.collect::<Vec<_>>(),
        })
    }
}

impl Happened {
    fn plain(value: Value) -> Self {
        Self { private: value.clone(), open: value }
    }

    /// `extra` is told only where the person wants it.
    fn with(value: Value, name: &str, extra: Value) -> Self {
        let mut open = value.clone();
        open[name] = extra;
        Self { private: value, open }
    }
}

fn happened(event: &Event) -> Option<Happened> {
    Some(match event {
        Event::State(state) => on_state(state),
        Event::Peer(state) => Happened::plain(json!({"event": "connection-state", "state": state.name()})),
        Event::Signaling(state) => on_signaling(state),
        Event::InLine { ahead } => Happened::plain(json!({"event": "in-line", "ahead": ahead})),
        Event::WrongGuess { left } => Happened::plain(json!({"event": "wrong-guess", "left": left})),
        // Which pictures they were says something about the keys.
        Event::Verified(_) => Happened::plain(json!({"event": "verified"})),
        // The host may be the server's, which a private report doesn't name.
        Event::RemoteGuest { .. } => Happened::plain(json!({"event": "remote-guest"})),
        Event::Remote(media) => {
            Happened::plain(json!({"event": "remote-media", "microphone": media.microphone, "camera": media.camera}))
        }
        Event::Quality(quality) => {
            let cause = quality.cause.map_or("none", |cause| cause.name());
            Happened::plain(json!({"event": "quality", "grade": quality.grade.name(), "cause": cause}))
        }
        Event::Local(local) => Happened::with(
            json!({
                "event": "local-media",
                "microphone": local.wanted.microphone && local.microphone.is_some(),
                "camera": local.wanted.camera && local.camera.is_some(),
                "speaker": local.speaker.is_some(),
            }),
            "devices",
            json!([local.microphone, local.camera, local.speaker]),
        ),
        Event::Device(report) => return on_device(report),
        Event::Again(again) => Happened::plain(json!({"event": "again", "again": again.name()})),
        Event::Obstacle(obstacle) => on_obstacle(obstacle.as_ref()),
        Event::Dropped { count } => Happened::plain(json!({"event": "dropped", "count": count})),
        Event::Finished => Happened::plain(json!({"event": "finished"})),
        // Kept apart; what the other side reports stands in its own file.
        Event::Stats(_) | Event::RemoteReport(_) => return None,
    })
}

fn on_state(state: &CallState) -> Happened {
    let value = json!({"event": "call-state", "state": state.name()});
    match state {
        CallState::Waiting { code } => {
            // The words open a call that may be still to come: they stand in no file.
            Happened::with(value, "code", json!(code.nameplate().as_str()))
        }
        CallState::Closed(reason) => {
            let value = json!({"event": "call-state", "state": state.name(), "reason": reason.code()});
            match reason {
                // These carry a stranger's words, or the code.
                CloseReason::NoSuchRoom { .. }
                | CloseReason::NobodyNear { .. }
                | CloseReason::ServerUnreachable { .. }
                | CloseReason::ServerRefused { .. }
                | CloseReason::BadMessage { .. }
                | CloseReason::Tampered { .. }
                | CloseReason::NoPath { obstacle: Some(_) }
                | CloseReason::TransportFailed { .. } => Happened::with(value, "text", json!(reason.to_string())),
                CloseReason::HungUp
                | CloseReason::PeerHungUp
                | CloseReason::PeerLost
                | CloseReason::RoomFull
                | CloseReason::NoAnswer
                | CloseReason::Dismissed
                | CloseReason::WrongWords
                | CloseReason::Burnt
                | CloseReason::WrongCertificate
                | CloseReason::Expired
                | CloseReason::NoPath { obstacle: None } => Happened::plain(value),
            }
        }
        CallState::New
        | CallState::Verifying
        | CallState::Connecting
        | CallState::Connected { .. }
        | CallState::Disconnected { .. } => Happened::plain(value),
    }
}

fn on_obstacle(obstacle: Option<&Obstacle>) -> Happened {
    let value = json!({"event": "obstacle", "code": obstacle.map(Obstacle::code)});
    match obstacle {
        Some(obstacle) => Happened::with(value, "text", json!(obstacle.to_string())),
        None => Happened::plain(value),
    }
}

fn on_signaling(state: &SignalingState) -> Happened {
    match state {
        SignalingState::Connecting => Happened::plain(json!({"event": "signaling", "state": "connecting"})),
        SignalingState::Online => Happened::plain(json!({"event": "signaling", "state": "online"})),
        SignalingState::Offline { reason } => {
            Happened::with(json!({"event": "signaling", "state": "offline"}), "text", json!(reason))
        }
    }
}

/// `local-media` tells which devices are in use; here only what went wrong with them.
fn on_device(report: &DeviceReport) -> Option<Happened> {
    if let DeviceReport::Lost { kind, error } = report {
        Some(Happened::with(json!({"event": "device-lost", "kind": kind}), "text", json!(error.to_string())))
    } else if let DeviceReport::Failed { what, reason } = report {
        Some(Happened::with(json!({"event": "failed", "what": what}), "text", json!(reason)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use visavis_call::{Grade, Quality};
    use visavis_device::DeviceError;
    use visavis_signaling::RoomCode;

    use super::*;
    use crate::event::LocalMedia;
    use crate::stats::CallStats;
    use crate::webrtc_stats::Candidate;

    const ADDRESS: &str = "192.0.2.77";

    fn code() -> RoomCode {
        RoomCode::parse("482713-tulip-orbit").unwrap()
    }

    fn stats() -> Event {
        let end = Candidate { address: ADDRESS.into(), port: Some(40_118), ..Candidate::default() };
        let entries = vec![StatsEntry::LocalCandidate(end.clone()), StatsEntry::RemoteCandidate(end)];
        Event::Stats(Box::new(CallStats { entries, ..CallStats::default() }))
    }

    fn told() -> CallReport {
        let now = Instant::now();
        let mut report = CallReport::new(now, UNIX_EPOCH + Duration::from_secs(1_800_000_000));
        let local = LocalMedia { camera: Some("Ada's camera".into()), ..LocalMedia::default() };
        for event in [
            Event::State(CallState::Waiting { code: code() }),
            Event::State(CallState::Connected { since: now }),
            Event::Local(local),
            Event::Device(DeviceReport::Lost {
                kind: "camera",
                error: DeviceError::Gone { name: "Ada's camera".into() },
            }),
            Event::Signaling(SignalingState::Offline { reason: "calls.example.org is gone".into() }),
            Event::Quality(Quality::GOOD),
            stats(),
            Event::State(CallState::Closed(CloseReason::NoSuchRoom { nameplate: code().nameplate().clone() })),
        ] {
            report.see(now, &event);
        }
        report
    }

    #[test]
    fn who_and_where_is_told_only_on_request() {
        let report = told();
        let private = report.to_json("1.2.3", Privacy::Private).to_string();
        let open = report.to_json("1.2.3", Privacy::Open).to_string();
        for secret in [ADDRESS, "40118", "482713", "Ada", "example.org"] {
            assert!(!private.contains(secret), "{secret} in {private}");
            assert!(open.contains(secret), "{secret} not in {open}");
        }
        for words in ["tulip", "orbit"] {
            assert!(!open.contains(words), "{words} in {open}");
        }
    }

    #[test]
    fn the_story_is_told_in_order() {
        let json = told().to_json("1.2.3", Privacy::Private);
        assert_eq!((&json["version"], &json["app"]["version"]), (&json!(1), &json!("1.2.3")));
        assert_eq!(json["timeOrigin"], json!(1_800_000_000_000_u64));
        let events: Vec<_> = json["events"].as_array().unwrap().iter().map(|e| e["event"].as_str().unwrap()).collect();
        assert_eq!(
            events,
            ["call-state", "call-state", "local-media", "device-lost", "signaling", "quality", "call-state"]
        );
        assert_eq!(json["events"][5]["grade"], Grade::Good.name());
        assert_eq!(json["stats"][0][0]["type"], "local-candidate");
    }

    #[test]
    fn a_long_call_is_thinned_and_never_cut() {
        let mut report = told();
        for _ in 0..10_000 {
            report.see(Instant::now(), &stats());
            report.see(Instant::now(), &Event::Quality(Quality::GOOD));
        }
        assert!(report.samples.len() <= MAX_SAMPLES, "{}", report.samples.len());
        assert_eq!(report.every, 16);
        let same = report.events.iter().filter(|(_, happened)| happened.private["event"] == "quality").count();
        assert_eq!(same, 2, "what is said again isn't news");
    }
}
