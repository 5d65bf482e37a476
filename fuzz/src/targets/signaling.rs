//! Signalling: what clients send to the server, what the server sends to a client, and what two send one another.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use visavis_signaling::client::{Client, ClientInput, ClientOutput, Intent};
use visavis_signaling::random::SplitMix;
use visavis_signaling::server::{ConnectionId, Counts, Limits, Record, Records, Rooms, RoomsInput, RoomsOutput};
use visavis_signaling::token::TokenKey;
use visavis_signaling::{
    Body, ClientMessage, ErrorCode, Exchange, Fingerprint, Invitation, Nameplate, Opened, RoomCode, ServerMessage,
    Terms, words,
};

use crate::{Bytes, script};

const UNIX_TIME: Duration = Duration::from_secs(1_800_000_000);
/// Connections of one script.
const CONNECTIONS: u64 = 8;

/// A server, and what it has told.
struct Server {
    rooms: Rooms,
    now: Instant,
    start: Instant,
    open: BTreeSet<ConnectionId>,
    opened: u64,
    /// The newest of each, for scripts to refer to.
    nameplate: String,
    tokens: Vec<String>,
    resumed: usize,
    kept: Kept,
}

/// What outlives a restart.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<Record>>>);

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Records for Kept {
    fn keep(&mut self, record: &Record, _nameplate: &Nameplate) {
        assert_eq!(Record::from_bytes(&record.to_bytes()).as_ref(), Some(record));
        self.lock().push(*record);
    }
}

fn new_rooms(now: Instant, unix: Duration, kept: &Kept, seed: u64) -> Rooms {
    let limits = Limits { connections: 6, rooms: 3, ..Limits::default() };
    let rooms = Rooms::new(now, unix, limits, TokenKey::new([3; 32]), Box::new(SplitMix::new(seed)));
    let before = kept.lock().clone();
    rooms.with_records(Box::new(kept.clone()), before)
}

impl Server {
    fn new() -> Self {
        let now = Instant::now();
        let kept = Kept::default();
        let rooms = new_rooms(now, UNIX_TIME, &kept, 1);
        let (open, nameplate) = (BTreeSet::new(), "123456".to_owned());
        Self { rooms, now, start: now, open, opened: 0, nameplate, tokens: Vec::new(), resumed: 0, kept }
    }

    /// Crashes and is there again; every connection is lost.
    fn restart(&mut self) {
        self.open.clear();
        self.rooms = new_rooms(self.now, UNIX_TIME + (self.now - self.start), &self.kept, 1 + self.opened);
    }

    fn open(&mut self) -> ConnectionId {
        self.opened += 1;
        let id = ConnectionId(self.opened);
        self.open.insert(id);
        self.input(RoomsInput::Opened(id));
        id
    }

    fn input(&mut self, input: RoomsInput) {
        self.rooms.handle_input(self.now, input);
        self.drain();
    }

    fn text(&mut self, id: ConnectionId, text: String) {
        if self.open.contains(&id) {
            self.input(RoomsInput::Text(id, text));
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.rooms.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.rooms.handle_timeout(self.now);
            self.drain();
            assert!(self.rooms.poll_timeout().is_none_or(|next| next > self.now), "it is due again at once");
        }
        self.now = end;
    }

    fn drain(&mut self) {
        while let Some(output) = self.rooms.poll_output() {
            match output {
                RoomsOutput::Send(id, text) => self.sent(id, &text),
                RoomsOutput::Close(id, _) => assert!(self.open.remove(&id), "{id:?} closed twice"),
                RoomsOutput::Move(moved) => panic!("a server that is alone moves nobody: {moved:?}"),
            }
        }
    }

    fn sent(&mut self, id: ConnectionId, text: &str) {
        assert!(self.open.contains(&id), "sent to {id:?}, which is closed");
        let message = ServerMessage::parse(text).unwrap_or_else(|error| panic!("the server says {text}: {error}"));
        if let ServerMessage::Created { nameplate } = &message {
            nameplate.as_str().clone_into(&mut self.nameplate);
        }
        if let ServerMessage::Welcome { token, .. } | ServerMessage::Token { token } = &message {
            self.tokens.push(token.clone());
        }
        self.resumed += usize::from(matches!(message, ServerMessage::Welcome { resumed: true, .. }));
    }

    /// Everybody goes: nothing of them may stay.
    fn empty(mut self) {
        for id in std::mem::take(&mut self.open) {
            self.open.insert(id);
            self.input(RoomsInput::Closed(id));
            self.open.remove(&id);
        }
        self.pass(2 * Limits::default().token_lifetime);
        assert_eq!(self.rooms.counts(), Counts::default(), "something of those who went has stayed");
    }
}

