//! What each STUN and TURN server was asked and has answered, read off the packets: the library tells neither.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use visavis_stun::{Carrier, Class, Message, ServerUrl, Service, TransactionId, attribute, method};

/// A server that is silent for so long is given up. The library would go on asking for 50 s, and count as gathering.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// How a server stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It wasn't asked yet: another was quicker, or its name isn't resolved.
    Unasked,
    /// It was asked and has answered nothing.
    Asked,
    /// It wants to see our password first, which is as it should be.
    Challenged,
    /// It told us our address, or relays for us from this one.
    Works(SocketAddr),
    /// It said no: the number and the words of RFC 8489, section 14.8.
    Refused(u16, String),
    /// Its name can't be resolved, it can't be connected to, or it hung up.
    Failed(String),
    /// It never answered.
    Silent,
}

/// A server and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// The server.
    pub server: ServerUrl,
    /// How it stands: of all our addresses, the best.
    pub standing: Standing,
}

/// One server asked from one socket.
#[derive(Debug)]
struct Attempt {
    server: usize,
    socket: SocketAddr,
    since: Instant,
    /// The request on its way, and whether it is signed.
    request: (TransactionId, bool),
    standing: Standing,
}

impl Attempt {
    /// Whether it has waited for too long.
    fn is_in_vain(&self, now: Instant, patience: Duration) -> bool {
        let waits = matches!(self.standing, Standing::Asked | Standing::Challenged);
        waits && now.saturating_duration_since(self.since) >= patience
    }
}

#[derive(Debug)]
struct Entry {
    url: ServerUrl,
    addresses: Vec<SocketAddr>,
    unresolved: Option<String>,
}

/// All servers of a connection.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    servers: Vec<Entry>,
    attempts: Vec<Attempt>,
}

impl Ledger {
    /// Its number, which is the same whenever it is asked for.
    pub(super) fn number(&mut self, url: &ServerUrl) -> Option<u16> {
        let number = self.servers.iter().position(|known| known.url == *url).unwrap_or_else(|| {
            self.servers.push(Entry { url: url.clone(), addresses: Vec::new(), unresolved: None });
            self.servers.len() - 1
        });
        u16::try_from(number).ok()
    }

    pub(super) fn url(&self, number: u16) -> Option<&ServerUrl> {
        self.servers.get(usize::from(number)).map(|server| &server.url)
    }

    /// What the library asks to have resolved, `host:port`, with the brackets that it has left out.
    pub(super) fn place(&self, asked: &str) -> Option<String> {
        let same = |url: &&ServerUrl| asked == url.place() || asked == format!("{}:{}", url.host, url.port);
        self.servers.iter().map(|server| &server.url).find(same).map(ServerUrl::place)
    }

    /// Where a server is; it may be that of several URLs.
    pub(super) fn resolved(&mut self, place: &str, found: &Result<Vec<SocketAddr>, String>) {
        for server in self.servers.iter_mut().filter(|server| server.url.place() == place) {
            match found {
                Ok(addresses) => (server.addresses, server.unresolved) = (addresses.clone(), None),
                Err(reason) => server.unresolved = Some(reason.clone()),
            }
        }
    }

    /// Whether one of them is there.
    pub(super) fn is_server(&self, address: SocketAddr) -> bool {
        self.servers.iter().any(|server| server.addresses.contains(&address))
    }

    /// The order in which relays over streams are tried beside one another, and whether any goes over datagrams before them.
    pub(super) fn turn_of(&self, number: u16) -> (usize, bool) {
        let relays = |entry: &&Entry| entry.url.service == Service::Turn;
        let before = self.servers.iter().take(usize::from(number)).filter(relays);
        let streams = before.filter(|entry| entry.url.carrier != Carrier::Udp).count();
        (streams, self.servers.iter().filter(relays).any(|entry| entry.url.carrier == Carrier::Udp))
    }

    /// A request leaves. `Err`: that server is given up, and the request with it.
    pub(super) fn asks(&mut self, now: Instant, from: SocketAddr, to: Destination, bytes: &[u8]) -> Result<(), String> {
        let Some(request) = request(bytes) else { return Ok(()) };
        let service = if request.method == method::BINDING { Service::Stun } else { Service::Turn };
        let Some(server) = self.server(to, service) else { return Ok(()) };
        let sent = (request.transaction, request.attribute(attribute::MESSAGE_INTEGRITY).is_some());
        let found = self.attempts.iter_mut().find(|attempt| (attempt.server, attempt.socket) == (server, from));
        let Some(attempt) = found else {
            let (socket, standing) = (from, Standing::Asked);
            self.attempts.push(Attempt { server, socket, since: now, request: sent, standing });
            return Ok(());
        };
        if service == Service::Turn && attempt.is_in_vain(now, PATIENCE) {
            attempt.standing = Standing::Silent;
        }
        match &attempt.standing {
            Standing::Refused(code, words) => Err(format!("it refused: {code} {words}")),
            Standing::Failed(reason) => Err(reason.clone()),
            Standing::Silent => Err("it didn't answer".to_owned()),
            Standing::Unasked | Standing::Asked | Standing::Challenged | Standing::Works(_) => {
                attempt.request = sent;
                Ok(())
            }
        }
    }

