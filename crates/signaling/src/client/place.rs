//! The place in the server's rooms: asking for one, keeping it over lost connections, and the exchange with the other.

use std::time::Instant;

use super::exchange::{Arrival, Exchange};
use super::{Client, ClientEvent, ENTRY_DEADLINE, GiveUp, Place, Seat, Timer};
use crate::code::Nameplate;
use crate::message::{ClientMessage, ErrorCode, IceServer, MAX_BODY_BYTES, ServerMessage};

impl Client {
    /// Whether the server has made a pair of us and the other, who hasn't left it.
    #[must_use]
    pub fn is_paired(&self) -> bool {
        matches!(&self.place, Place::Meeting(_, exchange) if exchange.paired)
    }

    /// Asks for a room; now, or as soon as the server answers.
    pub(super) fn ask(&mut self, now: Instant, nameplate: Option<Nameplate>) {
        if !matches!(self.place, Place::Nowhere) {
            return self.refused(ErrorCode::NotAllowed, "this client is in a room already, or on its way into one");
        }
        self.place = Place::Asking(nameplate);
        self.timers.set(Timer::Entry, now + ENTRY_DEADLINE);
        if self.is_online() {
            self.send_request();
        }
    }

    fn send_request(&mut self) {
        let Place::Asking(nameplate) = &self.place else { return };
        let message = nameplate.clone().map_or(ClientMessage::Create, |nameplate| ClientMessage::Knock { nameplate });
        self.send(&message);
    }

    /// After `welcome`: goes on where the lost connection left off, or begins.
    pub(super) fn take_place_up(&mut self, resumed: bool, received: u64) {
        if !resumed {
            if self.is_in_room() {
                return self.give_up(GiveUp::RoomLost, "the server doesn't know this room any more".into());
            }
            return self.send_request();
        }
        let Place::Meeting(_, exchange) = &mut self.place else {
            // What the server says next tells the place. The acknowledgement of nothing only proves that the new
            // token has arrived.
            return self.send(&ClientMessage::Ack { exchange: 0, seq: 0 });
        };
        exchange.rewind(received);
        let (ack, confirm) = (exchange.ack(), exchange.confirm_sent && !exchange.paired);
        let number = exchange.number;
        self.send(&ack);
        self.flush();
        if confirm {
            self.send(&ClientMessage::Confirmed { exchange: number });
        }
    }

    pub(super) fn relay(&mut self, body: String) {
        if body.len() > MAX_BODY_BYTES {
            return self.refused(ErrorCode::TooLarge, "the body is larger than the server takes");
        }
        let Place::Meeting(_, exchange) = &mut self.place else {
            return self.refused(ErrorCode::NotAllowed, "there is nobody to send this to");
        };
        exchange.push(body);
        self.flush();
    }

    /// Sends what may go out.
    fn flush(&mut self) {
        if !self.is_online() {
            return;
        }
        while let Place::Meeting(_, exchange) = &mut self.place {
            let Some(message) = exchange.next_to_send() else { return };
            self.send(&message);
        }
    }

    pub(super) fn confirm(&mut self) {
        let Place::Meeting(_, exchange) = &mut self.place else {
            return self.refused(ErrorCode::NotAllowed, "there is nobody to accept");
        };
        if std::mem::replace(&mut exchange.confirm_sent, true) {
            return;
        }
        let exchange = exchange.number;
        if self.is_online() {
            self.send(&ClientMessage::Confirmed { exchange });
        }
    }

    pub(super) fn leave(&mut self, reason: String) {
        if self.is_online() && !matches!(self.place, Place::Nowhere) {
            self.send(&ClientMessage::Leave { reason });
        }
        self.end();
    }

    pub(super) fn handle_message(&mut self, now: Instant, message: ServerMessage) {
        match message {
            ServerMessage::Token { token } => self.token = Some(token),
            ServerMessage::Created { nameplate } => self.created(nameplate),
            ServerMessage::Waiting { ahead } => self.waiting(ahead),
            ServerMessage::Work { bits, challenge } => self.take_on(now, bits, challenge),
            ServerMessage::Knocked { exchange } => self.knocked(exchange),
            ServerMessage::Relay { exchange, seq, body } => self.relayed(now, exchange, seq, body),
            ServerMessage::Ack { exchange, seq } => self.acknowledged(exchange, seq),
            ServerMessage::Confirmed { exchange, .. } => self.confirmed(exchange),
            ServerMessage::IceServers { exchange, servers, .. } => self.ice_servers(exchange, servers),
            ServerMessage::PeerLeft { exchange, reason } => self.peer_left(exchange, reason),
            ServerMessage::Pong => {}
            ServerMessage::Welcome { .. } | ServerMessage::Error { .. } => self.ignored += 1,
        }
    }

