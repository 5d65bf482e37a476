//! Clients whose socket is here and whose room isn't: how a way to it is found, and what goes along it.

use std::net::IpAddr;

use visavis_signaling::Nameplate;
use visavis_signaling::server::{ConnectionId, Moved, RoomsInput};

use super::frame::{Link, Said};
use super::table::{ServerId, Slice};
use super::{Cluster, Deed, Taken, ToOthers};

/// Texts of a client that wait until its way is found; a client that hasn't had an answer has little to say.
const MOST_HELD: usize = 16;
/// How often a way is looked for before the client has to come again.
const MOST_TRIES: u8 = 8;
/// A client whose socket is here and whose room isn't.
#[derive(Debug)]
pub(super) struct Outward {
    pub(super) moved: Moved,
    pub(super) from: Option<IpAddr>,
    pub(super) tries: u8,
    pub(super) way: Way,
}

impl Outward {
    pub(super) fn is_asking(&self, server: ServerId) -> bool {
        matches!(self.way, Way::Asking(asked, _) if asked == server)
    }

    pub(super) fn is_taking(&self, slice: Slice) -> bool {
        matches!(self.way, Way::Taking(_)) && Slice::of(&self.moved.nameplate) == slice
    }
}

#[derive(Debug)]
pub(super) enum Way {
    /// This server was asked whether it is there.
    Asking(ServerId, Vec<RoomsInput>),
    /// The slice is being taken.
    Taking(Vec<RoomsInput>),
    /// Found.
    Carried(ServerId),
}

impl Cluster {
    /// Takes over a client whose room isn't here.
    pub(crate) fn carry(&mut self, moved: Moved, from: Option<IpAddr>) {
        if let Some(client) = self.unlink(moved.connection) {
            // It knocks once more, or was brought here by a server that hadn't heard yet whose the room is.
            let Moved { nameplate, say, greeted, .. } = moved;
            let nameplate = nameplate.as_str().to_owned();
            return self.tell_edge(client, Said::Elsewhere { link: client.link, nameplate, greeted, say });
        }
        self.look(Outward { moved, from, tries: 0, way: Way::Taking(Vec::new()) });
    }

    /// What came from a client, if that one is carried elsewhere; otherwise it is given back.
    pub(crate) fn take_from_client(&mut self, input: RoomsInput) -> Option<RoomsInput> {
        let (id, said, text) = match &input {
            RoomsInput::Text(id, text) => (*id, Said::Text { link: id.0 }, text.clone()),
            RoomsInput::Unreadable(id, code) => (*id, Said::Unreadable { link: id.0, code: *code }, String::new()),
            RoomsInput::Closed(id) => (*id, Said::Gone { link: id.0 }, String::new()),
            RoomsInput::Shutdown => {
                self.close_all_outward();
                return Some(input);
            }
            RoomsInput::Opened(_) | RoomsInput::OpenedFrom(..) | RoomsInput::NumbersLost => return Some(input),
        };
        let Some(client) = self.outward.get_mut(&id) else { return Some(input) };
        let ends = matches!(said, Said::Gone { .. });
        let mut full = false;
        match &mut client.way {
            Way::Carried(home) => {
                let home = *home;
                self.tell(home, said, text);
            }
            Way::Asking(_, held) | Way::Taking(held) => {
                full = held.len() >= MOST_HELD;
                held.push(input);
            }
        }
        if ends {
            self.outward.remove(&id);
        } else if full {
            self.close_outward(id);
        }
        None
    }

    /// Finds a way for a client.
    pub(super) fn look(&mut self, mut client: Outward) {
        let id = client.moved.connection;
        client.tries += 1;
        if !self.up || client.tries > MOST_TRIES {
            return self.deeds.push_back(Deed::LetGo(id));
        }
        let held = match client.way {
            Way::Asking(_, held) | Way::Taking(held) => held,
            Way::Carried(_) => Vec::new(),
        };
        let slice = Slice::of(&client.moved.nameplate);
        match self.table.owner(slice) {
            Some(owner) if owner == self.me => return self.give_back(client.moved, client.from, held),
            Some(owner) if !self.table.is_gone(owner) => {
                client.way = Way::Asking(owner, held);
                let waiting = self.asking.entry(owner).or_default();
                waiting.push(id);
                if waiting.len() == 1 {
                    self.to_others.push_back(ToOthers::Ask(owner));
                }
            }
            gone => {
                if !client.moved.resumes() {
                    return self.give_back(client.moved, client.from, held);
                }
                client.way = Way::Taking(held);
                let waiting = self.taking.entry(slice).or_default();
                waiting.push(id);
                if waiting.len() == 1 {
                    self.to_others.push_back(ToOthers::Take(slice, gone));
                }
            }
        }
        self.outward.insert(id, client);
    }

