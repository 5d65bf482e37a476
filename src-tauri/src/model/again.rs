//! What can follow a call that is over, and another one with the same other.

use visavis_engine::call::{Again, MediaState};

use super::{Changed, Model};
use crate::view::{AgainView, CallPhase, ConnectionView, LocalView, SignalingState};

impl Model {
    /// What can follow, once the call is over.
    #[must_use]
    pub const fn again(&self) -> AgainView {
        match &self.call.phase {
            CallPhase::Ended { again, .. } => *again,
            CallPhase::Idle
            | CallPhase::Preparing
            | CallPhase::Waiting { .. }
            | CallPhase::Joining { .. }
            | CallPhase::Connecting { .. }
            | CallPhase::Connected { .. }
            | CallPhase::Reconnecting { .. } => AgainView::No,
        }
    }

    pub(super) fn on_again(&mut self, stands: Again) -> Changed {
        let CallPhase::Ended { again, .. } = &mut self.call.phase else { return Changed::NOTHING };
        *again = match stands {
            Again::Possible => AgainView::Ready,
            Again::Asked => AgainView::Asked,
            Again::Awaited => AgainView::Awaited,
            Again::Over => AgainView::No,
        };
        Changed::CALL
    }

    /// The two call one another again.
    pub(super) fn begin_again(&mut self) -> Changed {
        if self.again() == AgainView::No {
            return Changed::NOTHING;
        }
        let LocalView { microphone, camera, .. } = self.call.local;
        let ConnectionView { relay_only, by_server, .. } = self.connection;
        self.begin(None, MediaState { microphone, camera }, self.reach);
        self.set_confidants(relay_only, by_server);
        self.connection.signaling = SignalingState::Online;
        self.met_before = true;
        self.call.phase = CallPhase::Connecting { code: String::new() };
        Changed::ALL
    }
}
