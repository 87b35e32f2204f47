//! A table: one stream, with a subject for each row and its last message alone. A row's revision is its message's
//! place in the stream, so revisions are in the order of all writes.
//!
//! The stream is what NATS calls a bucket: `nats kv` can look into it. A deleted row leaves a mark.

mod feed;
mod mirror;

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use storage::table::check_row;
use storage::{Consistency, Error, Expect, Revision, Row, Table, Watch};
use tokio::task::JoinHandle;

use crate::api::{Api, Outgoing, Pauses, Published};
use crate::error::Failure;
use crate::names;
use crate::stream::{Stored, Stream};
pub(crate) use feed::{Place, nanoseconds, place};
use mirror::Mirror;

const OPERATION: &str = "KV-Operation";
const EXPECTED: &str = "Nats-Expected-Last-Subject-Sequence";

/// A table. All of it is in memory too, for lists and watches.
pub struct Rows {
    stream: Stream,
    /// What subjects begin with.
    root: String,
    mirror: Arc<Mirror>,
    feed: JoinHandle<()>,
}

impl Drop for Rows {
    fn drop(&mut self) {
        self.feed.abort();
    }
}

/// What a subject has.
enum Found {
    Row(Row),
    /// The mark of a deleted row.
    Mark(u64),
    Nothing,
}

impl Rows {
    pub(crate) async fn open(api: &Api, bucket: &str, replicas: usize) -> Result<Self, Failure> {
        let own = json!({
            "subjects": [format!("$KV.{bucket}.>")],
            "max_msgs_per_subject": 1,
            "allow_rollup_hdrs": true,
        });
        let stream = Stream::open(api, &format!("KV_{bucket}"), replicas, own).await?;
        let root = format!("$KV.{bucket}.");
        let mirror = Arc::new(Mirror::default());
        let feed = tokio::spawn(feed::run(stream.clone(), root.clone(), Arc::clone(&mirror)));
        Ok(Self {
            stream,
            root,
            mirror,
            feed,
        })
    }

    fn subject(&self, key: &str) -> String {
        format!("{}{}", self.root, names::subject(key))
    }

    async fn find(&self, key: &str) -> Result<Found, Failure> {
        let message = self.stream.last(&self.subject(key)).await?;
        Ok(message.map_or(Found::Nothing, |message| found(key, message)))
    }

    /// Waits until the mirror has all that was acknowledged until now.
    async fn catch_up(&self) -> Result<(), Error> {
        let last = self.stream.state().await?.last_seq;
        let reached = self.mirror.reaches(last, self.stream.api.patience).await;
        reached.then_some(()).ok_or(Failure::Silence.into())
    }

    async fn publish(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<u64>,
        operation: Option<&str>,
    ) -> (String, Published) {
        let mut headers = HeaderMap::new();
        if let Some(expected) = expected {
            headers.insert(EXPECTED, expected.to_string().as_str());
        }
        if let Some(operation) = operation {
            headers.insert(OPERATION, operation);
        }
        let id = self.stream.api.id();
        let subject = self.subject(key);
        let message = Outgoing {
            subject: &subject,
            id: &id,
            headers,
            body: value,
        };
        let published = self.stream.api.publish(&message).await;
        (id, published)
    }

    /// Writes over the message at `expected`, which the caller has seen to be what it wants to replace. Nothing if
    /// another is there now.
    async fn write(
        &self,
        key: &str,
        value: Bytes,
        expected: Option<u64>,
        operation: Option<&str>,
    ) -> Result<Option<u64>, Error> {
        let (id, published) = self.publish(key, value, expected, operation).await;
        match published {
            Published::Stored { sequence } => Ok(Some(sequence)),
            Published::Unknown(failure) => Err(failure.into()),
            Published::Conflict { doubted: false } => Ok(None),
            Published::Conflict { doubted: true } => {
                // Sent twice: perhaps what is there now is what the first sending wrote.
                let now = self.stream.last(&self.subject(key)).await?;
                match now {
                    Some(message) if message.header("Nats-Msg-Id") == Some(&id) => {
                        Ok(Some(message.sequence))
                    }
                    Some(message) if Some(message.sequence) == expected => Ok(None),
                    // Written over, or never written: who knows.
                    _ => Err(Failure::Silence.into()),
                }
            }
        }
    }
}

fn found(key: &str, message: Stored) -> Found {
    match message.header(OPERATION) {
        Some(_) => Found::Mark(message.sequence),
        None => Found::Row(Row {
            key: key.to_owned(),
            revision: Revision(message.sequence),
            value: message.body,
        }),
    }
}

fn conflict<T>(key: &str) -> Result<T, Error> {
    Err(Error::Conflict {
        key: key.to_owned(),
    })
}

#[async_trait]
impl Table for Rows {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        if consistency == Consistency::MaybeStale && self.mirror.is_whole() {
            return Ok(self.mirror.get(key));
        }
        if key.is_empty() {
            return Ok(None);
        }
        Ok(match self.find(key).await? {
            Found::Row(row) => Some(row),
            Found::Mark(_) | Found::Nothing => None,
        })
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        check_row(key, &value)?;
        let mut expected = match expect {
            Expect::Any => None,
            // To the server, nothing is at place 0.
            Expect::Absent => Some(0),
            Expect::Revision(Revision(0)) => return conflict(key),
            Expect::Revision(revision) => Some(revision.0),
        };
        let mut pauses = Pauses::new(self.stream.api.patience);
        loop {
            let written = self.write(key, value.clone(), expected, None).await?;
            if let Some(sequence) = written {
                return Ok(Revision(sequence));
            }
            // Another write may be under way, and come to nothing; a mark may be in the way.
            let now = self.find(key).await?;
            match (expect, now) {
                (Expect::Revision(revision), Found::Row(row)) if row.revision == revision => {}
                (Expect::Absent, Found::Mark(sequence)) => expected = Some(sequence),
                (Expect::Absent, Found::Nothing) => expected = Some(0),
                _ => return conflict(key),
            }
            if !pauses.pause().await {
                return Err(Failure::Silence.into());
            }
        }
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        let mut pauses = Pauses::new(self.stream.api.patience);
        loop {
            let row = match self.find(key).await? {
                Found::Row(row) => row,
                Found::Mark(_) | Found::Nothing => match expect {
                    Expect::Any | Expect::Absent => return Ok(()),
                    Expect::Revision(_) => return conflict(key),
                },
            };
            match expect {
                Expect::Absent => return conflict(key),
                Expect::Revision(revision) if revision != row.revision => return conflict(key),
                Expect::Any | Expect::Revision(_) => {}
            }
            let at = Some(row.revision.0);
            let written = self.write(key, Bytes::new(), at, Some("DEL")).await?;
            if written.is_some() {
                return Ok(());
            }
            if !pauses.pause().await {
                return Err(Failure::Silence.into());
            }
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.catch_up().await?;
        Ok(self.mirror.list(prefix, after, limit))
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.catch_up().await?;
        Ok(self.mirror.watch(prefix))
    }
}
