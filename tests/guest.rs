//! The page for guests in a browser, as a server process serves it: Debian's Chromium and Firefox open it, call, and are
//! called, by another guest and by `visavis-cli`. The page is the one in `ui/dist-guest` (`npm --prefix ui run build:guest`, which `./dev test` does first).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod browser;
mod guests;
mod programs;

use anyhow::{Result, ensure};
use guests::{Browser, Clip, Guest, Peer};
use programs::{ServerProcess, free_udp_port, relaying_server};

/// A server that serves the page, and its address for a browser.
struct Rig {
    page: String,
    server: ServerProcess,
    clip: Clip,
}

impl Rig {
    fn start() -> Result<Self> {
        Self::at(ServerProcess::start())
    }

    fn at(server: ServerProcess) -> Result<Self> {
        let clip = Clip::make()?;
        Ok(Self { page: format!("http://{}/", server.address), server, clip })
    }

    fn peer(&self, action: &[&str]) -> Result<Peer> {
        Peer::start(&self.server.address, action)
    }

    async fn guest(&self, browser: Browser, fragment: &str) -> Result<Guest> {
        Guest::open(browser, &self.clip, &format!("{}{fragment}", self.page)).await
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

/// The first creates, the second joins by the link; what the second turns off, the first is told; the second hangs up.
async fn two_guests_call(creator: Browser, joiner: Browser) -> Result<()> {
    let rig = Rig::start()?;
    let creator = rig.guest(creator, "").await?;
    creator.click("Start a call").await?;
    let code = creator.code().await?;
    let joiner = rig.guest(joiner, &format!("#{code}")).await?;
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
    they_call_again(&creator, &joiner).await
}

/// Both are still there: one asks, the other agrees, and there is a call without a code. Who goes elsewhere after it can't be asked.
async fn they_call_again(asks: &Guest, agrees: &Guest) -> Result<()> {
    asks.click("Call again").await?;
    agrees.shows("The other person wants to call again.").await?;
    agrees.click("Join").await?;
    both_talk(asks, agrees).await?;
    asks.click("Hang up").await?;
    for guest in [asks, agrees] {
        guest.reaches("ended").await?;
        guest.has_kept_the_policy().await?;
    }
    agrees.click("Done").await?;
    asks.shows("New call").await
}

#[tokio::test(flavor = "multi_thread")]
async fn two_guests_call_by_a_link_and_hang_up() -> Result<()> {
    two_guests_call(Browser::Chromium, Browser::Chromium).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_firefox_joins_one_in_chromium() -> Result<()> {
    two_guests_call(Browser::Chromium, Browser::Firefox).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_chromium_joins_one_in_firefox() -> Result<()> {
    two_guests_call(Browser::Firefox, Browser::Chromium).await
}

/// Both are sure of one another, and both know that one of them trusts the host of a page.
async fn acquainted(rig: &Rig, peer: &Peer, guest: &Guest) -> Result<()> {
    // The peer says it when it happens: before it is connected, and only once.
    let emoji = peer.emoji();
    guest.reaches("connected").await?;
    ensure!(guest.emoji().await? == emoji, "the two see different pictures");
    peer.reaches("connected");
    let host = peer.event("remote-guest", |_| true)["host"].clone();
    ensure!(host == rig.server.address, "the peer was told of {host}");
    guest.shows(&format!("You are a browser guest: you trust {}.", rig.server.address)).await
}

/// Pictures and sound both ways, and what the guest turns off and on again.
async fn a_whole_conversation(rig: &Rig, peer: &Peer, guest: &Guest) -> Result<()> {
    acquainted(rig, peer, guest).await?;
    guest.sees_the_pattern().await?;
    guest.hears_the_tone().await?;
    peer.sees_more(60);
    guest.click("Microphone").await?;
    peer.is_sent(false, true);
    guest.click("Camera").await?;
    peer.is_sent(false, false);
    guest.click("Camera").await?;
    guest.click("Microphone").await?;
    peer.is_sent(true, true);
    peer.sees_more(60);
    Ok(())
}

async fn a_guest_joins(browser: Browser) -> Result<()> {
    let rig = Rig::start()?;
    let mut peer = rig.peer(&["create"])?;
    let guest = rig.guest(browser, &format!("#{}", peer.code())).await?;
    guest.click("Join").await?;
    a_whole_conversation(&rig, &peer, &guest).await?;

    guest.click("Hang up").await?;
    guest.reaches("ended").await?;
    ensure!(peer.ended() == ("peer-hung-up".to_owned(), Some(0)));
    peer.has_recorded(browser)?;
    guest.has_kept_the_policy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_joins_a_peer_and_hangs_up() -> Result<()> {
    a_guest_joins(Browser::Chromium).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_in_firefox_joins_a_peer_and_hangs_up() -> Result<()> {
    a_guest_joins(Browser::Firefox).await
}

async fn a_peer_joins(browser: Browser) -> Result<()> {
    let rig = Rig::start()?;
    let guest = rig.guest(browser, "").await?;
    guest.click("Start a call").await?;
    let mut peer = rig.peer(&["join", &guest.code().await?])?;
    a_whole_conversation(&rig, &peer, &guest).await?;

    peer.hang_up();
    guest.reaches("ended").await?;
    guest.shows("The other person hung up.").await?;
    ensure!(peer.ended() == ("hung-up".to_owned(), Some(0)));
    peer.has_recorded(browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_joins_a_guest_and_hangs_up() -> Result<()> {
    a_peer_joins(Browser::Chromium).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_joins_a_guest_in_firefox_and_hangs_up() -> Result<()> {
    a_peer_joins(Browser::Firefox).await
}

/// The number of `code`, with other words.
fn other_words(code: &str) -> String {
    let number = code.split('-').next().unwrap_or_default();
    let other = if code.ends_with("-tulip-orbit") { "orbit-tulip" } else { "tulip-orbit" };
    format!("{number}-{other}")
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_words_between_a_guest_and_a_peer_are_told_and_counted() -> Result<()> {
    let rig = Rig::start()?;
    let guest = rig.guest(Browser::Chromium, "").await?;
    guest.click("Start a call").await?;
    let mut peer = rig.peer(&["join", &other_words(&guest.code().await?)])?;
    ensure!(peer.ended() == ("wrong-words".to_owned(), Some(4)));
    guest.shows("Nobody got in. 2 more tries").await?;
    guest.reaches("waiting").await?;
    drop(guest);

    let peer = rig.peer(&["create"])?;
    let guest = rig.guest(Browser::Chromium, &format!("#{}", other_words(&peer.code()))).await?;
    guest.click("Join").await?;
    guest.shows("No one is waiting under this code").await?;
    ensure!(peer.event("wrong-guess", |_| true)["left"] == 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_with_other_words_is_told_and_counted() -> Result<()> {
    let rig = Rig::start()?;
    let creator = rig.guest(Browser::Chromium, "").await?;
    creator.click("Start a call").await?;
    let joiner = rig.guest(Browser::Chromium, &format!("#{}", other_words(&creator.code().await?))).await?;
    joiner.click("Join").await?;
    joiner.shows("No one is waiting under this code").await?;
    creator.shows("Nobody got in").await?;
    creator.reaches("waiting").await
}

/// The guest hides, the peer doesn't: at the guest's end there is a relay, and the page says who knows what.
#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_hides_calls_through_the_relay() -> Result<()> {
    let rig = Rig::at(relaying_server(&free_udp_port()))?;
    let peer = rig.peer(&["create"])?;
    let guest = rig.guest(Browser::Chromium, &format!("#{}", peer.code())).await?;
    guest.turn("Hide my address").await?;
    guest.click("Join").await?;
    guest.reaches("connected").await?;
    guest.sees_pictures().await?;
    let path = peer.path();
    ensure!(path["remote"]["candidateType"] == "relay", "{path}");
    guest.open_figures().await?;
    guest.shows("Through a relay").await?;
    guest.shows("Knows the relay's address and not yours.").await?;
    guest.has_kept_the_policy().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_hides_doesnt_call_without_a_relay() -> Result<()> {
    let rig = Rig::start()?;
    let guest = rig.guest(Browser::Chromium, "").await?;
    guest.turn("Hide my address").await?;
    guest.click("Start a call").await?;
    let mut peer = rig.peer(&["join", &guest.code().await?])?;
    guest.reaches("ended").await?;
    guest.shows("only relayed addresses may be used, and there is no TURN server").await?;
    ensure!(peer.ended().0 == "peer-lost");
    Ok(())
}

/// All codecs but those that a peer has are left to the browser, with either side creating: sound goes on, and one sentence says
/// what doesn't.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_common_video_codec_a_guest_is_told_and_hears() -> Result<()> {
    for creates in [true, false] {
        let rig = Rig::start()?;
        let peer = (!creates).then(|| rig.peer(&["create"])).transpose()?;
        let fragment = peer.as_ref().map_or_else(String::new, |peer| format!("#{}", peer.code()));
        let guest = rig.guest(Browser::Chromium, &fragment).await?;
        guest.takes_only("video/VP9").await?;
        guest.click(if creates { "Start a call" } else { "Join" }).await?;
        let peer = match peer {
            Some(peer) => peer,
            None => rig.peer(&["join", &guest.code().await?])?,
        };
        guest.reaches("connected").await?;
        guest.shows("the two sides share no video codec. Sound goes on.").await?;
        guest.hears_the_tone().await?;
        ensure!(peer.event("failed", |_| true)["what"] == "video");
    }
    Ok(())
}
