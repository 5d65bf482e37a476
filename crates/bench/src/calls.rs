//! A two-way 720p30 call, both ends on this machine: ours between two headless programs, Chromium's within one browser.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::browser::{Driver, Page};
use crate::clip::Clip;
use crate::cost::{self, Usage};
use crate::programs::{Process, ServerProcess, program};

/// H.264 and the resending that goes with it.
pub(crate) const H264: [&str; 2] = ["video/H264", "video/rtx"];

/// How long Chromium's pictures are looked at; the page has 40 s for an answer.
const DELAYS: Duration = Duration::from_secs(15);

/// When a call is measured.
pub(crate) struct Span {
    /// Before.
    pub(crate) warm_up: Duration,
    /// While.
    pub(crate) measured: Duration,
}

/// What a call cost, and what it gave for it.
#[derive(Debug)]
pub(crate) struct Call {
    /// Share of one processor, both ends, percent.
    pub(crate) processor_percent: f64,
    /// Proportional set size of both ends, bytes.
    pub(crate) memory: u64,
    /// Processes of both ends.
    pub(crate) processes: usize,
    /// Pictures decoded a second, the mean of both ends.
    pub(crate) fps: f64,
    /// Height of the pictures received at the end.
    pub(crate) height: u64,
    /// Video and sound sent by one end, kilobits a second.
    pub(crate) kbps: f64,
    /// From a picture's capture (ours) or from its turn at the encoder (Chromium) until it is coded, milliseconds.
    pub(crate) encode_ms: f64,
    /// From a picture's capture until the other's decoder gives it, sorted; ours are measured in a call of their own.
    pub(crate) delays: Vec<Duration>,
    /// How often a picture stood still in the measured time, both ends (W3C webrtc-stats, `freezeCount`); ours doesn't say.
    pub(crate) freezes: Option<f64>,
    /// Decoding of a picture as the program itself says, milliseconds; ours doesn't.
    pub(crate) decode_ms: Option<f64>,
}

/// Waits through the span and takes what the processes used in it.
struct Bill {
    usage: Usage,
    percent: f64,
}

fn bill(span: &Span, processes: impl Fn() -> Vec<u32>) -> Bill {
    std::thread::sleep(span.warm_up);
    let (before, begin) = (cost::of(&processes()), Instant::now());
    std::thread::sleep(span.measured);
    let (usage, took) = (cost::of(&processes()), begin.elapsed());
    let spent = usage.processor.saturating_sub(before.processor);
    Bill { usage, percent: 100.0 * spent.as_secs_f64() / took.as_secs_f64() }
}

/// Two `visavis-cli` over the server.
pub(crate) fn ours(server: &ServerProcess, clip: &Clip, span: &Span) -> Result<Call> {
    let creator = start(server, clip, &["create"]);
    let waiting = creator.event("call-state", |event| event["state"] == "waiting");
    let code = waiting["code"].as_str().context("no code")?.to_owned();
    let joiner = start(server, clip, &["join", &code]);
    let ends = [creator, joiner];
    for end in &ends {
        end.event("call-state", |event| event["state"] == "connected");
    }
    let begun = Instant::now();
    let bill = bill(span, || ends.iter().map(Process::id).collect());
    let measured_ms = (begun.elapsed() - span.measured).as_millis() as u64;
    let mut stats = Vec::new();
    for end in &ends {
        // The first report from within the span and the first behind it: all that is counted lies between the two.
        let first = end.event("stats", |event| event["ms"].as_u64() > Some(measured_ms));
        let last =
            end.event("stats", |event| event["ms"].as_u64() > Some(measured_ms + span.measured.as_millis() as u64));
        stats.push((first, last));
    }
    let mean = |of: &dyn Fn(&(Value, Value)) -> f64| stats.iter().map(of).sum::<f64>() / stats.len() as f64;
    let number = |event: &Value, side: &str, name: &str| event["stats"][side][name].as_f64().unwrap_or_default();
    let fps = mean(&|(first, last)| {
        let seconds = (last["ms"].as_f64().unwrap_or_default() - first["ms"].as_f64().unwrap_or_default()) / 1000.0;
        (number(last, "inbound", "framesDecoded") - number(first, "inbound", "framesDecoded")) / seconds
    });
    Ok(Call {
        processor_percent: bill.percent,
        memory: bill.usage.memory,
        processes: bill.usage.processes,
        fps,
        height: stats[1].1["stats"]["inbound"]["frameHeight"].as_u64().unwrap_or_default(),
        kbps: mean(&|(_, last)| number(last, "outbound", "kbps")),
        encode_ms: mean(&|(_, last)| number(last, "outbound", "encodeMs")),
        delays: Vec::new(),
        freezes: None,
        decode_ms: None,
    })
}

