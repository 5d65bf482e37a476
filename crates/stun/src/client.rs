//! One question to one server, as a client asks it: a Binding request (RFC 8489), or an Allocate request with all that goes
//! before it, the challenge and the signature (RFC 8656, section 7; RFC 8489, section 9.2). It is told what came and says what to send;
//! sending, waiting and repeating are done by whoever has the socket.

use std::net::SocketAddr;

use crate::message::{Builder, Class, Message, TransactionId, attribute, method};
use crate::url::Service;
use crate::{UDP, long_term_key};

/// A question that is sent, challenged and signed more often than this goes in circles.
const MOST_REQUESTS: u8 = 4;

/// User name and password of a long-term credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// Who asks.
    pub username: String,
    /// The proof.
    pub password: String,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The datagram is none of ours, or is damaged.
    Ignore,
    /// Send this, and wait for its answer.
    Send(Vec<u8>),
    /// It is answered.
    Done(Answer),
}

/// What a server answers in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Where the server sees us come from.
    Seen(SocketAddr),
    /// Where the server receives for us.
    Relayed(SocketAddr),
    /// It knows no such user and password, or they have run out.
    WrongPassword,
    /// It says no for another reason: the number and the words of RFC 8489, section 14.8.
    Refused(u16, String),
    /// What it says makes no sense.
    Nonsense,
}

/// A question on its way.
#[derive(Debug)]
pub struct Question {
    service: Service,
    credential: Credential,
    transaction: TransactionId,
    challenge: Option<(String, String)>,
    requests: u8,
}

impl Question {
    /// A question, and the request to begin with. `transaction` is random.
    #[must_use]
    pub fn new(service: Service, credential: Credential, transaction: TransactionId) -> (Self, Vec<u8>) {
        let question = Self { service, credential, transaction, challenge: None, requests: 1 };
        let request = question.request();
        (question, request)
    }

    fn request(&self) -> Vec<u8> {
        let begin = |method| Builder::new(Class::Request, method, &self.transaction);
        match (self.service, &self.challenge) {
            (Service::Stun, _) => begin(method::BINDING).with_fingerprint(),
            (Service::Turn, None) => requesting(begin(method::ALLOCATE)).unsigned(),
            (Service::Turn, Some(_)) => self.signed(requesting(begin(method::ALLOCATE))),
        }
    }

    fn signed(&self, message: Builder) -> Vec<u8> {
        let (realm, nonce) = self.challenge.clone().unwrap_or_default();
        let Credential { username, password } = &self.credential;
        message
            .attribute(attribute::USERNAME, username.as_bytes())
            .attribute(attribute::REALM, realm.as_bytes())
            .attribute(attribute::NONCE, nonce.as_bytes())
            .signed(&long_term_key(username, &realm, password))
    }

    /// Takes a datagram. `next` is random, and names the next request, if there is one.
    pub fn handle(&mut self, datagram: &[u8], next: TransactionId) -> Step {
        let Some(message) = Message::parse(datagram).filter(|message| message.transaction == self.transaction) else {
            return Step::Ignore;
        };
        match message.class {
            Class::Request | Class::Indication => Step::Ignore,
            Class::Success => Step::Done(self.success(&message)),
            Class::Error => self.error(&message, next),
        }
    }

    fn success(&self, message: &Message<'_>) -> Answer {
        let answer = match self.service {
            Service::Stun => message.address(attribute::XOR_MAPPED_ADDRESS).map(Answer::Seen),
            Service::Turn => message.address(attribute::XOR_RELAYED_ADDRESS).map(Answer::Relayed),
        };
        answer.unwrap_or(Answer::Nonsense)
    }

    fn error(&mut self, message: &Message<'_>, next: TransactionId) -> Step {
        let Some((code, words)) = message.error_code() else { return Step::Done(Answer::Nonsense) };
        let challenge = message.text(attribute::REALM).zip(message.text(attribute::NONCE));
        let asks_again = self.service == Service::Turn && (code == 438 || code == 401 && self.challenge.is_none());
        match challenge {
            Some((realm, nonce)) if asks_again && self.requests < MOST_REQUESTS => {
                self.challenge = Some((realm.to_owned(), nonce.to_owned()));
                self.transaction = next;
                self.requests += 1;
                Step::Send(self.request())
            }
            Some(_) | None if code == 401 || code == 441 => Step::Done(Answer::WrongPassword),
            Some(_) | None => Step::Done(Answer::Refused(code, words.to_owned())),
        }
    }

