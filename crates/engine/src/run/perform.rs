//! What the session wants done, and what follows from its states.

use std::time::Instant;

use futures::channel::mpsc;
use futures::{SinkExt, StreamExt};
use visavis_call::{CallEvent, CallState, Command, Output, SocketAction, Timer, TransportAction, Way};
use visavis_device::CameraChoice;
use visavis_transport::local_addresses;

use super::CallLoop;
use crate::audio::AudioCommand;
use crate::config::Devices;
use crate::event::{DeviceReport, Event};
use crate::peer_link::{LinkCommand, PeerLink};
use crate::stats::Meter;
use crate::video_out::VideoOutCommand;

/// What a server has sent and the session hasn't read; beyond it the socket isn't read, so that no server can make a queue
/// grow.
pub(super) const SOCKET_QUEUE: usize = 16;

impl CallLoop {
    pub(super) fn perform(&mut self) {
        while let Some((way, output)) = self.session.poll_output() {
            match output {
                Output::Socket(action) => self.on_socket_action(way, action),
                Output::Transport { generation, action } => self.on_transport_action(way, generation, action),
                Output::Event(event) => self.on_call_event(event),
            }
        }
    }

    fn on_socket_action(&mut self, way: Way, action: SocketAction) {
        match action {
            SocketAction::Connect { server } => self.connect(way, server),
            SocketAction::Send(text) => {
                if let Some(socket) = &self.ends.get(way).socket {
                    // A socket that has just gone says so in its own events.
                    let _ = socket.unbounded_send(text);
                }
            }
            SocketAction::Disconnect => self.ends.of(way).socket = None,
        }
    }

    fn connect(&mut self, way: Way, server: usize) {
        let (sender, mut inputs) = mpsc::channel(SOCKET_QUEUE);
        let mut events = self.socket_events.clone();
        let urls = match way {
            Way::Server => &self.wiring.servers,
            Way::Nearby => &self.wiring.nearby,
        };
        let url = urls.get(server).map_or("", String::as_str);
        let socket = self.wiring.connector.connect(&self.wiring.host, url, sender);
        let end = self.ends.of(way);
        end.socket = Some(socket);
        end.number += 1;
        let number = end.number;
        self.wiring.host.spawn(async move {
            while let Some(input) = inputs.next().await {
                // A loop that has ended wants nothing.
                let _ = events.send((way, number, input)).await;
            }
        });
    }

    fn on_transport_action(&mut self, way: Way, generation: u32, action: TransportAction) {
        if action == TransportAction::Open {
            let Some(events) = self.link_events.clone() else { return };
            let (sender, commands) = mpsc::unbounded();
            let (host, config) = (self.wiring.host.clone(), self.wiring.transport.clone());
            let link = PeerLink { host, way, generation, config, events };
            self.wiring.host.spawn(link.run(commands));
            let end = self.ends.of(way);
            (end.generation, end.link, end.video_refused) = (generation, Some(sender), false);
            return;
        }
        let closes = action == TransportAction::Close;
        let end = self.ends.of(way);
        if let Some(link) = &end.link {
            // One that has just ended says so in its own events.
            let _ = link.unbounded_send(LinkCommand::Action(action));
        }
        if closes {
            (end.link, end.media) = (None, None);
            if self.session.chosen() == Some(way) {
                self.sender = None;
            }
        }
    }