/// A `visavis-cli` with the clip.
pub(crate) fn start(server: &ServerProcess, clip: &Clip, action: &[&str]) -> Process {
    let mut command = Command::new(program("visavis-cli"));
    command.args(action).args(["--server", &server.address, "--json"]).args(clip.cli_arguments());
    Process::start(&mut command)
}

/// Two calls of the page in one browser, through the same server.
pub(crate) async fn theirs(browser: &Driver, page: &Page, server: &ServerProcess, span: &Span) -> Result<Call> {
    let url = format!("ws://{}/ws", server.address);
    page.start("ann", &url, None, Some(&H264)).await?;
    let code = page.code("ann").await?;
    page.start("bob", &url, Some(&code), Some(&H264)).await?;
    for end in ["ann", "bob"] {
        page.when(end, "connected").await?;
    }
    let driver = browser.id().context("chromedriver has ended")?;
    // Statistics are asked for only at the two edges of the span, so that asking costs the browser nothing in it.
    tokio::time::sleep(span.warm_up).await;
    let before = [read(page, "ann").await?, read(page, "bob").await?];
    let rest = Span { warm_up: Duration::ZERO, measured: span.measured };
    let bill = tokio::task::block_in_place(|| bill(&rest, || cost::descendants(driver)));
    let after = [read(page, "ann").await?, read(page, "bob").await?];
    // Looking at each picture costs the browser something: behind what was billed.
    let mut delays = page.picture_delays("ann", "bob", DELAYS).await?;
    delays.sort_unstable();
    page.hang_up("bob").await?;
    for end in &after {
        ensure!(end.inbound["codec"] == "video/H264", "Chromium decodes {}", end.inbound["codec"]);
    }
    let mean = |of: &dyn Fn(&Edge, &Edge) -> f64| before.iter().zip(&after).map(|(b, a)| of(b, a)).sum::<f64>() / 2.0;
    let per_frame = |inbound: bool, time: &'static str, frames: &'static str| {
        mean(&|b, a| 1000.0 * grown(b, a, inbound, time) / grown(b, a, inbound, frames))
    };
    Ok(Call {
        processor_percent: bill.percent,
        memory: bill.usage.memory,
        processes: bill.usage.processes,
        fps: mean(&|b, a| 1000.0 * grown(b, a, true, "framesDecoded") / grown(b, a, true, "timestamp")),
        height: after[1].inbound["frameHeight"].as_u64().unwrap_or_default(),
        kbps: mean(&|b, a| 8.0 * grown(b, a, false, "bytesSent") / grown(b, a, false, "timestamp")),
        encode_ms: per_frame(false, "totalEncodeTime", "framesEncoded"),
        delays,
        freezes: Some(2.0 * mean(&|b, a| grown(b, a, true, "freezeCount"))),
        decode_ms: Some(per_frame(true, "totalDecodeTime", "framesDecoded")),
    })
}

/// The browser's video statistics of one end at one moment.
struct Edge {
    inbound: Value,
    outbound: Value,
}

async fn read(page: &Page, end: &str) -> Result<Edge> {
    Ok(Edge {
        inbound: page.stats(end, "inbound-rtp", "video").await?,
        outbound: page.stats(end, "outbound-rtp", "video").await?,
    })
}

/// How much a figure grew between two moments.
fn grown(before: &Edge, after: &Edge, inbound: bool, name: &str) -> f64 {
    let side = |edge: &Edge| if inbound { edge.inbound[name].as_f64() } else { edge.outbound[name].as_f64() };
    side(after).unwrap_or_default() - side(before).unwrap_or_default()
}
