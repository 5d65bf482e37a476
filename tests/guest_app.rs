//! The app's window and the page for guests call each other: WebKit under Xvfb on one side, Debian's Chromium on the other,
//! through a server process that serves the page.
#![cfg(all(feature = "desktop", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test: a failed unwrap is a failure, and nobody links to it"
)]

mod browser;
mod guests;
mod programs;
mod window;

use std::path::Path;

use guests::{Browser, Clip, Guest};
use programs::ServerProcess;
use serde_json::json;
use window::{Desk, Window};

const APP: &str = env!("CARGO_BIN_EXE_visavis");
const THEM: &str = "[aria-label='The other person'] canvas";

/// A server, somebody with the app, and somebody with a browser.
struct Rig {
    server: ServerProcess,
    desk: Desk,
    clip: Clip,
}

impl Rig {
    fn start() -> Self {
        Self { server: ServerProcess::start(), desk: Desk::new(), clip: Clip::make().unwrap() }
    }

    async fn app(&self) -> Window {
        let devices = json!({"version": 1, "camera": "test:1", "microphone": "tone:440", "speaker": "silence"});
        let mut settings = devices;
        settings["server"] = json!(format!("ws://{}", self.server.address));
        self.desk.write_settings("ann", settings.to_string().as_bytes());
        let window = self.desk.open(Path::new(APP), "ann").await;
        window.wait("[data-phase='idle']").await;
        window
    }

    async fn guest(&self, fragment: &str) -> Guest {
        let page = format!("http://{}/{fragment}", self.server.address);
        Guest::open(Browser::Chromium, &self.clip, &page).await.unwrap()
    }

    /// Pictures and sound both ways, what either turns off, and whom the guest trusts.
    async fn a_whole_conversation(&self, app: &Window, guest: &Guest) {
        guest.reaches("connected").await.unwrap();
        app.wait("[data-phase='connected']").await;
        app.wait_for_text(&format!("Browser guest, trusts {}.", self.server.address)).await;
        guest.shows(&format!("You are a browser guest: you trust {}.", self.server.address)).await.unwrap();
        app.watch_picture(THEM, 30).await;
        guest.sees_the_pattern().await.unwrap();
        guest.hears_the_tone().await.unwrap();

        guest.click("Microphone").await.unwrap();
        app.wait_for_text("They are muted").await;
        guest.click("Camera").await.unwrap();
        app.wait_for_text("Their camera is off").await;
        guest.click("Camera").await.unwrap();
        app.watch_picture(THEM, 30).await;
        app.press_button("Microphone").await;
        guest.shows("They are muted").await.unwrap();
        app.press_button("Camera").await;
        guest.shows("Their camera is off").await.unwrap();
    }

    /// Both have agreed to another call: what was off is still off, and the rest is seen.
    async fn another_call(&self, app: &Window, guest: &Guest) {
        guest.reaches("connected").await.unwrap();
        app.wait("[data-phase='connected']").await;
        app.watch_picture(THEM, 30).await;
        app.wait_for_text("They are muted").await;
        guest.shows("Their camera is off").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_joins_the_app_by_its_link_hangs_up_and_calls_again() {
    let rig = Rig::start();
    let app = rig.app().await;
    app.press_button("Start a call").await;
    app.wait("[data-code]").await;
    app.wait_for_text(&format!("Whoever runs {} could then read the words.", rig.server.address)).await;
    let code = app.attribute("[data-code]", "data-code").await.unwrap();
    let guest = rig.guest(&format!("#{code}")).await;
    guest.click("Join").await.unwrap();
    rig.a_whole_conversation(&app, &guest).await;
    guest.click("Hang up").await.unwrap();
    app.wait("[data-reason='peer-hung-up']").await;
    guest.reaches("ended").await.unwrap();

    guest.click("Call again").await.unwrap();
    app.wait_for_text("The other person wants to call again.").await;
    app.press_button("Join").await;
    rig.another_call(&app, &guest).await;
    guest.click("Hang up").await.unwrap();
    app.wait("[data-reason='peer-hung-up']").await;
    app.press_button("Done").await;
    guest.shows("New call").await.unwrap();
    app.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_joins_a_guest_hangs_up_and_calls_again() {
    let rig = Rig::start();
    let guest = rig.guest("").await;
    guest.click("Start a call").await.unwrap();
    let code = guest.code().await.unwrap();
    let app = rig.app().await;
    app.type_into("#code", &code).await;
    app.press_button("Join").await;
    rig.a_whole_conversation(&app, &guest).await;
    app.press_button("Hang up").await;
    app.wait("[data-reason='hung-up']").await;
    guest.shows("The other person hung up.").await.unwrap();

    app.press_button("Call again").await;
    guest.shows("The other person wants to call again.").await.unwrap();
    guest.click("Join").await.unwrap();
    rig.another_call(&app, &guest).await;
    app.press_button("Hang up").await;
    app.wait("[data-reason='hung-up']").await;
    guest.reaches("ended").await.unwrap();
    guest.click("Done").await.unwrap();
    app.wait_for_text("New call").await;
    app.close().await;
}
