//! What all servers keep in JetStream: who has which slice of the nameplates, and records about their rooms.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::pull::OrderedConfig;
use async_nats::jetstream::kv::{self, Operation, Watch};
use async_nats::jetstream::stream::{self, DiscardPolicy, Stream};
use async_nats::jetstream::{self, Context};
use futures::StreamExt as _;
use visavis_signaling::server::{Limits, Record};

use super::{NatsError, ways};
use crate::cluster::{ServerId, Slice, Table, Taken};

/// Owners of slices; with them, under [`KEY`], by what the servers' signing key is known.
const BUCKET: &str = "visavis-slices";
const KEY: &str = "signing-key";
const STREAM: &str = "visavis-records";
/// Records of one slice, and bytes of all: the oldest go first.
const MOST_RECORDS: i64 = 10_000;
const MOST_BYTES: i64 = 256 * 1024 * 1024;
/// Bytes of one of either, with its headers.
const MOST_MESSAGE_BYTES: i32 = 1024;
/// How long a slice may take to change hands.
const TAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to it.
#[derive(Clone)]
pub(super) struct Store {
    me: ServerId,
    jetstream: Context,
    slices: kv::Store,
    records: Stream,
}

fn failed(error: impl std::fmt::Display) -> NatsError {
    NatsError::JetStream(error.to_string())
}

/// The subject of a slice's records.
pub(super) fn records_of(slice: impl std::fmt::Display) -> String {
    format!("visavis.records.{slice}")
}

fn owner(entry: &kv::Entry) -> Option<ServerId> {
    let is_there = entry.operation == Operation::Put;
    std::str::from_utf8(&entry.value).ok().filter(|_| is_there).and_then(ServerId::parse)
}

impl Store {
    /// Makes what isn't there yet.
    pub(super) async fn open(client: &Client, me: ServerId) -> Result<Self, NatsError> {
        let jetstream = jetstream::new(client.clone());
        // The crate's own way to make a bucket doesn't understand what NATS before 2.10 says of an account.
        let bucket = stream::Config {
            name: format!("KV_{BUCKET}"),
            subjects: vec![format!("$KV.{BUCKET}.>")],
            max_messages_per_subject: 1,
            max_message_size: MOST_MESSAGE_BYTES,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            deny_delete: true,
            allow_direct: true,
            ..stream::Config::default()
        };
        jetstream.get_or_create_stream(bucket).await.map_err(failed)?;
        let slices = jetstream.get_key_value(BUCKET).await.map_err(failed)?;
        let stream = stream::Config {
            name: STREAM.into(),
            subjects: vec![records_of("*")],
            max_age: Limits::default().token_lifetime,
            max_bytes: MOST_BYTES,
            max_messages_per_subject: MOST_RECORDS,
            max_message_size: MOST_MESSAGE_BYTES,
            ..stream::Config::default()
        };
        let records = jetstream.get_or_create_stream(stream).await.map_err(failed)?;
        Ok(Self { me, jetstream, slices, records })
    }

    fn my_name(&self) -> String {
        self.me.to_string()
    }

    /// Holds all servers to one signing key.
    pub(super) async fn agree_on_key(&self, fingerprint: &str) -> Result<(), NatsError> {
        if self.slices.create(KEY, fingerprint.to_owned().into()).await.is_ok() {
            return Ok(());
        }
        let known = self.slices.get(KEY).await.map_err(failed)?;
        if known.as_deref() == Some(fingerprint.as_bytes()) { Ok(()) } else { Err(NatsError::OtherKey) }
    }

    /// Takes so many slices, those that nobody has before those of servers that are gone, and tells what was kept of them.
    pub(super) async fn claim(&self, client: &Client, table: &Table, most: usize) -> Result<Vec<Record>, NatsError> {
        self.look(table).await?;
        let mut random = [0; 2];
        getrandom::fill(&mut random).map_err(failed)?;
        let begin = usize::from(u16::from_be_bytes(random));
        let all: Vec<Slice> = Slice::all().collect();
        let all = (0..all.len()).filter_map(|index| all.get((begin + index) % all.len()).copied());
        let (free, owned): (Vec<_>, Vec<_>) = all.partition(|slice| table.owner(*slice).is_none());
        let mut kept = Vec::new();
        for slice in free.into_iter().chain(owned) {
            if table.ours().len() >= most {
                break;
            }
            let before = table.owner(slice);
            if let Some(owner) = before.filter(|owner| !table.is_gone(*owner)) {
                if ways::is_there(client, owner).await {
                    // All of its slices are as little to be had.
                    continue;
                }
                table.set_gone(owner, true);
            }
            match self.take(slice, before).await {
                Taken::Ours(records) => {
                    table.draw_from(slice);
                    kept.extend(records);
                }
                Taken::Others(owner) => {
                    table.set_owner(slice, Some(owner));
                }
                Taken::Failed => return Err(failed("no answer")),
            }
        }
        // Others that are just starting have taken some meanwhile.
        self.look(table).await?;
        if table.ours().is_empty() { Err(NatsError::Full) } else { Ok(kept) }
    }

