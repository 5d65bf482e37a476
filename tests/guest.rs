//! The page for guests in a browser, as a server process serves it: Debian's Chromium opens it, calls, and is called. The page
//! is the one in `ui/dist-guest` (`npm --prefix ui run build:guest`, which `./dev test` does first).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod browser;
mod guests;
mod programs;

use anyhow::{Result, ensure};
use browser::Driver;
use guests::Guest;
use programs::ServerProcess;

/// A server that serves the page, and its address for a browser.
struct Rig {
    page: String,
    _server: ServerProcess,
}

impl Rig {
    fn start() -> Self {
        let server = ServerProcess::start();
        Self { page: format!("http://{}/", server.address), _server: server }
    }

    async fn guest(&self, fragment: &str) -> Result<(Driver, Guest)> {
        let driver = Driver::chromium(&[]).await?;
        let guest = Guest::open(driver.client(), &format!("{}{fragment}", self.page)).await?;
        Ok((driver, guest))
    }
}

/// Each sees the other's moving picture, and both say whom they trust.
async fn both_talk(one: &Guest, other: &Guest) -> Result<()> {
    for guest in [one, other] {
        guest.reaches("connected").await?;
    }
    for guest in [one, other] {
        guest.sees_pictures().await?;
        guest.shows("trust").await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_guests_call_by_a_link_and_hang_up() -> Result<()> {
    let rig = Rig::start();
    let (first, creator) = rig.guest("").await?;
    creator.click("Start a call").await?;
    let code = creator.code().await?;
    let (second, joiner) = rig.guest(&format!("#{code}")).await?;
    let address = joiner.address().await?;
    ensure!(!address.contains('#'), "the code stands in the address still: {address}");
    joiner.click("Join").await?;
    both_talk(&creator, &joiner).await?;

    joiner.click("Microphone").await?;
    creator.shows("They are muted").await?;
    joiner.click("Camera").await?;
    creator.shows("Their camera is off").await?;
    joiner.click("Camera").await?;
    creator.sees_pictures().await?;

    joiner.click("Hang up").await?;
    for guest in [&creator, &joiner] {
        guest.reaches("ended").await?;
        guest.has_kept_the_policy().await?;
    }
    creator.shows("The other person hung up.").await?;
    first.close().await?;
    second.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_other_words_is_told_and_counted() -> Result<()> {
    let rig = Rig::start();
    let (first, creator) = rig.guest("").await?;
    creator.click("Start a call").await?;
    let code = creator.code().await?;
    let number = code.split('-').next().unwrap_or_default();
    let other = if code.ends_with("-tulip-orbit") { "orbit-tulip" } else { "tulip-orbit" };
    let (second, joiner) = rig.guest(&format!("#{number}-{other}")).await?;
    joiner.click("Join").await?;
    joiner.shows("The words don't match").await?;
    creator.shows("Nobody got in").await?;
    creator.reaches("waiting").await?;
    first.close().await?;
    second.close().await
}
