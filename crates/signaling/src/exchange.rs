//! One meeting of two who may know the same words, from the first message to the last, as it goes through the relay.
//!
//! ```text
//! 1  joiner → creator   open      sid, Yj, ADj
//! 2  creator → joiner   reply     Yc, ADc, tag, sealed offer
//! 3  joiner → creator   confirm   tag, sealed answer
//! …  both               sealed    everything after
//! ```
//! The words are the password of [`crate::cpace`], and the hash of each side's DTLS certificate is in its associated data:
//! keys come out equal only for the two who know the words *and* see one another's certificates. Nobody acts on a sealed
//! body before the other's tag is good. docs/protocol.md says it byte for byte; `tests/vectors/visavis.json` shows it.
//!
//! Where the two have met already, a [`RejoinSecret`] of that meeting takes the place of the words.

mod keys;
mod message;

use std::fmt;

use crate::body::Body;
use crate::code::{Nameplate, RoomCode};
use crate::cpace::{KeyShare, PointError, SID_BYTES, SessionKey, Tag, transcript};
use crate::emoji::Pictures;
use crate::fingerprint::Fingerprint;
use crate::message::{MAX_BODY_BYTES, Role};
use crate::random::Randomness;
use crate::seal::{Seal, SealError};
use crate::words::Words;
use keys::{associated_data, derive, read_associated_data};
use message::{Kind, Message};

pub use keys::{RejoinSecret, VERSION};
pub use message::MAX_REFUSAL_BYTES;

/// How many guesses a code stands: at two words of ten bits, three in 2^20. The last one burns it.
pub const MAX_GUESSES: u32 = 3;

/// The session id of an exchange, which its joiner draws.
pub type Sid = [u8; SID_BYTES];

/// What the two who meet are to agree on.
#[derive(Debug, Clone)]
pub struct Terms {
    /// What both must know.
    pub secret: Secret,
    /// Our own certificate.
    pub fingerprint: Fingerprint,
}

/// What both must know.
#[derive(Debug, Clone)]
pub enum Secret {
    /// A code that one has told the other.
    Code {
        /// Where they meet.
        nameplate: Nameplate,
        /// What the server doesn't know.
        words: Words,
    },
    /// That they have met before.
    Rejoin(RejoinSecret),
}

impl Terms {
    /// To meet by a code.
    #[must_use]
    pub fn by_code(code: &RoomCode, fingerprint: Fingerprint) -> Self {
        let secret = Secret::Code { nameplate: code.nameplate().clone(), words: code.words().clone() };
        Self { secret, fingerprint }
    }

    /// To meet again.
    #[must_use]
    pub const fn again(secret: RejoinSecret, fingerprint: Fingerprint) -> Self {
        Self { secret: Secret::Rejoin(secret), fingerprint }
    }

    fn share(&self, sid: &Sid, wide: &[u8; 64]) -> KeyShare {
        let ci = keys::channel_identifier(&self.secret);
        match &self.secret {
            Secret::Code { words, .. } => KeyShare::new(words.password().as_bytes(), &ci, sid, wide),
            Secret::Rejoin(secret) => KeyShare::new(secret.bytes(), &ci, sid, wide),
        }
    }
}

/// What is known of the other once the exchange has proved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The other's certificate; no other may come up.
    pub fingerprint: Fingerprint,
    /// What both screens show.
    pub pictures: Pictures,
}

/// What came out of a message of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// Creator: a joiner has opened the exchange, and the offer may be made.
    Opening,
    /// Something that the other, who knows the words, says.
    Body(Body),
    /// Joiner: the creator's app can't use what ours sent. Anybody on the way can say this, as they can keep silent.
    Refused {
        /// Why, as a short kebab-case word.
        reason: String,
    },
}

/// One side of one exchange. A new one is made for each that knocks.
pub struct Exchange {
    role: Role,
    state: State,
    /// Creator: our tag has left under this session id, and no good one has come back.
    unanswered: Option<Sid>,
}

enum State {
    /// Creator: nothing has come.
    Listening { terms: Terms, share_seed: zeroize::Zeroizing<[u8; 64]>, seen: Vec<Sid> },
    /// Creator: the keys are there; the offer is being made.
    Heard(Keyed, Reply),
    /// Creator: our tag has left, and the joiner's is to come.
    Replied(Keyed),
    /// Joiner: our point has left.
    Opened { share: KeyShare, sid: Sid, ad: Vec<u8> },
    /// Joiner: the creator's tag was good; ours goes out with the answer.
    Checked(Keyed, Tag),
    /// Both tags were exchanged, as far as this side can see.
    Verified(Keyed),
    /// Nothing more can come of it.
    Over,
}

/// What follows from the keys.
struct Keyed {
    seal: Seal,
    proof: Proof,
    rejoin: RejoinSecret,
    sid: Sid,
    /// What the other's tag must be.
    expected: Tag,
}

/// The creator's half, until it goes out with the offer.
struct Reply {
    point: crate::cpace::Point,
    ad: Vec<u8>,
    tag: Tag,
}

