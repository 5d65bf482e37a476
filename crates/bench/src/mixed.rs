//! The same call with one end of each: ours makes it, Chromium joins.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::browser::Page;
use crate::calls::{H264, Span, start};
use crate::clip::Clip;
use crate::programs::{Process, ServerProcess};

/// The page's name for its end.
const THEIRS: &str = "guest";

/// What each end gave the other.
#[derive(Debug)]
pub(crate) struct Mixed {
    /// From Chromium's "join" until it has decoded a picture of ours.
    pub(crate) join: Duration,
    /// Our pictures that Chromium decoded, a second.
    pub(crate) our_fps: f64,
    /// Chromium's pictures that we decoded, a second.
    pub(crate) their_fps: f64,
    /// Our picture in Chromium stood still so many times (W3C webrtc-stats, `freezeCount`) while that was measured.
    pub(crate) freezes: f64,
    /// Lines of our picture in Chromium at the end.
    pub(crate) height: u64,
}

/// One call.
pub(crate) async fn measure(page: &Page, server: &ServerProcess, clip: &Clip, span: &Span) -> Result<Mixed> {
    let started = Instant::now();
    let ours = start(server, clip, &["create"]);
    let waiting = ours.event("call-state", |event| event["state"] == "waiting");
    let code = waiting["code"].as_str().context("no code")?.to_owned();
    page.start(THEIRS, &format!("ws://{}/ws", server.address), Some(&code), Some(&H264)).await?;
    let begun = page.when(THEIRS, "start").await?;
    let first = page.when(THEIRS, "first-frame").await?;
    tokio::time::sleep(span.warm_up).await;
    let (page_before, ours_before) = (page.stats(THEIRS, "inbound-rtp", "video").await?, report(&ours, started));
    tokio::time::sleep(span.measured).await;
    let (page_after, ours_after) = (page.stats(THEIRS, "inbound-rtp", "video").await?, report(&ours, started));
    page.hang_up(THEIRS).await?;
    let grown =
        |before: &Value, after: &Value| after.as_f64().unwrap_or_default() - before.as_f64().unwrap_or_default();
    let of_page = |name: &str| grown(&page_before[name], &page_after[name]);
    let of_ours = |event: &Value| event["stats"]["inbound"]["framesDecoded"].clone();
    let ours_ms = grown(&ours_before["ms"], &ours_after["ms"]);
    Ok(Mixed {
        join: Duration::from_secs_f64((first - begun).max(0.0) / 1000.0),
        our_fps: 1000.0 * of_page("framesDecoded") / of_page("timestamp"),
        their_fps: 1000.0 * grown(&of_ours(&ours_before), &of_ours(&ours_after)) / ours_ms,
        freezes: of_page("freezeCount"),
        height: page_after["frameHeight"].as_u64().unwrap_or_default(),
    })
}

/// Our first report from now on.
fn report(ours: &Process, started: Instant) -> Value {
    let now = u64::try_from(started.elapsed().as_millis()).ok();
    tokio::task::block_in_place(|| ours.event("stats", |event| event["ms"].as_u64() >= now))
}
