//! The peer connection: its beginning, media out, control, statistics, its end.

mod candidates;
mod negotiation;
mod settings;

use std::sync::Arc;

use futures::channel::mpsc::UnboundedSender;
use futures::lock::Mutex;
use rtc::peer_connection::transport::RTCIceCandidatePair;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use visavis_call::{Fingerprint, Obstacle};
use visavis_frame::VideoCodec;
use webrtc::peer_connection::{PeerConnection, PeerConnectionBuilder, RTCConfigurationBuilder, StatsSelector};
use webrtc::rtp_transceiver::RtpSender;
use webrtc::runtime::Runtime;

use crate::certificate::Certificate;
use crate::config::{self, IceServer, TransportConfig};
use crate::control::MAX_CONTROL_BYTES;
use crate::error::{TransportError, stopped};
use crate::event::{PeerState, TransportEvent};
use crate::feedback::{self, VideoSsrcs};
use crate::handler::Handler;
use crate::ice_tcp::IceTcp;
use crate::interfaces::LocalAddresses;
use crate::media::{self, MediaSender, Outgoing};
use crate::names::Names;
use crate::pace::PacedRuntime;
use crate::privacy::Privacy;
use crate::queue::MediaSinks;
use crate::relays::Relays;
use crate::shared::Shared;
use crate::stats::{self, TransportStats};

use self::negotiation::Negotiation;
use self::settings::settings;

/// One peer connection. Dropping it closes it.
pub struct Transport {
    pc: Arc<dyn PeerConnection>,
    shared: Arc<Shared>,
    privacy: Arc<Privacy>,
    relays: Arc<Relays>,
    ice_tcp: Arc<IceTcp>,
    /// What names of the other side are looked up with.
    names: Option<Arc<Names>>,
    fingerprint: Fingerprint,
    media: MediaSender,
    video_sender: Arc<dyn RtpSender>,
    audio_sender: Arc<dyn RtpSender>,
    /// What video may be coded with, the one to prefer first.
    video_codecs: Vec<VideoCodec>,
    negotiation: Mutex<Negotiation>,
}

impl Transport {
    /// Makes a connection and binds its sockets; nothing is sent yet.
    ///
    /// # Errors
    /// [`TransportError::Network`] when no address can be bound, [`TransportError::BadServer`] for an unusable entry
    /// of the server list.
    pub async fn new(
        runtime: Arc<dyn Runtime>,
        config: TransportConfig,
        media: MediaSinks,
        events: UnboundedSender<TransportEvent>,
    ) -> Result<Self, TransportError> {
        let certificate = config.certificate.clone().map_or_else(Certificate::generate, Ok)?;
        let relays = Relays::new(config.streams.clone());
        let ice_tcp = IceTcp::new(config.streams.clone().filter(|_| !config.relay_only));
        let pace = Arc::new(PacedRuntime::new(runtime, Arc::clone(&relays), Arc::clone(&ice_tcp)));
        let runtime: Arc<dyn Runtime> = Arc::clone(&pace) as _;
        let shared = Shared::new(Arc::clone(&runtime), pace, media, events);
        let repairs = config.forward_error_correction;
        let hoped_for = config.video_codecs.first().copied().unwrap_or(VideoCodec::H264);
        let (video, audio) = (Outgoing::video(hoped_for, repairs)?, Outgoing::audio()?);
        let mut engine = media::media_engine(&config.video_codecs, repairs)?;
        let registry = feedback::registry(
            &mut engine,
            &shared,
            config.rates,
            VideoSsrcs { ssrc: video.ssrc(), resend: video.resend_ssrc() },
            audio.ssrc(),
        )?;
        let names = config.names.clone().filter(|_| !config.relay_only).map(|names| Arc::new(Names::new(names)));
        let privacy = Arc::new(Privacy::new(&config, names.clone()));
        let handler =
            Handler { shared: Arc::clone(&shared), privacy: Arc::clone(&privacy), ice_tcp: Arc::clone(&ice_tcp) };
        let pc = PeerConnectionBuilder::new()
            .with_configuration(config.to_rtc(&certificate, &relays)?)
            .with_setting_engine(settings())
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_runtime(runtime)
            .with_handler(Arc::new(handler))
            .with_udp_addrs(vec![LocalAddresses(config.bind.clone())])
            .build()
            .await
            .map_err(|error| TransportError::Network(error.to_string()))?;
        let pc: Arc<dyn PeerConnection> = Arc::new(pc);
        // Video first: its section carries the bundle.
        let video_sender = pc.add_track(media::local_track(&video)).await.map_err(stopped)?;
        // By itself a track is offered in its own codec alone.
        for transceiver in pc.get_transceivers().await {
            transceiver.set_codec_preferences(media::offered(&config.video_codecs)).await.map_err(stopped)?;
        }
        let audio_sender = pc.add_track(media::local_track(&audio)).await.map_err(stopped)?;
        let media = MediaSender { video, audio, shared: Arc::clone(&shared) };
        watch_for_the_end(&shared, &media);
        let (fingerprint, negotiation) = (certificate.fingerprint(), Mutex::default());
        let video_codecs = config.video_codecs;
        Ok(Self {
            pc,
            shared,
            privacy,
            relays,
            ice_tcp,
            names,
            fingerprint,
            media,
            video_sender,
            audio_sender,
            video_codecs,
            negotiation,
        })
    }

