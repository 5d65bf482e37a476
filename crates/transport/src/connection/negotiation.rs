//! Offer, answer and candidates (RFC 8829, RFC 8838).

use std::sync::Arc;
use std::time::Duration;

use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodecParameters;
use visavis_call::Fingerprint;
use visavis_frame::VideoCodec;
use webrtc::peer_connection::{RTCIceCandidateInit, RTCSessionDescription};
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RtpSender, RtpTransceiver};

use super::Transport;
use crate::control;
use crate::error::{TransportError, stopped};
use crate::event::{Candidate, TransportEvent};
use crate::ice_tcp;
use crate::media;
use crate::sdp::{self, CandidateUse};

/// How long the machinery is kept awake after a description, so that connecting doesn't wait for its timers.
const CONNECTING: Duration = Duration::from_secs(10);
/// Candidates of the other side in one ICE generation.
const MAX_REMOTE_CANDIDATES: usize = 64;

/// What is under way; held for the length of each step, so that steps don't interleave.
#[derive(Default)]
pub(super) struct Negotiation {
    /// The offer of ours that waits for its answer.
    offered: Option<String>,
    /// Candidates that came before the description that they belong to.
    early: Vec<(Candidate, CandidateUse)>,
    /// How many were taken since the last description.
    taken: usize,
    described: bool,
}
impl Transport {
    /// Makes an offer, which is the local description from then on. The first one opens the control channel.
    ///
    /// # Errors
    /// [`TransportError::WrongState`] while an offer of either side waits for its answer; [`TransportError::NoRelay`] when
    /// only relayed addresses may be told and nobody relays.
    pub async fn create_offer(&self, ice_restart: bool) -> Result<String, TransportError> {
        let mut negotiation = self.negotiation.lock().await;
        if negotiation.offered.is_some() {
            return Err(TransportError::WrongState("an offer waits for its answer already".to_owned()));
        }
        if self.privacy.lacks_relay() {
            return Err(TransportError::NoRelay);
        }
        if self.shared.control().is_none() {
            let channel = self.pc.create_data_channel(control::LABEL, None).await.map_err(stopped)?;
            control::adopt(&self.shared, channel);
        }
        let offer = self.pc.create_offer(Some(RTCOfferOptions { ice_restart })).await.map_err(stopped)?;
        let sdp = offer.sdp.clone();
        self.pc.set_local_description(offer).await.map_err(wrong_state)?;
        negotiation.offered = Some(sdp.clone());
        Ok(self.privacy.description(sdp))
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
        if self.privacy.lacks_relay() {
            return Err(TransportError::NoRelay);
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
        Ok(self.privacy.description(sdp))
    }

    /// Where no video codec is known to both, video alone is turned down (RFC 3264, section 6).
    async fn answer(&self) -> webrtc::error::Result<String> {
        self.prefer_our_order().await?;
        if let Some((_, codec)) = self.video_formats().await.first() {
            self.video_sender.replace_track(self.media.video.track_of(*codec)).await?;
        }
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
        let theirs = sdp::video_codecs(&answer.sdp);
        if let Some(codec) = self.video_codecs.iter().find(|codec| theirs.contains(codec)) {
            self.video_sender.replace_track(self.media.video.track_of(*codec)).await.map_err(stopped)?;
        }
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
        for (candidate, taken_as) in std::mem::take(&mut negotiation.early) {
            if let Err(error) = self.take_candidate(negotiation, candidate, taken_as).await {
                tracing::warn!(%error, "an early candidate was refused");
            }
        }
        let (video, audio) = (self.sends(&self.video_sender).await, self.sends(&self.audio_sender).await);
        let formats = self.video_formats().await;
        let send_as = formats.first().filter(|_| video).map(|(payload_type, _)| *payload_type);
        self.shared.set_video_formats(formats);
        self.media.video.send_as(send_as);
        if send_as.is_none() {
            self.shared.emit(TransportEvent::VideoRefused);
        }
        let sound = media::agreed(self.audio_sender.as_ref()).await?;
        self.media.audio.send_as(sound.first().filter(|_| audio).map(|codec| codec.payload_type));
        Ok(())
    }

    /// The payload types that were agreed on for video and what they mean, in our order of preference; none where video was
    /// turned down.
    async fn video_formats(&self) -> Vec<(u8, VideoCodec)> {
        let agreed = media::agreed(self.video_sender.as_ref()).await.unwrap_or_default();
        let format = |codec: &RTCRtpCodecParameters| {
            let known = VideoCodec::from_media_type(&codec.rtp_codec.mime_type)?;
            Some((codec.payload_type, known))
        };
        let mut formats: Vec<_> = agreed.iter().filter_map(format).collect();
        formats.sort_by_key(|(_, codec)| self.place_of(*codec));
        formats
    }

    fn place_of(&self, codec: VideoCodec) -> usize {
        self.video_codecs.iter().position(|known| *known == codec).unwrap_or(usize::MAX)
    }

    /// Answers in our order of preference (RFC 3264, section 6.1): by itself an answer keeps that of the offer, so that what
    /// the two use would hang on who calls whom.
    async fn prefer_our_order(&self) -> webrtc::error::Result<()> {
        let mut codecs = self.video_sender.get_parameters().await?.rtp_parameters.codecs;
        let Some(transceiver) = self.transceiver_of(&self.video_sender).await.filter(|_| !codecs.is_empty()) else {
            return Ok(());
        };
        codecs.sort_by_key(|codec| {
            VideoCodec::from_media_type(&codec.rtp_codec.mime_type).map_or(usize::MAX, |codec| self.place_of(codec))
        });
        transceiver.set_codec_preferences(codecs).await
    }

    async fn transceiver_of(&self, sender: &Arc<dyn RtpSender>) -> Option<Arc<dyn RtpTransceiver>> {
        let all = self.pc.get_transceivers().await;
        all.into_iter().find(|transceiver| transceiver.id() == usize::from(sender.id()))
    }

    /// Whether the other side takes what this sender sends.
    async fn sends(&self, sender: &Arc<dyn RtpSender>) -> bool {
        let Some(transceiver) = self.transceiver_of(sender).await else { return false };
        let direction = transceiver.current_direction().await;
        matches!(direction, Ok(RTCRtpTransceiverDirection::Sendrecv | RTCRtpTransceiverDirection::Sendonly))
    }

    /// Takes an address of the other side; one that comes before its description is kept until then.
    ///
    /// # Errors
    /// [`TransportError::BadCandidate`] when it isn't one, [`TransportError::TooLarge`] when there are too many.
    pub async fn add_candidate(&self, candidate: Candidate) -> Result<(), TransportError> {
        let taken_as = sdp::check_candidate(&candidate)?;
        if taken_as == CandidateUse::Skip {
            return Ok(());
        }
        let mut negotiation = self.negotiation.lock().await;
        if negotiation.described {
            return self.take_candidate(&mut negotiation, candidate, taken_as).await;
        }
        if negotiation.early.len() >= MAX_REMOTE_CANDIDATES {
            return Err(TransportError::TooLarge { what: "the number of candidates", limit: MAX_REMOTE_CANDIDATES });
        }
        negotiation.early.push((candidate, taken_as));
        Ok(())
    }

    async fn take_candidate(
        &self,
        negotiation: &mut Negotiation,
        candidate: Candidate,
        taken_as: CandidateUse,
    ) -> Result<(), TransportError> {
        if negotiation.taken >= MAX_REMOTE_CANDIDATES {
            return Err(TransportError::TooLarge { what: "the number of candidates", limit: MAX_REMOTE_CANDIDATES });
        }
        negotiation.taken += 1;
        match taken_as {
            CandidateUse::Skip => Ok(()),
            CandidateUse::Try => {
                let taken = self.pc.add_ice_candidate(for_library(candidate)).await;
                taken.map_err(|error| TransportError::BadCandidate(error.to_string()))
            }
            CandidateUse::OverTcp => {
                self.try_over_tcp(candidate);
                Ok(())
            }
        }
    }

    /// Tries a stream once datagrams have had their time.
    fn try_over_tcp(&self, candidate: Candidate) {
        let Some(line) = self.ice_tcp.for_library(&candidate.candidate) else { return };
        let candidate = for_library(Candidate { candidate: line, ..candidate });
        let (pc, shared) = (Arc::downgrade(&self.pc), Arc::downgrade(&self.shared));
        let waiting = self.shared.runtime.sleep(ice_tcp::HEAD_START);
        let late = async move {
            waiting.await;
            let (Some(pc), Some(shared)) = (pc.upgrade(), shared.upgrade()) else { return };
            if !shared.is_connected()
                && !shared.is_closing()
                && let Err(error) = pc.add_ice_candidate(candidate).await
            {
                tracing::debug!(%error, "a candidate over TCP was refused");
            }
        };
        self.shared.runtime.spawn(Box::pin(late)).detach();
    }
}

fn for_library(candidate: Candidate) -> RTCIceCandidateInit {
    RTCIceCandidateInit {
        candidate: candidate.candidate,
        sdp_mid: candidate.sdp_mid,
        sdp_mline_index: candidate.sdp_mline_index,
        username_fragment: candidate.username_fragment,
        url: None,
    }
}

fn wrong_state(error: webrtc::error::Error) -> TransportError {
    if matches!(error, webrtc::error::Error::ErrConnectionClosed) {
        return TransportError::Closed;
    }
    TransportError::WrongState(error.to_string())
}
