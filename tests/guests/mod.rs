//! The guest page in an open browser, used as a person does: by what stands on it.

#![allow(dead_code, unreachable_pub, reason = "each test uses the part that it needs")]

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use fantoccini::Client;
use serde_json::{Value, json};

/// Far longer than anything here takes; what isn't there by then isn't coming.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// More pictures than a still one could count.
const MOVING: u64 = 20;

/// Keeps what the browser refuses to load or run, also what it refused before this was asked.
const WATCH_POLICY: &str = "window.refusedByPolicy = []; \
     const keep = (reports) => window.refusedByPolicy.push(...reports.map((report) => report.body.effectiveDirective)); \
     new ReportingObserver(keep, { types: ['csp-violation'], buffered: true }).observe();";
const CLICK: &str = "const all = [...document.querySelectorAll('button')]; \
     const named = (b) => b.innerText.trim() === arguments[0] || b.getAttribute('aria-label') === arguments[0]; \
     const found = all.find(named); found?.click(); return found !== undefined;";
const FRAMES: &str = "return [...document.querySelectorAll('main video')].map((v) => Number(v.dataset.frames ?? 0));";
const CODE: &str = "return document.querySelector('[data-code]')?.dataset.code ?? null;";

/// One guest.
pub struct Guest(Client);

impl Guest {
    /// Opens the page and waits until it stands.
    pub async fn open(browser: &Client, page: &str) -> Result<Self> {
        browser.goto(page).await?;
        let guest = Self(browser.clone());
        guest.run(WATCH_POLICY, json!([])).await?;
        guest.reaches("idle").await?;
        Ok(guest)
    }

    /// What stands in the address bar.
    pub async fn address(&self) -> Result<String> {
        Ok(self.run("return location.href", json!([])).await?.as_str().unwrap_or_default().to_owned())
    }

    /// Presses the button of this name.
    pub async fn click(&self, label: &str) -> Result<()> {
        let pressed = self.run(CLICK, json!([label])).await?;
        ensure!(pressed == true, "there is no button {label}");
        Ok(())
    }

    /// The code to pass on, once it is shown.
    pub async fn code(&self) -> Result<String> {
        self.until("a code", CODE, json!([]), |code| code.as_str().map(str::to_owned)).await
    }

    /// Waits for a phase of the call.
    pub async fn reaches(&self, phase: &str) -> Result<()> {
        let script = "return document.querySelector('[data-phase]')?.dataset.phase";
        self.until(phase, script, json!([]), |now| (now == phase).then_some(())).await
    }

    /// Waits until this stands on the page.
    pub async fn shows(&self, words: &str) -> Result<()> {
        let script = "return document.body.textContent.includes(arguments[0])";
        self.until(words, script, json!([words]), |shown| (*shown == true).then_some(())).await
    }

    /// Waits until both pictures, the other's and one's own, have moved on.
    pub async fn sees_pictures(&self) -> Result<()> {
        let counts = |value: &Value| {
            let counts = value.as_array()?.iter().map(|count| count.as_u64().unwrap_or_default()).collect::<Vec<_>>();
            (counts.len() == 2).then_some(counts)
        };
        let before = self.until("two pictures", FRAMES, json!([]), counts).await?;
        let more = |value: &Value| {
            let moved = |(now, before): (u64, &u64)| now > before + MOVING;
            counts(value)?.into_iter().zip(&before).all(moved).then_some(())
        };
        self.until("pictures that move", FRAMES, json!([]), more).await
    }

    /// Nothing on the page has asked for what its policy forbids.
    pub async fn has_kept_the_policy(&self) -> Result<()> {
        let refused = self.run("return window.refusedByPolicy", json!([])).await?;
        ensure!(refused == json!([]), "the page tried what its policy forbids: {refused}");
        Ok(())
    }

    async fn until<T>(&self, what: &str, script: &str, args: Value, wanted: impl Fn(&Value) -> Option<T>) -> Result<T> {
        let begin = Instant::now();
        loop {
            if let Some(found) = wanted(&self.run(script, args.clone()).await?) {
                return Ok(found);
            }
            if begin.elapsed() > PATIENCE {
                let page = self.run("return document.body.innerText", json!([])).await?;
                bail!("not in time: {what}; the page says {page}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn run(&self, script: &str, args: Value) -> Result<Value> {
        let args = args.as_array().cloned().unwrap_or_default();
        self.0.execute(script, args).await.with_context(|| script.to_owned())
    }
}
