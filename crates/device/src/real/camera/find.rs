//! Which cameras there are, what to call them, and which one is meant.

use nokhwa::utils::{ApiBackend, CameraInfo};
use nokhwa::{NokhwaError, query};

use super::errors::classify;
use crate::error::DeviceError;
use crate::list::DeviceInfo;

fn cameras() -> Result<Vec<CameraInfo>, NokhwaError> {
    let mut found = query(ApiBackend::Auto)?;
    found.retain(takes_pictures);
    found.sort_by_key(|info| info.index().as_index().unwrap_or(u32::MAX));
    Ok(found)
}

/// A USB camera has a second device on Linux, for metadata only; the first is index 0 of its kind.
#[cfg(target_os = "linux")]
fn takes_pictures(info: &CameraInfo) -> bool {
    let path = format!("/sys/class/video4linux/video{}/index", info.index());
    std::fs::read_to_string(path).map_or(true, |index| index.trim() == "0")
}

#[cfg(not(target_os = "linux"))]
fn takes_pictures(_: &CameraInfo) -> bool {
    true
}

/// What to keep in settings: the system's own id where nokhwa gives one, and the name otherwise, since numbers change
/// with every plug.
fn id(info: &CameraInfo) -> String {
    if cfg!(target_os = "linux") || info.misc().is_empty() { info.human_name() } else { info.misc() }
}

pub(super) fn find(name: Option<&str>) -> Result<CameraInfo, DeviceError> {
    let found = cameras().map_err(|why| classify("the camera", &why))?;
    let Some(name) = name else {
        return found.into_iter().next().ok_or(DeviceError::None { kind: "camera" });
    };
    let number = name.strip_prefix("/dev/video").unwrap_or(name);
    let is_it = |info: &CameraInfo| id(info) == name || info.human_name() == name || info.index().as_string() == number;
    found.into_iter().find(is_it).ok_or_else(|| DeviceError::NotFound { name: name.to_owned() })
}

/// All cameras; the first is the one that `default` means.
pub(crate) fn list() -> Result<Vec<DeviceInfo>, String> {
    let found = cameras().map_err(|why| why.to_string())?;
    let mut listed: Vec<DeviceInfo> = Vec::with_capacity(found.len());
    for info in &found {
        let (mut id, mut name) = (id(info), info.human_name());
        // Two webcams of one make have one name: the second is told apart by its number.
        if listed.iter().any(|other| other.id == id) {
            let number = info.index().as_string();
            name = format!("{name} ({number})");
            id = if cfg!(target_os = "linux") { format!("/dev/video{number}") } else { number };
        }
        listed.push(DeviceInfo { id, name, is_default: listed.is_empty() });
    }
    Ok(listed)
}
