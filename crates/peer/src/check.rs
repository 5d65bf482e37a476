//! `visavis-cli check`: who of the STUN and TURN servers answers, how fast, and what to do about the others.

use std::io::Write as _;

use futures::StreamExt as _;
use futures::channel::mpsc;
use serde_json::json;
use visavis_engine::check::{CheckEvent, SelfMeeting, ServerCheck, check_servers};
use visavis_engine::server_url;

use crate::args::CheckArgs;
use crate::exit::Exit;

/// Asks, tells, and ends well when every server did what a call needs of it.
pub(crate) async fn run(args: &CheckArgs) -> anyhow::Result<Exit> {
    let mut servers = args.ice.clone();
    let meeting = match &args.server {
        None => None,
        Some(server) => match SelfMeeting::at(&server_url(server)?).await {
            Ok(meeting) => Some(meeting),
            Err(reason) => {
                told(args.json, json!({ "event": "server", "server": server, "reason": reason }), || {
                    format!("{server}: {reason}")
                })?;
                return Ok(Exit::Server);
            }
        },
    };
    servers.extend(meeting.iter().flat_map(|meeting| meeting.servers.iter().cloned()));
    if servers.is_empty() {
        told(args.json, json!({ "event": "none" }), || "This server has neither STUN nor TURN.".to_owned())?;
    }
    let (events, mut told_so_far) = mpsc::unbounded();
    let tell = async {
        while let Some(event) = told_so_far.next().await {
            tell(args.json, &event)?;
        }
        anyhow::Ok(())
    };
    let (checked, told) = futures::join!(check_servers(&servers, events), tell);
    if let Some(meeting) = meeting {
        meeting.leave().await;
    }
    told?;
    Ok(if checked.iter().all(|check| check.outcome.is_good()) { Exit::Done } else { Exit::Path })
}

fn tell(json: bool, event: &CheckEvent) -> std::io::Result<()> {
    match event {
        CheckEvent::Asking { url, asked } => {
            told(json, json!({ "event": "asking", "url": url, "asked": asked }), || {
                format!("{url}: asking for {asked}…")
            })
        }
        CheckEvent::Checked(check) => told(json, as_json(check), || in_words(check)),
    }
}

fn as_json(check: &ServerCheck) -> serde_json::Value {
    json!({ "event": "checked", "check": check, "found": check.found(), "advice": check.advice() })
}

fn in_words(check: &ServerCheck) -> String {
    let mark = if check.outcome.is_good() { "✓" } else { "✗" };
    let advice = check.advice().map(|advice| format!("\n    {advice}")).unwrap_or_default();
    format!("{mark} {}: {} ({} ms){advice}", check.url, check.found(), check.took_ms)
}

fn told(json: bool, event: serde_json::Value, words: impl FnOnce() -> String) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if json { writeln!(out, "{event}") } else { writeln!(out, "{}", words()) }
}