    /// Who has which slice now.
    async fn look(&self, table: &Table) -> Result<(), NatsError> {
        // There is one entry at least, that of the key.
        let mut entries = self.watch().await?;
        while let Some(entry) = entries.next().await {
            let entry = entry.map_err(failed)?;
            if let Some((slice, owner)) = Self::read(&entry) {
                table.set_owner(slice, owner);
            }
            // `seen_current` is true from the beginning where the first entries overtake what is said of them.
            if entry.delta == 0 {
                break;
            }
        }
        Ok(())
    }

    /// All slices that have an owner, and then every change.
    pub(super) async fn watch(&self) -> Result<Watch, NatsError> {
        self.slices.watch_with_history(">").await.map_err(failed)
    }

    /// What an entry of [`Store::watch`] says.
    pub(super) fn read(entry: &kv::Entry) -> Option<(Slice, Option<ServerId>)> {
        Slice::parse(&entry.key).map(|slice| (slice, owner(entry)))
    }

    /// Takes a slice, if it still belongs to that server or to nobody.
    pub(super) async fn take(&self, slice: Slice, from: Option<ServerId>) -> Taken {
        let taken = tokio::time::timeout(TAKE_TIMEOUT, self.try_to_take(slice, from)).await;
        match taken {
            Ok(Ok(taken)) => taken,
            Ok(Err(error)) => {
                tracing::warn!(%slice, %error, "a slice of nameplates couldn't be taken");
                Taken::Failed
            }
            Err(_) => Taken::Failed,
        }
    }

    async fn try_to_take(&self, slice: Slice, from: Option<ServerId>) -> Result<Taken, NatsError> {
        let key = slice.to_string();
        let entry = self.slices.entry(&key).await.map_err(failed)?;
        let had = entry.as_ref().and_then(owner);
        if let Some(had) = had.filter(|had| *had != self.me && Some(*had) != from) {
            return Ok(Taken::Others(had));
        }
        let is_mine = match (entry, had) {
            (_, Some(had)) if had == self.me => true,
            (Some(entry), _) => self.slices.update(&key, self.my_name().into(), entry.revision).await.is_ok(),
            (None, _) => self.slices.create(&key, self.my_name().into()).await.is_ok(),
        };
        if is_mine {
            return Ok(Taken::Ours(self.records(slice).await?));
        }
        // Another one was faster.
        let entry = self.slices.entry(&key).await.map_err(failed)?;
        entry.as_ref().and_then(owner).map(Taken::Others).ok_or_else(|| failed("the slice changes hands too often"))
    }

    async fn records(&self, slice: Slice) -> Result<Vec<Record>, NatsError> {
        let config = OrderedConfig { filter_subject: records_of(slice), ..OrderedConfig::default() };
        let consumer = self.records.create_consumer(config).await.map_err(failed)?;
        let mut records = Vec::new();
        let mut left = consumer.cached_info().num_pending;
        let mut messages = consumer.messages().await.map_err(failed)?;
        while left > 0 {
            let Some(message) = messages.next().await else { break };
            let message = message.map_err(failed)?;
            left = message.info().map_err(failed)?.pending;
            records.extend(message.payload.as_ref().try_into().ok().and_then(Record::from_bytes));
        }
        Ok(records)
    }

    /// After NATS was away: if it has lost what it kept, this server's slices are written there again.
    pub(super) async fn mend(&mut self, client: &Client, table: &Table) -> Result<(), NatsError> {
        *self = Self::open(client, self.me).await?;
        for slice in table.ours() {
            // It is there as a rule, and if somebody else has it the watch tells.
            let created = self.slices.create(slice.to_string(), self.my_name().into()).await;
            if let Err(error) = created
                && error.kind() != kv::CreateErrorKind::AlreadyExists
            {
                return Err(failed(error));
            }
        }
        Ok(())
    }

    /// Gives this server's slices back.
    pub(super) async fn release(&self, table: &Table) {
        for slice in table.ours() {
            let Ok(Some(entry)) = self.slices.entry(slice.to_string()).await else { continue };
            if owner(&entry) == Some(self.me) {
                // Somebody may be faster, and then it is theirs.
                let _ = self.slices.delete_expect_revision(slice.to_string(), Some(entry.revision)).await;
            }
        }
    }

    /// Keeps a record. It is on its way when this returns.
    pub(super) async fn keep(&self, slice: Slice, record: &Record) -> bool {
        let bytes = record.to_bytes().to_vec().into();
        self.jetstream.publish(records_of(slice), bytes).await.is_ok()
    }
}
