//! A joiner with a server goes there and into the local network at once: the first that is connected is the call.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests")]

mod common;

use std::time::{Duration, Instant};

use common::{code, entropy, fingerprint, origin, terms};
use visavis_call::{
    CallEvent, CallState, CloseReason, Command, Input, Intent, MediaState, NearbyServers, Output, PeerState,
    SocketAction, SocketInput, TransportAction, TransportInput, Way, Ways, WaysConfig,
};
use visavis_signaling::{Body, ClientMessage, ErrorCode, Exchange, ServerMessage};

const SECOND: Duration = Duration::from_secs(1);

/// A joiner between two servers that the test plays, each with a creator behind it.
struct Between {
    now: Instant,
    ways: Ways,
    outputs: Vec<(Way, Output)>,
}

impl Between {
    fn new() -> Self {
        let now = origin();
        let config = WaysConfig {
            intent: Intent::Join(code("123456")),
            servers: 1,
            nearby: NearbyServers { known: 1, search: true },
            fingerprint: fingerprint(1),
            media: MediaState::default(),
            stays: false,
            seed: 1,
        };
        let mut between = Self { now, ways: Ways::new(now, config, entropy(1)), outputs: Vec::new() };
        between.drain();
        between
    }

    fn drain(&mut self) {
        while let Some(output) = self.ways.poll_output() {
            self.outputs.push(output);
        }
    }

    fn input(&mut self, way: Way, input: Input) {
        self.ways.handle_input(self.now, way, input);
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.ways.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.ways.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn server(&mut self, way: Way, message: &ServerMessage) {
        self.input(way, Input::Socket(SocketInput::Text(message.to_json())));
    }

    fn greet(&mut self, way: Way) {
        self.input(way, Input::Socket(SocketInput::Opened));
        let (version, features, token) = (1, Vec::new(), "token".to_owned());
        let welcome =
            ServerMessage::Welcome { version, features, heartbeat_ms: 60_000, token, resumed: false, received: 0 };
        self.server(way, &welcome);
    }

    fn no_such_room(&mut self, way: Way) {
        self.greet(way);
        let (code, text) = (ErrorCode::NoSuchRoom, "nobody".to_owned());
        self.server(way, &ServerMessage::Error { code, text, fatal: false });
    }

    /// Lets the joiner in; somebody with these words answers, who then has the right to an offer or not.
    fn meet(&mut self, way: Way, words: &str) {
        self.greet(way);
        self.server(way, &ServerMessage::Knocked { exchange: 1 });
        let theirs = visavis_signaling::RoomCode::parse(words).unwrap();
        let mut random = visavis_signaling::random::SplitMix::new(way as u64 + 5);
        let mut other = Exchange::create(terms(&theirs, 9), Vec::new(), &mut random);
        let opening = self.sent(way).into_iter().find_map(|message| match message {
            ClientMessage::Relay { body, .. } => Some(body),
            _ => None,
        });
        other.open(&opening.unwrap()).unwrap();
        let body = other.seal(&Body::Offer { sdp: "their offer".into(), restart: false }).unwrap();
        self.server(way, &ServerMessage::Relay { exchange: 1, seq: 1, body });
    }

    fn transport(&mut self, way: Way, input: TransportInput) {
        self.input(way, Input::Transport { generation: 1, input });
    }

    fn connect(&mut self, way: Way) {
        self.transport(way, TransportInput::AnswerReady("our answer".into()));
        self.transport(way, TransportInput::State(PeerState::Connected));
    }

    fn sent(&self, of: Way) -> Vec<ClientMessage> {
        let message = |(way, output): &(Way, Output)| match output {
            Output::Socket(SocketAction::Send(text)) if *way == of => ClientMessage::parse(text).ok(),
            _ => None,
        };
        self.outputs.iter().filter_map(message).collect()
    }

    fn states(&self) -> Vec<&'static str> {
        let name = |(_, output): &(Way, Output)| match output {
            Output::Event(CallEvent::State(state)) => Some(state.name()),
            _ => None,
        };
        self.outputs.iter().filter_map(name).collect()
    }

    fn closed(&self) -> Option<&'static str> {
        match self.ways.state() {
            CallState::Closed(reason) => Some(reason.code()),
            _ => None,
        }
    }

    fn left(&self, of: Way) -> bool {
        self.outputs.iter().any(|(way, output)| *way == of && *output == Output::Socket(SocketAction::Disconnect))
    }
}

const RIGHT: &str = "123456-tulip-orbit";
const WRONG: &str = "123456-waffle-orbit";

#[test]
fn both_ways_are_gone_at_once() {
    let between = Between::new();
    for way in Way::ALL {
        assert!(between.outputs.contains(&(way, Output::Socket(SocketAction::Connect { server: 0 }))), "{way:?}");
    }
    assert_eq!(between.states(), ["new"], "one call, whatever ways it goes");
}