impl Exchange {
    /// The creator's side. `seen` are the session ids that this code has met before.
    #[must_use]
    pub fn create(terms: Terms, seen: Vec<Sid>, random: &mut dyn Randomness) -> Self {
        let mut share_seed = zeroize::Zeroizing::new([0; 64]);
        random.fill(&mut *share_seed);
        Self { role: Role::Creator, state: State::Listening { terms, share_seed, seen }, unanswered: None }
    }

    /// The joiner's side, and what it says first.
    #[must_use]
    pub fn join(terms: Terms, random: &mut dyn Randomness) -> (Self, String) {
        let (mut sid, mut wide) = ([0; SID_BYTES], zeroize::Zeroizing::new([0; 64]));
        random.fill(&mut sid);
        random.fill(&mut *wide);
        let share = terms.share(&sid, &wide);
        let ad = associated_data(Role::Joiner, &terms.fingerprint);
        let opening = Message::Open { sid, point: *share.point(), ad: ad.clone() }.to_json();
        (Self { role: Role::Joiner, state: State::Opened { share, sid, ad }, unanswered: None }, opening)
    }

    /// What the exchange has proved about the other, if it has.
    #[must_use]
    pub fn proof(&self) -> Option<&Proof> {
        match &self.state {
            State::Checked(keyed, _) | State::Verified(keyed) => Some(&keyed.proof),
            State::Listening { .. } | State::Heard(..) | State::Replied(_) | State::Opened { .. } | State::Over => None,
        }
    }

    /// By what the two may meet again, once both tags were exchanged.
    #[must_use]
    pub fn rejoin_secret(&self) -> Option<RejoinSecret> {
        match &self.state {
            State::Verified(keyed) => Some(keyed.rejoin.clone()),
            State::Listening { .. }
            | State::Heard(..)
            | State::Replied(_)
            | State::Opened { .. }
            | State::Checked(..)
            | State::Over => None,
        }
    }

    /// Creator: the session id under which our tag has left, while no good one has come back. Somebody may have tested a
    /// guess by it.
    #[must_use]
    pub const fn unanswered(&self) -> Option<Sid> {
        self.unanswered
    }

    /// Wraps a body for the relay. The creator's first is its offer and the joiner's first its answer; a goodbye may be said
    /// at any time, without a key it is a plain word.
    ///
    /// Keep the result and send the same bytes again if need be: nothing is sealed twice.
    ///
    /// # Errors
    /// [`ExchangeError::TooEarly`] where there is no key yet, and [`ExchangeError::Seal`].
    pub fn seal(&mut self, body: &Body) -> Result<String, ExchangeError> {
        let kind = match (&self.state, body) {
            (State::Heard(..), Body::Offer { .. }) => Kind::Reply,
            (State::Checked(..), Body::Answer { .. }) => Kind::Confirm,
            (State::Replied(_) | State::Verified(_), _) => Kind::Sealed,
            (State::Listening { .. } | State::Heard(..) | State::Over, Body::Bye { reason }) => {
                return Ok(refusal(reason));
            }
            (
                State::Listening { .. } | State::Heard(..) | State::Opened { .. } | State::Checked(..) | State::Over,
                _,
            ) => return Err(ExchangeError::TooEarly),
        };
        let sealed = match &mut self.state {
            State::Heard(keyed, _) | State::Checked(keyed, _) | State::Replied(keyed) | State::Verified(keyed) => {
                keyed.seal.seal(kind.name(), body)?
            }
            State::Listening { .. } | State::Opened { .. } | State::Over => return Err(ExchangeError::TooEarly),
        };
        let (state, message) = match std::mem::replace(&mut self.state, State::Over) {
            State::Heard(keyed, reply) => {
                let Reply { point, ad, tag } = reply;
                self.unanswered = Some(keyed.sid);
                (State::Replied(keyed), Message::Reply { point, ad, tag, sealed })
            }
            State::Checked(keyed, tag) => (State::Verified(keyed), Message::Confirm { tag, sealed }),
            state @ (State::Replied(_)
            | State::Verified(_)
            | State::Listening { .. }
            | State::Opened { .. }
            | State::Over) => (state, Message::Sealed(sealed)),
        };
        self.state = state;
        Ok(message.to_json())
    }

