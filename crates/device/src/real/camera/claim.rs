//! Who in this program has which camera. The system would say "busy" for our own capture thread as for another program,
//! and a thread that is told to stop needs until its driver's next picture: whoever opens the camera again waits for it.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

static CLAIMED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static RELEASED: Condvar = Condvar::new();

/// The right to open a camera, given back when dropped.
#[derive(Debug)]
pub(super) struct Claim(String);

impl Claim {
    /// Waits for so long, at most, until no other part of this program has the camera.
    pub(super) fn take(camera: &str, patience: Duration) -> Option<Self> {
        let claimed = CLAIMED.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = RELEASED.wait_timeout_while(claimed, patience, |claimed| claimed.contains(camera));
        let (mut claimed, _) = waited.unwrap_or_else(PoisonError::into_inner);
        claimed.insert(camera.to_owned()).then(|| Self(camera.to_owned()))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        CLAIMED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
        RELEASED.notify_all();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_camera_is_had_once_at_a_time() {
        let first = Claim::take("test camera", Duration::ZERO).unwrap();
        assert!(Claim::take("test camera", Duration::from_millis(1)).is_none());
        assert!(Claim::take("another test camera", Duration::ZERO).is_some());
        let waiting = std::thread::spawn(|| Claim::take("test camera", Duration::from_secs(60)));
        drop(first);
        let second = waiting.join().unwrap().unwrap();
        assert!(Claim::take("test camera", Duration::ZERO).is_none());
        drop(second);
    }
}