/// What any number of clients send to a server, in lines: `+` opens a connection, `1{…}` sends over the first, `-1` closes
/// it, `!1` sends a binary frame, `~500` waits, `#` shuts down, `^` crashes and starts again. `@N` stands for the newest nameplate, `@T`, `@U` and `@V`
/// for the newest token and those before.
pub(crate) fn rooms(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut server = Server::new();
    for (what, line) in script::lines(&text) {
        let id = |number: u64| ConnectionId(number.clamp(1, CONNECTIONS));
        match what {
            '+' if server.opened < CONNECTIONS => drop(server.open()),
            '~' => server.pass(script::wait(line)),
            '#' => server.input(RoomsInput::Shutdown),
            '^' => server.restart(),
            '-' => {
                let id = id(script::number(line).0);
                if server.open.remove(&id) {
                    server.input(RoomsInput::Closed(id));
                }
            }
            '!' => {
                let id = id(script::number(line).0);
                if server.open.contains(&id) {
                    server.input(RoomsInput::Unreadable(id, ErrorCode::BadMessage));
                }
            }
            first => {
                let sender = first.to_digit(10).unwrap_or(1).into();
                let token = |back: usize| server.tokens.iter().nth_back(back).map_or("", String::as_str);
                let text = line.replace("@N", &server.nameplate).replace("@T", token(0)).replace("@U", token(1));
                let text = text.replace("@V", token(2));
                server.text(id(sender), text);
            }
        }
    }
    server.empty();
}

/// A token that the server never gave resumes nothing: the input is what becomes of a good one, XORed or put in its place.
pub(crate) fn tokens(data: &[u8]) {
    let mut input = Bytes::new(data);
    let mut server = Server::new();
    let creator = server.open();
    let hello = |resume: &str| {
        let resume = Some(visavis_signaling::message::Resume { token: resume.to_owned(), exchange: 0, received: 0 });
        ClientMessage::Hello { version: 1, features: Vec::new(), resume: resume.filter(|r| !r.token.is_empty()) }
    };
    server.text(creator, hello("").to_json());
    server.text(creator, ClientMessage::Create.to_json());
    let good = server.tokens.last().cloned().unwrap_or_default();
    let token = if input.byte() & 1 == 0 {
        let at = usize::from(input.byte());
        let mut bytes = good.clone().into_bytes();
        bytes.iter_mut().skip(at).zip(input.rest()).for_each(|(byte, change)| *byte ^= change);
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        String::from_utf8_lossy(input.rest()).into_owned()
    };
    let thief = server.open();
    server.text(thief, hello(&token).to_json());
    let own = server.tokens.contains(&token);
    assert_eq!(server.resumed, usize::from(own && token == good), "{token} against {good}");
    server.empty();
}

/// What a server sends to a client, in lines: `{…}` comes over the socket, `o` opens it, `c` closes it, `x` refuses it,
/// `r…` relays a body, `k` confirms, `l` leaves, `~500` waits. The first character says what the client wants.
pub(crate) fn client(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut now = Instant::now();
    let intent = match (text.chars().next(), Nameplate::new("123456")) {
        (Some('j'), Ok(nameplate)) => Intent::Knock(nameplate),
        (Some('s'), _) => Intent::StandBy,
        _ => Intent::Create,
    };
    let mut client = Client::new(now, intent, 1);
    drain(&mut client, now);
    for (what, line) in script::lines(&text).skip(1) {
        let text = || line.to_owned();
        let input = match what {
            'o' => ClientInput::SocketOpened,
            'c' => ClientInput::SocketClosed { reason: text() },
            'x' => ClientInput::SocketRefused { reason: text() },
            'r' => ClientInput::Relay(text()),
            'k' => ClientInput::Confirm,
            'l' => ClientInput::Leave(text()),
            '~' => {
                pass(&mut client, &mut now, script::wait(line));
                continue;
            }
            first => ClientInput::SocketText(format!("{first}{line}")),
        };
        client.handle_input(now, input);
        drain(&mut client, now);
    }
    client.handle_input(now, ClientInput::Leave("left".to_owned()));
    drain(&mut client, now);
    pass(&mut client, &mut now, Duration::from_secs(60));
    assert!(client.has_ended(), "it has left and goes on");
}

fn pass(client: &mut Client, now: &mut Instant, time: Duration) {
    let end = *now + time;
    while let Some(due) = client.poll_timeout().filter(|due| *due <= end) {
        *now = due.max(*now);
        client.handle_timeout(*now);
        drain(client, *now);
        assert!(client.poll_timeout().is_none_or(|next| next > *now), "it is due again at once");
    }
    *now = end;
}

/// Its sockets open at once.
fn drain(client: &mut Client, now: Instant) {
    while let Some(output) = client.poll_output() {
        match output {
            ClientOutput::Connect => client.handle_input(now, ClientInput::SocketOpened),
            ClientOutput::Send(text) => {
                ClientMessage::parse(&text).unwrap_or_else(|error| panic!("the client says {text}: {error}"));
            }
            ClientOutput::Disconnect | ClientOutput::Event(_) => {}
        }
    }
}

