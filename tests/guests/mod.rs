//! The guest page in an open browser, used as a person does: by what stands on it, and by what can be seen and heard.

#![allow(dead_code, unused_imports, unreachable_pub, reason = "each test uses the part that it needs")]

mod peer;
mod tab;

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use serde_json::{Value, json};
use visavis_engine::device::{TestPattern, VideoFormat, pattern};
use visavis_engine::frame::{FramePool, Size, Timestamp, VideoFrame};
use visavis_testkit::{quality, sound};

pub use peer::{Browser, Clip, Peer};
use tab::Tab;

/// Far longer than anything here takes; what isn't there by then isn't coming.
const PATIENCE: Duration = Duration::from_secs(60);
/// While windows and browsers start, the machine is too busy for the whole picture; it grows by itself afterwards.
const UNTIL_WHOLE: Duration = Duration::from_secs(180);
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// More pictures than a still one could count.
const MOVING: u64 = 20;

/// Keeps what the browser refuses to load or run; in Chromium also what it refused before this was asked.
const WATCH_POLICY: &str = "window.refusedByPolicy = []; \
     const keep = ({ effectiveDirective }) => window.refusedByPolicy.push(effectiveDirective); \
     document.addEventListener('securitypolicyviolation', keep); \
     if (typeof ReportingObserver === 'undefined') return; \
     const report = (reports) => reports.forEach(({ body }) => keep(body)); \
     new ReportingObserver(report, { types: ['csp-violation'], buffered: true }).observe();";
const CLICK: &str = "const all = [...document.querySelectorAll('button')]; \
     const named = (b) => b.innerText.trim() === arguments[0] || b.getAttribute('aria-label') === arguments[0]; \
     const found = all.find(named); found?.click(); return found !== undefined;";
const SWITCH: &str = "const named = (s) => \
       document.getElementById(s.getAttribute('aria-labelledby'))?.textContent.trim() === arguments[0]; \
     const found = [...document.querySelectorAll('[role=switch]')].find(named); \
     found?.click(); return found !== undefined;";
const OPEN_FIGURES: &str = "document.querySelector('button[aria-label^=Quality]').click()";
const TAKE_ONLY: &str = "const { codecs } = RTCRtpReceiver.getCapabilities('video'); \
     const left = codecs.filter(({ mimeType }) => mimeType === arguments[0]); \
     for (const act of ['createOffer', 'createAnswer']) { \
       const whole = RTCPeerConnection.prototype[act]; \
       RTCPeerConnection.prototype[act] = function (...args) { \
         const videos = this.getTransceivers().filter(({ receiver }) => receiver.track.kind === 'video'); \
         for (const video of videos) video.setCodecPreferences(left); \
         return whole.apply(this, args); \
       }; \
     }";
const FRAMES: &str = "return [...document.querySelectorAll('main video')].map((v) => Number(v.dataset.frames ?? 0));";
const EMOJI: &str = "return [...document.querySelectorAll('[data-name]')].map((emoji) => emoji.dataset.name);";
const CODE: &str = "return document.querySelector('[data-code]')?.dataset.code ?? null;";

/// The light of the other's picture as it is on the page: by a canvas, which every browser has, from RGB back to BT.601's luma.
const LUMA: &str = "const video = document.querySelector('[aria-label=\"The other person\"] video'); \
     const [width, height] = [video.videoWidth, video.videoHeight]; \
     const pen = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true }); \
     pen.drawImage(video, 0, 0); \
     const rgb = pen.getImageData(0, 0, width, height).data; \
     let luma = ''; \
     for (let at = 0; at < rgb.length; at += 4) \
       luma += String.fromCharCode(16.5 + 0.2568 * rgb[at] + 0.5041 * rgb[at + 1] + 0.0979 * rgb[at + 2]); \
     return { width, height, luma: btoa(luma) };";
/// A second and a half of the other's sound, recorded by the browser and decoded again: Firefox runs no `AudioContext` where there
/// is no sound card.
const SOUND: &str = "const done = arguments[arguments.length - 1]; \
     const { srcObject } = document.querySelector('[aria-label=\"The other person\"] video'); \
     const tape = new MediaRecorder(new MediaStream(srcObject.getAudioTracks()), { audioBitsPerSecond: 128000 }); \
     const parts = []; \
     tape.ondataavailable = ({ data }) => parts.push(data); \
     tape.onstop = async () => { \
       try { \
         const desk = new OfflineAudioContext(1, 48000, 48000); \
         const sound = await desk.decodeAudioData(await new Blob(parts).arrayBuffer()); \
         done([...sound.getChannelData(0).slice(-24000)]); \
       } catch (error) { done(String(error)); } \
     }; \
     tape.start(); \
     setTimeout(() => tape.stop(), 1500);";
/// What our peers and apps put into their microphone.
const TONE_HZ: f64 = 440.0;
/// The rate of what `SOUND` gives.
const RATE_HZ: u32 = 48_000;

/// One guest, whose browser ends with the value.
pub struct Guest(Tab);

impl Guest {
    /// Opens the page in a browser and waits until it stands. `clip`: what the browser's camera shows, where it takes a clip.
    pub async fn open(browser: Browser, clip: &Clip, page: &str) -> Result<Self> {
        match browser {
            Browser::Chromium => Self::open_with(&clip.chromium_flags(), page).await,
            Browser::Firefox => Self::open_in(Tab::firefox().await?, page).await,
        }
    }

