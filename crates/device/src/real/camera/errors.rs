//! What a person can do about a camera that fails. nokhwa passes the system's words on and no code, so the words are
//! what there is: `strerror`'s on Linux, HRESULTs on Windows.

use nokhwa::NokhwaError;

use crate::error::DeviceError;

fn says(error: &NokhwaError, words: &[&str]) -> bool {
    let text = error.to_string().to_lowercase();
    words.iter().any(|word| text.contains(word))
}

pub(super) fn is_busy(error: &NokhwaError) -> bool {
    says(error, &["os error 16", "busy", "in use", "0xc00d3ea3", "hardware mft failed"])
}

fn is_refused(error: &NokhwaError) -> bool {
    says(error, &["os error 13", "os error 1)", "permission", "access is denied", "0x80070005", "not authorized"])
}

fn is_missing(error: &NokhwaError) -> bool {
    says(
        error,
        &["os error 19", "os error 6)", "os error 2)", "no such device", "no such file", "0xc00d3e85", "not found"],
    )
}

/// Another format won't help against another program, a lock or an empty socket.
pub(super) fn is_final(error: &NokhwaError) -> bool {
    is_busy(error) || is_refused(error) || is_missing(error)
}

/// For a camera that can't be opened.
pub(super) fn classify(name: &str, error: &NokhwaError) -> DeviceError {
    let name = name.to_owned();
    if is_busy(error) {
        DeviceError::Busy { name }
    } else if is_refused(error) {
        DeviceError::Refused { name }
    } else if is_missing(error) {
        DeviceError::NotFound { name }
    } else {
        DeviceError::Failed { name, reason: error.to_string() }
    }
}

/// A camera that ran and then failed has gone, as far as anybody can do something about it.
pub(super) fn lost(name: &str, error: &NokhwaError) -> DeviceError {
    tracing::warn!(camera = name, %error, "a camera was lost");
    DeviceError::Gone { name: name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &str) -> DeviceError {
        classify("Cam", &NokhwaError::OpenDeviceError("0".to_owned(), words.to_owned()))
    }

    #[test]
    fn failures_are_told_apart_by_what_can_be_done() {
        let name = || "Cam".to_owned();
        assert_eq!(told("V4L2 Error: Device or resource busy (os error 16)"), DeviceError::Busy { name: name() });
        assert_eq!(told("V4L2 Error: Permission denied (os error 13)"), DeviceError::Refused { name: name() });
        assert_eq!(told("V4L2 Error: No such device (os error 19)"), DeviceError::NotFound { name: name() });
        assert!(matches!(told("V4L2 Error: Invalid argument (os error 22)"), DeviceError::Failed { .. }));
    }
}