fn terms(fingerprint: u8) -> Option<Terms> {
    let code = RoomCode::parse("123456-tulip-orbit").ok()?;
    Some(Terms::by_code(&code, Fingerprint([fingerprint; 32])))
}

/// Creator and joiner, with both tags exchanged.
fn met() -> Option<(Exchange, Exchange)> {
    let (mut joiner, open) = Exchange::join(terms(1)?, &mut SplitMix::new(1));
    let mut creator = Exchange::create(terms(2)?, Vec::new(), &mut SplitMix::new(2));
    creator.open(&open).ok()?;
    let reply = creator.seal(&Body::Offer { sdp: String::new(), restart: false }).ok()?;
    joiner.open(&reply).ok()?;
    let confirm = joiner.seal(&Body::Answer { sdp: String::new() }).ok()?;
    creator.open(&confirm).ok()?;
    Some((creator, joiner))
}

/// A body that the other side, who knows the words, has sealed; and the same text as if it had come unsealed.
pub(crate) fn bodies(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some((mut creator, mut joiner)) = met() else { return };
    assert!(creator.open(&text).is_err(), "nobody sealed this: {text}");
    let Ok(body) = serde_json::from_str::<Body>(&text) else { return };
    if let Ok(sealed) = joiner.seal(&body) {
        assert_eq!(creator.open(&sealed).as_ref(), Ok(&Opened::Body(body)), "it isn't what was sealed");
        assert!(creator.open(&sealed).is_err(), "the same envelope twice");
    }
}

/// Messages of the code exchange, one a line, to each side at each stage; `@R`, `@C` and `@S` stand for a good reply, confirmation
/// and sealed message of another exchange of the same two. Whatever comes, no proof and no body follow from it.
pub(crate) fn exchange(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Some(good) = good_messages() else { return };
    for line in text.lines().take(16) {
        let line = good.iter().fold(line.to_owned(), |line, (mark, message)| line.replace(mark, message));
        for side in sides().into_iter().flatten() {
            tell(side, &line);
        }
    }
}

/// Both sides at each stage.
fn sides() -> Option<Vec<Exchange>> {
    let (joiner, open) = Exchange::join(terms(3)?, &mut SplitMix::new(3));
    let listening = Exchange::create(terms(4)?, Vec::new(), &mut SplitMix::new(4));
    let mut replied = Exchange::create(terms(4)?, Vec::new(), &mut SplitMix::new(5));
    replied.open(&open).ok()?;
    replied.seal(&Body::Offer { sdp: String::new(), restart: false }).ok()?;
    let (verified, checked) = met()?;
    Some(vec![joiner, listening, replied, verified, checked])
}

fn tell(mut side: Exchange, line: &str) {
    let before = side.proof().is_some();
    match side.open(line) {
        Ok(Opened::Body(body)) => panic!("{body:?} came out of {line}"),
        Ok(Opened::Opening | Opened::Refused { .. }) | Err(_) => {}
    }
    assert_eq!(side.proof().is_some(), before, "{line} changed what is proved");
    // Whatever state it is in now, it takes more.
    let _ = (side.open(line), side.seal(&Body::EndOfCandidates));
}

fn good_messages() -> Option<Vec<(&'static str, String)>> {
    let (mut joiner, open) = Exchange::join(terms(1)?, &mut SplitMix::new(6));
    let mut creator = Exchange::create(terms(2)?, Vec::new(), &mut SplitMix::new(7));
    creator.open(&open).ok()?;
    let reply = creator.seal(&Body::Offer { sdp: String::new(), restart: false }).ok()?;
    joiner.open(&reply).ok()?;
    let confirm = joiner.seal(&Body::Answer { sdp: String::new() }).ok()?;
    let sealed = joiner.seal(&Body::EndOfCandidates).ok()?;
    Some(vec![("@O", open), ("@R", reply), ("@C", confirm), ("@S", sealed)])
}

/// A code as typed, pasted or opened as a link, and the beginning of a word.
pub(crate) fn code(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match RoomCode::parse(&text) {
        Ok(code) => assert_eq!(RoomCode::parse(&code.to_string()).as_ref(), Ok(&code), "its own form is another code"),
        Err(error) => assert!(error.to_string().chars().count() < 300, "too much is said: {error}"),
    }
    match Invitation::parse(&text) {
        Ok(read) => {
            assert_eq!(Invitation::parse(&read.to_string()).as_ref(), Ok(&read), "its own form is another code")
        }
        Err(error) => assert!(error.to_string().chars().count() < 300, "too much is said: {error}"),
    }
    for word in words::beginning_with(&text) {
        assert!(word.starts_with(&text.to_ascii_lowercase()), "{word} doesn't begin with {text}");
    }
}
