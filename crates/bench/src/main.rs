//! `visavis-bench`: measures this build beside two Chromium peers, in the same run, on the same machine, through the same
//! server, with the same clip, and writes the table of docs/BENCHMARKS.md. What it claims are ratios: the times of a busy
//! machine say little by themselves.

#[path = "../../../tests/browser/mod.rs"]
#[allow(missing_docs, reason = "shared with the tests")]
mod browser;
#[path = "../../../tests/programs/mod.rs"]
#[allow(clippy::unwrap_used, missing_docs, reason = "shared with the tests")]
mod programs;

mod calls;
mod clip;
mod codecs;
mod cost;
mod delay;
mod joins;
mod machine;
mod mixed;
mod mouth;
mod startup;
mod table;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;

use crate::browser::{Driver, Page, PageServer};
use crate::clip::Clip;
use crate::programs::ServerProcess;
use crate::table::Table;

/// Measures this build beside two Chromium peers.
#[derive(Debug, Parser)]
struct Args {
    /// How long the call is measured, seconds
    #[arg(long, default_value_t = 25)]
    seconds: u64,
    /// How long it runs before that, seconds: Chromium begins with smaller pictures
    #[arg(long, default_value_t = 20)]
    warm_up: u64,
    /// How often each side joins and starts; the median counts
    #[arg(long, default_value_t = 9)]
    times: usize,
    /// Where the table goes
    #[arg(long, default_value = "docs/BENCHMARKS.md")]
    out: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    ensure!(cfg!(target_os = "linux"), "what processes cost is read from /proc: the bench runs on Linux only");
    let machine = machine::facts();
    let clip = Clip::make()?;
    say("codecs");
    let codecs = codecs::measure()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let table = runtime.block_on(async {
        let server = ServerProcess::start();
        let pages = PageServer::start().await?;
        let browser = Driver::chromium(&clip.browser_flags()).await?;
        let page = Page::open(browser.client(), &pages).await?;
        say("joins");
        let our_joins = joins::ours(&server, &clip, args.times).await?;
        let their_joins = joins::theirs(&page, &server, args.times).await?;
        say("start-up");
        let startup = startup::measure(&server, &clip, args.times);
        let span =
            calls::Span { warm_up: Duration::from_secs(args.warm_up), measured: Duration::from_secs(args.seconds) };
        say("delays");
        let delays = delay::measure(&server, &clip, Duration::from_secs(args.seconds)).await?;
        let mouth = tokio::task::block_in_place(|| mouth::measure(&server, &clip, Duration::from_secs(args.seconds)))?;
        say("our call");
        let ours = calls::ours(&server, &clip, &span)?;
        say("Chromium's call");
        // A fresh browser, so that nothing of the joins is left in its memory.
        browser.close().await?;
        let browser = Driver::chromium(&clip.browser_flags()).await?;
        let page = Page::open(browser.client(), &pages).await?;
        let theirs = calls::theirs(&browser, &page, &server, &span).await?;
        say("one end of each");
        let mixed = mixed::measure(&page, &server, &clip, &span).await?;
        browser.close().await?;
        Ok::<_, anyhow::Error>(Table { our_joins, their_joins, startup, delays, mouth, ours, theirs, mixed, codecs })
    })?;
    let text = table.to_markdown(&machine, &args);
    std::fs::write(&args.out, &text)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Says what is being measured; nobody has to listen.
fn say(what: &str) {
    let _ = writeln!(std::io::stderr(), "visavis-bench: {what}…");
}

/// The middle one; zero of none.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
