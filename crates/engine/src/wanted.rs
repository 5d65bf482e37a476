//! A sound device that is wanted: open, being opened, or to be tried again.
//!
//! A device that is replaced plays on until the new one is open, so that a change of devices is no pause. One that is lost
//! is tried again at once, then less and less often; after a good while everything is forgiven.

use std::time::{Duration, Instant};

use futures::channel::oneshot;
use visavis_device::DeviceError;

use crate::devices::DeviceOpener;
use crate::host::Host;

/// Between the first two attempts to open a device; each later pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A device that was in use for so long is tried at once when it is lost.
const GOOD_WHILE: Duration = Duration::from_secs(3);

/// What came of opening a device; `Ok(None)`: the choice is to have none.
pub(crate) type Opened<D> = Result<Option<Box<D>>, DeviceError>;

/// What a look at a device that is being opened gave.
pub(crate) enum Look<D: ?Sized> {
    /// Nothing new.
    Nothing,
    /// It is open, or won't be.
    Done(Opened<D>),
    /// The one who opened it didn't live to tell.
    Panicked,
}

/// One device, as it was chosen and as it is.
pub(crate) struct Wanted<C, D: ?Sized> {
    choice: Option<C>,
    device: Option<Box<D>>,
    opening: Option<oneshot::Receiver<Opened<D>>>,
    /// The device in use isn't what is wanted any more.
    replace: bool,
    not_before: Option<Instant>,
    pause: Duration,
    in_use_since: Option<Instant>,
    /// What was last said of it, so that each attempt doesn't say it again.
    told: Option<DeviceError>,
}

impl<C, D: ?Sized> Default for Wanted<C, D> {
    fn default() -> Self {
        Self {
            choice: None,
            device: None,
            opening: None,
            replace: false,
            not_before: None,
            pause: FIRST_PAUSE,
            in_use_since: None,
            told: None,
        }
    }
}

impl<C: Clone + Send + 'static, D: ?Sized + Send + 'static> Wanted<C, D> {
    /// Uses what `choice` means from now on; `None` closes the device.
    pub(crate) fn want(&mut self, choice: Option<C>) {
        let device = self.device.take().filter(|_| choice.is_some());
        *self = Self { choice, replace: device.is_some(), device, ..Self::default() };
    }

    /// The device in use.
    pub(crate) fn device(&mut self) -> Option<&mut D> {
        self.device.as_deref_mut()
    }

    /// Starts opening when it is time for that. Opening may take seconds, so it happens elsewhere; a result that nobody
    /// waits for any more is dropped, and the device with it.
    pub(crate) fn open_if_due(
        &mut self,
        host: &Host,
        name: &'static str,
        outdated: fn(&D) -> bool,
        open: fn(&dyn DeviceOpener, &C) -> Opened<D>,
    ) {
        let now = host.now();
        if self.in_use_since.is_some_and(|since| now.saturating_duration_since(since) >= GOOD_WHILE) {
            (self.pause, self.not_before) = (FIRST_PAUSE, None);
        }
        let is_right = self.device.as_deref().is_some_and(|device| !self.replace && !outdated(device));
        if is_right || self.opening.is_some() || self.not_before.is_some_and(|then| now < then) {
            return;
        }
        let Some(choice) = self.choice.clone() else { return };
        self.not_before = Some(now + self.pause);
        self.pause = (2 * self.pause).min(LONGEST_PAUSE);
        let devices = host.devices();
        self.opening = Some(host.blocking(name, move || open(devices.as_ref(), &choice)));
    }

    /// What has become of opening it.
    pub(crate) fn look(&mut self) -> Look<D> {
        let Some(opening) = &mut self.opening else { return Look::Nothing };
        let look = match opening.try_recv() {
            Ok(None) => return Look::Nothing,
            Ok(Some(opened)) => Look::Done(opened),
            Err(oneshot::Canceled) => Look::Panicked,
        };
        self.opening = None;
        look
    }

    /// Uses this device instead of the one before.
    pub(crate) fn adopt(&mut self, now: Instant, device: Box<D>) {
        self.device = Some(device);
        (self.replace, self.in_use_since, self.told) = (false, Some(now), None);
    }

    /// The device has failed, or couldn't be opened. Whether that is news.
    pub(crate) fn lose(&mut self, why: &DeviceError) -> bool {
        (self.device, self.replace, self.in_use_since) = (None, false, None);
        let news = self.told.as_ref() != Some(why);
        self.told = Some(why.clone());
        news
    }

    /// Closes the device, and waits for one that is being opened so as to close that too.
    pub(crate) async fn close(&mut self) {
        self.device = None;
        if let Some(opening) = self.opening.take() {
            drop(opening.await);
        }
    }
}
