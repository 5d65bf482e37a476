//! Which nameplates are this server's. Alone it has them all, in memory, and that is the default. Of several servers each has some, and a
//! room is at home with whoever has its nameplate, for as long as it lives: so only one server ever decides who is in it.

use super::{ConnectionId, RoomKey, Rooms, RoomsOutput};
use crate::code::Nameplate;
use crate::message::{ClientMessage, ErrorCode, ICE_SERVERS, PROTOCOL_VERSION, Resume, ServerMessage, WORK};

/// How many nameplates of today's six digits there are.
const NAMEPLATES: u64 = 1_000_000;

/// Who has a nameplate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// This server.
    Here,
    /// Another one.
    Elsewhere,
    /// Nobody, or one that is gone.
    Nobody,
}

/// Who has which nameplate. What it says may change between two inputs; see [`super::RoomsInput::NumbersLost`].
pub trait Numbers: Send {
    /// Who has this one.
    fn home_of(&self, nameplate: &Nameplate) -> Home;

    /// One of this server's for a new room, by that random number. `None`: it has none.
    fn draw(&self, random: u64) -> Option<Nameplate>;
}

/// All of them here.
#[derive(Debug)]
pub(super) struct Alone;

impl Numbers for Alone {
    fn home_of(&self, _: &Nameplate) -> Home {
        Home::Here
    }

    fn draw(&self, random: u64) -> Option<Nameplate> {
        Nameplate::new(&format!("{:06}", random % NAMEPLATES)).ok()
    }
}

/// A client whose room is at home with another server, or was with one that is gone. Its connection is none of this
/// server's rooms any more: whoever drives the machine carries it there, or opens it here again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The connection.
    pub connection: ConnectionId,
    /// The room's nameplate.
    pub nameplate: Nameplate,
    /// What to say there on the client's behalf.
    pub say: Vec<String>,
    /// Whether the client has had its welcome, so that another is to be kept from it.
    pub greeted: bool,
}

impl Moved {
    /// Whether it comes with a token, out of which its room can be made anew; otherwise it knocks.
    #[must_use]
    pub fn resumes(&self) -> bool {
        !self.greeted
    }
}

impl Rooms {
    /// Lets the server have some of the nameplates.
    #[must_use]
    pub fn with_numbers(mut self, numbers: Box<dyn Numbers>) -> Self {
        self.numbers = numbers;
        self
    }

    /// One who knocks at a room elsewhere.
    pub(super) fn knock_elsewhere(&mut self, connection: ConnectionId, nameplate: &Nameplate) {
        let knock = ClientMessage::Knock { nameplate: nameplate.clone() };
        self.move_out(connection, nameplate, None, Some(knock));
    }

    /// One who comes back, to a room elsewhere.
    pub(super) fn resume_elsewhere(&mut self, connection: ConnectionId, nameplate: &Nameplate, resume: Resume) {
        self.move_out(connection, nameplate, Some(resume), None);
    }

    fn move_out(
        &mut self,
        connection: ConnectionId,
        nameplate: &Nameplate,
        resume: Option<Resume>,
        then: Option<ClientMessage>,
    ) {
        let Some(gone) = self.forget_connection(connection) else { return };
        if let Some(session) = gone.session {
            self.drop_session(session);
        }
        let features = [(gone.takes_ice_servers, ICE_SERVERS), (gone.does_work, WORK)];
        let features = features.into_iter().filter(|(has, _)| *has).map(|(_, feature)| feature.to_owned()).collect();
        let greeted = then.is_some();
        let hello = ClientMessage::Hello { version: PROTOCOL_VERSION, features, resume };
        let say = std::iter::once(hello).chain(then).map(|message| message.to_json()).collect();
        self.tally.moved += 1;
        self.outputs.push_back(RoomsOutput::Move(Moved { connection, nameplate: nameplate.clone(), say, greeted }));
    }

    /// Lets go of every room whose nameplate another server has taken. Who is in one comes back, and is carried there.
    pub(super) fn let_go(&mut self) {
        let is_lost = |nameplate: &Nameplate| self.numbers.home_of(nameplate) != Home::Here;
        let lost = self.rooms.iter().filter(|(_, room)| is_lost(&room.nameplate));
        let lost: Vec<RoomKey> = lost.map(|(key, _)| *key).collect();
        for key in lost {
            self.let_go_of(key);
        }
    }

    fn let_go_of(&mut self, key: RoomKey) {
        let Some(room) = self.take_room(key) else { return };
        let inside = room.exchange().map(|exchange| exchange.joiner);
        let code = ErrorCode::ShuttingDown;
        let moved = ServerMessage::Error { code, text: "the room is on another server now".into(), fatal: true };
        for session in room.line.into_iter().chain(inside).chain([room.creator]) {
            // One who has left it may sit in another.
            if self.seat_of(session).is_none_or(|seat| seat.room != key) {
                continue;
            }
            if let Some(connection) = self.sessions.get(&session).and_then(|session| session.connection) {
                self.send_to(connection, &moved);
                self.outputs.push_back(RoomsOutput::Close(connection, code));
                self.forget_connection(connection);
            }
            self.drop_session(session);
        }
    }
}
