//! One call from the command line: `create` and `join`.
#![allow(clippy::wildcard_enum_match_arm, reason = "only some events have something to say here")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result};
use futures::StreamExt;
use futures::channel::mpsc::UnboundedReceiver;
use visavis_engine::call::{CallState, CloseReason, Intent, MediaState};
use visavis_engine::device::{CameraChoice, MicrophoneChoice};
use visavis_engine::report::{CallReport, Privacy};
use visavis_engine::signaling::Invitation;
use visavis_engine::transport::TransportConfig;
use visavis_engine::{
    Call, CallConfig, Devices, Event, Host, MulticastDns, Nearby, Sinks, SoundSettings, VideoSettings,
    WebSocketConnector, nearby_url, server_url,
};
use visavis_server::{Embedded, Reach};

use crate::args::CallArgs;
use crate::exit::Exit;
use crate::record;
use crate::report::Reporter;

/// Starts a call and waits for the other.
pub(crate) async fn create(args: &CallArgs) -> Result<Exit> {
    let own = match &args.server {
        Some(_) => None,
        None => Some(Embedded::start(if args.in_network() { Reach::Network } else { Reach::Machine }).await?),
    };
    let servers = match (&args.server, &own) {
        (Some(named), _) => vec![server_url(named)?],
        (None, Some(own)) => vec![own.url()],
        (None, None) => Vec::new(),
    };
    let address = own.as_ref().and_then(|own| own.addresses().first().copied());
    run(args, Intent::Create, servers, Nearby::default(), address).await
}

/// Joins the one who waits behind `code`.
pub(crate) async fn join(code: &str, args: &CallArgs) -> Result<Exit> {
    let Invitation { code, address } = Invitation::parse(code)?;
    let servers = args.server.as_deref().map(server_url).transpose()?;
    let discovery = args.in_network().then(|| Arc::new(MulticastDns) as _);
    // Whoever gave the address knows best; it is asked whether or not the network may be searched.
    let named = address.filter(|_| !args.relay_only).map(nearby_url);
    let nearby = Nearby { known: named.into_iter().chain(Embedded::others()).collect(), discovery };
    if servers.is_none() && nearby.is_none() {
        let mut reporter = Reporter::new(args.json);
        let reason = CloseReason::NoSuchRoom { nameplate: code.nameplate().clone() };
        reporter.event(&Event::State(CallState::Closed(reason)));
        reporter.event(&Event::Finished);
        return Ok(Exit::Code);
    }
    run(args, Intent::Join(code), servers.into_iter().collect(), nearby, None).await
}

/// `address`: where others in the local network reach the room of this call, if this process serves it.
async fn run(
    args: &CallArgs,
    intent: Intent,
    servers: Vec<String>,
    nearby: Nearby,
    address: Option<SocketAddr>,
) -> Result<Exit> {
    let sinks = match &args.record {
        Some(dir) => record::sinks(dir, args.raw)?,
        None => Sinks::default(),
    };
    let devices = Devices { camera: args.camera.clone(), microphone: args.mic.clone(), speaker: args.speaker.clone() };
    let media =
        MediaState { microphone: args.mic != MicrophoneChoice::None, camera: args.camera != CameraChoice::None };
    let transport = TransportConfig {
        ice_servers: args.ice.clone(),
        relay_only: args.relay_only,
        name_local: args.name_local,
        ..TransportConfig::default()
    };
    let config =
        CallConfig { nearby, media, transport, sound: args.sound(), ..config(intent, servers, devices, sinks)? };
    let (call, events) = visavis_engine::start(&Host::tokio(), config).context("the call couldn't start")?;
    let mut reporter = Reporter::new(args.json).serving_at(address);
    let mut story = CallReport::new(Instant::now(), SystemTime::now());
    let exit = watch(&call, events, args.duration, |event| {
        story.see(Instant::now(), event);
        reporter.event(event);
    })
    .await?;
    if let Some(path) = &args.report {
        let privacy = if args.report_open { Privacy::Open } else { Privacy::Private };
        let report = story.to_json(env!("CARGO_PKG_VERSION"), privacy);
        std::fs::write(path, format!("{report:#}\n"))
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    Ok(exit)
}

/// A call with everything at its default.
pub(crate) fn config(intent: Intent, servers: Vec<String>, devices: Devices, sinks: Sinks) -> Result<CallConfig> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).context("the system gives no random numbers")?;
    Ok(CallConfig {
        intent,
        servers,
        nearby: Nearby::default(),
        connector: Arc::new(WebSocketConnector),
        transport: TransportConfig::default(),
        devices,
        media: MediaState { microphone: true, camera: true },
        stays: false,
        sound: SoundSettings::default(),
        video: VideoSettings::default(),
        sinks,
        seed: u64::from_le_bytes(seed),
    })
}

/// Follows a call to its end. It is hung up on Ctrl-C, and `limit` after it came up (or was started, if nobody comes).
pub(crate) async fn watch(
    call: &Call,
    mut events: UnboundedReceiver<Event>,
    limit: Option<Duration>,
    mut tell: impl FnMut(&Event),
) -> Result<Exit> {
    let mut exit = Exit::Failed;
    let mut met = false;
    let mut until = limit.map(|limit| tokio::time::Instant::now() + limit);
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            () = wait_until(until) => { until = None; call.hang_up(); continue }
            _ = tokio::signal::ctrl_c() => { call.hang_up(); continue }
        };
        let Some(event) = event else { return Ok(exit) };
        match &event {
            Event::State(CallState::Connected { .. }) if !met => {
                met = true;
                until = limit.map(|limit| tokio::time::Instant::now() + limit);
            }
            Event::State(CallState::Closed(reason)) => exit = Exit::of(reason, met),
            _ => {}
        }
        tell(&event);
        if event == Event::Finished {
            return Ok(exit);
        }
    }
}

async fn wait_until(then: Option<tokio::time::Instant>) {
    match then {
        Some(then) => tokio::time::sleep_until(then).await,
        None => std::future::pending().await,
    }
}