    fn created(&mut self, nameplate: Nameplate) {
        match &self.place {
            Place::Asking(None) => {
                self.place = Place::Waiting(Seat::Creator(nameplate.clone()));
                self.timers.clear(Timer::Entry);
                self.event(ClientEvent::Created { nameplate });
            }
            // Said again after a resume.
            Place::Waiting(Seat::Creator(known)) | Place::Meeting(Seat::Creator(known), _) if *known == nameplate => {}
            Place::Nowhere | Place::Asking(_) | Place::Waiting(_) | Place::Meeting(..) => self.ignored += 1,
        }
    }

    fn waiting(&mut self, ahead: u32) {
        match &self.place {
            Place::Asking(Some(_)) | Place::Waiting(Seat::Joiner(_)) => {}
            Place::Nowhere | Place::Asking(None) | Place::Waiting(Seat::Creator(_)) | Place::Meeting(..) => {
                self.ignored += 1;
                return;
            }
        }
        self.timers.clear(Timer::Entry);
        let known = matches!(self.place, Place::Waiting(Seat::Joiner(Some(known))) if known == ahead);
        self.place = Place::Waiting(Seat::Joiner(Some(ahead)));
        if !known {
            self.event(ClientEvent::Waiting { ahead });
        }
    }

    fn knocked(&mut self, number: u32) {
        if matches!(&self.place, Place::Meeting(_, exchange) if exchange.number >= number) {
            return; // Said again after a resume.
        }
        let seat = match &self.place {
            Place::Asking(Some(_)) => Seat::Joiner(None),
            Place::Waiting(seat) => seat.clone(),
            Place::Nowhere | Place::Asking(None) | Place::Meeting(..) => {
                self.ignored += 1;
                return;
            }
        };
        self.timers.clear(Timer::Entry);
        self.place = Place::Meeting(seat, Exchange::new(number));
        self.event(ClientEvent::Knocked);
    }

    fn relayed(&mut self, now: Instant, number: u32, seq: u64, body: String) {
        let Some(exchange) = self.exchange(number) else { return };
        let arrival = exchange.arrive(seq);
        let ack = exchange.ack();
        match arrival {
            Arrival::New => {
                self.send(&ack);
                self.event(ClientEvent::Relayed(body));
            }
            Arrival::Duplicate => self.send(&ack),
            Arrival::Gap => self.drop_socket(now, "the server skipped a message"),
        }
    }

    fn ice_servers(&mut self, number: u32, servers: Vec<IceServer>) {
        if self.exchange(number).is_some() {
            self.event(ClientEvent::IceServers(servers));
        }
    }

    fn acknowledged(&mut self, number: u32, seq: u64) {
        let Some(exchange) = self.exchange(number) else { return };
        exchange.acknowledge(seq);
        self.flush();
    }

    fn confirmed(&mut self, number: u32) {
        let Some(exchange) = self.exchange(number) else { return };
        if !exchange.confirm_sent {
            self.ignored += 1; // No pair is made without us.
        } else if !std::mem::replace(&mut exchange.paired, true) {
            self.event(ClientEvent::Confirmed);
        }
    }

    fn peer_left(&mut self, number: u32, reason: String) {
        let Some(exchange) = self.exchange(number) else { return };
        let paired = exchange.paired;
        if paired {
            // Everything before it has arrived: the server may forget the room.
            self.send(&ClientMessage::Leave { reason: String::new() });
        }
        self.place = match std::mem::replace(&mut self.place, Place::Nowhere) {
            Place::Meeting(seat @ Seat::Creator(_), _) if !paired => Place::Waiting(seat),
            Place::Nowhere | Place::Asking(_) | Place::Waiting(_) | Place::Meeting(..) => Place::Nowhere,
        };
        self.event(ClientEvent::PeerLeft { reason });
    }

    /// The present exchange if that is its number; anything about another is late and counted.
    fn exchange(&mut self, number: u32) -> Option<&mut Exchange> {
        match &mut self.place {
            Place::Meeting(_, exchange) if exchange.number == number => Some(exchange),
            Place::Nowhere | Place::Asking(_) | Place::Waiting(_) | Place::Meeting(..) => {
                self.ignored += 1;
                None
            }
        }
    }

    /// An error after which the connection goes on.
    pub(super) fn handle_refusal(&mut self, code: ErrorCode, text: String) {
        match code {
            // The `welcome` behind it tells the same, and what to do about it.
            ErrorCode::ResumeRefused => {}
            ErrorCode::NoSuchRoom
            | ErrorCode::RoomFull
            | ErrorCode::RoomClosed
            | ErrorCode::LineFull
            | ErrorCode::ServerFull
            | ErrorCode::Expired => {
                self.timers.clear(Timer::Entry);
                self.place = Place::Nowhere;
                self.refused(code, text);
            }
            ErrorCode::BadMessage
            | ErrorCode::UnsupportedVersion
            | ErrorCode::TooLarge
            | ErrorCode::TooFast
            | ErrorCode::QueueFull
            | ErrorCode::NotAllowed
            | ErrorCode::OutOfOrder
            | ErrorCode::Superseded
            | ErrorCode::Idle
            | ErrorCode::ShuttingDown
            | ErrorCode::Unknown => self.refused(code, text),
        }
    }
}
