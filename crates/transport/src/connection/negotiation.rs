//! Offer and answer (RFC 8829).

use std::sync::Arc;
use std::time::Duration;

use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::rtp_transceiver::rtp_sender::RTCRtpCodecParameters;
use visavis_call::Fingerprint;
use visavis_frame::VideoCodec;
use webrtc::peer_connection::RTCSessionDescription;
use webrtc::rtp_transceiver::{RTCRtpTransceiverDirection, RtpSender, RtpTransceiver};

use super::Transport;
use crate::control;
use crate::error::{TransportError, stopped};
use crate::event::{Candidate, TransportEvent};
use crate::media;
use crate::sdp::{self, CandidateUse};

/// How long the machinery is kept awake after a description, so that connecting doesn't wait for its timers.
const CONNECTING: Duration = Duration::from_secs(10);

/// What is under way; held for the length of each step, so that steps don't interleave.
#[derive(Default)]
pub(super) struct Negotiation {
    /// The offer of ours that waits for its answer.
    offered: Option<String>,
    /// Candidates that came before the description that they belong to.
    pub(super) early: Vec<(Candidate, CandidateUse)>,
    /// How many were taken since the last description.
    pub(super) taken: usize,
    pub(super) described: bool,
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
        self.ice_tcp.described();
        if let Some(names) = &self.names {
            names.described();
        }
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
}

fn wrong_state(error: webrtc::error::Error) -> TransportError {
    if matches!(error, webrtc::error::Error::ErrConnectionClosed) {
        return TransportError::Closed;
    }
    TransportError::WrongState(error.to_string())
}
