//! Bodies and acknowledgements between the two in a room. Whatever belongs to an exchange that is over was under way
//! when it ended: no mistake, and dropped.

use std::time::Instant;

use super::room::{Exchange, Room, State};
use super::session::Seat;
use super::{ConnectionId, RoomKey, Rooms};
use crate::message::{ErrorCode, MAX_BODY_BYTES, Role, ServerMessage};
use crate::token::Id;

impl Rooms {
    pub(super) fn relay(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        session: Id,
        number: u32,
        seq: u64,
        body: String,
    ) {
        if body.len() > MAX_BODY_BYTES {
            return self.fatal(now, connection, ErrorCode::TooLarge, "the body is too large");
        }
        let Some((seat, exchange)) = self.live_exchange(session, number) else {
            return self.not_inside(session, number);
        };
        let lane = exchange.lane_to_mut(seat.role.other());
        let acknowledged = lane.acknowledged();
        match lane.accept(seq, &body) {
            Ok(true) => {
                if seq == 1 {
                    exchange.beginning.first_body(now, seat.role);
                }
                self.send_inside(seat.room, seat.role.other(), &ServerMessage::Relay { exchange: number, seq, body })
            }
            Ok(false) if seq <= acknowledged => {
                self.send(session, &ServerMessage::Ack { exchange: number, seq: acknowledged });
            }
            Ok(false) => {}
            Err(ErrorCode::QueueFull) => {
                self.fatal(now, connection, ErrorCode::QueueFull, "the other side hasn't read what was sent before");
            }
            Err(code) => self.fatal(now, connection, code, "the numbers of the bodies leave a gap"),
        }
    }

    pub(super) fn acknowledge(&mut self, now: Instant, connection: ConnectionId, session: Id, number: u32, seq: u64) {
        let Some(room) = self.seat_of(session).and_then(|seat| self.rooms.get_mut(&seat.room)) else { return };
        if let State::Ended { exchange, remaining } = &mut room.state
            && exchange.number == number
        {
            // Nobody is left to hear of it, but a resume needn't fetch it again.
            let _ = exchange.lane_to_mut(*remaining).acknowledge(seq);
            return;
        }
        let Some((seat, exchange)) = self.live_exchange(session, number) else { return };
        match exchange.lane_to_mut(seat.role).acknowledge(seq) {
            Ok(true) => {
                if seat.role == Role::Creator {
                    exchange.beginning.acknowledged(now);
                }
                self.send_inside(seat.room, seat.role.other(), &ServerMessage::Ack { exchange: number, seq });
            }
            Ok(false) => {}
            Err(code) => self.fatal(now, connection, code, "acknowledged what was never sent"),
        }
    }

    /// One who is back tells a server that was restarted what it has.
    pub(super) fn settle(&mut self, session: Id, exchange: u32, received: u64) {
        if let Some((seat, exchange)) = self.live_exchange(session, exchange) {
            exchange.lane_to_mut(seat.role).settle(received);
        }
    }

    /// The highest number that the server has from a session in an exchange.
    pub(super) fn received_from(&self, session: Id, seat: Seat, exchange: u32) -> u64 {
        let room = self.rooms.get(&seat.room).filter(|room| room.inside(seat.role) == Some(session));
        let present = room.and_then(Room::exchange).filter(|present| present.number == exchange);
        present.map_or(0, |present| present.lane_to(seat.role.other()).accepted())
    }

    /// Tells a client that it is not where it believes to be, unless it only hasn't heard yet that the exchange is over.
    pub(super) fn not_inside(&mut self, session: Id, number: u32) {
        let exchanges = match self.seat_of(session) {
            Some(seat) => self.rooms.get(&seat.room).map_or(0, |room| room.exchanges),
            None if self.has_sat(session) => return,
            None => 0,
        };
        if number == 0 || number > exchanges {
            self.refuse(session, ErrorCode::NotAllowed, "there is no such exchange");
        }
    }

    pub(super) fn live_exchange(&mut self, session: Id, number: u32) -> Option<(Seat, &mut Exchange)> {
        let seat = self.seat_of(session)?;
        let exchange = self.rooms.get_mut(&seat.room)?.live_exchange(number, session)?;
        Some((seat, exchange))
    }

    pub(super) fn send_inside(&mut self, room: RoomKey, role: Role, message: &ServerMessage) {
        if let Some(session) = self.rooms.get(&room).and_then(|room| room.inside(role)) {
            self.send(session, message);
        }
    }
}
