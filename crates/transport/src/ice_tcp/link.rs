//! The streams of one socket. One that we have opened takes all that goes to its other end. One that somebody else has
//! opened has to prove itself: it may bring connectivity checks, and takes our answers to those; when the library answers one
//! with success, it was signed with our password (RFC 8445, section 7.3), and the stream is the other side's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Either, select};
use futures::io::{AsyncRead, AsyncReadExt as _};
use futures::{SinkExt as _, pin_mut};
use visavis_stun::prefixed::{Prefixed, write};
use visavis_stun::{Class, Message, TransactionId, method};
use webrtc::runtime::Runtime;

use crate::streams::{Dialing, Received, Stream, send_all};

/// Datagrams that wait for a slow stream, a quarter of a second of video. More are dropped, as a full queue on a path of
/// datagrams would: the sender has to see that it is too fast.
const OUTGOING: usize = 96;
/// Opening takes at most so long.
const DIALING: Duration = Duration::from_secs(10);
/// What an accepted stream has to prove itself.
const PROVING: Duration = Duration::from_secs(5);
/// Accepted streams that haven't yet; the oldest goes when there are more, so that nobody holds the places for long.
const MOST_UNPROVEN: usize = 8;
/// Streams that one socket opens: the other side decides where to.
const MOST_DIALLED: usize = 8;
/// Accepted streams that have: the other side needs one from each of its addresses at most.
const MOST_PROVEN: usize = 12;
/// What an accepted stream may bring until then, and how long it may be, bytes: checks are short and few.
const MOST_CHECKS: usize = 64;
const LONGEST_CHECK: usize = 1024;
/// Checks of an accepted stream whose answers are still to come.
const MOST_ASKED: usize = 8;
/// The bytes of one read.
const READ: usize = 16 * 1024;

/// What it takes to carry a stream.
#[derive(Clone, Debug)]
pub(super) struct Carrying {
    pub(super) runtime: Arc<dyn Runtime>,
    pub(super) arrivals: mpsc::Sender<Received>,
}

/// The streams of one socket, by their other ends.
#[derive(Debug, Default)]
pub(super) struct Links {
    links: HashMap<SocketAddr, Link>,
    accepted: u64,
}

pub(super) fn lock(links: &Mutex<Links>) -> MutexGuard<'_, Links> {
    links.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Link {
    outgoing: mpsc::Sender<Vec<u8>>,
    origin: Origin,
    /// Dropping it ends the stream.
    _needed: oneshot::Sender<()>,
}

#[derive(Debug)]
enum Origin {
    Dialled,
    Accepted { order: u64, at_port: u16, proof: Arc<Proof> },
}

/// Whether an accepted stream is the other side's.
#[derive(Debug, Default)]
struct Proof {
    given: AtomicBool,
    checks: AtomicUsize,
    asked: Mutex<Vec<TransactionId>>,
}

impl Proof {
    fn is_given(&self) -> bool {
        self.given.load(Ordering::Acquire)
    }

    /// Notes what has come. `false`: it isn't a check, and this is no stream of ICE's.
    fn on_received(&self, datagram: &[u8]) -> bool {
        if self.is_given() {
            return true;
        }
        let before = self.checks.fetch_add(1, Ordering::Relaxed);
        if before >= MOST_CHECKS || datagram.len() > LONGEST_CHECK {
            return false;
        }
        let Some(check) = Message::parse(datagram).filter(|m| (m.class, m.method) == (Class::Request, method::BINDING))
        else {
            return false;
        };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.len() >= MOST_ASKED {
            asked.remove(0);
        }
        asked.push(check.transaction);
        true
    }

    /// Whether what is to be sent may go over the stream.
    fn lets_out(&self, datagram: &[u8]) -> bool {
        if self.is_given() {
            return true;
        }
        let Some(answer) = Message::parse(datagram) else { return false };
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = asked.iter().position(|transaction| *transaction == answer.transaction) else { return false };
        match answer.class {
            Class::Success => self.given.store(true, Ordering::Release),
            Class::Error => {}
            Class::Request | Class::Indication => return false,
        }
        asked.remove(at);
        true
    }
}

impl Links {
    /// Where the path to `to` is a stream: our port, if we have one that isn't chosen for each stream.
    pub(super) fn port_of(&self, to: SocketAddr) -> Option<Option<u16>> {
        match &self.links.get(&to)?.origin {
            Origin::Dialled => Some(None),
            Origin::Accepted { at_port, proof, .. } => proof.is_given().then_some(Some(*at_port)),
        }
    }

    /// Sends a datagram over the stream to `to`, or loses it. `false`: it isn't for a stream.
    pub(super) fn send(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        let Some(link) = self.links.get_mut(&to) else { return false };
        if let Origin::Accepted { proof, .. } = &link.origin
            && !proof.lets_out(datagram)
        {
            return false;
        }
        // It is full, or has ended, which the checks on the path find out.
        let _ = link.outgoing.try_send(datagram.to_vec());
        true
    }

    /// Whether a stream to there is still to be opened. Once one has ended there is no other to the same place.
    pub(super) fn may_dial(&self, to: SocketAddr) -> bool {
        let dialled = self.links.values().filter(|link| matches!(link.origin, Origin::Dialled)).count();
        dialled < MOST_DIALLED && !self.links.contains_key(&to)
    }

