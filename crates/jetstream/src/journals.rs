//! Journals: a stream per partition, and a message per append, which is therefore whole or not there. The server
//! takes a message only where the writer expects it in the stream; that is the fence.
//!
//! ```text
//!   place in the stream    11              12                13            14
//!   message                records 20-22   records 23, 24    mark:         records 25-27
//!                                                            trimmed to 21
//! ```
//!
//! The last message is never purged, so that the journal's tail, and how far it is trimmed, are always the last
//! message's.

mod frame;
mod partition;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use storage::journal::check_append;
use storage::{Appended, Error, Journal, Position, Record};

use crate::api::Api;
use crate::names;
use crate::registry::Registry;
use crate::stream::Stream;
use partition::Partition;

/// The journals.
pub struct Journals {
    api: Api,
    prefix: String,
    replicas: usize,
    registry: Arc<Registry>,
    partitions: Mutex<HashMap<String, Arc<Partition>>>,
    /// Many who begin the same thing make one stream.
    opening: tokio::sync::Mutex<()>,
}

impl Journals {
    pub(crate) fn new(api: Api, prefix: &str, replicas: usize, registry: Arc<Registry>) -> Self {
        Self {
            api,
            prefix: prefix.to_owned(),
            replicas,
            registry,
            partitions: Mutex::default(),
            opening: tokio::sync::Mutex::default(),
        }
    }

    fn known(&self, name: &str) -> Option<Arc<Partition>> {
        let partitions = self.partitions.lock();
        let partitions = partitions.expect("nothing panics while it holds this lock");
        partitions.get(name).cloned()
    }

    fn remember(&self, name: &str, stream: &str) -> Arc<Partition> {
        let stream = Stream {
            api: self.api.clone(),
            name: stream.to_owned(),
        };
        let partitions = self.partitions.lock();
        let mut partitions = partitions.expect("nothing panics while it holds this lock");
        let new = || Arc::new(Partition::new(stream));
        Arc::clone(partitions.entry(name.to_owned()).or_insert_with(new))
    }

    /// The partition, if it was ever written.
    async fn find(&self, name: &str) -> Result<Option<Arc<Partition>>, Error> {
        if let Some(partition) = self.known(name) {
            return Ok(Some(partition));
        }
        let stream = self.registry.find(&registered(name)).await?;
        Ok(stream.map(|stream| self.remember(name, &stream)))
    }

    /// The partition, made if it was never written.
    async fn open(&self, name: &str) -> Result<Arc<Partition>, Error> {
        if let Some(partition) = self.find(name).await? {
            return Ok(partition);
        }
        let _opening = self.opening.lock().await;
        if let Some(found) = self.find(name).await? {
            return Ok(found);
        }
        let mut readable = names::word(name).replace('=', "_");
        readable.truncate(40);
        let stream = format!("{}-journal-{readable}-{}", self.prefix, self.api.id());
        let own = json!({ "subjects": [partition::subject(&stream)], "deny_delete": true });
        let made = Stream::open(&self.api, &stream, self.replicas, own).await?;
        let counts = self.registry.claim(&registered(name), &stream).await?;
        if counts != stream {
            made.delete().await?;
        }
        Ok(self.remember(name, &counts))
    }
}

fn registered(partition: &str) -> String {
    format!("journal/{partition}")
}

#[async_trait]
impl Journal for Journals {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        check_append(&records);
        let found = match (records.is_empty(), expected) {
            // A journal begins with its first record.
            (false, Position(0)) => self.open(partition).await.map(Some),
            _ => self.find(partition).await,
        };
        match found {
            Ok(Some(found)) => found.append(expected, &records).await,
            Ok(None) if expected == Position(0) => Appended::Done { next: expected },
            Ok(None) => Appended::Fenced { next: Position(0) },
            Err(error) => {
                tracing::warn!(partition, %error, "the journal's stream is not found");
                Appended::Unknown
            }
        }
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        match self.find(partition).await? {
            Some(partition) => Ok(partition.read(from, limit).await?),
            None => Ok(Vec::new()),
        }
    }

    async fn tail(&self, partition: &str) -> Result<Position, Error> {
        match self.find(partition).await? {
            Some(partition) => Ok(Position(partition.tail().await?.next)),
            None => Ok(Position(0)),
        }
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), Error> {
        match self.find(partition).await? {
            Some(partition) => Ok(partition.trim(before).await?),
            None => Ok(()),
        }
    }
}
