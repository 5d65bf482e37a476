//! The peer connection: negotiation (RFC 8829), candidates (RFC 8838), media out, control, statistics, the end.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedSender;
use futures::lock::Mutex;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::configuration::setting_engine::SctpMaxMessageSize;
use rtc::peer_connection::transport::RTCIceCandidatePair;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, RTCIceCandidateInit, RTCSessionDescription, SettingEngine,
    SettingEngineBuilder, StatsSelector,
};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RtpSender};
use webrtc::runtime::Runtime;

use crate::certificate::{Certificate, Fingerprint};
use crate::config::TransportConfig;
use crate::control::{self, MAX_CONTROL_BYTES};
use crate::error::{TransportError, stopped};
use crate::event::{Candidate, PeerState, TransportEvent};
use crate::feedback;
use crate::handler::Handler;
use crate::interfaces::LocalAddresses;
use crate::media::{self, MediaSender, Outgoing};
use crate::pace::PacedRuntime;
use crate::queue::MediaSinks;
use crate::sdp::{self, CandidateUse};
use crate::shared::Shared;
use crate::stats::{self, TransportStats};

/// Silence after which the connection counts as disconnected.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(4);
/// Failing would throw all candidates away; how long to hope is the session's to decide, so it never fails by itself.
const NEVER_FAILS: Duration = Duration::ZERO;
/// How often the path is checked while nothing else comes (RFC 7675 asks for at least every five seconds).
const KEEPALIVE: Duration = Duration::from_secs(1);
/// How long the machinery is kept awake after a description, so that connecting doesn't wait for its timers.
const CONNECTING: Duration = Duration::from_secs(10);
/// The pace of connectivity checks (RFC 8445, section 14.2).
const CHECK_INTERVAL: Duration = Duration::from_millis(50);
/// Checks per pair: half a minute, for a path that opens late.
const CHECKS_PER_PAIR: u16 = 600;
/// How long a worse kind of path waits for a better one to be found first.
const WAIT_BEFORE_REFLEXIVE: Duration = Duration::from_millis(200);
const WAIT_BEFORE_RELAY: Duration = Duration::from_millis(600);
/// Candidates of the other side in one ICE generation.
const MAX_REMOTE_CANDIDATES: usize = 64;

/// One peer connection. Dropping it closes it.
pub struct Transport {
    pc: Arc<dyn PeerConnection>,
    shared: Arc<Shared>,
    fingerprint: Fingerprint,
    media: MediaSender,
    video_sender: Arc<dyn RtpSender>,
    audio_sender: Arc<dyn RtpSender>,
    negotiation: Mutex<Negotiation>,
}

