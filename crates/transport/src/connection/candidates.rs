//! The other side's candidates (RFC 8838): taken at once, or later, where they have to be looked up or aren't the first choice.

use std::sync::{Arc, Weak};

use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit};

use super::Transport;
use super::negotiation::Negotiation;
use crate::error::TransportError;
use crate::event::Candidate;
use crate::ice_tcp::{HEAD_START, IceTcp};
use crate::names::Lookup;
use crate::relays::Relays;
use crate::sdp::{self, CandidateUse};
use crate::shared::Shared;

/// Candidates of the other side in one ICE generation.
const MAX_REMOTE_CANDIDATES: usize = 64;

impl Transport {
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

    pub(super) async fn take_candidate(
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
            CandidateUse::Skip => {}
            CandidateUse::Try => {
                self.ice_tcp.takes_datagrams(&candidate.candidate);
                let taken = self.pc.add_ice_candidate(for_library(candidate)).await;
                return taken.map_err(|error| TransportError::BadCandidate(error.to_string()));
            }
            CandidateUse::OverTcp => self.shared.runtime.spawn(Box::pin(self.later().over_tcp(candidate))).detach(),
            CandidateUse::Named => self.look_up(candidate),
        }
        Ok(())
    }

    /// Looks for the address behind a candidate's name. Where nobody in this machine's networks knows it, the other side isn't in
    /// them, or its own checks show its address.
    fn look_up(&self, candidate: Candidate) {
        let Some(name) = address(&candidate.candidate) else { return };
        let Some(lookup) = self.names.as_ref().and_then(|names| names.resolve(name)) else { return };
        self.shared.runtime.spawn(Box::pin(self.later().looked_up(lookup, candidate))).detach();
    }

    fn later(&self) -> Later {
        let (pc, shared) = (Arc::downgrade(&self.pc), Arc::downgrade(&self.shared));
        Later { pc, shared, ice_tcp: Arc::clone(&self.ice_tcp), relays: Arc::clone(&self.relays) }
    }
}

/// A connection that may be gone by then.
struct Later {
    pc: Weak<dyn PeerConnection>,
    shared: Weak<Shared>,
    ice_tcp: Arc<IceTcp>,
    relays: Arc<Relays>,
}

impl Later {
    async fn looked_up(self, lookup: Lookup, candidate: Candidate) {
        let (Some(ip), Some(name)) = (lookup.await, address(&candidate.candidate)) else { return };
        let line = candidate.candidate.replacen(name, &ip.to_string(), 1);
        let candidate = Candidate { candidate: line, ..candidate };
        // What the network says is checked as what the other side says.
        match sdp::check_candidate(&candidate) {
            Ok(CandidateUse::Try) => {
                self.ice_tcp.takes_datagrams(&candidate.candidate);
                self.take(candidate).await;
            }
            Ok(CandidateUse::OverTcp) => self.over_tcp(candidate).await,
            Ok(CandidateUse::Named | CandidateUse::Skip) | Err(_) => {}
        }
    }

    /// Tries a stream once datagrams have had their time.
    async fn over_tcp(self, candidate: Candidate) {
        let Some((to, line)) = self.ice_tcp.for_library(&candidate.candidate) else { return };
        let Some(waiting) = self.shared.upgrade().map(|shared| shared.pace.sleep_through(HEAD_START)) else { return };
        waiting.await;
        let wanted = self.shared.upgrade().is_some_and(|shared| !shared.is_connected() && !shared.is_closing());
        // What goes to a server of ours must go on as datagrams.
        if wanted && !self.relays.is_server(to) && self.ice_tcp.dial(to) {
            self.take(Candidate { candidate: line, ..candidate }).await;
        }
    }

    async fn take(&self, candidate: Candidate) {
        let Some(pc) = self.pc.upgrade() else { return };
        if let Err(error) = pc.add_ice_candidate(for_library(candidate)).await {
            tracing::debug!(%error, "a candidate that came late was refused");
        }
    }
}

/// The fifth field (RFC 8839, section 5.1).
fn address(line: &str) -> Option<&str> {
    line.split_whitespace().nth(4)
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
