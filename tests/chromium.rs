//! A browser is the other side: Debian's Chromium, on a page that speaks docs/protocol.md, through a real server process,
//! with the engine on our side. What the browser says of itself (W3C webrtc-stats) is what counts.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a failed unwrap is a failed test")]

mod browser;
mod programs;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use browser::{Driver, Page, PageServer, Picture};
use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedReceiver;
use programs::ServerProcess;
use serde_json::Value;
use visavis_engine::call::{CallState, CloseReason, Intent, MediaState};
use visavis_engine::device::{CameraChoice, MicrophoneChoice, SpeakerChoice, TestPattern, VideoFormat, pattern};
use visavis_engine::frame::{FramePool, Size, VideoFrame};
use visavis_engine::signaling::RoomCode;
use visavis_engine::transport::TransportConfig;
use visavis_engine::{
    Call, CallConfig, CallStats, DeviceReport, Devices, Event, Host, Nearby, Sinks, SoundSettings, VideoSettings,
    WebSocketConnector,
};
use visavis_testkit::{quality, sound};

/// Far longer than anything here takes; what isn't there by then isn't coming.
const PATIENCE: Duration = Duration::from_secs(40);
/// "At once" for a hang-up, on a machine that is busy with two video encoders.
const AT_ONCE: Duration = Duration::from_secs(2);
/// The page's name for its call.
const THEIRS: &str = "theirs";
/// What our microphone hears: a sine of this pitch, peak 0.25.
const PITCH_HZ: u32 = 440;
/// A browser that takes VP8 alone, as Firefox does where it brings no H.264.
const VP8_ALONE: [&str; 2] = ["video/VP8", "video/rtx"];
/// A browser that has nothing that we have.
const VP9_ALONE: [&str; 1] = ["video/VP9"];

/// A server process, and a browser with the page open.
struct Rig {
    url: String,
    page: Page,
    browser: Driver,
    _pages: PageServer,
    _server: ServerProcess,
}

impl Rig {
    async fn start() -> Result<Self> {
        let (server, pages) = (ServerProcess::start(), PageServer::start().await?);
        let browser = Driver::chromium(&[]).await?;
        let page = Page::open(browser.client(), &pages).await?;
        Ok(Self { url: format!("ws://{}/ws", server.address), page, browser, _pages: pages, _server: server })
    }

    async fn close(self) -> Result<()> {
        self.browser.close().await
    }
}

/// Our side: the engine with a test pattern and a tone.
struct Ours {
    call: Call,
    events: UnboundedReceiver<Event>,
    heard: Arc<Mutex<Vec<f32>>>,
}

impl Ours {
    fn start(intent: Intent, server: &str) -> Result<Self> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&heard);
        let sinks = Sinks {
            remote_audio: vec![Box::new(move |samples| ear.lock().unwrap().extend_from_slice(samples))],
            ..Sinks::default()
        };
        let config = CallConfig {
            intent,
            servers: vec![server.to_owned()],
            nearby: Nearby::default(),
            connector: Arc::new(WebSocketConnector),
            transport: TransportConfig::default(),
            devices: Devices {
                camera: CameraChoice::Test { look: 1 },
                microphone: MicrophoneChoice::Tone { pitch_hz: PITCH_HZ },
                speaker: SpeakerChoice::Silence,
            },
            media: MediaState { microphone: true, camera: true },
            stays: false,
            sound: SoundSettings::default(),
            video: VideoSettings::default(),
            sinks,
            seed: 7,
        };
        let (call, events) = visavis_engine::start(&Host::tokio(), config)?;
        Ok(Self { call, events, heard })
    }

    /// Reads events until one is what is wanted.
    async fn until<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> Result<T> {
        let search = async {
            while let Some(event) = self.events.next().await {
                if let Some(found) = wanted(&event) {
                    return Ok(found);
                }
                if let Event::State(CallState::Closed(reason)) = &event {
                    bail!("the call closed ({reason:?}) before: {what}");
                }
            }
            bail!("the call ended before: {what}")
        };
        tokio::time::timeout(PATIENCE, search).await.with_context(|| format!("not in time: {what}"))?
    }

    async fn code(&mut self) -> Result<String> {
        let code = |event: &Event| {
            if let Event::State(CallState::Waiting { code }) = event { Some(code.to_string()) } else { None }
        };
        self.until("a code", code).await
    }

    async fn connected(&mut self) -> Result<()> {
        self.until("connected", |event| matches!(event, Event::State(CallState::Connected { .. })).then_some(())).await
    }

    async fn remote_sends(&mut self, microphone: bool, camera: bool) -> Result<()> {
        let wanted = Event::Remote(MediaState { microphone, camera });
        self.until("the other side's mute", |event| (*event == wanted).then_some(())).await
    }

    /// Statistics that satisfy `enough`.
    async fn stats(&mut self, what: &str, enough: impl Fn(&CallStats) -> bool) -> Result<CallStats> {
        let stats = |event: &Event| if let Event::Stats(stats) = event { Some((**stats).clone()) } else { None };
        self.until(what, |event| stats(event).filter(&enough)).await
    }

    async fn closed(&mut self) -> Result<CloseReason> {
        let reason = |event: &Event| {
            if let Event::State(CallState::Closed(reason)) = event { Some(reason.clone()) } else { None }
        };
        self.until("the end", reason).await
    }

    async fn finished(mut self) -> Result<()> {
        self.until("everything released", |event| (*event == Event::Finished).then_some(())).await
    }
}