    /// Uses the stream that is being opened.
    pub(super) fn dial(&mut self, carrying: &Carrying, to: SocketAddr, dialing: Dialing) {
        let late = carrying.runtime.sleep(DIALING);
        let opening = async move {
            match select(dialing, late).await {
                Either::Left((opened, _)) => opened,
                Either::Right(_) => Err(io::ErrorKind::TimedOut.into()),
            }
        };
        let link = Link::run(carrying, to, Origin::Dialled, opening);
        self.links.insert(to, link);
    }

    /// Takes a stream that came from `from` to the port `at_port`, and looks at it after `hold`. Whether there are so many
    /// that the port should rest.
    pub(super) fn accept(
        &mut self,
        carrying: &Carrying,
        from: SocketAddr,
        (stream, at_port): (Stream, u16),
        hold: Duration,
    ) -> bool {
        self.links.retain(|_, link| matches!(link.origin, Origin::Dialled) || !link.outgoing.is_closed());
        let unproven = self.links.iter().filter_map(|(from, link)| match &link.origin {
            Origin::Accepted { order, proof, .. } if !proof.is_given() => Some((*order, *from)),
            Origin::Accepted { .. } | Origin::Dialled => None,
        });
        let unproven: Vec<_> = unproven.collect();
        let crowded = unproven.len() >= MOST_UNPROVEN;
        if let Some((_, oldest)) = unproven.into_iter().min().filter(|_| crowded) {
            self.links.remove(&oldest);
        }
        let proven = self.links.values().filter(|link| link.is_proven()).count();
        if proven >= MOST_PROVEN {
            return true;
        }
        if let Entry::Vacant(place) = self.links.entry(from) {
            self.accepted += 1;
            let origin = Origin::Accepted { order: self.accepted, at_port, proof: Arc::default() };
            let held = carrying.runtime.sleep(hold);
            place.insert(Link::run(carrying, from, origin, async move {
                held.await;
                Ok(stream)
            }));
        }
        crowded
    }

    /// Ends those that somebody else has opened and that haven't proven themselves.
    pub(super) fn drop_unproven(&mut self) {
        self.links.retain(|_, link| match &link.origin {
            Origin::Dialled => true,
            Origin::Accepted { proof, .. } => proof.is_given(),
        });
    }

    pub(super) fn clear(&mut self) {
        self.links.clear();
    }
}

impl Link {
    /// Whether somebody else has opened it who has turned out to be the other side.
    fn is_proven(&self) -> bool {
        match &self.origin {
            Origin::Dialled => false,
            Origin::Accepted { proof, .. } => proof.is_given(),
        }
    }

    fn run(
        carrying: &Carrying,
        other: SocketAddr,
        origin: Origin,
        opening: impl Future<Output = io::Result<Stream>> + Send + 'static,
    ) -> Self {
        let (outgoing, datagrams) = mpsc::channel(OUTGOING);
        let (needed, unneeded) = oneshot::channel();
        let proof = match &origin {
            Origin::Dialled => None,
            Origin::Accepted { proof, .. } => Some(Arc::clone(proof)),
        };
        let (runtime, arrivals) = (Arc::clone(&carrying.runtime), carrying.arrivals.clone());
        let task = async move {
            let carried = async {
                let stream = opening.await?;
                tracing::debug!(%other, accepted = proof.is_some(), "a stream to the other side is open");
                carry(stream, other, proof, (datagrams, arrivals), &runtime).await
            };
            pin_mut!(carried);
            if let Either::Left((ended, _)) = select(carried, unneeded).await {
                tracing::debug!(%other, ?ended, "a stream to the other side has ended");
            }
        };
        carrying.runtime.spawn(Box::pin(task)).detach();
        Self { outgoing, origin, _needed: needed }
    }
}

/// Carries datagrams both ways until either side has had enough, or the stream hasn't proven itself in time.
async fn carry(
    stream: Stream,
    other: SocketAddr,
    proof: Option<Arc<Proof>>,
    (datagrams, arrivals): (mpsc::Receiver<Vec<u8>>, mpsc::Sender<Received>),
    runtime: &Arc<dyn Runtime>,
) -> io::Result<()> {
    let out = send_all(stream.writer, datagrams, write);
    let back = receive_all(stream.reader, other, proof.as_deref(), arrivals);
    let late = async {
        if let Some(proof) = &proof {
            runtime.sleep(PROVING).await;
            if !proof.is_given() {
                return;
            }
        }
        std::future::pending().await
    };
    pin_mut!(out, back, late);
    match select(select(out, back), late).await {
        Either::Left((Either::Left((ended, _)) | Either::Right((ended, _)), _)) => ended,
        Either::Right(((), _)) => Err(io::Error::other("it hasn't proven to be the other side's")),
    }
}

async fn receive_all(
    mut reader: Box<dyn AsyncRead + Send + Unpin>,
    from: SocketAddr,
    proof: Option<&Proof>,
    mut arrivals: mpsc::Sender<Received>,
) -> io::Result<()> {
    let (mut cut, mut read) = (Prefixed::default(), vec![0; READ]);
    loop {
        let count = reader.read(&mut read).await?;
        if count == 0 {
            return Ok(());
        }
        cut.push(&read[..count]);
        while let Some(datagram) = cut.next_datagram() {
            if proof.is_some_and(|proof| !proof.on_received(datagram)) {
                return Err(io::Error::other("it doesn't begin with a connectivity check"));
            }
            if arrivals.send(Received { from, datagram: datagram.to_vec() }).await.is_err() {
                return Ok(());
            }
        }
    }
}
