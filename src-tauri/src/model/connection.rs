//! What the engine says of the two connections, in words for the one who waits for them.

use visavis_engine::call;
use visavis_engine::{Path, PathEnd};

use super::devices::sentence;
use super::{Changed, Model};
use crate::view::{CallPhase, ConnectionView, PathKind, PathView, PeerState, ServerKind, Side, SignalingState};

/// The code of the notice that the server is gone.
const SERVER: &str = "server";

/// The code of the notice that something keeps the two apart.
pub(super) const PATH: &str = "path";

/// No connection.
pub(super) const fn over(peer: PeerState) -> ConnectionView {
    ConnectionView {
        signaling: SignalingState::Offline,
        problem: None,
        peer,
        path: None,
        relay_only: false,
        by_server: false,
    }
}

impl Model {
    pub(super) fn on_signaling(&mut self, state: &call::SignalingState) -> Changed {
        (self.connection.signaling, self.connection.problem) = match state {
            call::SignalingState::Connecting => (SignalingState::Connecting, None),
            call::SignalingState::Online => (SignalingState::Online, None),
            call::SignalingState::Offline { reason } => {
                (SignalingState::Connecting, Some(format!("The server can't be reached: {}.", plain(reason))))
            }
        };
        let notices = self.mention_server(state);
        // The server's silence is often noticed later than the other side's, or passes sooner.
        let known = self.side();
        if let CallPhase::Reconnecting { side, .. } = &mut self.call.phase
            && *side != known
        {
            *side = known;
            return Changed { call: true, ..Changed::CONNECTION };
        }
        Changed { call: notices, ..Changed::CONNECTION }
    }

    pub(super) fn on_obstacle(&mut self, obstacle: Option<&call::Obstacle>) -> Changed {
        match obstacle {
            Some(obstacle) => self.notice(PATH, obstacle.to_string(), None),
            None => self.withdraw(PATH),
        }
        Changed::CALL
    }

    /// In a call the server is no longer needed for what one sees and hears: that has to be said with its absence.
    fn mention_server(&mut self, state: &call::SignalingState) -> bool {
        let in_call = matches!(
            self.call.phase,
            CallPhase::Connecting { .. } | CallPhase::Connected { .. } | CallPhase::Reconnecting { .. }
        );
        match state {
            call::SignalingState::Online => self.withdraw(SERVER),
            call::SignalingState::Offline { reason } if in_call => {
                let text = format!("Signalling server unreachable; your call goes on. {}.", sentence(plain(reason)));
                self.notice(SERVER, text, None);
            }
            call::SignalingState::Offline { .. } | call::SignalingState::Connecting => return false,
        }
        true
    }

    /// Whose connection it is that dropped.
    pub(super) const fn side(&self) -> Side {
        match self.connection.signaling {
            // The server went with the app of whoever started the call: that says nothing of a network.
            _ if !matches!(self.reach, ServerKind::Custom) => Side::Unknown,
            SignalingState::Online => Side::Unknown,
            // Without a way to the server either, it is this machine that has no network.
            SignalingState::Offline | SignalingState::Connecting => Side::Local,
        }
    }
}

fn plain(reason: &str) -> &str {
    reason.trim_end_matches('.')
}

pub(super) const fn peer_state(state: call::PeerState) -> PeerState {
    match state {
        call::PeerState::New => PeerState::New,
        call::PeerState::Connecting => PeerState::Connecting,
        call::PeerState::Connected => PeerState::Connected,
        call::PeerState::Disconnected => PeerState::Disconnected,
        call::PeerState::Failed => PeerState::Failed,
        call::PeerState::Closed => PeerState::Closed,
    }
}

pub(super) fn path_view(path: &Path) -> PathView {
    let end = |end: &PathEnd| {
        if end.address.contains(':') {
            format!("[{}]:{}", end.address, end.port)
        } else {
            format!("{}:{}", end.address, end.port)
        }
    };
    PathView {
        kind: if path.is_relayed() { PathKind::Relay } else { PathKind::Direct },
        local: end(&path.local),
        remote: end(&path.remote),
        protocol: path.local.protocol.clone(),
    }
}