    /// Takes what the relay brought.
    ///
    /// # Errors
    /// [`ExchangeError`]. Before the other is proved it ends the exchange; after that the next message can still be opened.
    pub fn open(&mut self, text: &str) -> Result<Opened, ExchangeError> {
        if text.len() > MAX_BODY_BYTES {
            return Err(ExchangeError::TooLarge { bytes: text.len() });
        }
        let message = Message::parse(text)?;
        match (std::mem::replace(&mut self.state, State::Over), message) {
            (State::Listening { terms, share_seed, seen }, Message::Open { sid, point, ad }) => {
                if seen.contains(&sid) {
                    return Err(ExchangeError::SidSeen);
                }
                let share = terms.share(&sid, &share_seed);
                let own_ad = associated_data(Role::Creator, &terms.fingerprint);
                let (keyed, tag) = agree(Role::Creator, sid, (&share, &own_ad), (&point, &ad))?;
                self.state = State::Heard(keyed, Reply { point: *share.point(), ad: own_ad, tag });
                Ok(Opened::Opening)
            }
            (State::Opened { share, sid, ad: own_ad }, Message::Reply { point, ad, tag, sealed }) => {
                let (mut keyed, own_tag) = agree(Role::Joiner, sid, (&share, &own_ad), (&point, &ad))?;
                check(&keyed, &tag)?;
                let body = keyed.seal.open(Kind::Reply.name(), &sealed)?;
                self.state = State::Checked(keyed, own_tag);
                Ok(Opened::Body(body))
            }
            (State::Opened { .. }, Message::Refuse { reason }) => Ok(Opened::Refused { reason }),
            (State::Replied(mut keyed), Message::Confirm { tag, sealed }) => {
                check(&keyed, &tag)?;
                self.unanswered = None;
                let body = keyed.seal.open(Kind::Confirm.name(), &sealed)?;
                self.state = State::Verified(keyed);
                Ok(Opened::Body(body))
            }
            (State::Checked(mut keyed, tag), Message::Sealed(sealed)) => {
                let body = keyed.seal.open(Kind::Sealed.name(), &sealed);
                self.state = State::Checked(keyed, tag);
                Ok(Opened::Body(body?))
            }
            (State::Verified(mut keyed), Message::Sealed(sealed)) => {
                let body = keyed.seal.open(Kind::Sealed.name(), &sealed);
                self.state = State::Verified(keyed);
                Ok(Opened::Body(body?))
            }
            (state, message) => {
                self.state = state;
                Err(ExchangeError::OutOfTurn { kind: message.kind().name() })
            }
        }
    }
}

impl fmt::Debug for Exchange {
    // Its keys have no place in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("role", &self.role).finish_non_exhaustive()
    }
}

fn refusal(reason: &str) -> String {
    Message::Refuse { reason: reason.to_owned() }.to_json()
}

/// The same computation on both sides: refusals, key, tags. Gives what follows from the key and our own tag.
fn agree(
    role: Role,
    sid: Sid,
    (share, own_ad): (&KeyShare, &[u8]),
    (point, ad): (&crate::cpace::Point, &[u8]),
) -> Result<(Keyed, Tag), ExchangeError> {
    let (own, other) = (read_associated_data(own_ad)?, read_associated_data(ad)?);
    if point == share.point() || other.role == role {
        return Err(ExchangeError::Reflected);
    }
    let shared = share.shared(point)?;
    let (ours, theirs) = ((share.point(), own_ad), (point, ad));
    let (joiner, creator) = if role == Role::Joiner { (ours, theirs) } else { (theirs, ours) };
    let key = SessionKey::new(&sid, &shared, &transcript(joiner, creator));
    let derived = derive(&key, role, &own.fingerprint, &other.fingerprint);
    let keyed = Keyed {
        seal: Seal::new(&derived.sending, &derived.receiving),
        proof: Proof { fingerprint: other.fingerprint, pictures: derived.pictures },
        rejoin: derived.rejoin,
        sid,
        expected: key.tag(point, ad),
    };
    Ok((keyed, key.tag(share.point(), own_ad)))
}

fn check(keyed: &Keyed, tag: &Tag) -> Result<(), ExchangeError> {
    use subtle::ConstantTimeEq;
    if bool::from(keyed.expected.ct_eq(tag)) { Ok(()) } else { Err(ExchangeError::WrongTag) }
}

impl From<PointError> for ExchangeError {
    fn from(error: PointError) -> Self {
        Self::Point(error)
    }
}

/// Why a message of the other side isn't taken, or one of ours can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// Larger than a body of the relay may be.
    #[error("a message of {bytes} bytes is too large")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// No message of an exchange: no JSON, a field missing or cut.
    #[error("a message of the code exchange can't be read: {0}")]
    Malformed(&'static str),
    /// The other speaks another version.
    #[error("the other side's app speaks another version of the code exchange")]
    Version,
    /// This side said it itself, or somebody in its role.
    #[error("a message of the code exchange came back")]
    Reflected,
    /// The other's point is none that can be used.
    #[error("the code exchange was tampered with: {0}")]
    Point(PointError),
    /// The session id was used with this code before.
    #[error("a code exchange of before was played again")]
    SidSeen,
    /// The words differ, or somebody in between changed something.
    #[error("the words don't match")]
    WrongTag,
    /// A good message at the wrong moment.
    #[error("a message “{kind}” doesn't fit here")]
    OutOfTurn {
        /// What kind.
        kind: &'static str,
    },
    /// There is no key yet to seal this with.
    #[error("nothing can be sealed before the code exchange")]
    TooEarly,
    /// The sealed part.
    #[error(transparent)]
    Seal(#[from] SealError),
}

#[cfg(test)]
mod vectors;
