//! The event loop of one call. It decides nothing: the session does. It carries inputs to the session, does what the
//! session wants done, and tells whoever watches.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::future::ready;
use futures::{FutureExt, Stream, StreamExt, pin_mut, select_biased, stream};
use visavis_call::{
    CallEvent, CallState, Command, Input, MediaState, Output, Session, SocketAction, SocketInput, TransportAction,
};
use visavis_device::CameraChoice;
use visavis_transport::{MediaSender, PacketSource, TransportConfig};

use crate::audio::AudioCommand;
use crate::config::Devices;
use crate::counters::Counters;
use crate::event::{DeviceReport, Event, LocalMedia};
use crate::host::Host;
use crate::peer_link::{LinkCommand, LinkEvent, PeerLink};
use crate::socket::{Connector, SocketSender};
use crate::stats::Meter;
use crate::video_out::VideoOutCommand;

/// What whoever drives the call wants.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    HangUp,
    Microphone(bool),
    Camera(bool),
    Devices(Devices),
}

/// How often a call measures itself.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// The senders to, and receivers from, everything around the loop.
pub(crate) struct Wiring {
    pub(crate) host: Host,
    pub(crate) servers: Vec<String>,
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) transport: TransportConfig,
    pub(crate) devices: Devices,
    pub(crate) counters: Arc<Counters>,
    pub(crate) audio: mpsc::UnboundedSender<AudioCommand>,
    pub(crate) video: mpsc::UnboundedSender<VideoOutCommand>,
    pub(crate) remote_video: mpsc::UnboundedSender<PacketSource>,
    pub(crate) events: mpsc::UnboundedSender<Event>,
}

/// What the loop listens to.
pub(crate) struct Inbox {
    pub(crate) reports: mpsc::UnboundedReceiver<DeviceReport>,
    pub(crate) keyframes: mpsc::UnboundedReceiver<()>,
}

enum Heard {
    Wish(Wish),
    Socket(u64, SocketInput),
    Link(u32, LinkEvent),
    Device(DeviceReport),
    NeedKeyframe,
    Deadline,
    Measure,
}

pub(crate) struct CallLoop {
    wiring: Wiring,
    session: Session,
    local: LocalMedia,
    socket: Option<SocketSender>,
    /// Counts sockets, so that the last words of an old one aren't taken for those of the new one.
    sockets: u64,
    socket_events: mpsc::UnboundedSender<(u64, SocketInput)>,
    link: Option<mpsc::UnboundedSender<LinkCommand>>,
    /// The generation of `link`: what an older one still says isn't taken for its words.
    generation: u32,
    sender: Option<MediaSender>,
    link_events: mpsc::UnboundedSender<(u32, LinkEvent)>,
    meter: Meter,
    sending: bool,
}

impl CallLoop {
    /// Runs the call to its end.
    pub(crate) async fn run(
        wiring: Wiring,
        session: Session,
        media: MediaState,
        wishes: mpsc::UnboundedReceiver<Wish>,
        mut inbox: Inbox,
    ) {
        // Whoever drops the call hangs up.
        let mut wishes = wishes.chain(stream::once(ready(Wish::HangUp))).chain(stream::pending());
        let (socket_events, mut from_socket) = mpsc::unbounded();
        let (link_events, mut from_link) = mpsc::unbounded();
        let now = wiring.host.now();
        let mut this = Self {
            wiring,
            session,
            local: LocalMedia { wanted: media, ..LocalMedia::default() },
            socket: None,
            sockets: 0,
            socket_events,
            link: None,
            generation: 0,
            sender: None,
            link_events,
            meter: Meter::new(now),
            sending: false,
        };
        this.open_devices();
        this.perform();
        let mut measure = now + STATS_INTERVAL;
        while !this.session.is_finished() {
            let heard = this.listen(&mut wishes, &mut inbox, &mut from_socket, &mut from_link, measure).await;
            if matches!(heard, Heard::Measure) {
                measure = (measure + STATS_INTERVAL).max(this.wiring.host.now());
            }
            this.on_heard(heard);
            this.perform();
        }
        this.tell(Event::Finished);
    }