    /// Back to the rooms here: its room's nameplate is this server's by now, or there is no such room anywhere.
    pub(super) fn give_back(&mut self, moved: Moved, from: Option<IpAddr>, held: Vec<RoomsInput>) {
        let Moved { connection: id, say, greeted, .. } = moved;
        let opened = from.map_or(RoomsInput::Opened(id), |from| RoomsInput::OpenedFrom(id, from));
        let said = say.into_iter().map(|text| RoomsInput::Text(id, text));
        let inputs = std::iter::once(opened).chain(said).chain(held).collect();
        self.deeds.push_back(Deed::Return(id, greeted, inputs));
    }

    pub(super) fn is_there(&mut self, server: ServerId) {
        self.table.set_gone(server, false);
        for id in self.asking.remove(&server).unwrap_or_default() {
            let Some(client) = self.outward.get_mut(&id).filter(|client| client.is_asking(server)) else { continue };
            let Way::Asking(_, held) = std::mem::replace(&mut client.way, Way::Carried(server)) else { continue };
            let (from, greeted, say) = (client.from, client.moved.greeted, std::mem::take(&mut client.moved.say));
            self.tell(server, Said::Open { link: id.0, from, greeted, say }, String::new());
            for input in held {
                self.take_from_client(input);
            }
        }
    }

    pub(super) fn is_gone(&mut self, server: ServerId) {
        if self.settling > 0 {
            return; // It is asked again.
        }
        self.table.set_gone(server, true);
        self.let_go_of(server);
        self.neighbours.forget(server);
        for id in self.asking.remove(&server).unwrap_or_default() {
            if self.outward.get(&id).is_some_and(|client| client.is_asking(server)) {
                self.outward.remove(&id).into_iter().for_each(|client| self.look(client));
            }
        }
    }

    pub(super) fn has_owner(&mut self, slice: Slice, owner: Option<ServerId>) {
        if let Some(owner) = owner {
            // Whoever has just taken one is there.
            self.table.set_gone(owner, false);
        }
        if self.table.set_owner(slice, owner) {
            self.counts.lost += 1;
            self.deeds.push_back(Deed::Rooms(RoomsInput::NumbersLost));
        }
    }

    pub(super) fn has_taken(&mut self, slice: Slice, taken: Taken) {
        let failed = matches!(taken, Taken::Failed);
        match taken {
            Taken::Ours(records) => {
                self.counts.taken += 1;
                self.table.set_owner(slice, Some(self.me));
                self.deeds.push_back(Deed::Recall(records));
            }
            Taken::Others(owner) => self.has_owner(slice, Some(owner)),
            Taken::Failed => {}
        }
        for id in self.taking.remove(&slice).unwrap_or_default() {
            if !self.outward.get(&id).is_some_and(|client| client.is_taking(slice)) {
                continue;
            }
            if failed {
                self.close_outward(id);
            } else {
                self.outward.remove(&id).into_iter().for_each(|client| self.look(client));
            }
        }
    }

    pub(super) fn is_carried(&self, id: ConnectionId, home: ServerId) -> bool {
        matches!(self.outward.get(&id), Some(Outward { way: Way::Carried(to), .. }) if *to == home)
    }

    pub(super) fn do_for_home(&mut self, home: ServerId, link: Link, deed: Deed) {
        if self.is_carried(ConnectionId(link), home) {
            self.deeds.push_back(deed);
        }
    }

    /// The server that a client was carried to says that its room is elsewhere.
    pub(super) fn send_on(
        &mut self,
        from: ServerId,
        connection: ConnectionId,
        nameplate: &str,
        greeted: bool,
        say: Vec<String>,
    ) {
        let Some(nameplate) = Nameplate::new(nameplate).ok().filter(|_| self.is_carried(connection, from)) else {
            return;
        };
        let Some(client) = self.outward.remove(&connection) else { return };
        self.look(Outward { moved: Moved { connection, nameplate, say, greeted }, ..client });
    }

    /// A client whose way is lost comes back by itself.
    pub(super) fn close_outward(&mut self, id: ConnectionId) {
        if let Some(client) = self.outward.remove(&id) {
            if let Way::Carried(home) = client.way {
                self.tell(home, Said::Gone { link: id.0 }, String::new());
            }
            self.deeds.push_back(Deed::LetGo(id));
        }
    }

    pub(super) fn close_all_outward(&mut self) {
        let outward: Vec<_> = self.outward.keys().copied().collect();
        outward.into_iter().for_each(|id| self.close_outward(id));
    }
}
