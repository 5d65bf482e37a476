//! What is plugged in. Asking must never hang or take the program down, whatever a driver does: each kind is asked on a
//! thread of its own and given a deadline, and a panic there is a problem to report like any other.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::real;

/// How long one kind of device may take to answer. Sound servers that don't answer take cpal two seconds each.
const LISTING_TIMEOUT: Duration = Duration::from_secs(6);

/// A device that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What to keep in settings; parses as a choice.
    pub id: String,
    /// What to show people.
    pub name: String,
    /// The system's default of its kind.
    pub is_default: bool,
}

/// Everything that can be chosen now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceList {
    /// Cameras.
    pub cameras: Vec<DeviceInfo>,
    /// Microphones.
    pub microphones: Vec<DeviceInfo>,
    /// Speakers.
    pub speakers: Vec<DeviceInfo>,
    /// What couldn't be asked, in words for people.
    pub problems: Vec<String>,
}

/// Lists what is plugged in. Takes some seconds at worst; a machine with no devices gives an empty list.
#[must_use]
pub fn list_devices() -> DeviceList {
    let mut list = DeviceList::default();
    let cameras = ask("cameras", real::list_cameras);
    let sound = ask("sound devices", real::list_sound);
    match answer("cameras", &cameras) {
        Ok(found) => list.cameras = found,
        Err(problem) => list.problems.push(problem),
    }
    match answer("sound devices", &sound) {
        Ok((microphones, speakers)) => {
            list.microphones = microphones;
            list.speakers = speakers;
        }
        Err(problem) => list.problems.push(problem),
    }
    list
}

fn ask<T: Send + 'static>(
    what: &'static str,
    question: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> mpsc::Receiver<Result<T, String>> {
    let (sender, receiver) = mpsc::channel();
    let spawned = thread::Builder::new().name(format!("list {what}")).spawn(move || {
        // Nobody listens any more when the deadline has passed.
        let _ = sender.send(question());
    });
    drop(spawned);
    receiver
}

fn answer<T>(what: &str, receiver: &mpsc::Receiver<Result<T, String>>) -> Result<T, String> {
    match receiver.recv_timeout(LISTING_TIMEOUT) {
        Ok(found) => found.map_err(|why| format!("{what}: {why}")),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(format!("{what}: the system didn't answer")),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(format!("{what}: the system's driver failed")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_that_panics_is_a_problem_and_no_more() {
        let asked = ask::<()>("test devices", || std::panic::resume_unwind(Box::new("driver")));
        assert_eq!(answer("test devices", &asked), Err("test devices: the system's driver failed".to_owned()));
    }
}
