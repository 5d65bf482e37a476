//! *Test my servers*: asks each STUN and TURN server what a call would ask of it, and says what came of it and what to do.
//!
//! Everything is asked at once. Whoever has seen enough drops the future.

mod ask;
mod meeting;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::future::join_all;
use serde::Serialize;
use visavis_stun::client::{Answer, Credential};
use visavis_stun::{Carrier, DEFAULT_TLS_PORT, ServerUrl, Service};
use visavis_transport::IceServer;

use self::ask::{Silence, ask};
pub use self::meeting::SelfMeeting;

/// The port that most networks let out.
const HTTPS: u16 = 443;

/// What a server did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// It told us the address that we are seen by.
    Seen {
        /// That address.
        address: SocketAddr,
    },
    /// It would relay for us.
    Relays {
        /// From this address.
        address: SocketAddr,
    },
    /// User name or password are wrong, or have run out.
    WrongPassword,
    /// It said no for another reason.
    Refused {
        /// The number (RFC 8489, section 14.8).
        code: u16,
        /// Its own words.
        words: String,
    },
    /// Nothing came.
    NoAnswer,
    /// The system, or TLS, says that it's no use.
    Unreachable {
        /// Why, in plain words.
        reason: String,
    },
    /// Something else answers there.
    NotUnderstood,
    /// The URL, or what goes with it, can't be used.
    Unusable {
        /// Why.
        reason: String,
    },
}

impl Outcome {
    /// Whether a call can use the server.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        match self {
            Self::Seen { .. } | Self::Relays { .. } => true,
            Self::WrongPassword
            | Self::Refused { .. }
            | Self::NoAnswer
            | Self::Unreachable { .. }
            | Self::NotUnderstood
            | Self::Unusable { .. } => false,
        }
    }
}

/// What came of asking one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerCheck {
    /// The server, as it was written.
    pub url: String,
    /// What was asked, for people.
    pub asked: String,
    /// What it did.
    pub outcome: Outcome,
    /// How long that took, milliseconds.
    pub took_ms: u64,
    /// Where the same server does answer, if it doesn't here.
    pub instead: Option<String>,
}

impl ServerCheck {
    /// What came of it, as a sentence.
    #[must_use]
    pub fn found(&self) -> String {
        match &self.outcome {
            Outcome::Seen { address } => format!("It sees us come from {address}."),
            Outcome::Relays { address } => format!("It relays for us, from {address}."),
            Outcome::WrongPassword => "It refused the user name or the password.".to_owned(),
            Outcome::Refused { code, words } => format!("It refused: {code} {words}."),
            Outcome::NoAnswer => "It didn't answer.".to_owned(),
            Outcome::Unreachable { reason } => format!("It can't be reached: {reason}."),
            Outcome::NotUnderstood => "What answers there is no STUN or TURN server.".to_owned(),
            Outcome::Unusable { reason } => format!("It can't be asked: {reason}."),
        }
    }

    /// What a person should do; `None` where all is well.
    #[must_use]
    pub fn advice(&self) -> Option<String> {
        if let Some(instead) = &self.instead {
            return Some(format!("This network blocks the way there, and not the one to {instead}: use that."));
        }
        let advice = match &self.outcome {
            Outcome::Seen { .. } | Outcome::Relays { .. } => return None,
            Outcome::WrongPassword => "Enter them again. Those that run out have to be made anew.",
            // RFC 8656, section 19.
            Outcome::Refused { code: 486, .. } => "Too many calls use it with this name at once: try again later.",
            Outcome::Refused { code: 508, .. } => "It is full: try again later, or use another.",
            Outcome::Refused { .. } => "Ask whoever runs it what this means.",
            Outcome::NoAnswer => {
                "Check the address. If it is right, it is down, or this network or its firewall blocks it."
            }
            Outcome::Unreachable { .. } => "Check the address, and whether this machine is online.",
            Outcome::NotUnderstood => "Check the port.",
            Outcome::Unusable { .. } => "Correct the entry.",
        };
        Some(advice.to_owned())
    }
}

