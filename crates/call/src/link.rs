//! The dealings with one particular other: the exchange with them, the offer and answer, the candidates.
//!
//! A creator may go through several of these before somebody who knows the code is there; each has its own generation,
//! its own peer connection and its own exchange of the code.

use std::collections::VecDeque;
use std::time::Instant;

use visavis_signaling::{Body, Exchange, Role};

use crate::control::{MediaState, ReceiveReport};
use crate::input::{Candidate, Output, TransportAction};
use crate::obstacle::Obstacle;
use crate::quality::Judge;

/// Where offer and answer stand (RFC 9429, section 3.2, with what our own peer connection is busy with told apart).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Creator: the other's half of the code exchange is to come.
    AwaitOpening,
    /// Our peer connection makes an offer.
    MakingOffer,
    /// Our offer is out.
    AwaitAnswer,
    /// Our peer connection takes the other's answer.
    TakingAnswer,
    /// Joiner: the first offer is to come.
    AwaitOffer,
    /// Our peer connection makes an answer.
    MakingAnswer,
    /// Nothing is under way.
    Stable,
}

impl Step {
    /// Whether a description of ours is still to go out, and our candidates with it wait.
    const fn holds_candidates(self) -> bool {
        match self {
            Self::AwaitOpening | Self::MakingOffer | Self::AwaitOffer | Self::MakingAnswer => true,
            Self::AwaitAnswer | Self::TakingAnswer | Self::Stable => false,
        }
    }
}

/// Everything we know of the one other that we are dealing with.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) generation: u32,
    pub(crate) exchange: Exchange,
    pub(crate) step: Step,
    pub(crate) control_open: bool,
    pub(crate) remote_media: Option<MediaState>,
    /// What the other side last said of itself.
    pub(crate) remote_report: Option<ReceiveReport>,
    pub(crate) judge: Judge,
    /// The peer connection says that a path is up.
    pub(crate) path_up: bool,
    /// When ICE was last restarted.
    pub(crate) restarted: Option<Instant>,
    /// When a lost path was last found again.
    pub(crate) found: Option<Instant>,
    /// The lost path can't come back by itself.
    pub(crate) hopeless: bool,
    /// What stands in the way of a path.
    pub(crate) obstacle: Option<Obstacle>,
    held: VecDeque<Body>,
}

impl Link {
    /// No honest machine has more addresses than this.
    const MAX_HELD: usize = 64;

    pub(crate) fn new(role: Role, generation: u32, exchange: Exchange) -> Self {
        let step = match role {
            Role::Creator => Step::AwaitOpening,
            Role::Joiner => Step::AwaitOffer,
        };
        Self {
            generation,
            exchange,
            step,
            control_open: false,
            remote_media: None,
            remote_report: None,
            judge: Judge::default(),
            path_up: false,
            restarted: None,
            found: None,
            hopeless: false,
            obstacle: None,
            held: VecDeque::new(),
        }
    }

    pub(crate) fn act(&self, action: TransportAction) -> Output {
        Output::Transport { generation: self.generation, action }
    }

    /// A candidate (or their end) that may be sent now. While a description is being made it is held, because it belongs
    /// to that description and the other can do nothing with it before.
    pub(crate) fn trickle(&mut self, body: Body) -> Option<Body> {
        if !self.step.holds_candidates() {
            return Some(body);
        }
        if self.held.len() < Self::MAX_HELD {
            self.held.push_back(body);
        }
        None
    }

    /// Our description is out, or there will be none: what was held may follow.
    pub(crate) fn release_held(&mut self) -> VecDeque<Body> {
        std::mem::take(&mut self.held)
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
