//! A server that attacks: it reads, changes, drops, doubles, reorders and makes up the bodies that it should bring. It keeps
//! the numbers of the relay in order, as a clever one would, so that only what is sealed can give it away.

use std::collections::HashMap;

use visavis_signaling::message::{ClientMessage, ServerMessage};
use visavis_signaling::server::{ConnectionId, RoomsInput};

use super::world::World;

/// What becomes of one body on its way to a party: none, itself, another, several.
pub type Scheme = Box<dyn FnMut(usize, &str) -> Vec<String>>;

pub struct Attacker {
    scheme: Scheme,
    /// The numbers under which bodies arrive.
    sent: HashMap<(usize, u32), u64>,
}

impl World {
    /// From now on the server does this to every body that it brings to the party of that number.
    pub fn attack(&mut self, scheme: impl FnMut(usize, &str) -> Vec<String> + 'static) {
        self.attacker = Some(Attacker { scheme: Box::new(scheme), sent: HashMap::new() });
    }

    /// In a call that began before the attack: goes on counting where the relay stands.
    pub fn skip_to_present(&mut self, to: usize, exchange: u32) {
        let relays = self.parties[to].outputs.iter().filter_map(|output| match output {
            visavis_call::Output::Socket(visavis_call::SocketAction::Send(text)) => ClientMessage::parse(text).ok(),
            _ => None,
        });
        let acknowledged = relays.filter_map(|message| match message {
            ClientMessage::Ack { exchange: of, seq } if of == exchange => Some(seq),
            _ => None,
        });
        let newest = acknowledged.max().unwrap_or(0);
        let attacker = self.attacker.as_mut().expect("no attack is under way");
        attacker.sent.insert((to, exchange), newest);
    }

    /// The server brings a body that nobody sent.
    pub fn inject(&mut self, to: usize, exchange: u32, body: &str) {
        let attacker = self.attacker.as_mut().expect("no attack is under way");
        let seq = attacker.sent.entry((to, exchange)).or_default();
        *seq += 1;
        let text = ServerMessage::Relay { exchange, seq: *seq, body: body.to_owned() }.to_json();
        self.input(to, visavis_call::Input::Socket(visavis_call::SocketInput::Text(text)));
    }

    /// What the client gets instead of this frame.
    pub(super) fn through_attacker(&mut self, server: usize, id: ConnectionId, text: String) -> Vec<String> {
        let Some(who) = self.owner(id).filter(|_| self.attacker.is_some()) else { return vec![text] };
        let Ok(ServerMessage::Relay { exchange, seq, body }) = ServerMessage::parse(&text) else { return vec![text] };
        // What the attacker kept counts as arrived, as far as the honest part of the server is concerned.
        let ack = RoomsInput::Text(id, ClientMessage::Ack { exchange, seq }.to_json());
        if let Some(rooms) = &mut self.servers[server] {
            rooms.handle_input(self.now, ack);
        }
        let Some(attacker) = &mut self.attacker else { return vec![text] };
        let bodies = (attacker.scheme)(who, &body);
        let numbered = |body| {
            let seq = attacker.sent.entry((who, exchange)).or_default();
            *seq += 1;
            ServerMessage::Relay { exchange, seq: *seq, body }.to_json()
        };
        bodies.into_iter().map(numbered).collect()
    }
}

/// Whether a client acknowledges something; the attacker has done that for it.
pub fn is_ack(text: &str) -> bool {
    matches!(ClientMessage::parse(text), Ok(ClientMessage::Ack { .. }))
}
