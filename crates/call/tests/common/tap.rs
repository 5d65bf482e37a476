//! Reads what the parties of a [`super::world::World`] seal for one another. It can, because their secrets come from
//! seeds: it runs each exchange a second time, on both sides.

use std::collections::HashSet;

use visavis_call::{CallEvent, CallState, Intent, Output};
use visavis_signaling::random::Randomness;
use visavis_signaling::{Body, Exchange, Opened, RoomCode, Words};

use super::world::World;
use super::{entropy, terms};

/// One exchange, seen from both sides.
pub struct Tap {
    pub creator: usize,
    pub joiner: usize,
    /// Opens what the creator says.
    joiners: Exchange,
    /// Opens what the joiner says.
    creators: Exchange,
}

/// What the tap keeps.
#[derive(Default)]
pub struct Taps {
    taps: Vec<Tap>,
    heard: HashSet<String>,
}

impl World {
    /// The body inside what a party sends through the relay; none in what was sent before.
    pub(super) fn tap(&mut self, who: usize, text: &str) -> Option<Body> {
        if !self.taps.heard.insert(text.to_owned()) {
            return None;
        }
        if let Intent::Join(code) = self.parties[who].intent.clone()
            && text.contains(r#""type":"open""#)
        {
            let tap = self.new_tap(who, &code, text)?;
            self.taps.taps.push(tap);
            return None;
        }
        let tap = self.taps.taps.iter_mut().rev().find(|tap| tap.creator == who || tap.joiner == who)?;
        let opened = if tap.creator == who { tap.joiners.open(text) } else { tap.creators.open(text) };
        match opened {
            Ok(Opened::Body(body)) => Some(body),
            Ok(Opened::Refused { reason }) => Some(Body::Bye { reason }),
            Ok(Opened::Opening) | Err(_) => None,
        }
    }

    fn new_tap(&self, joiner: usize, code: &RoomCode, opening: &str) -> Option<Tap> {
        let creator = (0..self.parties.len()).find(|who| self.code_of(*who).as_ref() == Some(code))?;
        let (joiners, _) = Exchange::join(terms(code, number(joiner)), &mut entropy(number(joiner)));
        // A creator draws its words first, and then for each that knocks.
        let mut random = entropy(number(creator));
        let _ = Words::draw(&mut random);
        for _ in 1..self.path_of(creator).iter().filter(|state| **state == "verifying").count() {
            random.fill(&mut [0; 64]);
        }
        let mut creators = Exchange::create(terms(code, number(creator)), Vec::new(), &mut random);
        creators.open(opening).ok()?;
        creators.seal(&Body::Offer { sdp: String::new(), restart: false }).ok()?;
        Some(Tap { creator, joiner, joiners, creators })
    }

    /// The code that a party was given.
    pub fn code_of(&self, who: usize) -> Option<RoomCode> {
        self.parties[who].outputs.iter().find_map(|output| match output {
            Output::Event(CallEvent::State(CallState::Waiting { code })) => Some(code.clone()),
            _ => None,
        })
    }
}

/// The number by which a party's secrets and certificate go.
pub fn number(who: usize) -> u8 {
    u8::try_from(who).unwrap() + 1
}
