//! What a client is told about its place when it may have missed something: after a resume, or when it asks again.

use std::time::Instant;

use super::room::{Room, State};
use super::{ConnectionId, Rooms, Timer};
use crate::message::{Role, ServerMessage};
use crate::token::{Id, hex};

/// What a client knows of its exchange; all zero for nothing.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Known {
    pub(super) exchange: u32,
    pub(super) received: u64,
}

impl Rooms {
    /// After a resume: everything that makes the client's picture of its place right again.
    pub(super) fn tell_place(&mut self, now: Instant, connection: ConnectionId, session: Id, known: Known) {
        let Some(seat) = self.seat_of(session) else { return };
        let Some(room) = self.rooms.get_mut(&seat.room) else { return };
        let inside = room.inside(seat.role) == Some(session);
        let mut messages = Vec::new();
        if seat.role == Role::Creator && matches!(room.state, State::Waiting | State::Meeting { .. }) {
            messages.push(ServerMessage::Created { nameplate: room.nameplate.clone() });
        }
        let present = room.exchange().filter(|_| inside).map_or(0, |exchange| exchange.number);
        if known.exchange != 0 && known.exchange != present {
            messages.push(ServerMessage::PeerLeft { exchange: known.exchange, reason: room.last_end.clone() });
        }
        if present != 0 {
            messages.extend(exchange_so_far(
                room,
                seat.role,
                if known.exchange == present { known.received } else { 0 },
            ));
        }
        for message in messages {
            let begins = matches!(message, ServerMessage::Knocked { .. });
            self.send_to(connection, &message);
            if begins
                && let Some(lifetime) = self.introduce_one(now, seat.room, seat.role)
                && !self.timers.is_set(Timer::Regrant(seat.room))
            {
                self.timers.set(Timer::Regrant(seat.room), now + lifetime / 2);
            }
        }
        if let Some(seat) = self.sessions.get_mut(&session).and_then(|session| session.seat.as_mut()) {
            seat.told_ahead = None;
        }
        self.advance(now, seat.room);
    }
}

/// An exchange from its beginning, but for the bodies that have arrived.
fn exchange_so_far(room: &Room, role: Role, received: u64) -> Vec<ServerMessage> {
    let Some(present) = room.exchange() else { return Vec::new() };
    let exchange = present.number;
    let mut messages = vec![ServerMessage::Knocked { exchange }];
    let acknowledged = present.lane_to(role.other()).acknowledged();
    if acknowledged > 0 {
        messages.push(ServerMessage::Ack { exchange, seq: acknowledged });
    }
    let pending = present.lane_to(role).pending().filter(|(seq, _)| *seq > received);
    messages.extend(pending.map(|(seq, body)| ServerMessage::Relay { exchange, seq, body: body.to_owned() }));
    if matches!(room.state, State::Paired(_) | State::Ended { .. }) {
        messages.push(ServerMessage::Confirmed { exchange, room: hex(room.id) });
    }
    if matches!(room.state, State::Ended { .. }) {
        messages.push(ServerMessage::PeerLeft { exchange, reason: room.last_end.clone() });
    }
    messages
}
