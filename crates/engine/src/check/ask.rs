//! Asks one server one question, over whatever its URL says, with sockets of its own.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;
use visavis_stun::client::{Answer, Credential, Question, Step};
use visavis_stun::framing::{Frames, write};
use visavis_stun::{Carrier, ServerUrl, Service, TransactionId};
use visavis_transport::{Stream, StreamServer};

use crate::{streams, words};

/// A server that is silent for so long won't answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// When a request over UDP is sent again; each is behind the one before (RFC 8489, section 6.2.1).
const AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_millis(1_000), Duration::from_millis(1_500)];
/// The largest answer.
const ANSWER_BYTES: usize = 2_048;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// Nothing came.
    NoAnswer,
    /// The system, or TLS, says that it's no use.
    Unreachable(String),
}

impl From<io::Error> for Silence {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::TimedOut {
            return Self::NoAnswer;
        }
        Self::Unreachable(words::of_network(&error))
    }
}

/// Asks, and waits for no longer than [`PATIENCE`] for each address of the server.
pub(super) async fn ask(url: &ServerUrl, credential: &Credential) -> Result<Answer, Silence> {
    match url.carrier {
        Carrier::Udp => over_datagrams(url, credential).await,
        Carrier::Tcp | Carrier::Tls => {
            let asking = over_stream(url, credential);
            timeout(PATIENCE * 2, asking).await.unwrap_or(Err(Silence::NoAnswer))
        }
    }
}

fn random() -> io::Result<TransactionId> {
    let mut id = TransactionId::default();
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    Ok(id)
}

/// One address of each family: a network may have only one of the two, and the resolver knows nothing of that.
async fn over_datagrams(url: &ServerUrl, credential: &Credential) -> Result<Answer, Silence> {
    let found = lookup_host((url.host.as_str(), url.port)).await;
    let found: Vec<_> = found.map_err(|_| Silence::Unreachable("its name can't be found".to_owned()))?.collect();
    let one_of = |v4: bool| found.iter().copied().find(move |address| address.is_ipv4() == v4);
    let mut last = Silence::Unreachable("its name has no address".to_owned());
    for to in [one_of(true), one_of(false)].into_iter().flatten() {
        match timeout(PATIENCE, over_datagrams_to(to, url.service, credential)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => last = error.into(),
            Err(_) => last = Silence::NoAnswer,
        }
    }
    Err(last)
}

async fn over_datagrams_to(to: SocketAddr, service: Service, credential: &Credential) -> io::Result<Answer> {
    let any: IpAddr = if to.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(to).await?;
    let (mut question, mut request) = Question::new(service, credential.clone(), random()?);
    let mut buffer = [0; ANSWER_BYTES];
    loop {
        let length = repeat_until_answered(&socket, &request, &mut buffer).await?;
        match question.handle(&buffer[..length], random()?) {
            Step::Ignore => {}
            Step::Send(next) => request = next,
            Step::Done(answer) => {
                if matches!(answer, Answer::Relayed(_)) {
                    // It lapses by itself, too.
                    let _ = socket.send(&question.release(random()?)).await;
                }
                return Ok(answer);
            }
        }
    }
}

async fn repeat_until_answered(socket: &UdpSocket, request: &[u8], buffer: &mut [u8]) -> io::Result<usize> {
    for after in AGAIN_AFTER {
        socket.send(request).await?;
        if let Ok(received) = timeout(after, socket.recv(buffer)).await {
            return received;
        }
    }
    socket.recv(buffer).await
}

async fn over_stream(url: &ServerUrl, credential: &Credential) -> Result<Answer, Silence> {
    let server = StreamServer { host: url.host.clone(), port: url.port, tls: url.carrier == Carrier::Tls };
    let Stream { mut reader, mut writer } = streams::open(server).await?;
    let (mut question, mut request) = Question::new(url.service, credential.clone(), random()?);
    let (mut frames, mut read) = (Frames::with_limit(ANSWER_BYTES), [0; ANSWER_BYTES]);
    loop {
        let mut bytes = Vec::new();
        if write(&request, &mut bytes) {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
        }
        request = loop {
            let length = reader.read(&mut read).await?;
            if length == 0 {
                return Err(Silence::Unreachable("it closed the connection".to_owned()));
            }
            frames.push(&read[..length]);
            let Ok(frame) = frames.next_frame() else { return Ok(Answer::Nonsense) };
            // Closing the stream gives back what was allocated.
            match frame.map(|frame| Ok::<_, io::Error>(question.handle(frame, random()?))).transpose()? {
                None | Some(Step::Ignore) => {}
                Some(Step::Send(next)) => break next,
                Some(Step::Done(answer)) => return Ok(answer),
            }
        };
    }
}