    async fn listen(
        &self,
        wishes: &mut (impl Stream<Item = Wish> + Unpin),
        inbox: &mut Inbox,
        from_socket: &mut mpsc::UnboundedReceiver<(u64, SocketInput)>,
        from_link: &mut mpsc::UnboundedReceiver<(u32, LinkEvent)>,
        measure: Instant,
    ) -> Heard {
        let deadline = self.session.poll_timeout();
        let timer = async {
            let at = deadline.map_or(measure, |deadline| deadline.min(measure));
            self.wiring.host.sleep_until(at).await;
            if deadline.is_some_and(|deadline| deadline <= at) { Heard::Deadline } else { Heard::Measure }
        }
        .fuse();
        let (wish, report, keyframe) =
            (wishes.next().fuse(), inbox.reports.next().fuse(), inbox.keyframes.next().fuse());
        let (socket, link) = (from_socket.next().fuse(), from_link.next().fuse());
        pin_mut!(timer, wish, report, keyframe, socket, link);
        loop {
            select_biased! {
                wish = wish => if let Some(wish) = wish { return Heard::Wish(wish) },
                link = link => if let Some((generation, event)) = link { return Heard::Link(generation, event) },
                socket = socket => if let Some((number, input)) = socket { return Heard::Socket(number, input) },
                keyframe = keyframe => if keyframe.is_some() { return Heard::NeedKeyframe },
                report = report => if let Some(report) = report { return Heard::Device(report) },
                heard = timer => return heard,
            }
        }
    }

    fn on_heard(&mut self, heard: Heard) {
        let now = self.wiring.host.now();
        match heard {
            Heard::Wish(wish) => self.on_wish(now, wish),
            Heard::Socket(number, input) if number == self.sockets => {
                self.session.handle_input(now, Input::Socket(input));
            }
            Heard::Socket(..) => {}
            Heard::Link(generation, event) if generation == self.generation => self.on_link(now, generation, event),
            Heard::Link(..) => {}
            Heard::Device(report) => self.on_device(report),
            Heard::NeedKeyframe => self.ask_link(LinkCommand::RequestKeyframe),
            Heard::Deadline => self.session.handle_timeout(now),
            Heard::Measure => self.ask_link(LinkCommand::Stats),
        }
    }