/// What is under way; held for the length of each step, so that steps don't interleave.
#[derive(Default)]
struct Negotiation {
    /// The offer of ours that waits for its answer.
    offered: Option<String>,
    /// Candidates that came before the description that they belong to.
    early: Vec<Candidate>,
    /// How many were taken since the last description.
    taken: usize,
    described: bool,
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
        let pace = Arc::new(PacedRuntime::new(runtime));
        let runtime: Arc<dyn Runtime> = Arc::clone(&pace) as _;
        let shared = Shared::new(Arc::clone(&runtime), pace, media, events);
        let (video, audio) = (Outgoing::video()?, Outgoing::audio()?);
        let mut engine = media::media_engine()?;
        let registry = feedback::registry(&mut engine, &shared, video.ssrc(), audio.ssrc())?;
        let handler = Arc::new(Handler { shared: Arc::clone(&shared), relay_only: config.relay_only });
        let pc = PeerConnectionBuilder::new()
            .with_configuration(config.to_rtc(&certificate)?)
            .with_setting_engine(settings())
            .with_media_engine(engine)
            .with_interceptor_registry(registry)
            .with_runtime(runtime)
            .with_handler(handler)
            .with_udp_addrs(vec![LocalAddresses(config.bind.clone())])
            .build()
            .await
            .map_err(|error| TransportError::Network(error.to_string()))?;
        let pc: Arc<dyn PeerConnection> = Arc::new(pc);
        // Video first: its section carries the bundle.
        let video_sender = pc.add_track(media::local_track(&video)).await.map_err(stopped)?;
        let audio_sender = pc.add_track(media::local_track(&audio)).await.map_err(stopped)?;
        let media = MediaSender { video, audio, shared: Arc::clone(&shared) };
        watch_for_the_end(&shared, &media);
        let (fingerprint, negotiation) = (certificate.fingerprint(), Mutex::default());
        Ok(Self { pc, shared, fingerprint, media, video_sender, audio_sender, negotiation })
    }

    /// What the other side must know our certificate by.
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Makes an offer, which is the local description from then on. The first one opens the control channel.
    ///
    /// # Errors
    /// [`TransportError::WrongState`] while an offer of either side waits for its answer.
    pub async fn create_offer(&self, ice_restart: bool) -> Result<String, TransportError> {
        let mut negotiation = self.negotiation.lock().await;
        if negotiation.offered.is_some() {
            return Err(TransportError::WrongState("an offer waits for its answer already".to_owned()));
        }
        if self.shared.control().is_none() {
            let channel = self.pc.create_data_channel(control::LABEL, None).await.map_err(stopped)?;
            control::adopt(&self.shared, channel);
        }
        let offer = self.pc.create_offer(Some(RTCOfferOptions { ice_restart })).await.map_err(stopped)?;
        let sdp = offer.sdp.clone();
        self.pc.set_local_description(offer).await.map_err(wrong_state)?;
        negotiation.offered = Some(sdp.clone());
        Ok(sdp)
    }

    /// Takes the other side's offer and makes the answer, which is the local description from then on.
    ///
    /// # Errors
    /// [`TransportError::WrongFingerprint`] when it names another certificate than `remote`;
    /// [`TransportError::BadDescription`] or [`TransportError::TooLarge`] when it can't be used;
    /// [`TransportError::WrongState`] when an offer of ours waits ([`Self::rollback`] first).
    pub async fn accept_offer(&self, sdp: &str, remote: &Fingerprint) -> Result<String, TransportError> {
        let offer = sdp::read_offer(sdp, remote)?;
        let mut negotiation = self.negotiation.lock().await;
        if negotiation.offered.is_some() {
            return Err(TransportError::WrongState("our own offer waits for its answer".to_owned()));
        }
        if let Err(error) = self.pc.set_remote_description(offer).await {
            self.forget_remote_offer().await;
            return Err(TransportError::BadDescription(error.to_string()));
        }
        let sdp = match self.answer().await {
            Ok(sdp) => sdp,
            Err(error) => {
                self.forget_remote_offer().await;
                return Err(TransportError::BadDescription(error.to_string()));
            }
        };
        self.described(&mut negotiation).await?;
        Ok(sdp)
    }

    /// Where no video codec is known to both, video alone is turned down (RFC 3264, section 6).
    async fn answer(&self) -> webrtc::error::Result<String> {
        let answer = match self.pc.create_answer(None).await {
            Err(webrtc::error::Error::ErrSenderWithNoCodecs) => {
                self.pc.remove_track(&self.video_sender).await?;
                self.pc.create_answer(None).await?
            }
            answer => answer?,
        };
        let sdp = answer.sdp.clone();
        self.pc.set_local_description(answer).await?;
        Ok(sdp)
    }

    async fn forget_remote_offer(&self) {
        if self.pc.pending_remote_description().await.is_some()
            && let Ok(rollback) = RTCSessionDescription::rollback(None)
            && let Err(error) = self.pc.set_remote_description(rollback).await
        {
            tracing::warn!(%error, "a refused offer couldn't be taken back");
        }
    }

    /// Takes the other side's answer to our offer.
    ///
    /// # Errors
    /// As [`Self::accept_offer`]; [`TransportError::WrongState`] when no offer of ours waits. After a refusal the offer
    /// still waits.
    pub async fn accept_answer(&self, sdp: &str, remote: &Fingerprint) -> Result<(), TransportError> {
        let mut negotiation = self.negotiation.lock().await;
        let Some(offered) = negotiation.offered.as_deref() else {
            return Err(TransportError::WrongState("no offer of ours waits for an answer".to_owned()));
        };
        let answer = sdp::read_answer(sdp, remote, offered)?;
        self.pc
            .set_remote_description(answer)
            .await
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        negotiation.offered = None;
        self.described(&mut negotiation).await
    }

    /// Takes our own offer back, so that the other side's can be taken (RFC 8829, section 4.1.10.2).
    ///
    /// # Errors
    /// [`TransportError::WrongState`] when no offer of ours waits. An offer that restarts ICE has thrown the old path
    /// away already; taking it back doesn't bring that back.
    pub async fn rollback(&self) -> Result<(), TransportError> {
        let mut negotiation = self.negotiation.lock().await;
        if negotiation.offered.is_none() {
            return Err(TransportError::WrongState("no offer of ours waits for an answer".to_owned()));
        }
        let rollback = RTCSessionDescription::rollback(None).map_err(stopped)?;
        self.pc.set_local_description(rollback).await.map_err(wrong_state)?;
        negotiation.offered = None;
        Ok(())
    }

    /// After a description of the other side: early candidates go in, and the media senders learn what was agreed on.
    async fn described(&self, negotiation: &mut Negotiation) -> Result<(), TransportError> {
        self.shared.pace.hurry(CONNECTING);
        negotiation.described = true;
        negotiation.taken = 0;
        for candidate in std::mem::take(&mut negotiation.early) {
            if let Err(error) = self.take_candidate(negotiation, candidate).await {
                tracing::warn!(%error, "an early candidate was refused");
            }
        }
        let (video, audio) = (self.sends(&self.video_sender).await, self.sends(&self.audio_sender).await);
        if !video {
            self.shared.emit(TransportEvent::VideoRefused);
        }
        self.media.video.negotiated(self.video_sender.as_ref(), video).await?;
        self.media.audio.negotiated(self.audio_sender.as_ref(), audio).await
    }

    /// Whether the other side takes what this sender sends.
    async fn sends(&self, sender: &Arc<dyn RtpSender>) -> bool {
        for transceiver in self.pc.get_transceivers().await {
            if transceiver.id() == usize::from(sender.id()) {
                let direction = transceiver.current_direction().await;
                return matches!(
                    direction,
                    Ok(RTCRtpTransceiverDirection::Sendrecv | RTCRtpTransceiverDirection::Sendonly)
                );
            }
        }
        false
    }

    /// Takes an address of the other side; one that comes before its description is kept until then.
    ///
    /// # Errors
    /// [`TransportError::BadCandidate`] when it isn't one, [`TransportError::TooLarge`] when there are too many.
    pub async fn add_candidate(&self, candidate: Candidate) -> Result<(), TransportError> {
        if sdp::check_candidate(&candidate)? == CandidateUse::Skip {
            return Ok(());
        }
        let mut negotiation = self.negotiation.lock().await;
        if negotiation.described {
            return self.take_candidate(&mut negotiation, candidate).await;
        }
        if negotiation.early.len() >= MAX_REMOTE_CANDIDATES {
            return Err(TransportError::TooLarge { what: "the number of candidates", limit: MAX_REMOTE_CANDIDATES });
        }
        negotiation.early.push(candidate);
        Ok(())
    }

    async fn take_candidate(&self, negotiation: &mut Negotiation, candidate: Candidate) -> Result<(), TransportError> {
        if negotiation.taken >= MAX_REMOTE_CANDIDATES {
            return Err(TransportError::TooLarge { what: "the number of candidates", limit: MAX_REMOTE_CANDIDATES });
        }
        negotiation.taken += 1;
        let init = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: candidate.sdp_mid,
            sdp_mline_index: candidate.sdp_mline_index,
            username_fragment: candidate.username_fragment,
            url: None,
        };
        self.pc.add_ice_candidate(init).await.map_err(|error| TransportError::BadCandidate(error.to_string()))
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

    /// What was counted so far.
    pub async fn stats(&self) -> TransportStats {
        let report = self.pc.get_stats(self.shared.runtime.now(), StatsSelector::None).await;
        stats::digest(&report, self.selected_pair().await.as_ref(), self.shared.remote_views())
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

fn wrong_state(error: webrtc::error::Error) -> TransportError {
    if matches!(error, webrtc::error::Error::ErrConnectionClosed) {
        return TransportError::Closed;
    }
    TransportError::WrongState(error.to_string())
}

fn settings() -> SettingEngine {
    SettingEngineBuilder::new()
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(NEVER_FAILS), Some(KEEPALIVE))
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(CHECKS_PER_PAIR))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(WAIT_BEFORE_REFLEXIVE))
        .with_prflx_acceptance_min_wait(Some(WAIT_BEFORE_REFLEXIVE))
        .with_relay_acceptance_min_wait(Some(WAIT_BEFORE_RELAY))
        .with_include_loopback_candidate(true)
        // A restart is for a changed network: new sockets on the addresses that there are then.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_sctp_max_message_size(SctpMaxMessageSize::Bounded(64 * 1024))
        .build()
}