    /// Gives back what was allocated (RFC 8656, section 8): a Refresh with no lifetime, whose answer nobody needs.
    #[must_use]
    pub fn release(&self, next: TransactionId) -> Vec<u8> {
        let refresh = Builder::new(Class::Request, method::REFRESH, &next);
        self.signed(refresh.attribute(attribute::LIFETIME, &[0; 4]))
    }
}

fn requesting(message: Builder) -> Builder {
    message.attribute(attribute::REQUESTED_TRANSPORT, &[UDP, 0, 0, 0])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use proptest::prelude::*;

    use super::*;

    const FIRST: TransactionId = [1; 12];
    const SECOND: TransactionId = [2; 12];

    fn ann() -> Credential {
        Credential { username: "ann".to_owned(), password: "secret".to_owned() }
    }

    fn error(transaction: TransactionId, code: u16) -> Vec<u8> {
        let error = Builder::new(Class::Error, method::ALLOCATE, &transaction).error(code, "No");
        error.attribute(attribute::REALM, b"visavis").attribute(attribute::NONCE, b"nonce").unsigned()
    }

    fn success(kind: u16, transaction: TransactionId) -> Vec<u8> {
        let address = "192.0.2.1:5000".parse().unwrap();
        Builder::new(Class::Success, method::ALLOCATE, &transaction).address(kind, address).unsigned()
    }

    #[test]
    fn a_challenge_is_answered_with_a_signature() {
        let (mut question, request) = Question::new(Service::Turn, ann(), FIRST);
        assert!(Message::parse(&request).unwrap().attribute(attribute::MESSAGE_INTEGRITY).is_none());
        let Step::Send(signed) = question.handle(&error(FIRST, 401), SECOND) else { panic!("it isn't signed") };
        let signed = Message::parse(&signed).unwrap();
        assert!(signed.is_signed_with(&long_term_key("ann", "visavis", "secret")));
        assert_eq!(signed.text(attribute::NONCE), Some("nonce"));
        let relayed = Answer::Relayed("192.0.2.1:5000".parse().unwrap());
        assert_eq!(question.handle(&success(attribute::XOR_RELAYED_ADDRESS, FIRST), SECOND), Step::Ignore);
        assert_eq!(question.handle(&success(attribute::XOR_RELAYED_ADDRESS, SECOND), FIRST), Step::Done(relayed));
    }

    #[test]
    fn a_second_challenge_means_a_wrong_password() {
        let (mut question, _) = Question::new(Service::Turn, ann(), FIRST);
        question.handle(&error(FIRST, 401), SECOND);
        assert_eq!(question.handle(&error(SECOND, 401), FIRST), Step::Done(Answer::WrongPassword));
    }

    #[test]
    fn an_old_nonce_is_renewed_but_not_for_ever() {
        let (mut question, _) = Question::new(Service::Turn, ann(), FIRST);
        let steps: Vec<_> = (0..5).map(|_| question.handle(&error(question.transaction, 438), SECOND)).collect();
        assert!(matches!(steps[0], Step::Send(_)));
        assert_eq!(steps[4], Step::Done(Answer::Refused(438, "No".to_owned())));
    }

    #[test]
    fn a_stun_server_tells_where_we_come_from() {
        let (mut question, _) = Question::new(Service::Stun, Credential::default(), FIRST);
        let seen = Answer::Seen("192.0.2.1:5000".parse().unwrap());
        assert_eq!(question.handle(&success(attribute::XOR_MAPPED_ADDRESS, FIRST), SECOND), Step::Done(seen));
        let (mut question, _) = Question::new(Service::Stun, Credential::default(), FIRST);
        assert_eq!(question.handle(&error(FIRST, 401), SECOND), Step::Done(Answer::WrongPassword));
    }

    proptest! {
        #[test]
        fn any_answer_will_do(code in 0u16..800, bytes in proptest::collection::vec(any::<u8>(), 0..60), turn: bool) {
            let service = if turn { Service::Turn } else { Service::Stun };
            let (mut question, _) = Question::new(service, ann(), FIRST);
            prop_assert_eq!(question.handle(&bytes, SECOND), Step::Ignore);
            prop_assert_ne!(question.handle(&error(FIRST, code), SECOND), Step::Ignore);
        }
    }
}
