//! A peer connection that follows a script: descriptions are names, and a path comes up between two that hold one
//! another's. It refuses what a real one refuses.

use std::time::Duration;

use visavis_call::{Candidate, PeerState, TransportAction, TransportInput};

/// How long each step of a fake peer connection takes.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// A description made or taken.
    pub work: Duration,
    /// From the start of a description's making to its first address.
    pub gather: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { work: Duration::from_millis(10), gather: Duration::from_millis(12) }
    }
}

#[derive(Debug, Default)]
pub struct FakePeer {
    pub generation: u32,
    pub local: Option<String>,
    pub remote: Option<String>,
    /// The offer that waits for its answer.
    offered: Option<String>,
    made: u32,
    /// The other's addresses, in the order in which they came.
    pub candidates: Vec<Candidate>,
    pub up: bool,
    pub control_open: bool,
    /// The next offer of the other side is no good.
    pub refuses_next: bool,
}

/// What follows from an action, and when.
pub type Later = Vec<(Duration, TransportInput)>;

impl FakePeer {
    pub fn new(generation: u32) -> Self {
        Self { generation, ..Self::default() }
    }

    /// Whether the two hold one another's descriptions and can reach one another.
    pub fn fits(&self, other: &Self) -> bool {
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let reachable = !self.candidates.is_empty() || !other.candidates.is_empty();
        same(&self.local, &other.remote) && same(&other.local, &self.remote) && reachable
    }

    pub fn act(&mut self, who: usize, pace: Pace, action: &TransportAction) -> Later {
        match action {
            TransportAction::CreateOffer { ice_restart } => self.create_offer(who, pace, *ice_restart),
            TransportAction::AcceptOffer { sdp, .. } => {
                if self.offered.is_some() {
                    return failed(pace, "an offer of ours waits");
                }
                if std::mem::take(&mut self.refuses_next) {
                    return failed(pace, "no offer that can be used");
                }
                let restarted = self.remote.is_some() && self.remote.as_ref() != Some(sdp);
                self.remote = Some(sdp.clone());
                let answer = self.describe(who, "answer");
                self.local = Some(answer.clone());
                let mut later = self.gathered(who, pace);
                if restarted && std::mem::take(&mut self.up) {
                    later.push((Duration::ZERO, TransportInput::State(PeerState::Connecting)));
                }
                later.push((pace.work, TransportInput::AnswerReady(answer)));
                later
            }
            TransportAction::AcceptAnswer { sdp, .. } => {
                let Some(offer) = self.offered.take() else { return failed(pace, "no offer of ours waits") };
                self.local = Some(offer);
                self.remote = Some(sdp.clone());
                vec![(pace.work, TransportInput::AnswerAccepted)]
            }
            TransportAction::Rollback => {
                self.offered = None;
                Vec::new()
            }
            TransportAction::AddCandidate(candidate) => {
                self.candidates.push(candidate.clone());
                Vec::new()
            }
            TransportAction::Open
            | TransportAction::UseServers(_)
            | TransportAction::SendControl(_)
            | TransportAction::Close => Vec::new(),
        }
    }

    fn create_offer(&mut self, who: usize, pace: Pace, restart: bool) -> Later {
        if self.offered.is_some() {
            return failed(pace, "an offer of ours waits already");
        }
        let offer = self.describe(who, "offer");
        self.offered = Some(offer.clone());
        let mut later = self.gathered(who, pace);
        if restart && std::mem::take(&mut self.up) {
            later.push((Duration::ZERO, TransportInput::State(PeerState::Connecting)));
        }
        if restart {
            self.local = None;
        }
        later.push((pace.work, TransportInput::OfferReady(offer)));
        later
    }

    fn describe(&mut self, who: usize, kind: &str) -> String {
        self.made += 1;
        format!("{kind} {} of {who} in {}", self.made, self.generation)
    }

    fn gathered(&self, who: usize, pace: Pace) -> Later {
        let ufrag = format!("u{}", self.made);
        let address = |n: u16| Candidate {
            candidate: format!("candidate:{n} 1 udp 1 192.0.2.{who} {} typ host", 5000 + n),
            sdp_mid: None,
            sdp_mline_index: Some(0),
            username_fragment: Some(ufrag.clone()),
        };
        vec![
            (pace.gather, TransportInput::Candidate(address(1))),
            (pace.gather * 2, TransportInput::Candidate(address(2))),
            (pace.gather * 3, TransportInput::EndOfCandidates),
        ]
    }
}

fn failed(pace: Pace, reason: &str) -> Later {
    vec![(pace.work, TransportInput::Failed { reason: reason.into() })]
}
