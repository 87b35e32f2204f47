//! Stores behind a network.
//!
//! A store has one error for both ways in which a call is lost: a write may or may not have happened. A
//! watch is delayed and can be cut off, like one that falls behind.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::unfold;
use storage::queue::{Charge, Depth, Kept, Message, Receipt, Usage};
use storage::table::WATCH_BACKLOG;
use storage::{
    Appended, Blobs, Consistency, Error, Expect, Journal, Position, Queue, Record, Revision, Row,
    Table, Watch,
};
use tokio::sync::mpsc;

use crate::relay::relay;
use crate::{Faulty, Loses, Lost};

/// The most changes in transit to a watcher: one that does not take them is dropped by its table.
const CHANGES_MAX: usize = WATCH_BACKLOG / 2;

/// Why a store cannot be reached.
#[derive(Debug, thiserror::Error)]
#[error("a call was lost on its way")]
struct OnItsWay;

impl<A> Loses for Result<A, Error> {
    fn lost(_: Lost) -> Self {
        Err(Error::Unavailable(Box::new(OnItsWay)))
    }
}

impl Loses for Appended {
    fn lost(_: Lost) -> Self {
        Self::Unknown
    }
}

#[async_trait]
impl<T: Table + ?Sized + 'static> Table for Faulty<T> {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        self.call("table.get", key.to_owned(), move |table, key| async move {
            table.get(&key, consistency).await
        })
        .await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        let request = (key.to_owned(), value);
        self.call(
            "table.put",
            request,
            move |table, (key, value)| async move { table.put(&key, value, expect).await },
        )
        .await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        self.call(
            "table.delete",
            key.to_owned(),
            move |table, key| async move { table.delete(&key, expect).await },
        )
        .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        let request = (prefix.to_owned(), after.map(str::to_owned));
        self.call(
            "table.list",
            request,
            move |table, (prefix, after)| async move {
                table.list(&prefix, after.as_deref(), limit).await
            },
        )
        .await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        let watch = self
            .call(
                "table.watch",
                prefix.to_owned(),
                |table, prefix| async move { table.watch(&prefix).await },
            )
            .await?;
        let changes = unfold(watch, async |mut watch| Some((watch.recv().await?, watch)));
        let faults = self.faults.clone();
        let changes = relay("table.watch", faults, CHANGES_MAX, changes);
        let (sender, watch) = mpsc::channel(1);
        // It ends with the watch or its watcher.
        tokio::spawn(async move {
            let mut changes = std::pin::pin!(changes);
            while let Some(change) = changes.next().await {
                if sender.send(change).await.is_err() {
                    return;
                }
            }
        });
        Ok(watch)
    }
}

#[async_trait]
impl<T: Journal + ?Sized + 'static> Journal for Faulty<T> {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        let request = (partition.to_owned(), records);
        self.call(
            "journal.append",
            request,
            move |journal, (partition, records)| async move {
                journal.append(&partition, expected, records).await
            },
        )
        .await
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        self.call(
            "journal.read",
            partition.to_owned(),
            move |journal, partition| async move { journal.read(&partition, from, limit).await },
        )
        .await
    }

    async fn tail(&self, partition: &str) -> Result<Position, Error> {
        self.call(
            "journal.tail",
            partition.to_owned(),
            |journal, partition| async move { journal.tail(&partition).await },
        )
        .await
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), Error> {
        self.call(
            "journal.trim",
            partition.to_owned(),
            move |journal, partition| async move { journal.trim(&partition, before).await },
        )
        .await
    }
}

#[async_trait]
impl<T: Blobs + ?Sized + 'static> Blobs for Faulty<T> {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        let request = (name.to_owned(), bytes);
        self.call("blobs.put", request, |blobs, (name, bytes)| async move {
            blobs.put(&name, bytes).await
        })
        .await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.call("blobs.get", name.to_owned(), |blobs, name| async move {
            blobs.get(&name).await
        })
        .await
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        self.call("blobs.size", name.to_owned(), |blobs, name| async move {
            blobs.size(&name).await
        })
        .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let request = (prefix.to_owned(), after.map(str::to_owned));
        self.call(
            "blobs.list",
            request,
            move |blobs, (prefix, after)| async move {
                blobs.list(&prefix, after.as_deref(), limit).await
            },
        )
        .await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.call("blobs.delete", name.to_owned(), |blobs, name| async move {
            blobs.delete(&name).await
        })
        .await
    }
}

#[async_trait]
impl<T: Queue + ?Sized + 'static> Queue for Faulty<T> {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), Error> {
        let request = (queue.to_owned(), body, charge.clone());
        self.call(
            "queue.send_for",
            request,
            move |queues, (queue, body, charge)| async move {
                queues.send_for(&queue, body, delay, &charge).await
            },
        )
        .await
    }

    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error> {
        self.call("queue.usage", (), |queues, ()| async move {
            queues.usage().await
        })
        .await
    }

    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, Error> {
        self.call(
            "queue.show",
            owner.to_owned(),
            move |queues, owner| async move { queues.show(&owner, beyond).await },
        )
        .await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        self.call(
            "queue.receive",
            queue.to_owned(),
            move |queues, queue| async move { queues.receive(&queue, max, visibility, wait).await },
        )
        .await
    }

    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<bool, Error> {
        self.call(
            "queue.extend",
            queue.to_owned(),
            move |queues, queue| async move { queues.extend(&queue, receipt, visibility).await },
        )
        .await
    }

    async fn release(&self, queue: &str, receipt: Receipt, delay: Duration) -> Result<bool, Error> {
        self.call(
            "queue.release",
            queue.to_owned(),
            move |queues, queue| async move { queues.release(&queue, receipt, delay).await },
        )
        .await
    }

    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, Error> {
        let request = (queue.to_owned(), body);
        self.call(
            "queue.replace",
            request,
            move |queues, (queue, body)| async move {
                queues.replace(&queue, receipt, body, delay).await
            },
        )
        .await
    }

    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error> {
        self.call(
            "queue.ack",
            queue.to_owned(),
            move |queues, queue| async move { queues.ack(&queue, receipt).await },
        )
        .await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        self.call(
            "queue.depth",
            queue.to_owned(),
            |queues, queue| async move { queues.depth(&queue).await },
        )
        .await
    }

    async fn peek(&self, queue: &str, limit: usize, bytes: usize) -> Result<Vec<Bytes>, Error> {
        self.call(
            "queue.peek",
            queue.to_owned(),
            move |queues, queue| async move { queues.peek(&queue, limit, bytes).await },
        )
        .await
    }

    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, Error> {
        self.call(
            "queue.browse",
            queue.to_owned(),
            move |queues, queue| async move { queues.browse(&queue, after, limit).await },
        )
        .await
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.call(
            "queue.queues",
            prefix.to_owned(),
            |queues, prefix| async move { queues.queues(&prefix).await },
        )
        .await
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, Error> {
        self.call(
            "queue.delete_if_empty",
            queue.to_owned(),
            |queues, queue| async move { queues.delete_if_empty(&queue).await },
        )
        .await
    }
}