    /// The same in a Chromium with these flags.
    pub async fn open_with(flags: &[String], page: &str) -> Result<Self> {
        Self::open_in(Tab::chromium(flags).await?, page).await
    }

    async fn open_in(tab: Tab, page: &str) -> Result<Self> {
        tab.goto(page).await?;
        let guest = Self(tab);
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

    /// Turns the switch of this name.
    pub async fn turn(&self, label: &str) -> Result<()> {
        let turned = self.run(SWITCH, json!([label])).await?;
        ensure!(turned == true, "there is no switch {label}");
        Ok(())
    }

    /// Leaves the browser one video codec, by its MIME type, before a call begins.
    pub async fn takes_only(&self, codec: &str) -> Result<()> {
        self.run(TAKE_ONLY, json!([codec])).await?;
        Ok(())
    }

    /// Opens all figures of a call, with who knows what.
    pub async fn open_figures(&self) -> Result<()> {
        self.run(OPEN_FIGURES, json!([])).await?;
        self.shows("All figures").await?;
        self.click("All figures").await
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

    /// The six that both screens show.
    pub async fn emoji(&self) -> Result<Vec<String>> {
        let six = |value: &Value| {
            let names = value.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>();
            (names.len() == 6).then_some(names)
        };
        self.until("six emoji", EMOJI, json!([]), six).await
    }

    /// The other's pictures are those of the test pattern: as large as they were sent, close to how they were drawn, and in
    /// order.
    pub async fn sees_the_pattern(&self) -> Result<()> {
        let width = "return document.querySelector('[aria-label=\"The other person\"] video')?.videoWidth";
        let is_whole = |width: &Value| (*width == 1280).then_some(());
        self.until_within(UNTIL_WHOLE, "the whole size", width, json!([]), is_whole).await?;
        let (before, _) = self.stamped().await?;
        let (after, psnr_db) = self.stamped().await?;
        ensure!(after.frame > before.frame, "{} came after {}", after.frame, before.frame);
        ensure!(psnr_db > 28.0, "the picture is {psnr_db:.1} dB from what was sent");
        Ok(())
    }

    /// A picture's number, and how close it is to the one that was sent under that number.
    async fn stamped(&self) -> Result<(pattern::Stamp, f64)> {
        let seen = self.picture().await?;
        let stamp = pattern::read(&seen).context("no frame number can be read in the browser's picture")?;
        let sent = TestPattern::new(VideoFormat::HD30, 1, FramePool::new()).draw(stamp);
        Ok((stamp, quality::psnr_y(&sent, &seen)))
    }

    /// The other's picture, in grey.
    async fn picture(&self) -> Result<VideoFrame> {
        let value = self.run(LUMA, json!([])).await?;
        let side = |name: &str| value[name].as_u64().and_then(|side| u32::try_from(side).ok()).context("no size");
        let size = Size::new(side("width")?, side("height")?)?;
        let luma = base64::engine::general_purpose::STANDARD.decode(value["luma"].as_str().context("no picture")?)?;
        ensure!(luma.len() == size.luma_len(), "{} bytes for {size}", luma.len());
        Ok(FramePool::new().frame(size, Timestamp::ZERO, |y, u, v| {
            y.copy_from_slice(&luma);
            u.fill(128);
            v.fill(128);
        }))
    }

    /// Waits until the tone of the other's microphone is heard, and nothing else.
    pub async fn hears_the_tone(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let samples = self.0.execute(SOUND, Vec::new(), true).await.context("listening")?;
            let samples: Vec<f32> =
                serde_json::from_value(samples.clone()).with_context(|| format!("listening: {samples}"))?;
            let purity = sound::tone_purity(&samples, RATE_HZ, TONE_HZ);
            let amplitude = sound::tone_amplitude(&samples, RATE_HZ, TONE_HZ);
            if purity > 0.95 && amplitude > 0.1 {
                return Ok(());
            }
            ensure!(begin.elapsed() < PATIENCE, "no tone: purity {purity:.2}, amplitude {amplitude:.3}");
        }
    }

    /// Nothing on the page has asked for what its policy forbids.
    pub async fn has_kept_the_policy(&self) -> Result<()> {
        let refused = self.run("return window.refusedByPolicy", json!([])).await?;
        ensure!(refused == json!([]), "the page tried what its policy forbids: {refused}");
        Ok(())
    }

    async fn until<T>(&self, what: &str, script: &str, args: Value, wanted: impl Fn(&Value) -> Option<T>) -> Result<T> {
        self.until_within(PATIENCE, what, script, args, wanted).await
    }

    async fn until_within<T>(
        &self,
        patience: Duration,
        what: &str,
        script: &str,
        args: Value,
        wanted: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        let begin = Instant::now();
        loop {
            if let Some(found) = wanted(&self.run(script, args.clone()).await?) {
                return Ok(found);
            }
            if begin.elapsed() > patience {
                let page = self.run("return document.body.innerText", json!([])).await?;
                bail!("not in time: {what}; the page says {page}");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn run(&self, script: &str, args: Value) -> Result<Value> {
        let args = args.as_array().cloned().unwrap_or_default();
        self.0.execute(script, args, false).await.with_context(|| script.to_owned())
    }
}