#[test]
fn whichever_is_connected_first_is_the_call() {
    for (way, other) in [(Way::Server, Way::Nearby), (Way::Nearby, Way::Server)] {
        let mut between = Between::new();
        between.meet(other, RIGHT);
        between.meet(way, RIGHT);
        between.connect(way);
        assert_eq!((between.ways.chosen(), between.ways.state().name()), (Some(way), "connected"));
        assert_eq!(between.states(), ["new", "verifying", "connecting", "connected"]);
        assert!(between.left(other) && !between.left(way), "{way:?}");
        // What is left says nothing more.
        between.pass(SECOND);
        between.transport(other, TransportInput::State(PeerState::Connected));
        assert_eq!(between.states().len(), 4);
    }
}

#[test]
fn what_fails_in_the_network_ends_nothing() {
    let failures: [fn(&mut Between); 4] = [
        |between| between.meet(Way::Nearby, WRONG),
        |between| between.no_such_room(Way::Nearby),
        |between| between.input(Way::Nearby, Input::Socket(SocketInput::Closed { reason: "refused".into() })),
        // The words are right, and nothing follows: somebody who passed them on to the right one, and fell silent.
        |between| {
            between.meet(Way::Nearby, RIGHT);
            between.transport(Way::Nearby, TransportInput::AnswerReady("our answer".into()));
            between.pass(SECOND * 20);
        },
    ];
    for (index, fail) in failures.into_iter().enumerate() {
        let mut between = Between::new();
        between.greet(Way::Server);
        between.server(Way::Server, &ServerMessage::Waiting { ahead: 0 });
        fail(&mut between);
        assert_eq!(between.closed(), None, "{index}");
        between.server(Way::Server, &ServerMessage::Knocked { exchange: 1 });
        assert_ne!(between.ways.state().name(), "closed", "{index}");
    }
}

#[test]
fn one_guess_goes_each_way() {
    let mut between = Between::new();
    between.meet(Way::Nearby, WRONG);
    between.input(Way::Nearby, Input::ServerFound);
    between.pass(SECOND);
    let asked = |(way, output): &&(Way, Output)| {
        *way == Way::Nearby && matches!(output, Output::Socket(SocketAction::Connect { .. }))
    };
    assert_eq!(between.outputs.iter().filter(asked).count(), 1, "nobody else in the network is asked");
    assert_eq!(between.closed(), None);
}

#[test]
fn the_reason_that_says_most_is_told() {
    let mut between = Between::new();
    between.no_such_room(Way::Server);
    assert_eq!(between.closed(), None, "somebody may be found yet");
    between.pass(SECOND * 6);
    assert_eq!(between.closed(), Some("no-such-room"));

    let mut between = Between::new();
    between.no_such_room(Way::Server);
    between.meet(Way::Nearby, WRONG);
    assert_eq!(between.closed(), Some("wrong-words"));
    assert_eq!(between.states(), ["new", "verifying", "closed"]);
}

/// A server that hides its rooms answers with wrong words where nobody waits.
#[test]
fn wrong_words_at_the_server_hide_no_call_in_the_network() {
    let mut between = Between::new();
    between.meet(Way::Server, WRONG);
    assert_eq!(between.closed(), None);
    between.meet(Way::Nearby, RIGHT);
    between.connect(Way::Nearby);
    assert_eq!((between.ways.chosen(), between.ways.state().name()), (Some(Way::Nearby), "connected"));

    let mut between = Between::new();
    between.meet(Way::Server, WRONG);
    between.pass(SECOND * 6);
    assert_eq!(between.closed(), Some("wrong-words"), "nobody is near, which says less");

    let mut between = Between::new();
    between.meet(Way::Server, WRONG);
    between.meet(Way::Nearby, RIGHT);
    between.transport(Way::Nearby, TransportInput::AnswerReady("our answer".into()));
    between.pass(SECOND * 20);
    assert_eq!(between.closed(), Some("no-path"), "the other person was there");
}

#[test]
fn hanging_up_ends_all_of_it() {
    let mut between = Between::new();
    between.meet(Way::Nearby, RIGHT);
    between.ways.handle_command(between.now, &Command::HangUp);
    between.drain();
    assert_eq!(between.ways.state(), CallState::Closed(CloseReason::HungUp));
    between.pass(SECOND);
    assert!(between.ways.is_finished());
    let closes = between
        .outputs
        .iter()
        .filter(|(_, output)| matches!(output, Output::Transport { action: TransportAction::Close, .. }));
    assert_eq!(closes.count(), 1, "the connection that was opened");
}

/// Instances on this machine that have gone meanwhile aren't waited for, searched or not.
#[test]
fn known_servers_that_are_gone_are_not_waited_for() {
    let config = WaysConfig {
        intent: Intent::Join(code("123456")),
        servers: 1,
        nearby: NearbyServers { known: 1, search: false },
        fingerprint: fingerprint(1),
        media: MediaState::default(),
        stays: false,
        seed: 1,
    };
    let now = origin();
    let mut between = Between { now, ways: Ways::new(now, config, entropy(1)), outputs: Vec::new() };
    between.drain();
    between.input(Way::Nearby, Input::Socket(SocketInput::Closed { reason: "refused".into() }));
    between.no_such_room(Way::Server);
    assert_eq!(between.closed(), Some("no-such-room"));
}
