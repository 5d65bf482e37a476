//! From "join" to the first picture of the other side decoded: the other waits already, the devices are ready, nothing else
//! is: neither a connection to the server nor one to the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use visavis_engine::call::{CallState, Intent, MediaState};
use visavis_engine::frame::VideoFrame;
use visavis_engine::signaling::RoomCode;
use visavis_engine::transport::TransportConfig;
use visavis_engine::{
    Call, CallConfig, Event, FrameSink, Host, Nearby, Sinks, SoundSettings, VideoSettings, WebSocketConnector,
};

use crate::browser::Page;
use crate::calls::H264;
use crate::clip::Clip;
use crate::programs::{PATIENCE, ServerProcess};

/// How long each took.
#[derive(Debug, Default)]
pub(crate) struct Joins {
    /// From "join".
    pub(crate) from_join: Vec<Duration>,
    /// From the moment when the other side began its offer, where that is known.
    pub(crate) from_offer: Vec<Duration>,
}

/// Says when the first picture came.
struct FirstFrame(Option<oneshot::Sender<Instant>>);

impl FrameSink for FirstFrame {
    fn frame(&mut self, _frame: &VideoFrame) {
        if let Some(tell) = self.0.take() {
            // Whoever waited may have given up.
            let _ = tell.send(Instant::now());
        }
    }
}

/// Two engines in this process, over the server and real sockets.
pub(crate) async fn ours(server: &ServerProcess, clip: &Clip, times: usize) -> Result<Joins> {
    let mut joins = Joins::default();
    for seed in 0..times as u64 {
        let (creator, mut creator_events) = start(server, clip, Intent::Create, Sinks::default(), 2 * seed)?;
        let code = code(&mut creator_events).await?;
        let (tell, first) = oneshot::channel();
        let sinks = Sinks { remote_video: vec![Box::new(FirstFrame(Some(tell)))], ..Sinks::default() };
        let begin = Instant::now();
        let (joiner, joiner_events) = start(server, clip, Intent::Join(code), sinks, 2 * seed + 1)?;
        let first = tokio::time::timeout(PATIENCE, first).await.context("no picture came")??;
        joins.from_join.push(first - begin);
        joiner.hang_up();
        end(joiner_events).await;
        creator.hang_up();
        end(creator_events).await;
    }
    Ok(joins)
}

/// An engine with the clip for its camera and microphone.
fn start(
    server: &ServerProcess,
    clip: &Clip,
    intent: Intent,
    sinks: Sinks,
    seed: u64,
) -> Result<(Call, mpsc::UnboundedReceiver<Event>)> {
    start_on(&Host::tokio(), server, clip, intent, sinks, seed)
}

/// The same on a host of one's own.
pub(crate) fn start_on(
    host: &Host,
    server: &ServerProcess,
    clip: &Clip,
    intent: Intent,
    sinks: Sinks,
    seed: u64,
) -> Result<(Call, mpsc::UnboundedReceiver<Event>)> {
    let config = CallConfig {
        intent,
        servers: vec![format!("ws://{}/ws", server.address)],
        nearby: Nearby::default(),
        connector: Arc::new(WebSocketConnector),
        transport: TransportConfig::default(),
        devices: clip.devices(),
        media: MediaState { microphone: true, camera: true },
        stays: false,
        sound: SoundSettings::default(),
        video: VideoSettings::default(),
        sinks,
        seed,
    };
    Ok(visavis_engine::start(host, config)?)
}

/// Waits for the code of a call that was made.
pub(crate) async fn code(events: &mut mpsc::UnboundedReceiver<Event>) -> Result<RoomCode> {
    while let Some(event) = events.next().await {
        if let Event::State(CallState::Waiting { code }) = event {
            return Ok(code);
        }
    }
    bail!("the call ended before it had a code")
}

/// Waits until a call has let go of everything.
pub(crate) async fn end(events: mpsc::UnboundedReceiver<Event>) {
    let rest = events.for_each(|_| std::future::ready(()));
    // What isn't released by then disturbs the next join a little, no more.
    let _ = tokio::time::timeout(Duration::from_secs(3), rest).await;
}

/// Two calls of the page in one browser.
pub(crate) async fn theirs(page: &Page, server: &ServerProcess, times: usize) -> Result<Joins> {
    let url = format!("ws://{}/ws", server.address);
    let mut joins = Joins::default();
    for number in 0..times {
        let (ann, bob) = (format!("ann {number}"), format!("bob {number}"));
        page.start(&ann, &url, None, Some(&H264)).await?;
        let code = page.code(&ann).await?;
        page.start(&bob, &url, Some(&code), Some(&H264)).await?;
        let first = page.when(&bob, "first-frame").await?;
        let since = |then: f64| Duration::from_secs_f64((first - then).max(0.0) / 1000.0);
        joins.from_join.push(since(page.when(&bob, "start").await?));
        joins.from_offer.push(since(page.when(&ann, "createOffer").await?));
        page.hang_up(&bob).await?;
        page.closed(&ann).await?;
    }
    Ok(joins)
}
