//! Microphone → Opus → transport, and transport → playout buffer → Opus → speaker: one future, one thread, one clock.
//!
//! Both directions turn on the same tick, because the echo canceller needs what is played beside what is heard.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use visavis_device::{DeviceError, Microphone, MicrophoneChoice, Speaker, SpeakerChoice};
use visavis_dsp::SoundProcessing;
use visavis_transport::{MediaSender, PacketSource};

use crate::audio_in::AudioIn;
use crate::audio_out::AudioOut;
use crate::counters::Counters;
use crate::devices::DeviceOpener;
use crate::event::DeviceReport;
use crate::host::Host;
use crate::processing::Processing;

/// How often the devices are looked after: half a block.
const TICK: Duration = Duration::from_millis(5);
/// A device that failed is tried again this often.
const REOPEN: Duration = Duration::from_secs(2);

/// What the engine tells this side.
pub(crate) enum AudioCommand {
    /// The microphone to use from now on; `None` closes it.
    Microphone(Option<MicrophoneChoice>),
    /// The speaker to use from now on; `None` closes it.
    Speaker(Option<SpeakerChoice>),
    /// Whether what the microphone hears is sent.
    Mute(bool),
    /// How what it hears is processed.
    Process(SoundProcessing),
    /// A connection is there: its sound comes from here.
    Receive(PacketSource),
    /// The call is up: send here.
    Send(MediaSender),
    /// The call is no longer up.
    Stop,
}

/// A device that is wanted: open, or to be tried again at some time.
struct Wanted<C, D: ?Sized> {
    choice: Option<C>,
    device: Option<Box<D>>,
    opening: Option<oneshot::Receiver<Opened<D>>>,
    ticks_to_retry: u32,
}

/// What came of opening a device; `Ok(None)`: the choice is to have none.
type Opened<D> = Result<Option<Box<D>>, DeviceError>;

/// What a look at a device that is being opened gave.
enum Look<D: ?Sized> {
    /// Nothing new.
    Nothing,
    /// It is open, or won't be.
    Done(Opened<D>),
    /// The one who opened it didn't live to tell.
    Panicked,
}

impl<C, D: ?Sized> Default for Wanted<C, D> {
    fn default() -> Self {
        Self { choice: None, device: None, opening: None, ticks_to_retry: 0 }
    }
}

impl<C: Clone + Send + 'static, D: ?Sized + Send + 'static> Wanted<C, D> {
    fn want(&mut self, choice: Option<C>) {
        *self = Self { choice, ..Self::default() };
    }

    /// Starts opening when it is time for that. Opening may take seconds, so it happens elsewhere; a result that nobody
    /// waits for any more is dropped, and the device with it.
    fn open_if_due(&mut self, host: &Host, name: &'static str, open: fn(&dyn DeviceOpener, &C) -> Opened<D>) {
        if self.device.is_some() || self.opening.is_some() {
            return;
        }
        let Some(choice) = self.choice.clone() else { return };
        if self.ticks_to_retry > 0 {
            self.ticks_to_retry -= 1;
            return;
        }
        self.ticks_to_retry = u32::try_from(REOPEN.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX);
        let devices = host.devices();
        self.opening = Some(host.blocking(name, move || open(devices.as_ref(), &choice)));
    }

    fn look(&mut self) -> Look<D> {
        let Some(opening) = &mut self.opening else { return Look::Nothing };
        let look = match opening.try_recv() {
            Ok(None) => return Look::Nothing,
            Ok(Some(opened)) => Look::Done(opened),
            Err(oneshot::Canceled) => Look::Panicked,
        };
        self.opening = None;
        look
    }
}

pub(crate) struct Audio {
    pub(crate) host: Host,
    pub(crate) counters: Arc<Counters>,
    pub(crate) reports: mpsc::UnboundedSender<DeviceReport>,
    pub(crate) packets: Option<PacketSource>,
    pub(crate) output: AudioOut,
    pub(crate) input: AudioIn,
    pub(crate) processing: Processing,
}

#[derive(Default)]
struct DevicesInUse {
    microphone: Wanted<MicrophoneChoice, dyn Microphone>,
    speaker: Wanted<SpeakerChoice, dyn Speaker>,
}

impl Audio {
    /// Runs until the commands end.
    pub(crate) async fn run(mut self, mut commands: mpsc::UnboundedReceiver<AudioCommand>) {
        let mut devices = DevicesInUse::default();
        let mut next = self.host.now();
        loop {
            loop {
                match commands.try_recv() {
                    Ok(command) => self.on_command(&mut devices, command),
                    Err(mpsc::TryRecvError::Closed) => return,
                    Err(mpsc::TryRecvError::Empty) => break,
                }
            }
            self.open_what_is_due(&mut devices);
            self.tick(&mut devices);
            // After a stall, go on from here: catching up tick by tick would only be busy.
            next = (next + TICK).max(self.host.now());
            self.host.sleep_until(next).await;
        }
    }

