//! Exit codes that mean something. They are part of the interface: scripts branch on them.

use std::io::Write;
use std::process::ExitCode;

use visavis_engine::call::CloseReason;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// The call took place, or there was nothing to go wrong.
    Done = 0,
    /// Something inside failed.
    Failed = 1,
    // 2 is clap's, for wrong arguments.
    /// The server wasn't there, or said no.
    Server = 3,
    /// The code led nowhere: nobody waits there, two are there already, nobody answered, or its words are others.
    Code = 4,
    /// Both were there, but no path between them was found, or it was lost.
    Path = 5,
    /// Nobody came.
    Nobody = 6,
    /// Somebody was in the way: wrong words until the code was burnt, or a message or certificate that isn't the other side's.
    Attacked = 7,
}

impl Exit {
    /// Says why, and gives the code.
    pub(crate) fn because(self, reason: &str) -> ExitCode {
        // With standard error gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "visavis-cli: {reason}");
        self.into()
    }

    /// What the end of a call means for a script. `met`: the call had been up.
    pub(crate) fn of(reason: &CloseReason, met: bool) -> Self {
        match reason {
            CloseReason::HungUp if !met => Self::Nobody,
            CloseReason::HungUp | CloseReason::PeerHungUp => Self::Done,
            CloseReason::PeerLost | CloseReason::NoPath { .. } => Self::Path,
            CloseReason::NoSuchRoom { .. }
            | CloseReason::NobodyNear { .. }
            | CloseReason::RoomFull
            | CloseReason::NoAnswer
            | CloseReason::Dismissed
            | CloseReason::WrongWords => Self::Code,
            CloseReason::Burnt | CloseReason::Tampered { .. } | CloseReason::WrongCertificate => Self::Attacked,
            CloseReason::Expired => Self::Nobody,
            CloseReason::ServerUnreachable { .. } | CloseReason::ServerRefused { .. } => Self::Server,
            CloseReason::BadMessage { .. } | CloseReason::TransportFailed { .. } => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
