//! One room as data: who made it, who waits before it, and the exchange or pair inside.

use std::collections::VecDeque;

use super::lane::{Lane, UnderWay};
use super::tempo::Beginning;
use crate::code::Nameplate;
use crate::message::{Role, reason};
use crate::token::{ClaimedPlace, ClaimedStage, Id};

#[derive(Debug)]
pub(super) struct Room {
    /// Its random name, told when two are a pair.
    pub(super) id: Id,
    /// The name before the pair, which an older token may carry.
    pub(super) former_id: Option<Id>,
    pub(super) nameplate: Nameplate,
    pub(super) creator: Id,
    /// Those who wait for their turn, the longest first.
    pub(super) line: VecDeque<Id>,
    /// How many exchanges there were.
    pub(super) exchanges: u32,
    /// Why the last exchange ended.
    pub(super) last_end: String,
    /// Whether it was made again after a restart, so that there may be others who have a place in it.
    pub(super) restored: bool,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    /// Nobody is inside with the creator.
    Waiting,
    /// Two are finding out whether they are who they mean.
    Meeting {
        exchange: Exchange,
        /// Who has confirmed.
        confirmed: Option<Role>,
    },
    /// They are; the nameplate is free.
    Paired(Exchange),
    /// One has left; the other may still fetch what was said.
    Ended {
        exchange: Exchange,
        /// Who is still there.
        remaining: Role,
    },
}

/// Two in a room and what is under way between them.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) number: u32,
    pub(super) joiner: Id,
    /// Names the two to other servers.
    pub(super) meeting: Id,
    pub(super) beginning: Beginning,
    to_creator: Lane,
    to_joiner: Lane,
}

impl Exchange {
    pub(super) fn new(number: u32, joiner: Id, meeting: Id, under_way: &UnderWay) -> Self {
        let [to_creator, to_joiner] = [Lane::new(under_way), Lane::new(under_way)];
        Self { number, joiner, meeting, beginning: Beginning::default(), to_creator, to_joiner }
    }

    /// An exchange of an earlier process: how far it had come is told by those who were in it.
    pub(super) fn restored(number: u32, joiner: Id, meeting: Id, under_way: &UnderWay) -> Self {
        let [to_creator, to_joiner] = [Lane::adrift(under_way), Lane::adrift(under_way)];
        Self { number, joiner, meeting, beginning: Beginning::default(), to_creator, to_joiner }
    }

    pub(super) fn lane_to(&self, role: Role) -> &Lane {
        match role {
            Role::Creator => &self.to_creator,
            Role::Joiner => &self.to_joiner,
        }
    }

    pub(super) fn lane_to_mut(&mut self, role: Role) -> &mut Lane {
        match role {
            Role::Creator => &mut self.to_creator,
            Role::Joiner => &mut self.to_joiner,
        }
    }
}

impl Room {
    pub(super) fn new(id: Id, nameplate: Nameplate, creator: Id) -> Self {
        Self {
            id,
            former_id: None,
            nameplate,
            creator,
            line: VecDeque::new(),
            exchanges: 0,
            last_end: String::new(),
            restored: false,
            state: State::Waiting,
        }
    }

    /// The room of an earlier process.
    pub(super) fn restored(id: Id, nameplate: Nameplate, creator: Id) -> Self {
        // Whatever its last exchange came to, the connection to the server was lost.
        Self { restored: true, last_end: reason::LOST.to_owned(), ..Self::new(id, nameplate, creator) }
    }

    /// What the token of a session in it says.
    pub(super) fn claim(&self, session: Id, role: Role) -> ClaimedPlace {
        let present = self.exchange().filter(|exchange| role == Role::Creator || exchange.joiner == session);
        let stage = match (&self.state, present) {
            (_, None) => ClaimedStage::Waiting,
            (State::Waiting | State::Meeting { .. }, Some(_)) => ClaimedStage::Meeting,
            (State::Paired(_) | State::Ended { .. }, Some(_)) => ClaimedStage::Paired,
        };
        ClaimedPlace {
            room: self.id,
            former_room: self.former_id,
            role,
            stage,
            other: match role {
                Role::Creator => present.map(|exchange| exchange.joiner),
                Role::Joiner => Some(self.creator),
            },
            exchange: if role == Role::Creator || present.is_some() { self.exchanges } else { 0 },
            nameplate: self.nameplate.clone(),
        }
    }

    /// Whether that is or was the room's id.
    pub(super) fn is_or_was(&self, id: Id) -> bool {
        self.id == id || self.former_id == Some(id)
    }

    pub(super) fn exchange(&self) -> Option<&Exchange> {
        match &self.state {
            State::Waiting => None,
            State::Meeting { exchange, .. } | State::Paired(exchange) | State::Ended { exchange, .. } => Some(exchange),
        }
    }

    /// The exchange that goes on.
    pub(super) fn live(&self) -> Option<&Exchange> {
        match &self.state {
            State::Waiting | State::Ended { .. } => None,
            State::Meeting { exchange, .. } | State::Paired(exchange) => Some(exchange),
        }
    }

    /// The exchange that goes on, if it has that number and this session is one of the two in it.
    pub(super) fn live_exchange(&mut self, number: u32, session: Id) -> Option<&mut Exchange> {
        let creator = self.creator;
        match &mut self.state {
            State::Meeting { exchange, .. } | State::Paired(exchange)
                if exchange.number == number && (exchange.joiner == session || creator == session) =>
            {
                Some(exchange)
            }
            State::Waiting | State::Meeting { .. } | State::Paired(_) | State::Ended { .. } => None,
        }
    }

    /// The session in that role, if somebody is inside in it.
    pub(super) fn inside(&self, role: Role) -> Option<Id> {
        match (&self.state, role) {
            (State::Ended { remaining, .. }, role) if *remaining != role => None,
            (_, Role::Creator) => Some(self.creator),
            (_, Role::Joiner) => self.exchange().map(|exchange| exchange.joiner),
        }
    }
}