    fn on_command(&mut self, devices: &mut DevicesInUse, command: AudioCommand) {
        match command {
            AudioCommand::Microphone(choice) => {
                if choice.is_none() {
                    self.report(DeviceReport::Microphone(None));
                }
                self.processing.heard_from(choice.as_ref());
                devices.microphone.want(choice);
            }
            AudioCommand::Speaker(choice) => {
                if choice.is_none() {
                    self.report(DeviceReport::Speaker(None));
                }
                devices.speaker.want(choice);
            }
            AudioCommand::Mute(muted) => self.output.mute(muted),
            AudioCommand::Process(processing) => self.processing.set(processing),
            AudioCommand::Receive(packets) => {
                self.packets = Some(packets);
                self.input.restart();
            }
            AudioCommand::Send(to) => self.output.send_to(Some(to)),
            AudioCommand::Stop => self.output.send_to(None),
        }
    }

    fn open_what_is_due(&mut self, devices: &mut DevicesInUse) {
        devices.microphone.open_if_due(&self.host, "microphone-open", |from, choice| from.microphone(choice));
        match devices.microphone.look() {
            Look::Nothing => {}
            Look::Done(Ok(Some(device))) => self.use_microphone(devices, device),
            Look::Done(Ok(None)) => self.on_command(devices, AudioCommand::Microphone(None)),
            Look::Done(Err(error)) => self.report(DeviceReport::microphone_failed(error)),
            Look::Panicked => self.report(DeviceReport::panicked("microphone")),
        }
        devices.speaker.open_if_due(&self.host, "speaker-open", |from, choice| from.speaker(choice));
        match devices.speaker.look() {
            Look::Nothing => {}
            Look::Done(Ok(Some(device))) => self.use_speaker(devices, device),
            Look::Done(Ok(None)) => self.on_command(devices, AudioCommand::Speaker(None)),
            Look::Done(Err(error)) => self.report(DeviceReport::speaker_failed(error)),
            Look::Panicked => self.report(DeviceReport::panicked("speaker")),
        }
    }

    fn use_microphone(&mut self, devices: &mut DevicesInUse, device: Box<dyn Microphone>) {
        match self.output.source(self.host.media_now(), device.rate_hz()) {
            Ok(()) => {
                self.report(DeviceReport::Microphone(Some(device.name().to_owned())));
                devices.microphone.device = Some(device);
            }
            Err(error) => self.report(DeviceReport::Failed { what: "microphone", reason: error.to_string() }),
        }
    }

    fn use_speaker(&mut self, devices: &mut DevicesInUse, device: Box<dyn Speaker>) {
        let rate_hz = device.rate_hz();
        match self.input.drain_to(rate_hz).and_then(|()| self.processing.played_by(rate_hz)) {
            Ok(()) => {
                self.report(DeviceReport::Speaker(Some(device.name().to_owned())));
                devices.speaker.device = Some(device);
            }
            Err(error) => self.report(DeviceReport::Failed { what: "speaker", reason: error.to_string() }),
        }
    }

    fn tick(&mut self, devices: &mut DevicesInUse) {
        while let Some(packet) = self.packets.as_mut().and_then(PacketSource::try_recv) {
            self.input.insert(packet.arrival, packet.packet);
        }
        if let Err(error) = self.play(devices) {
            devices.speaker.device = None;
            self.report(DeviceReport::speaker_failed(error));
        }
        if let Some(microphone) = &mut devices.microphone.device
            && let Err(error) =
                self.output.hear(self.host.media_now(), microphone.as_mut(), &mut self.processing, &self.counters)
        {
            devices.microphone.device = None;
            self.report(DeviceReport::microphone_failed(error));
        }
        self.counters.playout(self.input.stats());
    }

    fn play(&mut self, devices: &mut DevicesInUse) -> Result<(), DeviceError> {
        let now = self.host.now();
        match &mut devices.speaker.device {
            Some(speaker) => {
                let wanted = speaker.wanted(self.host.media_now())?;
                let samples = self.input.take(now, speaker.queued(), wanted);
                speaker.write(samples);
                self.processing.played(samples, speaker.queued());
            }
            // Without a speaker the buffer must not fill up, and a recorder still wants the sound.
            None => {
                self.input.discard(now, TICK);
                self.processing.nothing_played(TICK);
            }
        }
        Ok(())
    }

    fn report(&self, report: DeviceReport) {
        // The engine's loop may have ended already.
        let _ = self.reports.unbounded_send(report);
    }
}
