//! Puts rooms and hub together: of a server that is alone, with its journal at most, or of one of several.

use std::future::Future;
use std::pin::Pin;

use visavis_signaling::server::{Limits, Record};
use visavis_signaling::token::TokenKey;

use crate::hub::{self, Hub, HubHandle};
use crate::journal::Journal;
use crate::relay::Issuer;
use crate::{Config, ServerError};

/// Messages to other servers that may wait for their way.
#[cfg(feature = "hosting")]
const TO_OTHERS_QUEUE: usize = 8192;
/// How many rooms one slice of a thousand nameplates is taken for: so few that a number tried at random hits one in ten at most.
#[cfg(feature = "hosting")]
const ROOMS_PER_SLICE: usize = 100;
/// Slices that one server takes at most, so that there is enough for twenty.
#[cfg(feature = "hosting")]
const MOST_SLICES: usize = crate::cluster::SLICES as usize / 20;

/// A hub that is ready to run.
pub(crate) struct Together {
    pub(crate) hub: Hub,
    pub(crate) handle: HubHandle,
    /// Brings what servers say to one another, until the hub is gone.
    pub(crate) ways: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl std::fmt::Debug for Together {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Together").field("hub", &self.hub).finish_non_exhaustive()
    }
}

/// What is kept of rooms, and the journal that keeps it.
type Kept = Option<(Journal, Vec<Record>)>;

#[cfg(feature = "hosting")]
pub(crate) async fn put(
    config: &Config,
    key: TokenKey,
    issuer: Option<Issuer>,
    kept: Kept,
) -> Result<Together, ServerError> {
    let Some(nats) = &config.nats else { return Ok(alone(config.limits.clone(), key, issuer, kept)) };
    let slices = (config.limits.rooms / ROOMS_PER_SLICE).clamp(1, MOST_SLICES);
    let mut joined = crate::nats::join(nats, &key, slices).await?;
    let (journal, mut records) = kept.unzip();
    records.get_or_insert_default().append(&mut joined.kept);
    let rooms = hub::rooms(config.limits.clone(), key, issuer)
        .with_records(Box::new(joined.records(journal)), records.unwrap_or_default())
        .with_numbers(Box::new(joined.table.clone()));
    let (sender, to_others) = tokio::sync::mpsc::channel(TO_OTHERS_QUEUE);
    let (hub, handle) = Hub::new(rooms, |handle| {
        let cluster = crate::cluster::Cluster::new(joined.me, joined.table.clone(), handle.numbers());
        Some(hub::Others { cluster, ways: sender })
    });
    let ways = joined.ways.run(handle.weak(), to_others);
    Ok(Together { hub, handle, ways: Some(Box::pin(ways)) })
}

#[cfg(not(feature = "hosting"))]
#[allow(clippy::unused_async, reason = "as with others")]
pub(crate) async fn put(
    config: &Config,
    key: TokenKey,
    issuer: Option<Issuer>,
    kept: Kept,
) -> Result<Together, ServerError> {
    Ok(alone(config.limits.clone(), key, issuer, kept))
}

fn alone(limits: Limits, key: TokenKey, issuer: Option<Issuer>, kept: Kept) -> Together {
    let rooms = hub::rooms(limits, key, issuer);
    let rooms = match kept {
        Some((journal, kept)) => rooms.with_records(Box::new(journal), kept),
        None => rooms,
    };
    let (hub, handle) = Hub::new(rooms, |_| None);
    Together { hub, handle, ways: None }
}
