//! The event loop of one call. It decides nothing: the session does. It carries inputs to the session, does what the
//! session wants done, and tells whoever watches.

mod ends;
mod perform;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::future::{Either, pending, ready, select};
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, pin_mut, select_biased, stream};
use visavis_call::{CallState, Command, Input, MediaState, SocketInput, Way, Ways};
use visavis_dsp::SoundProcessing;
use visavis_transport::{Certificate, MediaSender, PacketSource, TransportConfig};

use crate::audio::AudioCommand;
use crate::config::Devices;
use crate::counters::Counters;
use crate::event::{DeviceReport, Event, LocalMedia};
use crate::host::Host;
use crate::nearby::nearby_url;
use crate::network::NetworkWatch;
use crate::peer_link::{LinkCommand, LinkEvent};
use crate::run::ends::Ends;
use crate::socket::Connector;
use crate::stats::{Meter, PathEnd};
use crate::video_out::VideoOutCommand;

/// What whoever drives the call wants.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    HangUp,
    Again,
    Leave,
    Microphone(bool),
    Camera(bool),
    Devices(Devices),
    Process(SoundProcessing),
}

/// How often a call measures itself.
const STATS_INTERVAL: Duration = Duration::from_secs(1);

/// A camera that hangs in its driver must not keep a call from ending.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(3);

/// The senders to, and receivers from, everything around the loop.
pub(crate) struct Wiring {
    pub(crate) host: Host,
    pub(crate) servers: Vec<String>,
    /// Servers of the local network: those known, and behind them those found.
    pub(crate) nearby: Vec<String>,
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
    /// Servers of the local network, while they are looked for.
    pub(crate) found: BoxStream<'static, SocketAddr>,
}

enum Heard {
    Wish(Wish),
    Socket(Way, u64, SocketInput),
    Link(Way, u32, LinkEvent),
    Device(DeviceReport),
    NeedKeyframe,
    Found(SocketAddr),
    Deadline,
    Measure,
}

pub(crate) struct CallLoop {
    wiring: Wiring,
    session: Ways,
    local: LocalMedia,
    /// What is wanted and known not to be there. A device that is still being opened isn't missing.
    missing: MediaState,
    ends: Ends,
    socket_events: mpsc::Sender<(Way, u64, SocketInput)>,
    sender: Option<MediaSender>,
    /// For new connections; none once there will be no more.
    link_events: Option<mpsc::UnboundedSender<(Way, u32, LinkEvent)>>,
    meter: Meter,
    network: NetworkWatch,
    /// Our end of the path in use.
    path: Option<PathEnd>,
    sending: bool,
    /// Whether the call has ended, and its devices are closed.
    over: bool,
    /// Whether what is found in the local network is of use to the session.
    searching: bool,
}

impl CallLoop {
    /// Runs the call to its end.
    pub(crate) async fn run(
        wiring: Wiring,
        session: Ways,
        media: MediaState,
        wishes: mpsc::UnboundedReceiver<Wish>,
        mut inbox: Inbox,
    ) {
        // Whoever drops the call leaves it.
        let mut wishes = wishes.chain(stream::once(ready(Wish::Leave))).chain(stream::pending());
        let (socket_events, mut from_socket) = mpsc::channel(perform::SOCKET_QUEUE);
        let (link_events, mut from_link) = mpsc::unbounded();
        let now = wiring.host.now();
        let mut this = Self {
            wiring,
            session,
            local: LocalMedia { wanted: media, ..LocalMedia::default() },
            missing: MediaState::default(),
            ends: Ends::default(),
            socket_events,
            sender: None,
            link_events: Some(link_events),
            meter: Meter::new(now),
            network: NetworkWatch::default(),
            path: None,
            sending: false,
            over: false,
            searching: true,
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
            if !this.searching {
                inbox.found = stream::pending().boxed();
            }
        }
        this.release(inbox, from_link).await;
    }

    /// Whoever hears "finished" may start the next call, or end the program: devices and sockets are free by then.
    async fn release(mut self, mut inbox: Inbox, mut from_link: mpsc::UnboundedReceiver<(Way, u32, LinkEvent)>) {
        (self.ends, self.link_events) = (Ends::default(), None);
        self.wiring.audio.close_channel();
        self.wiring.video.close_channel();
        self.wiring.remote_video.close_channel();
        let late = self.wiring.host.clone();
        let late = pin!(late.sleep(RELEASE_TIMEOUT));
        let released = pin!(async {
            while let Some(report) = inbox.reports.next().await {
                self.on_device(self.wiring.host.now(), report);
            }
            while from_link.next().await.is_some() {}
        });
        if let Either::Right(_) = select(released, late).await {
            tracing::warn!("a device or a connection isn't closed yet");
        }
        self.tell(Event::Finished);
    }

    async fn listen(
        &self,
        wishes: &mut (impl Stream<Item = Wish> + Unpin),
        inbox: &mut Inbox,
        from_socket: &mut mpsc::Receiver<(Way, u64, SocketInput)>,
        from_link: &mut mpsc::UnboundedReceiver<(Way, u32, LinkEvent)>,
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
        // A search that has ended by itself finds nothing more, and mustn't be asked again.
        let found = async {
            match inbox.found.next().await {
                Some(address) => address,
                None => pending().await,
            }
        }
        .fuse();
        pin_mut!(timer, wish, report, keyframe, socket, link, found);
        loop {
            select_biased! {
                wish = wish => if let Some(wish) = wish { return Heard::Wish(wish) },
                link = link => if let Some((way, generation, event)) = link { return Heard::Link(way, generation, event) },
                socket = socket => if let Some((way, number, input)) = socket { return Heard::Socket(way, number, input) },
                keyframe = keyframe => if keyframe.is_some() { return Heard::NeedKeyframe },
                report = report => if let Some(report) = report { return Heard::Device(report) },
                address = found => return Heard::Found(address),
                heard = timer => return heard,
            }
        }
    }

