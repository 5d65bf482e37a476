//! Microphone → Opus → transport, and transport → playout buffer → Opus → speaker: one future, one thread, one clock.
//!
//! Both directions turn on the same tick, because the echo canceller needs what is played beside what is heard.

use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use visavis_device::{DeviceError, Microphone, MicrophoneChoice, Speaker, SpeakerChoice};
use visavis_dsp::SoundProcessing;
use visavis_transport::{MediaSender, PacketSource};

use crate::audio_in::AudioIn;
use crate::audio_out::AudioOut;
use crate::counters::Counters;
use crate::event::DeviceReport;
use crate::host::Host;
use crate::processing::Processing;
use crate::wanted::{Look, Wanted};

/// How often the devices are looked after: half a block.
const TICK: Duration = Duration::from_millis(5);

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

pub(crate) struct Audio {
    pub(crate) host: Host,
    pub(crate) counters: Arc<Counters>,
    pub(crate) reports: mpsc::UnboundedSender<DeviceReport>,
    pub(crate) packets: Option<PacketSource>,
    pub(crate) output: AudioOut,
    pub(crate) input: AudioIn,
    pub(crate) processing: Processing,
}

type WantedMicrophone = Wanted<MicrophoneChoice, dyn Microphone>;
type WantedSpeaker = Wanted<SpeakerChoice, dyn Speaker>;

#[derive(Default)]
struct DevicesInUse {
    microphone: WantedMicrophone,
    speaker: WantedSpeaker,
}

impl DevicesInUse {
    async fn close(&mut self) {
        self.microphone.close().await;
        self.speaker.close().await;
    }
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
                    Err(mpsc::TryRecvError::Closed) => return devices.close().await,
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
        let microphone = &mut devices.microphone;
        microphone.open_if_due(
            &self.host,
            "microphone-open",
            |open| open.is_outdated(),
            |from, choice| from.microphone(choice),
        );
        match microphone.look() {
            Look::Nothing => {}
            Look::Done(Ok(Some(device))) => self.use_microphone(microphone, device),
            Look::Done(Ok(None)) => self.on_command(devices, AudioCommand::Microphone(None)),
            Look::Done(Err(error)) => self.lost_microphone(microphone, error),
            Look::Panicked => self.report(DeviceReport::panicked("microphone")),
        }
        let speaker = &mut devices.speaker;
        speaker.open_if_due(&self.host, "speaker-open", |open| open.is_outdated(), |from, choice| from.speaker(choice));
        match speaker.look() {
            Look::Nothing => {}
            Look::Done(Ok(Some(device))) => self.use_speaker(speaker, device),
            Look::Done(Ok(None)) => self.on_command(devices, AudioCommand::Speaker(None)),
            Look::Done(Err(error)) => self.lost_speaker(speaker, error),
            Look::Panicked => self.report(DeviceReport::panicked("speaker")),
        }
    }

    fn use_microphone(&mut self, wanted: &mut WantedMicrophone, device: Box<dyn Microphone>) {
        if let Err(error) = self.output.source(self.host.media_now(), device.rate_hz()) {
            self.report(DeviceReport::Failed { what: "microphone", reason: error.to_string() });
            return;
        }
        self.report(DeviceReport::Microphone(Some(device.name().to_owned())));
        self.report_stand_in("microphone", device.stands_in_for(), device.name());
        wanted.adopt(self.host.now(), device);
    }

    fn use_speaker(&mut self, wanted: &mut WantedSpeaker, device: Box<dyn Speaker>) {
        let rate_hz = device.rate_hz();
        if let Err(error) = self.input.drain_to(rate_hz).and_then(|()| self.processing.played_by(rate_hz)) {
            self.report(DeviceReport::Failed { what: "speaker", reason: error.to_string() });
            return;
        }
        self.report(DeviceReport::Speaker(Some(device.name().to_owned())));
        self.report_stand_in("speaker", device.stands_in_for(), device.name());
        wanted.adopt(self.host.now(), device);
    }

    fn report_stand_in(&self, kind: &'static str, wanted: Option<&str>, used: &str) {
        if let Some(wanted) = wanted {
            self.report(DeviceReport::StandIn { kind, wanted: wanted.to_owned(), used: used.to_owned() });
        }
    }

    fn lost_microphone(&self, wanted: &mut WantedMicrophone, error: DeviceError) {
        if wanted.lose(&error) {
            self.report(DeviceReport::microphone_failed(error));
        }
    }

    fn lost_speaker(&self, wanted: &mut WantedSpeaker, error: DeviceError) {
        if wanted.lose(&error) {
            self.report(DeviceReport::speaker_failed(error));
        }
    }

    fn tick(&mut self, devices: &mut DevicesInUse) {
        while let Some(packet) = self.packets.as_mut().and_then(PacketSource::try_recv) {
            self.input.insert(packet.arrival, packet.packet, packet.captured);
        }
        if let Err(error) = self.play(devices) {
            self.lost_speaker(&mut devices.speaker, error);
        }
        if let Some(microphone) = devices.microphone.device()
            && let Err(error) =
                self.output.hear(self.host.media_now(), microphone, &mut self.processing, &self.counters)
        {
            self.lost_microphone(&mut devices.microphone, error);
        }
        self.counters.playout(self.input.stats());
    }

    fn play(&mut self, devices: &mut DevicesInUse) -> Result<(), DeviceError> {
        let now = self.host.now();
        match devices.speaker.device() {
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