    /// What the other side must know our certificate by.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Uses these servers besides its own, from the next gathering on. Those that can't be used are left out: whoever runs
    /// the signalling server may err.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when the connection is gone.
    pub async fn use_servers(&self, given: &[IceServer]) -> Result<(), TransportError> {
        let servers = config::usable(self.privacy.own_servers.iter().chain(given), &self.relays);
        let relay = servers.iter().any(config::is_turn);
        if self.privacy.relay_only && !relay {
            return Ok(());
        }
        self.privacy.servers(relay);
        let policy = self.pc.get_configuration().await.ice_transport_policy();
        let new = RTCConfigurationBuilder::new().with_ice_servers(servers).with_ice_transport_policy(policy).build();
        self.pc.set_configuration(new).await.map_err(stopped)
    }

    /// The way out for media.
    #[must_use]
    pub fn media_sender(&self) -> MediaSender {
        self.media.clone()
    }

    /// Sends a text message over the control channel.
    ///
    /// # Errors
    /// [`TransportError::ControlClosed`] when it isn't open, [`TransportError::TooLarge`] over [`MAX_CONTROL_BYTES`].
    pub async fn send_control(&self, text: &str) -> Result<(), TransportError> {
        if text.len() > MAX_CONTROL_BYTES {
            return Err(TransportError::TooLarge { what: "a control message", limit: MAX_CONTROL_BYTES });
        }
        let channel = self.shared.control().filter(|_| self.shared.is_control_open());
        let channel = channel.ok_or(TransportError::ControlClosed)?;
        channel.send_text(text).await.map_err(|_| TransportError::ControlClosed)
    }

    /// Asks the other side for a keyframe (PLI, RFC 4585, section 6.3.1). Before its video has begun this does nothing.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when the connection is gone.
    pub async fn request_keyframe(&self) -> Result<(), TransportError> {
        let Some(track) = self.shared.remote_video() else { return Ok(()) };
        let media_ssrc = self.shared.remote_video_ssrc.load(std::sync::atomic::Ordering::Acquire);
        let pli = PictureLossIndication { sender_ssrc: self.media.video.ssrc(), media_ssrc };
        track.write_rtcp(vec![Box::new(pli)]).await.map_err(|_| TransportError::Closed)
    }

    /// What stands in the way of a path, as far as the servers' answers tell.
    #[must_use]
    pub fn obstacle(&self) -> Option<Obstacle> {
        self.relays.obstacle(&self.shared.runtime)
    }

    /// Whether only relayed addresses may be told, and every TURN server has refused, failed or kept silent. The library may go on
    /// gathering then, and never say so.
    #[must_use]
    pub fn is_without_relay(&self) -> bool {
        self.privacy.is_in_vain() && self.relays.have_all_failed(&self.shared.runtime)
    }

    /// What was counted so far.
    pub async fn stats(&self) -> TransportStats {
        let report = self.pc.get_stats(self.shared.runtime.now(), StatsSelector::None).await;
        let mut stats = stats::digest(&report, self.selected_pair().await.as_ref(), &self.shared);
        stats.servers = self.relays.reports(&self.shared.runtime);
        if let Some(pair) = &mut stats.pair {
            pair.local.relay_protocol = stats::relay_protocol(&pair.local, &stats.servers);
            self.ice_tcp.tell(pair);
        }
        stats.video_codec = self.media.video_codec();
        stats
    }

    async fn selected_pair(&self) -> Option<RTCIceCandidatePair> {
        let dtls = self.video_sender.transport().await.ok()??;
        dtls.ice_transport().get_selected_candidate_pair().await.ok()?
    }

    /// Closes the connection: sockets, tasks and queues end. A second call does nothing.
    pub async fn close(&self) {
        if self.shared.begin_closing() {
            close(&self.pc, &self.shared).await;
        }
    }
}

async fn close(pc: &Arc<dyn PeerConnection>, shared: &Shared) {
    shared.pace.calm();
    if let Err(error) = pc.close().await {
        tracing::warn!(%error, "the connection didn't close cleanly");
    }
    shared.drop_sinks();
    shared.set_control(None);
    shared.set_remote_video(None);
    shared.set_control_open(false);
    shared.enter(PeerState::Closed);
}

impl Drop for Transport {
    fn drop(&mut self) {
        if self.shared.begin_closing() {
            let (pc, shared) = (Arc::clone(&self.pc), Arc::clone(&self.shared));
            let runtime = Arc::clone(&shared.runtime);
            runtime.spawn(Box::pin(async move { close(&pc, &shared).await })).detach();
        }
    }
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The machinery can stop on its own, for instance when the last socket fails; it says so nowhere but in its log.
fn watch_for_the_end(shared: &Arc<Shared>, media: &MediaSender) {
    // Sound is part of every call; video may be turned down.
    let (shared, audio) = (Arc::clone(shared), Arc::clone(&media.audio));
    let runtime = Arc::clone(&shared.runtime);
    let watch = async move {
        audio.gone().await;
        if !shared.is_closing() {
            let reason = "its sockets or its protocol machinery failed".to_owned();
            shared.emit(TransportEvent::Failed(TransportError::Stopped(reason)));
            shared.enter(PeerState::Failed);
        }
    };
    runtime.spawn(Box::pin(watch)).detach();
}
