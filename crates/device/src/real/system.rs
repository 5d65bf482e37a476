//! Which sound device a choice means, at this moment.
//!
//! | choice | means | when that isn't there |
//! | --- | --- | --- |
//! | the default | what the system calls its default, and follows it | nothing |
//! | a name or an id | that device | the default stands in until it is back |
//!
//! A stand-in is better than silence, and going back by itself is what a headset's owner expects who plugs it in again.
//! What a speaker plays is no microphone: PulseAudio calls a monitor its default source when nothing else is left, and the
//! other side would hear itself.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{Device, DeviceId, Host};

use super::alsa;
use crate::error::DeviceError;
use crate::list::DeviceInfo;

/// A connection to the sound server, kept for questions: cpal's client leaves a thread and a socket behind that end only
/// when the server has something to say to them.
static ASKING: Mutex<Option<Arc<Host>>> = Mutex::new(None);
/// Connections whose stream has ended, kept for the next one for the same reason.
static SPARE: Mutex<Vec<Host>> = Mutex::new(Vec::new());

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Input,
    Output,
}

impl Direction {
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::Input => "microphone",
            Self::Output => "speaker",
        }
    }
}

/// The device that a choice means.
pub(super) struct Target {
    pub(super) device: Device,
    pub(super) id: Option<DeviceId>,
    pub(super) name: String,
    /// It isn't the one that was named.
    pub(super) stands_in: bool,
}

impl Target {
    fn new(device: Device, stands_in: bool) -> Self {
        Self { id: device.id().ok(), name: device_name(&device), device, stands_in }
    }
}

/// The system's sound, its sound server where one answers. May block for seconds.
fn new_host() -> Host {
    alsa::silence();
    cpal::default_host()
}

fn is_server(host: &Host) -> bool {
    host.id().name() == "PulseAudio"
}

/// The same for one stream, on a connection of its own: cpal's client plays nothing when it has two streams at a time.
pub(super) struct OwnHost(Host);

impl OwnHost {
    pub(super) fn take() -> Self {
        let spare = || SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Those of a server that is gone are of no use.
        let answering = std::iter::from_fn(spare).find(|host| host.devices().is_ok());
        Self(answering.unwrap_or_else(new_host))
    }

    /// The stream has ended.
    pub(super) fn put_back(self) {
        if is_server(&self.0) {
            SPARE.lock().unwrap_or_else(PoisonError::into_inner).push(self.0);
        }
    }
}

impl Deref for OwnHost {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.0
    }
}

/// The same, for questions only.
fn host() -> Arc<Host> {
    let kept = ASKING.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(host) = kept.filter(|host| host.devices().is_ok()) {
        return host;
    }
    let host = Arc::new(new_host());
    let server = is_server(&host).then(|| Arc::clone(&host));
    *ASKING.lock().unwrap_or_else(PoisonError::into_inner) = server;
    host
}

/// What `wish`, an id or a name, means now; `None` is the default.
pub(super) fn target(host: &Host, direction: Direction, wish: Option<&str>) -> Result<Target, DeviceError> {
    let Some(name) = wish else {
        let missing = DeviceError::None { kind: direction.kind() };
        return default(host, direction).map(|device| Target::new(device, false)).ok_or(missing);
    };
    if let Some(device) = named(host, direction, name) {
        return Ok(Target::new(device, false));
    }
    let missing = DeviceError::NotFound { name: name.to_owned() };
    default(host, direction).map(|device| Target::new(device, true)).ok_or(missing)
}

/// Whether `wish` now means another device than the one that was opened. The stream's own connection isn't asked: cpal's
/// client answers no question while samples come in faster than it reads them, and that is when a device has gone.
pub(super) fn has_changed(direction: Direction, wish: Option<&str>, opened: &DeviceId) -> bool {
    let host = host();
    if host.id() != opened.host() {
        // A sound server has come or gone; a device that was chosen beside it by its id is still meant.
        return wish.and_then(|wish| wish.parse().ok()).as_ref() != Some(opened);
    }
    // Listing ALSA's devices opens them, so they aren't looked at.
    let is_alsa = opened.host().name() == "ALSA";
    !is_alsa && target(&host, direction, wish).map_or(true, |target| target.id.as_ref() != Some(opened))
}

fn default(host: &Host, direction: Direction) -> Option<Device> {
    let device = match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    };
    device.filter(|device| device.id().is_ok_and(|id| !is_monitor(&id, direction)))
}

fn named(host: &Host, direction: Direction, name: &str) -> Option<Device> {
    let id = name.parse::<DeviceId>().ok();
    let fits = |device: &Device| {
        let own = device.id().ok();
        (id.is_some() && own == id) || device_name(device) == name || own.is_some_and(|own| own.id() == name)
    };
    let other_host = || {
        let id = id.as_ref().filter(|id| id.host() != host.id())?;
        cpal::host_from_id(id.host()).ok()?.device_by_id(id)
    };
    devices(host, direction).into_iter().find(fits).or_else(other_host)
}

fn devices(host: &Host, direction: Direction) -> Vec<Device> {
    let found = match direction {
        Direction::Input => host.input_devices().map(Iterator::collect),
        Direction::Output => host.output_devices().map(Iterator::collect),
    };
    found.unwrap_or_default()
}

fn device_name(device: &Device) -> String {
    device.description().map_or_else(|_| device.to_string(), |description| description.name().to_owned())
}

/// All microphones, then all speakers.
pub(crate) fn list() -> Result<(Vec<DeviceInfo>, Vec<DeviceInfo>), String> {
    let host = host();
    Ok((list_direction(&host, Direction::Input), list_direction(&host, Direction::Output)))
}

fn list_direction(host: &Host, direction: Direction) -> Vec<DeviceInfo> {
    let preset = default(host, direction).and_then(|device| device.id().ok());
    let info = |device: Device| {
        let id = device.id().ok()?;
        let is_default = preset.as_ref() == Some(&id);
        is_for_people(&id, direction).then(|| DeviceInfo { id: id.to_string(), name: device_name(&device), is_default })
    };
    devices(host, direction).into_iter().filter_map(info).collect()
}

/// Whether a device belongs in a list to choose from: of ALSA's plugins, those that reach a card with any rate and format
/// are enough.
fn is_for_people(id: &DeviceId, direction: Direction) -> bool {
    let is_alsa = id.host().name() == "ALSA";
    let is_card = id.id() == "default" || id.id().starts_with("plughw:");
    !is_monitor(id, direction) && (is_card || !is_alsa)
}

fn is_monitor(id: &DeviceId, direction: Direction) -> bool {
    direction == Direction::Input && id.id().ends_with(".monitor")
}