    fn on_heard(&mut self, heard: Heard) {
        let now = self.wiring.host.now();
        // However much there is to hear, deadlines hold.
        if self.session.poll_timeout().is_some_and(|at| at <= now) {
            self.session.handle_timeout(now);
        }
        match heard {
            Heard::Wish(wish) => self.on_wish(now, wish),
            Heard::Socket(way, number, input) if number == self.ends.get(way).number => {
                self.session.handle_input(now, way, Input::Socket(input));
            }
            Heard::Socket(..) => {}
            Heard::Link(way, generation, event) if generation == self.ends.get(way).generation => {
                self.on_link(now, way, generation, event);
            }
            Heard::Link(..) => {}
            Heard::Device(report) => self.on_device(now, report),
            Heard::NeedKeyframe => self.ask_link(LinkCommand::RequestKeyframe),
            Heard::Found(address) => {
                // One that comes too late takes a place in the list that is never asked for.
                self.wiring.nearby.push(nearby_url(address));
                self.session.handle_input(now, Way::Nearby, Input::ServerFound);
            }
            Heard::Deadline => {}
            Heard::Measure => {
                self.look_at_network(now);
                self.ask_link(LinkCommand::Stats);
            }
        }
    }

    fn on_wish(&mut self, now: Instant, wish: Wish) {
        match wish {
            Wish::HangUp => self.session.handle_command(now, &Command::HangUp),
            Wish::Again => self.ask_again(now),
            Wish::Leave => self.session.handle_command(now, &Command::Leave),
            Wish::Microphone(on) => {
                self.local.wanted.microphone = on;
                self.media_changed(now);
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Mute(!on));
            }
            Wish::Camera(on) => {
                self.local.wanted.camera = on;
                self.missing.camera = false;
                self.media_changed(now);
                if !self.over {
                    self.open_camera();
                }
            }
            Wish::Devices(devices) => {
                let old = std::mem::replace(&mut self.wiring.devices, devices);
                if !self.over {
                    self.reopen_changed(&old);
                }
            }
            Wish::Process(processing) => {
                // Where the sound has ended in a panic, the reports say so.
                let _ = self.wiring.audio.unbounded_send(AudioCommand::Process(processing));
            }
        }
    }

    /// Another call has another certificate, so that nobody on the way can tell by it that the same two talk.
    fn ask_again(&mut self, now: Instant) {
        if !self.over {
            return;
        }
        match Certificate::generate() {
            Ok(certificate) => {
                let fingerprint = certificate.fingerprint();
                self.wiring.transport.certificate = Some(certificate);
                self.session.handle_command(now, &Command::Again { fingerprint });
            }
            Err(error) => {
                self.tell(Event::Device(DeviceReport::Failed { what: "calling again", reason: error.to_string() }))
            }
        }
    }

    fn media_changed(&mut self, now: Instant) {
        let MediaState { microphone, camera } = self.local.wanted;
        let sent =
            MediaState { microphone: microphone && !self.missing.microphone, camera: camera && !self.missing.camera };
        self.session.handle_command(now, &Command::Media(sent));
        self.tell(Event::Local(self.local.clone()));
    }

    fn on_link(&mut self, now: Instant, way: Way, generation: u32, event: LinkEvent) {
        match event {
            LinkEvent::Session(input) => {
                self.session.handle_input(now, way, Input::Transport { generation, input });
            }
            LinkEvent::Ready(sender, sources) => {
                self.ends.of(way).media = Some((sender, sources));
                self.take_media();
            }
            // Of media nothing counts but that of the way that the call goes.
            LinkEvent::KeyframeWanted | LinkEvent::Stats(_) if self.session.chosen() != Some(way) => {}
            LinkEvent::KeyframeWanted => self.tell_video(VideoOutCommand::Keyframe),
            LinkEvent::VideoRefused => {
                self.ends.of(way).video_refused = true;
                self.take_refusal(now);
            }
            LinkEvent::Stats(carried) => {
                let stats = self.meter.read(now, self.wiring.counters.snapshot(), *carried);
                self.path = stats.path.as_ref().map(|path| path.local.clone());
                self.session.handle_command(now, &Command::Measured(stats.measured()));
                self.tell(Event::Stats(Box::new(stats)));
            }
        }
    }

    fn on_device(&mut self, now: Instant, report: DeviceReport) {
        let missing = self.missing;
        match &report {
            DeviceReport::Camera(name) => {
                self.local.camera.clone_from(name);
                self.missing.camera = name.is_none() && self.local.wanted.camera;
            }
            DeviceReport::Microphone(name) => {
                self.local.microphone.clone_from(name);
                self.missing.microphone = name.is_none();
            }
            DeviceReport::Speaker(name) => self.local.speaker.clone_from(name),
            DeviceReport::Lost { kind, .. } => match *kind {
                "camera" => (self.local.camera, self.missing.camera) = (None, true),
                "microphone" => (self.local.microphone, self.missing.microphone) = (None, true),
                _ => self.local.speaker = None,
            },
            DeviceReport::StandIn { .. } | DeviceReport::Failed { .. } => {}
        }
        if missing == self.missing || matches!(self.session.state(), CallState::Closed(_)) {
            self.tell(Event::Local(self.local.clone()));
        } else {
            self.media_changed(now);
        }
        self.tell(Event::Device(report));
    }
}