/// What happens while servers are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckEvent {
    /// This one is asked now.
    Asking {
        /// The server.
        url: String,
        /// What is asked.
        asked: String,
    },
    /// It is known what came of it.
    Checked(Box<ServerCheck>),
}

/// Asks all servers at once, tells what happens, and gives what came of each, in order. To be dropped whenever enough is known.
pub async fn check_servers(servers: &[IceServer], events: mpsc::UnboundedSender<CheckEvent>) -> Vec<ServerCheck> {
    let each = servers.iter().flat_map(|server| server.urls.iter().map(move |url| (server, url)));
    join_all(each.map(|(server, url)| check(server, url, events.clone()))).await
}

async fn check(server: &IceServer, written: &str, events: mpsc::UnboundedSender<CheckEvent>) -> ServerCheck {
    let tell = |event| {
        // Whoever started it may not watch.
        let _ = events.unbounded_send(event);
    };
    let credential = Credential { username: server.username.clone(), password: server.credential.clone() };
    let began = Instant::now();
    let checked = match usable(written, &credential) {
        Err(reason) => {
            let (asked, outcome) = (String::new(), Outcome::Unusable { reason });
            ServerCheck { url: written.to_owned(), asked, outcome, took_ms: 0, instead: None }
        }
        Ok(url) => {
            let asked = question(&url);
            tell(CheckEvent::Asking { url: written.to_owned(), asked: asked.clone() });
            let outcome = outcome(ask(&url, &credential).await);
            let took_ms = milliseconds(began.elapsed());
            let instead = if outcome == Outcome::NoAnswer { elsewhere(&url, &credential).await } else { None };
            ServerCheck { url: written.to_owned(), asked, outcome, took_ms, instead }
        }
    };
    tell(CheckEvent::Checked(Box::new(checked.clone())));
    checked
}

fn usable(written: &str, credential: &Credential) -> Result<ServerUrl, String> {
    let url: ServerUrl = written.parse().map_err(|error| format!("{error}"))?;
    let lacks = credential.username.is_empty() || credential.password.is_empty();
    if url.service == Service::Turn && lacks {
        return Err("a TURN server needs a user name and a password".to_owned());
    }
    Ok(url)
}

fn question(url: &ServerUrl) -> String {
    let what = match url.service {
        Service::Stun => "our address",
        Service::Turn => "a relay",
    };
    format!("{what}, over {} at {}", url.carrier.name(), url.place())
}

fn outcome(answer: Result<Answer, Silence>) -> Outcome {
    match answer {
        Ok(Answer::Seen(address)) => Outcome::Seen { address },
        Ok(Answer::Relayed(address)) => Outcome::Relays { address },
        Ok(Answer::WrongPassword) => Outcome::WrongPassword,
        Ok(Answer::Refused(code, words)) => Outcome::Refused { code, words },
        Ok(Answer::Nonsense) => Outcome::NotUnderstood,
        Err(Silence::NoAnswer) => Outcome::NoAnswer,
        Err(Silence::Unreachable(reason)) => Outcome::Unreachable { reason },
    }
}

/// The same relay by other ways, the first of which that works.
async fn elsewhere(url: &ServerUrl, credential: &Credential) -> Option<String> {
    if url.service == Service::Stun {
        return None;
    }
    let ways = [(Carrier::Tcp, url.port), (Carrier::Tls, HTTPS), (Carrier::Tls, DEFAULT_TLS_PORT)];
    let others = ways.into_iter().map(|(carrier, port)| ServerUrl { carrier, port, ..url.clone() });
    let others: Vec<_> = others.filter(|other| other != url).collect();
    let answers = join_all(others.iter().map(|other| ask(other, credential))).await;
    let works = others.iter().zip(answers).find(|(_, answer)| matches!(answer, Ok(Answer::Relayed(_))));
    works.map(|(other, _)| other.to_string())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