/// The browser's statistics of a stream, once `enough` says so.
async fn theirs(page: &Page, direction: &str, kind: &str, enough: impl Fn(&Value) -> bool) -> Result<Value> {
    let begin = Instant::now();
    loop {
        let stats = page.stats(THEIRS, direction, kind).await?;
        if enough(&stats) {
            return Ok(stats);
        }
        ensure!(begin.elapsed() < PATIENCE, "the browser's {direction} {kind} got no further than {stats:#}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn number(stats: &Value, name: &str) -> f64 {
    stats[name].as_f64().unwrap_or_default()
}

/// The browser decodes our pictures: as large as they were sent, in the codec that is to be, and they look as they were drawn.
async fn they_see_us(page: &Page, codec: &str) -> Result<()> {
    let full = |stats: &Value| number(stats, "frameHeight") >= 720.0 && number(stats, "framesDecoded") >= 30.0;
    let first = theirs(page, "inbound-rtp", "video", full).await?;
    assert_eq!((number(&first, "frameWidth"), number(&first, "frameHeight")), (1280.0, 720.0));
    assert_eq!(first["codec"], codec);
    let decoded = number(&first, "framesDecoded");
    theirs(page, "inbound-rtp", "video", |stats| number(stats, "framesDecoded") >= decoded + 30.0).await?;

    let before = stamped(&page.picture(THEIRS).await?)?;
    let after = stamped(&page.picture(THEIRS).await?)?;
    assert!(after.stamp.frame > before.stamp.frame, "{} came after {}", after.stamp.frame, before.stamp.frame);
    assert!(after.psnr_db > 28.0, "the picture is {:.1} dB from what was sent", after.psnr_db);
    Ok(())
}

/// A picture with its number read back, and how close it is to the one that was sent under that number.
struct Stamped {
    stamp: pattern::Stamp,
    psnr_db: f64,
}

fn stamped(picture: &Picture) -> Result<Stamped> {
    let size = Size::new(picture.width, picture.height)?;
    ensure!(size == Size::HD && picture.format.starts_with("I420"), "{size} {}", picture.format);
    let (luma, chroma) = picture.planes.split_at(size.luma_len());
    let frame: VideoFrame = FramePool::new().frame(size, Default::default(), |y, u, v| {
        y.copy_from_slice(luma);
        u.copy_from_slice(&chroma[..size.chroma_len()]);
        v.copy_from_slice(&chroma[size.chroma_len()..2 * size.chroma_len()]);
    });
    let stamp = pattern::read(&frame).context("no frame number can be read in the browser's picture")?;
    let sent = TestPattern::new(VideoFormat::HD30, 1, FramePool::new()).draw(stamp);
    Ok(Stamped { stamp, psnr_db: quality::psnr_y(&sent, &frame) })
}

/// The browser plays our tone, about as loud as it was.
async fn they_hear_us(page: &Page) -> Result<()> {
    let first = theirs(page, "inbound-rtp", "audio", |stats| number(stats, "totalAudioEnergy") > 0.0).await?;
    assert_eq!(first["codec"], "audio/opus");
    let next = |stats: &Value| number(stats, "totalSamplesDuration") > number(&first, "totalSamplesDuration") + 2.0;
    let second = theirs(page, "inbound-rtp", "audio", next).await?;
    let grown = |name: &str| number(&second, name) - number(&first, name);
    // Chromium's energy is that of the peaks, 1.0 for full scale; our tone's peak is 0.25.
    let peak = (grown("totalAudioEnergy") / grown("totalSamplesDuration")).sqrt();
    assert!((0.2..0.3).contains(&peak), "a tone of peak 0.25 was heard as {peak:.3}");
    Ok(())
}

/// We decode the browser's pictures, which come in the codec that is to be.
async fn we_see_them(ours: &mut Ours, page: &Page, codec: &str) -> Result<()> {
    let first = ours.stats("30 of the browser's pictures", |stats| stats.inbound.frames_decoded >= 30).await?;
    let decoded = first.inbound.frames_decoded;
    let enough = |stats: &CallStats| stats.inbound.frames_decoded >= decoded + 30 && stats.inbound.frame_width >= 320;
    let more = ours.stats("more of the browser's pictures", enough).await?;
    let (width, height) = (more.inbound.frame_width, more.inbound.frame_height);
    assert_eq!(width * 9, height * 16, "{width}×{height} isn't the shape that was asked of the browser's camera");
    assert_eq!(page.stats(THEIRS, "outbound-rtp", "video").await?["codec"], codec);
    Ok(())
}

/// The browser's stand-in for a microphone beeps once a second, and is silent in between.
async fn we_hear_them(ours: &mut Ours) -> Result<()> {
    ours.heard.lock().unwrap().clear();
    ours.stats("time passing", {
        let begin = Instant::now();
        move |_| begin.elapsed() > Duration::from_secs(4)
    })
    .await?;
    let heard = std::mem::take(&mut *ours.heard.lock().unwrap());
    let levels: Vec<f64> = heard.chunks(960).map(sound::rms).collect();
    let loud = levels.iter().filter(|&&level| level > 0.01).count();
    let quiet = levels.iter().filter(|&&level| level < 0.003).count();
    assert!(loud >= 3 && quiet >= 3, "of {} stretches of 20 ms {loud} were loud and {quiet} quiet", levels.len());
    Ok(())
}

/// What one side switches off, the other is told; and back.
async fn mutes_cross(ours: &mut Ours, page: &Page) -> Result<()> {
    page.set_media(THEIRS, false, true).await?;
    ours.remote_sends(false, true).await?;
    page.set_media(THEIRS, true, false).await?;
    ours.remote_sends(true, false).await?;
    page.set_media(THEIRS, true, true).await?;
    ours.remote_sends(true, true).await?;

    ours.call.set_microphone(false);
    page.remote_sends(THEIRS, false, true).await?;
    ours.call.set_camera(false);
    page.remote_sends(THEIRS, false, false).await?;
    ours.call.set_microphone(true);
    ours.call.set_camera(true);
    page.remote_sends(THEIRS, true, true).await
}

/// The camera that was off and on again is seen again.
async fn they_see_us_again(page: &Page) -> Result<()> {
    let before = number(&page.stats(THEIRS, "inbound-rtp", "video").await?, "framesDecoded");
    theirs(page, "inbound-rtp", "video", |stats| number(stats, "framesDecoded") >= before + 30.0).await?;
    Ok(())
}

async fn a_whole_conversation(ours: &mut Ours, page: &Page, codec: &str) -> Result<()> {
    ours.connected().await?;
    page.when(THEIRS, "connected").await?;
    they_see_us(page, codec).await?;
    they_hear_us(page).await?;
    we_see_them(ours, page, codec).await?;
    we_hear_them(ours).await?;
    mutes_cross(ours, page).await?;
    they_see_us_again(page).await
}

#[tokio::test(flavor = "multi_thread")]
async fn chromium_joins_us_and_hangs_up() -> Result<()> {
    let rig = Rig::start().await?;
    let (url, page) = (&rig.url, &rig.page);
    let mut ours = Ours::start(Intent::Create, url)?;
    let code = ours.code().await?;
    page.start(THEIRS, url, Some(&code), None).await?;
    a_whole_conversation(&mut ours, page, "video/H264").await?;

    page.hang_up(THEIRS).await?;
    let begin = Instant::now();
    assert_eq!(ours.closed().await?, CloseReason::PeerHungUp);
    assert!(begin.elapsed() < AT_ONCE, "the hang-up took {:?}", begin.elapsed());
    ours.finished().await?;
    rig.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn we_join_chromium_and_hang_up() -> Result<()> {
    let rig = Rig::start().await?;
    let (url, page) = (&rig.url, &rig.page);
    page.start(THEIRS, url, None, None).await?;
    let code = RoomCode::parse(&page.code(THEIRS).await?)?;
    let mut ours = Ours::start(Intent::Join(code), url)?;
    a_whole_conversation(&mut ours, page, "video/H264").await?;

    ours.call.hang_up();
    let begin = Instant::now();
    assert_eq!(page.closed(THEIRS).await?, "peer-hung-up");
    assert!(begin.elapsed() < AT_ONCE, "the hang-up took {:?}", begin.elapsed());
    assert_eq!(ours.closed().await?, CloseReason::HungUp);
    ours.finished().await?;
    rig.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_h264_that_joins_us_gets_vp8() -> Result<()> {
    let rig = Rig::start().await?;
    let (url, page) = (&rig.url, &rig.page);
    let mut ours = Ours::start(Intent::Create, url)?;
    let code = ours.code().await?;
    page.start(THEIRS, url, Some(&code), Some(&VP8_ALONE)).await?;
    a_whole_conversation(&mut ours, page, "video/VP8").await?;
    ours.call.hang_up();
    rig.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_h264_that_we_join_gets_vp8() -> Result<()> {
    let rig = Rig::start().await?;
    let (url, page) = (&rig.url, &rig.page);
    page.start(THEIRS, url, None, Some(&VP8_ALONE)).await?;
    let code = RoomCode::parse(&page.code(THEIRS).await?)?;
    let mut ours = Ours::start(Intent::Join(code), url)?;
    a_whole_conversation(&mut ours, page, "video/VP8").await?;
    ours.call.hang_up();
    rig.close().await
}

/// There is sound both ways, we say why there is no picture, and the end is an end.
async fn a_conversation_without_pictures(ours: &mut Ours, page: &Page) -> Result<()> {
    let reason = |event: &Event| {
        if let Event::Device(DeviceReport::Failed { what: "video", reason }) = event {
            Some(reason.clone())
        } else {
            None
        }
    };
    let reason = ours.until("the reason why there is no picture", reason).await?;
    assert!(reason.contains("H.264 or VP8") && reason.contains("sound"), "{reason}");
    ours.connected().await?;
    they_hear_us(page).await?;
    we_hear_them(ours).await?;
    let stats = ours.stats("statistics", |_| true).await?;
    assert_eq!(stats.inbound.frames_decoded, 0);
    ours.call.hang_up();
    assert_eq!(page.closed(THEIRS).await?, "peer-hung-up");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_our_video_codec_that_joins_us_is_heard() -> Result<()> {
    let rig = Rig::start().await?;
    let (url, page) = (&rig.url, &rig.page);
    let mut ours = Ours::start(Intent::Create, url)?;
    let code = ours.code().await?;
    page.start(THEIRS, url, Some(&code), Some(&VP9_ALONE)).await?;
    a_conversation_without_pictures(&mut ours, page).await?;
    rig.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_our_video_codec_that_we_join_is_heard() -> Result<()> {
    let rig = Rig::start().await?;
    let (url, page) = (&rig.url, &rig.page);
    page.start(THEIRS, url, None, Some(&VP9_ALONE)).await?;
    let code = RoomCode::parse(&page.code(THEIRS).await?)?;
    let mut ours = Ours::start(Intent::Join(code), url)?;
    a_conversation_without_pictures(&mut ours, page).await?;
    rig.close().await
}