    fn on_wish(&mut self, now: Instant, wish: Wish) {
        match wish {
            Wish::HangUp => self.session.handle_input(now, Input::Command(Command::HangUp)),
            Wish::Microphone(on) => {
                self.local.wanted.microphone = on;
                self.media_changed(now);
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Mute(!on));
            }
            Wish::Camera(on) => {
                self.local.wanted.camera = on;
                self.media_changed(now);
                self.open_camera();
            }
            Wish::Devices(devices) => {
                self.wiring.devices = devices;
                self.open_devices();
            }
        }
    }

    fn media_changed(&mut self, now: Instant) {
        self.session.handle_input(now, Input::Command(Command::Media(self.local.wanted)));
        self.tell(Event::Local(self.local.clone()));
    }

    fn on_link(&mut self, now: Instant, generation: u32, event: LinkEvent) {
        match event {
            LinkEvent::Session(input) => {
                self.session.handle_input(now, Input::Transport { generation, input });
            }
            LinkEvent::Ready(sender, sources) => {
                self.sender = Some(sender);
                let _ = self.wiring.remote_video.unbounded_send(sources.video);
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Receive(sources.audio));
            }
            LinkEvent::KeyframeWanted => self.tell_video(VideoOutCommand::Keyframe),
            LinkEvent::Stats(carried) => {
                let stats = self.meter.read(now, self.wiring.counters.snapshot(), carried);
                self.session.handle_input(now, Input::Command(Command::Report(stats.report())));
                self.tell(Event::Stats(Box::new(stats)));
            }
        }
    }

    fn on_device(&mut self, report: DeviceReport) {
        match &report {
            DeviceReport::Camera(name) => self.local.camera.clone_from(name),
            DeviceReport::Microphone(name) => self.local.microphone.clone_from(name),
            DeviceReport::Speaker(name) => self.local.speaker.clone_from(name),
            DeviceReport::Lost { kind, .. } => match *kind {
                "camera" => self.local.camera = None,
                "microphone" => self.local.microphone = None,
                _ => self.local.speaker = None,
            },
            DeviceReport::Failed { .. } => {}
        }
        self.tell(Event::Local(self.local.clone()));
        self.tell(Event::Device(report));
    }

    // ── what the session wants done ─────────────────────────────────────────────────────────────────────────────

    fn perform(&mut self) {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Socket(action) => self.on_socket_action(action),
                Output::Transport { generation, action } => self.on_transport_action(generation, action),
                Output::Event(event) => self.on_call_event(event),
                _ => {}
            }
        }
    }

    fn on_socket_action(&mut self, action: SocketAction) {
        match action {
            SocketAction::Connect { server } => {
                self.sockets += 1;
                let number = self.sockets;
                let (sender, mut inputs) = mpsc::unbounded();
                let events = self.socket_events.clone();
                let url = self.wiring.servers.get(server).map_or("", String::as_str);
                self.socket = Some(self.wiring.connector.connect(&self.wiring.host, url, sender));
                self.wiring.host.spawn(async move {
                    while let Some(input) = inputs.next().await {
                        let _ = events.unbounded_send((number, input));
                    }
                });
            }
            SocketAction::Send(text) => {
                if let Some(socket) = &self.socket {
                    // A socket that has just gone says so in its own events.
                    let _ = socket.unbounded_send(text);
                }
            }
            SocketAction::Disconnect => self.socket = None,
        }
    }

    fn on_transport_action(&mut self, generation: u32, action: TransportAction) {
        if action == TransportAction::Open {
            let (sender, commands) = mpsc::unbounded();
            let link = PeerLink {
                host: self.wiring.host.clone(),
                generation,
                config: self.wiring.transport.clone(),
                events: self.link_events.clone(),
            };
            self.generation = generation;
            self.wiring.host.spawn(link.run(commands));
            self.link = Some(sender);
            return;
        }
        let closes = action == TransportAction::Close;
        self.ask_link(LinkCommand::Action(action));
        if closes {
            self.link = None;
            self.sender = None;
        }
    }

    fn on_call_event(&mut self, event: CallEvent) {
        match event {
            CallEvent::State(state) => {
                self.media_follows(&state);
                self.tell(Event::State(state));
            }
            CallEvent::Peer(state) => self.tell(Event::Peer(state)),
            CallEvent::Signaling(state) => self.tell(Event::Signaling(state)),
            CallEvent::RemoteMedia(media) => self.tell(Event::Remote(media)),
            CallEvent::RemoteReport(report) => self.tell(Event::RemoteReport(report)),
            CallEvent::InLine { ahead } => self.tell(Event::InLine { ahead }),
            CallEvent::Dropped { count } => self.tell(Event::Dropped { count }),
            CallEvent::Deadline(timer) => tracing::debug!(timer = timer.name(), "a deadline has passed"),
            _ => {}
        }
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
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Stop);
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Microphone(None));
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Speaker(None));
                self.tell_video(VideoOutCommand::Stop);
                self.tell_video(VideoOutCommand::Camera(None));
            }
            _ => {}
        }
    }

    // ── small helpers ───────────────────────────────────────────────────────────────────────────────────────────

    fn open_devices(&self) {
        let Devices { microphone, speaker, .. } = self.wiring.devices.clone();
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Mute(!self.local.wanted.microphone));
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Microphone(Some(microphone)));
        let _ = self.wiring.audio.unbounded_send(AudioCommand::Speaker(Some(speaker)));
        self.open_camera();
    }

    /// What is off is closed, not covered.
    fn open_camera(&self) {
        let choice: Option<CameraChoice> = self.local.wanted.camera.then(|| self.wiring.devices.camera.clone());
        self.tell_video(VideoOutCommand::Camera(choice));
    }

    fn tell_video(&self, command: VideoOutCommand) {
        let _ = self.wiring.video.unbounded_send(command);
    }

    fn ask_link(&self, command: LinkCommand) {
        if let Some(link) = &self.link {
            // One that has just ended says so in its own events.
            let _ = link.unbounded_send(command);
        }
    }

    fn tell(&self, event: Event) {
        // Nobody has to watch.
        let _ = self.wiring.events.unbounded_send(event);
    }
}
