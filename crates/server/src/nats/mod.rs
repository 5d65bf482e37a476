//! NATS between several servers (docs.nats.io): the part of `crate::cluster` that does I/O.
//!
//! - A subject for each server, on which it hears the frames of the others, and one on which it answers that it is there.
//! - A JetStream bucket in which each slice of nameplates names its owner, taken by compare-and-swap.
//! - A JetStream stream of records about closed rooms and used tokens, by slice: whoever takes a slice reads them first.
//!
//! None of it is trusted with more than a server is, and a stranger who could publish there could play one: NATS has to be
//! on a network of its own or behind credentials (docs/hosting.md).

mod store;
mod ways;

use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use store::Store;
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};
use visavis_signaling::Nameplate;
use visavis_signaling::server::{Record, Records};
use visavis_signaling::token::TokenKey;
pub(crate) use ways::Ways;

use crate::ServerError;
use crate::cluster::{ServerId, Slice, Table};
use crate::journal::Journal;

/// How long the first connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long NATS may take to answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest pause between attempts to reach NATS again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Messages that may wait on their way to NATS.
const OUTGOING_QUEUE: usize = 4096;
/// Messages that may wait for this server; beyond it they are lost, which is noticed.
const INCOMING_QUEUE: usize = 8192;
/// Records that wait while NATS is away.
const RECORDS_QUEUE: usize = 10_000;

/// How NATS is reached.
#[derive(Clone)]
pub struct NatsConfig {
    /// One or several of `nats://HOST:PORT` or `tls://HOST:PORT`, with `USER:PASSWORD@` where that is asked for.
    pub urls: Vec<String>,
    /// A file with credentials (a JWT and an nkey seed), as NATS' own tools make it.
    pub credentials: Option<PathBuf>,
    /// A PEM file with roots by which NATS is known, besides the system's.
    pub roots: Option<PathBuf>,
}

impl std::fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // URLs may hold passwords.
        f.debug_struct("NatsConfig").field("urls", &self.urls.len()).finish_non_exhaustive()
    }
}

/// Why a server can't work together with others.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NatsError {
    /// A URL can't be read.
    #[error("that is no URL of a NATS server: {0}")]
    Url(String),
    /// NATS can't be reached, or refuses.
    #[error("can't reach NATS: {0}")]
    Connect(String),
    /// JetStream is off, full or refuses.
    #[error("NATS keeps nothing for this server (is JetStream on?): {0}")]
    JetStream(String),
    /// The servers' signing keys differ.
    #[error("this server's signing key isn't that of the others: give all of them the same (--signing-key)")]
    OtherKey,
    /// All nameplates are taken.
    #[error("the other servers have all nameplates already: there is no place for one more server")]
    Full,
}

/// A server that has found its place among others.
pub(crate) struct Joined {
    pub(crate) me: ServerId,
    pub(crate) table: Table,
    /// What others have kept about rooms of the nameplates that this server has got.
    pub(crate) kept: Vec<Record>,
    pub(crate) ways: Ways,
    records: mpsc::Sender<(Slice, Record)>,
}

/// Whether NATS can be reached, and how often it could not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Link {
    is_up: bool,
    losses: u64,
}

/// Reaches NATS and takes so many slices of nameplates.
pub(crate) async fn join(config: &NatsConfig, key: &TokenKey, slices: usize) -> Result<Joined, ServerError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(ServerError::Random)?;
    let me = ServerId(u128::from_be_bytes(random));
    let (link_sender, link) = watch::channel(Link::default());
    let client = connect(config, link_sender).await?;
    let frames = subscribe(&client, ways::frames_of(me)).await?;
    let questions = subscribe(&client, ways::question_to(me)).await?;
    let store = Store::open(&client, me).await?;
    store.agree_on_key(&key.fingerprint()).await?;
    let table = Table::new(me);
    // Those who look whether this server is there, because it has just taken a slice, have to get an answer.
    tokio::spawn(ways::answer(client.clone(), questions));
    let kept = store.claim(&client, &table, slices).await?;
    info!(server = %me, slices = table.ours().len(), "one of several servers, by NATS");
    let (records, kept_later) = mpsc::channel(RECORDS_QUEUE);
    let ways = Ways { client, store, table: table.clone(), link, frames, records: kept_later };
    Ok(Joined { me, table, kept, ways, records })
}

