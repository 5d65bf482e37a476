//! Two windows of the app, one code: the whole product, as two people use it.
#![cfg(all(feature = "desktop", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod window;

use std::path::Path;

use serde_json::{Value, json};
use window::{Desk, Window};

const APP: &str = env!("CARGO_BIN_EXE_visavis");
const THEM: &str = "[aria-label='The other person'] canvas";
const ME: &str = "[aria-label='You'] canvas";

async fn open(desk: &Desk, profile: &str) -> Window {
    let window = desk.open(Path::new(APP), profile).await;
    window.wait("[data-phase='idle']").await;
    window
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_call_each_other() {
    let desk = Desk::new();
    desk.write_synthetic("ann", 1);
    desk.write_synthetic("bob", 2);
    let ann = open(&desk, "ann").await;
    desk.screenshot("1-start.png");

    ann.press_button("Start a call").await;
    ann.wait("[data-code]").await;
    let code = ann.attribute("[data-code]", "data-code").await.unwrap();
    assert_eq!(code.split('-').count(), 3, "{code}");
    desk.screenshot("2-waiting.png");
    ann.press_button("Copy code").await;
    ann.wait_for_text("Copied").await;

    // Opened only now, because it covers the other window on the pictures of the screen.
    let bob = open(&desk, "bob").await;

    bob.type_into("#code", &code).await;
    bob.press_button("Join").await;
    for window in [&ann, &bob] {
        window.wait("[data-phase='connected']").await;
        window.watch_picture(THEM, 30).await;
        window.watch_until_whole(THEM, (1280, 720)).await;
        window.watch_picture(ME, 10).await;
    }
    desk.screenshot("3-call.png");

    ann.press("button[role='switch'][aria-label*='icrophone'], button[role='switch']").await;
    bob.wait_for_text("muted").await;
    desk.screenshot("4-muted.png");

    bob.press_button("Hang up").await;
    ann.wait("[data-reason='peer-hung-up']").await;
    bob.wait("[data-reason='hung-up']").await;
    desk.screenshot("5-ended.png");

    bob.press_button("Call again").await;
    bob.wait_for_text("has been asked").await;
    ann.wait_for_text("wants to call again").await;
    desk.screenshot("5-asked-again.png");
    ann.press_button("Join").await;
    for window in [&ann, &bob] {
        window.wait("[data-phase='connected']").await;
        window.watch_picture(THEM, 10).await;
    }
    bob.press_button("Hang up").await;
    bob.press_button("Done").await;
    bob.wait("[data-phase='idle']").await;
    // Whoever is gone is called anew.
    ann.wait_for_text("New call").await;

    ann.press_button("Done").await;
    ann.wait("[data-phase='idle']").await;
    ann.close().await;
    bob.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_leads_nowhere_is_said() {
    let desk = Desk::new();
    desk.write_synthetic("ann", 1);
    let ann = open(&desk, "ann").await;
    ann.type_into("#code", "123 456 tulip orbit").await;
    ann.press_button("Join").await;
    ann.wait_for_text("No one is waiting on 123456").await;
    desk.screenshot("6-no-such-room.png");
    ann.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_survive_a_restart_and_a_damaged_file() {
    let desk = Desk::new();
    desk.write_synthetic("ann", 1);
    let ann = open(&desk, "ann").await;
    ann.press_button("Settings").await;
    ann.type_into("#server", "calls.example.org").await;
    desk.screenshot("7-settings.png");
    ann.press_button("Save").await;
    ann.wait("[data-phase='idle']").await;
    ann.close().await;

    let saved: Value = serde_json::from_slice(&std::fs::read(desk.settings("ann")).unwrap()).unwrap();
    assert_eq!(saved["server"], "calls.example.org");
    assert_eq!(saved["camera"], "test:1");
    expect_server(&desk, "calls.example.org", None).await;

    let whole = std::fs::read(desk.settings("ann")).unwrap();
    let damages: [(&str, Vec<u8>); 3] =
        [("torn", whole[..whole.len() / 2].to_vec()), ("empty", Vec::new()), ("zeros", vec![0; whole.len()])];
    for (what, content) in damages {
        desk.write_settings("ann", &content);
        expect_server(&desk, "calls.example.org", Some("spare copy")).await;
        let kept = std::fs::read_dir(desk.settings("ann").parent().unwrap())
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.unwrap().path()).ok())
            .any(|kept| kept == content);
        assert!(kept, "the {what} file is gone");
        desk.write_settings("ann", &whole);
    }

    let future = json!({"version": 7, "server": "next.example.org", "hologram": true});
    desk.write_settings("ann", future.to_string().as_bytes());
    expect_server(&desk, "next.example.org", Some("newer version")).await;
    let after: Value = serde_json::from_slice(&std::fs::read(desk.settings("ann")).unwrap()).unwrap();
    assert_eq!((&after["hologram"], &after["version"]), (&json!(true), &json!(7)));
}

async fn expect_server(desk: &Desk, server: &str, notice: Option<&str>) {
    let window = open(desk, "ann").await;
    if let Some(notice) = notice {
        window.wait_for_text(notice).await;
    }
    window.press_button("Settings").await;
    assert_eq!(window.value("#server").await, server);
    window.close().await;
}
