//! What the other side is told where addresses are hidden: by relay only, by a peer and by a guest in a browser, or with names in
//! place of local addresses. It travels sealed, so that only the other side can look: here that is a page in Chromium which keeps all
//! that it opens. A candidate may hide the address behind it (`raddr`, RFC 8839, section 5.1).
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod browser;
mod guests;
mod programs;

use std::time::Duration;

use anyhow::Result;
use browser::{Driver, Page, PageServer};
use guests::{Browser, Clip, Guest};
use programs::{PATIENCE, ServerProcess, cli, free_address, free_udp_port, relaying_server};
use serde_json::Value;

const THEIRS: &str = "theirs";

/// All that was opened, from the description to the end of the candidates.
async fn told(page: &Page) -> Result<Vec<Value>> {
    let is_end = |body: &Value| body["type"] == "end-of-candidates";
    let all = async {
        loop {
            let told = page.told(THEIRS).await?;
            if told.iter().any(is_end) {
                return anyhow::Ok(told);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, all).await?
}

/// The candidates, and the addresses of the descriptions' own lines.
fn addresses(told: &[Value]) -> (Vec<String>, Vec<String>) {
    let descriptions = told.iter().filter_map(|body| body["sdp"].as_str()).flat_map(str::lines);
    let (in_descriptions, others): (Vec<_>, Vec<_>) =
        descriptions.partition(|line: &&str| line.starts_with("a=candidate:"));
    let trickled = told.iter().filter_map(|body| body["candidate"].as_str());
    let candidates = in_descriptions.into_iter().chain(trickled).map(str::to_owned).collect();
    let has_address = |line: &&str| ["c=", "o=", "a=rtcp:"].iter().any(|start| line.starts_with(start));
    (candidates, others.into_iter().filter(has_address).map(str::to_owned).collect())
}

/// Calls whoever waits under this code, and looks at what that one tells.
async fn tells_only_the_relays(server: &ServerProcess, code: Option<&str>) -> Result<()> {
    let pages = PageServer::start().await?;
    let browser = Driver::chromium(&[]).await?;
    let page = Page::open(browser.client(), &pages).await?;
    page.start(THEIRS, &format!("ws://{}/ws", server.address), code, None).await?;
    let told = told(&page).await?;
    let (candidates, lines) = addresses(&told);
    assert!(!candidates.is_empty(), "{told:#?}");
    for candidate in &candidates {
        let fields: Vec<&str> = candidate.split(' ').collect();
        // candidate:foundation component transport priority address port typ TYPE raddr ADDRESS rport PORT
        assert_eq!((fields[4], &fields[6..8]), ("127.0.0.1", &["typ", "relay"][..]), "{candidate}");
        assert_eq!(fields[8..12], ["raddr", "0.0.0.0", "rport", "0"], "{candidate}");
        // What a browser says of its network: numbers of its own making.
        assert!(!fields[12..].iter().any(|field| field.contains(['.', ':'])), "{candidate}");
    }
    assert!(!lines.is_empty());
    for line in &lines {
        assert!(line.ends_with("IN IP4 0.0.0.0"), "{line}");
    }
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_told_in_the_place_of_local_addresses() -> Result<()> {
    let server = ServerProcess::start_with(&free_address(), &[]);
    let pages = PageServer::start().await?;
    let browser = Driver::chromium(&[]).await?;
    let page = Page::open(browser.client(), &pages).await?;
    let ours = cli(&server.address, &["create"], "tone:440", &["--name-local"]);
    let waiting = ours.event("call-state", |event| event["state"] == "waiting");
    page.start(THEIRS, &format!("ws://{}/ws", server.address), waiting["code"].as_str(), None).await?;
    let told = told(&page).await?;
    let (candidates, lines) = addresses(&told);
    assert!(!candidates.is_empty() && !lines.is_empty(), "{told:#?}");
    let local: Vec<String> = visavis_lan::own_addresses().iter().map(ToString::to_string).collect();
    for line in candidates.iter().chain(&lines) {
        assert!(!local.iter().any(|address| line.contains(address.as_str())), "{line}");
    }
    let named = candidates.iter().filter(|line| line.split(' ').nth(4).is_some_and(visavis_lan::is_name)).count();
    assert!(named > 0 || local.is_empty(), "{candidates:#?}");
    browser.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn by_relay_only_no_address_but_the_relays_is_told() -> Result<()> {
    let server = relaying_server(&free_udp_port());
    let ours = cli(&server.address, &["create"], "tone:440", &["--relay-only"]);
    let waiting = ours.event("call-state", |event| event["state"] == "waiting");
    tells_only_the_relays(&server, waiting["code"].as_str()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_who_hides_tells_no_address_but_the_relays() -> Result<()> {
    let (server, clip) = (relaying_server(&free_udp_port()), Clip::make()?);
    let guest = Guest::open(Browser::Chromium, &clip, &format!("http://{}/", server.address)).await?;
    guest.turn("Hide my address").await?;
    guest.click("Start a call").await?;
    tells_only_the_relays(&server, Some(&guest.code().await?)).await
}