impl Joined {
    /// Keeps records where the other servers find them, besides the journal.
    pub(crate) fn records(&self, journal: Option<Journal>) -> SharedRecords {
        SharedRecords { journal, records: self.records.clone(), failed: false }
    }
}

async fn subscribe(client: &Client, subject: String) -> Result<async_nats::Subscriber, NatsError> {
    client.subscribe(subject).await.map_err(|error| NatsError::Connect(error.to_string()))
}

async fn connect(config: &NatsConfig, link: watch::Sender<Link>) -> Result<Client, NatsError> {
    let parse = |url: &String| url.parse::<ServerAddr>().map_err(|error| NatsError::Url(error.to_string()));
    let addresses: Vec<ServerAddr> = config.urls.iter().map(parse).collect::<Result<_, _>>()?;
    let failed = |error: &dyn std::fmt::Display| NatsError::Connect(error.to_string());
    let mut options = ConnectOptions::new()
        .name("visavis-server")
        .no_echo()
        .connection_timeout(REQUEST_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .client_capacity(OUTGOING_QUEUE)
        .subscription_capacity(INCOMING_QUEUE)
        .reconnect_delay_callback(pause)
        .event_callback({
            let link = link.clone();
            move |event| {
                note(&link, &event);
                std::future::ready(())
            }
        });
    if let Some((user, password)) = addresses.iter().find_map(|url| Some((url.username()?, url.password()?))) {
        options = options.user_and_password(user.to_owned(), password.to_owned());
    }
    if let Some(file) = &config.credentials {
        options = options.credentials_file(file).await.map_err(|error| failed(&error))?;
    }
    if let Some(file) = &config.roots {
        options = options.add_root_certificates(file.clone());
    }
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, options.connect(addresses)).await;
    let client = connected.map_err(|_| failed(&"no answer"))?.map_err(|error| failed(&error))?;
    link.send_modify(|link| link.is_up = true);
    Ok(client)
}

fn note(link: &watch::Sender<Link>, event: &Event) {
    match event {
        Event::Connected => {
            link.send_modify(|link| link.is_up = true);
        }
        Event::Disconnected | Event::Closed => {
            warn!("NATS is away: rooms here go on, those shared with other servers wait");
            link.send_modify(|link| *link = Link { is_up: false, losses: link.losses + 1 });
        }
        // What is lost with a slow consumer is noticed by the numbers of the frames.
        Event::LameDuckMode
        | Event::Draining
        | Event::SlowConsumer(_)
        | Event::ServerError(_)
        | Event::ClientError(_) => warn!("NATS says: {event}"),
    }
}

/// Longer with each attempt.
fn pause(attempts: usize) -> Duration {
    let doublings = u32::try_from(attempts).unwrap_or(u32::MAX).min(5);
    (Duration::from_millis(50) * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

/// Records for the other servers, and for this one's own disk.
pub(crate) struct SharedRecords {
    journal: Option<Journal>,
    records: mpsc::Sender<(Slice, Record)>,
    failed: bool,
}

impl Records for SharedRecords {
    fn keep(&mut self, record: &Record, nameplate: &Nameplate) {
        if let Some(journal) = &mut self.journal {
            journal.keep(record, nameplate);
        }
        let kept = self.records.try_send((Slice::of(nameplate), *record));
        if kept.is_err() && !std::mem::replace(&mut self.failed, true) {
            warn!("NATS takes no more records; an old token may open an empty room if this server is lost");
        }
    }
}
