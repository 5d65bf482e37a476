//! What can go wrong with a device, told apart by what a person can do about it.

/// A device couldn't be opened, or failed while it ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// There is no device of this kind at all.
    #[error("no {kind} was found")]
    None {
        /// "camera", "microphone" or "speaker".
        kind: &'static str,
    },
    /// The device that was chosen isn't there.
    #[error("{name} isn't connected")]
    NotFound {
        /// The device as it was named.
        name: String,
    },
    /// Another program uses it.
    #[error("{name} is used by another app")]
    Busy {
        /// The device.
        name: String,
    },
    /// The system refuses it to this program.
    #[error("the system is blocking {name}")]
    Refused {
        /// The device.
        name: String,
    },
    /// It was there and has gone.
    #[error("{name} was disconnected")]
    Gone {
        /// The device.
        name: String,
    },
    /// A file that stands in for a device can't be used.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Anything else, in the words of the system.
    #[error("{name} failed: {reason}")]
    Failed {
        /// The device.
        name: String,
        /// The system's words.
        reason: String,
    },
}