    /// A datagram has come in. Whether it is a refusal, of which the library needn't know: it takes a server out only when
    /// it can't be written to, and one that has refused would hold up gathering and renewing for ever.
    pub(super) fn answers(&mut self, socket: SocketAddr, bytes: &[u8]) -> bool {
        let Some(answer) = answer(bytes) else { return false };
        let its = |attempt: &&mut Attempt| attempt.socket == socket && attempt.request.0 == answer.transaction;
        let Some(attempt) = self.attempts.iter_mut().find(its) else { return false };
        let signed = attempt.request.1;
        attempt.standing = match answer.class {
            Class::Success => {
                let kind = match answer.method {
                    method::BINDING => attribute::XOR_MAPPED_ADDRESS,
                    _ => attribute::XOR_RELAYED_ADDRESS,
                };
                let Some(address) = answer.address(kind) else { return false };
                Standing::Works(address)
            }
            Class::Error => match answer.error_code().unwrap_or_default() {
                // The challenge, and a challenge that has grown old.
                (401, _) if !signed => Standing::Challenged,
                (438, _) => Standing::Challenged,
                (code, words) => Standing::Refused(code, words.chars().take(MAX_WORDS).collect()),
            },
            Class::Request | Class::Indication => return false,
        };
        matches!(attempt.standing, Standing::Refused(..))
    }

    /// A server can't be reached from there: its stream has ended or was never opened, or no datagram gets out.
    pub(super) fn failed(&mut self, socket: SocketAddr, to: Destination, standing: Standing) {
        let Some(server) = self.server(to, Service::Turn) else { return };
        let its = |attempt: &&mut Attempt| (attempt.server, attempt.socket) == (server, socket);
        if let Some(attempt) = self.attempts.iter_mut().find(its)
            && !matches!(attempt.standing, Standing::Refused(..))
        {
            attempt.standing = standing;
        }
    }

    /// Whether this relay can't be written to any more from there.
    pub(super) fn is_given_up(&self, socket: SocketAddr, number: u16) -> bool {
        let its = |attempt: &&Attempt| (attempt.server, attempt.socket) == (usize::from(number), socket);
        self.attempts.iter().find(its).is_some_and(|attempt| match attempt.standing {
            Standing::Refused(..) | Standing::Failed(_) | Standing::Silent | Standing::Unasked => true,
            Standing::Asked | Standing::Challenged | Standing::Works(_) => false,
        })
    }

    /// Whether a relay serves this socket, or is about to over datagrams.
    pub(super) fn relay_of(&self, socket: SocketAddr) -> (bool, bool) {
        let relays =
            |attempt: &&Attempt| attempt.socket == socket && self.servers[attempt.server].url.service == Service::Turn;
        let works = |attempt: &Attempt| matches!(attempt.standing, Standing::Works(_));
        let nearly = |attempt: &Attempt| {
            attempt.standing == Standing::Challenged && self.servers[attempt.server].url.carrier == Carrier::Udp
        };
        let mut of_socket = self.attempts.iter().filter(relays);
        let any = of_socket.clone().any(works);
        (any, of_socket.any(nearly))
    }

    /// A socket is gone, and all that was asked from it.
    pub(super) fn forget(&mut self, socket: SocketAddr) {
        self.attempts.retain(|attempt| attempt.socket != socket);
    }

    /// How each server stands; one that has said nothing for `patience` counts as silent.
    pub(super) fn reports(&self, now: Instant, patience: Duration) -> Vec<ServerReport> {
        let report =
            |(number, entry): (usize, &Entry)| {
                let of_it = self.attempts.iter().filter(|attempt| attempt.server == number);
                let standings = of_it.map(|attempt| {
                    if attempt.is_in_vain(now, patience) { Standing::Silent } else { attempt.standing.clone() }
                });
                let unasked = entry.unresolved.clone().map_or(Standing::Unasked, Standing::Failed);
                ServerReport { server: entry.url.clone(), standing: standings.max_by_key(rank).unwrap_or(unasked) }
            };
        self.servers.iter().enumerate().map(report).collect()
    }

    fn server(&self, to: Destination, service: Service) -> Option<usize> {
        match to {
            Destination::Stream(number) => Some(usize::from(number)),
            Destination::Address(address) => self.servers.iter().position(|server| {
                (server.url.carrier, server.url.service) == (Carrier::Udp, service)
                    && server.addresses.contains(&address)
            }),
        }
    }
}

/// Where a datagram goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Destination {
    Address(SocketAddr),
    Stream(u16),
}

/// What a server says goes into reports and onto the screen.
const MAX_WORDS: usize = 100;

/// Which of two says more about a server: from one address of ours it may be out of reach, and from another not.
fn rank(standing: &Standing) -> u8 {
    match standing {
        Standing::Unasked => 0,
        Standing::Failed(_) => 1,
        Standing::Silent => 2,
        Standing::Asked => 3,
        Standing::Challenged => 4,
        Standing::Refused(..) => 5,
        Standing::Works(_) => 6,
    }
}

/// Bytes of a Binding request to a STUN server: it says nothing besides. Those to peers do.
const BARE: usize = 20;

fn request(bytes: &[u8]) -> Option<Message<'_>> {
    let wanted = match bytes.first_chunk()? {
        [0x00, 0x01] => bytes.len() == BARE,
        [0x00, 0x03] => true,
        _ => false,
    };
    wanted.then(|| Message::parse(bytes)).flatten()
}

fn answer(bytes: &[u8]) -> Option<Message<'_>> {
    let wanted = matches!(bytes.first_chunk()?, [0x01, 0x01 | 0x03 | 0x11 | 0x13]);
    wanted.then(|| Message::parse(bytes)).flatten()
}
