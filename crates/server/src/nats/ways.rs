//! What goes between the hub and NATS while the server runs.

use std::time::Duration;

use async_nats::jetstream::kv::Watch;
use async_nats::{Client, RequestErrorKind, Subscriber};
use futures::StreamExt as _;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tracing::{info, warn};
use visavis_signaling::server::Record;

use super::Link;
use super::store::Store;
use crate::cluster::{Heard, ServerId, Slice, Table, ToOthers};
use crate::hub::WeakHub;

/// How long another server may take to say that it is there.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The pause before NATS is asked again for what it keeps.
const MEND_PAUSE: Duration = Duration::from_millis(500);
/// How long giving slices back may take at the end.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(2);

/// Where a server hears the others.
pub(super) fn frames_of(server: ServerId) -> String {
    format!("visavis.server.{server}.frames")
}

/// Where it is asked whether it is there.
pub(super) fn question_to(server: ServerId) -> String {
    format!("visavis.server.{server}.there")
}

/// Says that this server is there, to whoever asks.
pub(super) async fn answer(client: Client, mut questions: Subscriber) {
    while let Some(question) = questions.next().await {
        if let Some(reply) = question.reply {
            let _ = client.publish(reply, "".into()).await;
        }
    }
}

/// Asks whether a server is there.
pub(super) async fn is_there(client: &Client, server: ServerId) -> bool {
    ask(client, server).await.unwrap_or(true)
}

/// The same; `None` if that can't be found out.
async fn ask(client: &Client, server: ServerId) -> Option<bool> {
    let request = async_nats::Request::new().timeout(Some(ANSWER_TIMEOUT));
    match client.send_request(question_to(server), request).await.map_err(|error| error.kind()) {
        Ok(_) => Some(true),
        Err(RequestErrorKind::NoResponders | RequestErrorKind::TimedOut) => Some(false),
        Err(_) => None,
    }
}

/// A server's ways to the others.
pub(crate) struct Ways {
    pub(super) client: Client,
    pub(super) store: Store,
    pub(super) table: Table,
    pub(super) link: watch::Receiver<Link>,
    pub(super) frames: Subscriber,
    pub(super) records: mpsc::Receiver<(Slice, Record)>,
}

impl Ways {
    /// Brings what is said until the hub is gone; then gives back what this server had.
    pub(crate) async fn run(mut self, hub: WeakHub, mut to_others: mpsc::Receiver<ToOthers>) {
        let mut link = *self.link.borrow_and_update();
        let mut slices = self.store.watch().await.ok();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if slices.is_none() && link.is_up {
                slices = self.mend(&hub).await;
            }
            let is_up = link.is_up;
            let heard = tokio::select! {
                changed = self.link.changed() => {
                    let before = std::mem::replace(&mut link, *self.link.borrow_and_update());
                    if changed.is_ok() && before.losses == link.losses {
                        continue;
                    }
                    // It may be back already; what was under way is lost all the same.
                    slices = None;
                    Heard::Down
                }
                said = to_others.recv() => match said {
                    Some(said) => {
                        self.bring(said, is_up, &hub).await;
                        continue;
                    }
                    None => break,
                },
                frame = self.frames.next() => match frame {
                    Some(frame) => Heard::Frame(frame.payload.into()),
                    None => break,
                },
                entry = next(&mut slices) => match entry {
                    Some(entry) => match Store::read(&entry) {
                        Some((slice, owner)) => Heard::Owner(slice, owner),
                        None => continue,
                    },
                    None => {
                        slices = None;
                        continue;
                    }
                },
                Some((slice, record)) = self.records.recv(), if is_up => {
                    self.store.keep(slice, &record).await;
                    continue;
                }
                _ = tick.tick() => Heard::Tick,
            };
            if !hub.hear(heard).await {
                break;
            }
        }
        let _ = tokio::time::timeout(RELEASE_TIMEOUT, self.store.release(&self.table)).await;
        let _ = tokio::time::timeout(RELEASE_TIMEOUT, self.client.flush()).await;
    }

    /// After NATS was away. `None`: it isn't as it should be yet.
    async fn mend(&mut self, hub: &WeakHub) -> Option<Watch> {
        let mended = match self.store.mend(&self.client, &self.table).await {
            Ok(()) => self.store.watch().await,
            Err(error) => Err(error),
        };
        match mended {
            Ok(slices) => {
                info!("NATS is there: rooms are shared with other servers again");
                hub.hear(Heard::Up).await;
                Some(slices)
            }
            Err(error) => {
                warn!(%error, "NATS is there but isn't ready");
                tokio::time::sleep(MEND_PAUSE).await;
                None
            }
        }
    }

    async fn bring(&self, said: ToOthers, is_up: bool, hub: &WeakHub) {
        let (client, store, hub, link) = (self.client.clone(), self.store.clone(), hub.clone(), self.link.clone());
        match said {
            ToOthers::Frame(server, bytes) if is_up => {
                // Not brought is lost, which the other one notices.
                let _ = client.publish(frames_of(server), bytes.into()).await;
            }
            ToOthers::Frame(..) => {}
            ToOthers::Ask(server) => {
                tokio::spawn(async move {
                    let before = *link.borrow();
                    let answer = ask(&client, server).await;
                    // Without NATS nobody answers.
                    if let Some(is_there) = answer.filter(|is_there| *is_there || *link.borrow() == before) {
                        hub.hear(Heard::Answered(server, is_there)).await;
                    }
                });
            }
            ToOthers::Take(slice, from) => {
                tokio::spawn(async move {
                    let taken = store.take(slice, from).await;
                    hub.hear(Heard::Taken(slice, taken)).await;
                });
            }
        }
    }
}

/// The next change of a slice; never, while there is nothing to look at.
async fn next(slices: &mut Option<Watch>) -> Option<async_nats::jetstream::kv::Entry> {
    match slices {
        Some(slices) => slices.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}