    /// The media of the way that the call goes is the call's.
    pub(super) fn take_media(&mut self) {
        let Some((sender, sources)) = self.session.chosen().and_then(|way| self.ends.of(way).media.take()) else {
            return;
        };
        self.sender = Some(sender);
        let _ = self.wiring.remote_video.unbounded_send(sources.video);
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Receive(sources.audio));
    }

    /// The two have no video codec in common, and that matters if this is the way that the call goes.
    pub(super) fn take_refusal(&mut self, now: Instant) {
        let Some(way) = self.session.chosen() else { return };
        if std::mem::take(&mut self.ends.of(way).video_refused) {
            self.tell_video(VideoOutCommand::Stop);
            self.on_device(now, DeviceReport::video_refused(&self.wiring.transport.video_codecs));
        }
    }

    fn on_call_event(&mut self, event: CallEvent) {
        match event {
            CallEvent::State(state) => {
                self.searching &= self.session.chosen().is_none() || state == CallState::New;
                if self.over && state == CallState::Verifying {
                    self.begin_again();
                }
                self.take_media();
                self.media_follows(&state);
                self.take_refusal(self.wiring.host.now());
                self.tell(Event::State(state));
            }
            CallEvent::Peer(state) => self.tell(Event::Peer(state)),
            CallEvent::Signaling(state) => self.tell(Event::Signaling(state)),
            CallEvent::WrongGuess { left } => self.tell(Event::WrongGuess { left }),
            CallEvent::Verified(pictures) => self.tell(Event::Verified(pictures)),
            CallEvent::RemoteGuest { host } => self.tell(Event::RemoteGuest { host }),
            CallEvent::RemoteMedia(media) => {
                self.wiring.counters.remote_camera(media.camera);
                self.tell(Event::Remote(media));
            }
            CallEvent::RemoteReport(report) => self.tell(Event::RemoteReport(report)),
            CallEvent::Quality(quality) => self.tell(Event::Quality(quality)),
            CallEvent::Again(again) => self.tell(Event::Again(again)),
            CallEvent::Obstacle(obstacle) => self.tell(Event::Obstacle(obstacle)),
            CallEvent::InLine { ahead } => self.tell(Event::InLine { ahead }),
            CallEvent::Dropped { count } => self.tell(Event::Dropped { count }),
            CallEvent::Deadline(timer) => {
                self.searching &= timer != Timer::Search;
                tracing::debug!(timer = timer.name(), "a deadline has passed");
            }
        }
    }

    /// The two call one another again.
    fn begin_again(&mut self) {
        (self.over, self.sending, self.sender, self.path) = (false, false, None, None);
        self.wiring.counters.restart();
        self.meter = Meter::new(self.wiring.host.now());
        self.open_devices();
    }

    /// Media runs from the first time the call is up until it closes; while the path is lost it is sent into the void,
    /// so that the very first packet of the new path is heard. Devices are let go of as soon as the call is over.
    fn media_follows(&mut self, state: &CallState) {
        match state {
            CallState::Connected { .. } if !self.sending => {
                let Some(sender) = self.sender.clone() else { return };
                self.sending = true;
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Send(sender.clone()));
                self.tell_video(VideoOutCommand::Send(sender));
            }
            CallState::Closed(_) => {
                self.over = true;
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Stop);
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Microphone(None));
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Speaker(None));
                self.tell_video(VideoOutCommand::Stop);
                self.tell_video(VideoOutCommand::Camera(None));
            }
            CallState::New
            | CallState::Waiting { .. }
            | CallState::Verifying
            | CallState::Connecting
            | CallState::Connected { .. }
            | CallState::Disconnected { .. } => {}
        }
    }

    /// Whoever named the addresses to use knows of their comings and goings. New ones matter while there is no path.
    pub(super) fn look_at_network(&mut self, now: Instant) {
        if !self.wiring.transport.bind.is_empty() {
            return;
        }
        let Ok(addresses) = local_addresses() else { return };
        let Some(change) = self.network.look(addresses, self.path.as_ref()) else { return };
        if change.some_gone || !matches!(self.session.state(), CallState::Connected { .. }) {
            let changed = Command::NetworkChanged { path_gone: change.path_gone };
            self.session.handle_command(now, &changed);
        }
    }

    // ── small helpers ───────────────────────────────────────────────────────────────────────────────────────────

    pub(super) fn open_devices(&self) {
        let Devices { microphone, speaker, .. } = self.wiring.devices.clone();
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Mute(!self.local.wanted.microphone));
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Microphone(Some(microphone)));
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Speaker(Some(speaker)));
        self.open_camera();
    }

    /// Opens those that were changed; the others go on undisturbed.
    pub(super) fn reopen_changed(&self, old: &Devices) {
        let Devices { camera, microphone, speaker } = self.wiring.devices.clone();
        if microphone != old.microphone {
            let _ = self.wiring.audio.unbounded_send(AudioCommand::Microphone(Some(microphone)));
        }
        if speaker != old.speaker {
            let _ = self.wiring.audio.unbounded_send(AudioCommand::Speaker(Some(speaker)));
        }
        if camera != old.camera {
            self.open_camera();
        }
    }

    /// What is off is closed, not covered.
    pub(super) fn open_camera(&self) {
        let choice: Option<CameraChoice> = self.local.wanted.camera.then(|| self.wiring.devices.camera.clone());
        self.tell_video(VideoOutCommand::Camera(choice));
    }

    pub(super) fn tell_video(&self, command: VideoOutCommand) {
        let _ = self.wiring.video.unbounded_send(command);
    }

    /// Asks the connection of the way that the call goes.
    pub(super) fn ask_link(&self, command: LinkCommand) {
        if let Some(link) = self.session.chosen().and_then(|way| self.ends.get(way).link.as_ref()) {
            // One that has just ended says so in its own events.
            let _ = link.unbounded_send(command);
        }
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody has to watch.
        let _ = self.wiring.events.unbounded_send(event);
    }
}
