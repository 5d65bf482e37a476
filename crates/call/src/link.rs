//! The dealings with one particular other: the exchange with them, the offer and answer, the candidates.
//!
//! A creator may go through several of these before somebody who knows the code is there; each has its own generation,
//! its own peer connection and its own seal.

use std::collections::VecDeque;

use visavis_signaling::{Body, Role, Seal};

use crate::control::MediaState;
use crate::input::{Candidate, Output, TransportAction};

/// Where offer and answer stand (RFC 8829, section 3.2, with our own waiting told apart).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Creator: the other's first message is to come.
    AwaitKnock,
    /// Our peer connection makes an offer.
    MakingOffer,
    /// Our offer is out.
    AwaitAnswer,
    /// Joiner: the first offer is to come.
    AwaitOffer,
    /// Our peer connection makes an answer.
    MakingAnswer,
    /// Nothing is under way.
    Stable,
}

/// Everything we know of the one other that we are dealing with.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) generation: u32,
    pub(crate) seal: Seal,
    pub(crate) step: Step,
    /// The fingerprint that the other named in the exchange; every description must carry the same.
    pub(crate) fingerprint: Option<String>,
    pub(crate) control_open: bool,
    pub(crate) remote_media: Option<MediaState>,
    /// Whether the other has our description and may be sent candidates.
    described: bool,
    held: VecDeque<Body>,
}

impl Link {
    /// No honest machine has more addresses than this.
    const MAX_HELD: usize = 64;

    pub(crate) fn new(role: Role, generation: u32, seal: Seal) -> Self {
        let step = match role {
            Role::Creator => Step::AwaitKnock,
            Role::Joiner => Step::AwaitOffer,
        };
        Self {
            generation,
            seal,
            step,
            fingerprint: None,
            control_open: false,
            remote_media: None,
            described: false,
            held: VecDeque::new(),
        }
    }

    pub(crate) fn act(&self, action: TransportAction) -> Output {
        Output::Transport { generation: self.generation, action }
    }

    /// A candidate (or their end) that may be sent now; otherwise it is held until our description is out, because the
    /// other can do nothing with it before.
    pub(crate) fn trickle(&mut self, body: Body) -> Option<Body> {
        if self.described {
            return Some(body);
        }
        if self.held.len() < Self::MAX_HELD {
            self.held.push_back(body);
        }
        None
    }

    /// Our description is out: what was held may follow.
    pub(crate) fn release_held(&mut self) -> VecDeque<Body> {
        self.described = true;
        std::mem::take(&mut self.held)
    }

    /// Takes the fingerprint that a message names: the first one binds, every other must equal it.
    pub(crate) fn bind_fingerprint(&mut self, named: &str) -> bool {
        match &self.fingerprint {
            Some(bound) => bound.eq_ignore_ascii_case(named),
            None => {
                self.fingerprint = Some(named.to_owned());
                true
            }
        }
    }
}

impl From<Candidate> for Body {
    fn from(c: Candidate) -> Self {
        Self::Candidate {
            candidate: c.candidate,
            sdp_mid: c.sdp_mid,
            sdp_mline_index: c.sdp_mline_index,
            username_fragment: c.username_fragment,
        }
    }
}
