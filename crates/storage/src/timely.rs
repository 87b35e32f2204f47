//! A deadline for every call to a store: a call that is not answered in time fails as unavailable.
//!
//! It may still have been carried out, as after every [`Error::Unavailable`]. Messages taken by a
//! receive that timed out become visible again when their visibility timeout ends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::queue::{Charge, Depth, Kept, Message, Receipt, Usage};
use crate::{
    Appended, Blobs, Consistency, Error, Expect, Journal, Position, Queue, Record, Revision, Row,
    Table, Watch,
};

/// A store, and how long to wait for each of its answers.
pub struct Timely<T: ?Sized> {
    store: Arc<T>,
    within: Duration,
}

/// Why a store counts as one that does not answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {within:?}")]
struct Silence {
    within: Duration,
}

impl<T: ?Sized> Timely<T> {
    /// Waits at most `within` for each answer of `store`.
    pub fn new(store: Arc<T>, within: Duration) -> Self {
        Self { store, within }
    }

    async fn ask<A>(&self, work: impl Future<Output = Result<A, Error>>) -> Result<A, Error> {
        within(self.within, work).await
    }
}

async fn within<A>(
    within: Duration,
    work: impl Future<Output = Result<A, Error>>,
) -> Result<A, Error> {
    let answer = tokio::time::timeout(within, work).await;
    answer.unwrap_or_else(|_| Err(Error::Unavailable(Box::new(Silence { within }))))
}

#[async_trait]
impl<T: Queue + ?Sized> Queue for Timely<T> {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), Error> {
        self.ask(self.store.send_for(queue, body, delay, charge))
            .await
    }

    async fn usage(&self) -> Result<Vec<(String, Usage)>, Error> {
        self.ask(self.store.usage()).await
    }

    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, Error> {
        self.ask(self.store.show(owner, beyond)).await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, Error> {
        let received = self.store.receive(queue, max, visibility, wait);
        within(self.within.saturating_add(wait), received).await
    }

    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<bool, Error> {
        self.ask(self.store.extend(queue, receipt, visibility))
            .await
    }

    async fn release(&self, queue: &str, receipt: Receipt, delay: Duration) -> Result<bool, Error> {
        self.ask(self.store.release(queue, receipt, delay)).await
    }

    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, Error> {
        self.ask(self.store.replace(queue, receipt, body, delay))
            .await
    }

    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), Error> {
        self.ask(self.store.ack(queue, receipt)).await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, Error> {
        self.ask(self.store.depth(queue)).await
    }

    async fn peek(&self, queue: &str, limit: usize, bytes: usize) -> Result<Vec<Bytes>, Error> {
        self.ask(self.store.peek(queue, limit, bytes)).await
    }

    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, Error> {
        self.ask(self.store.browse(queue, after, limit)).await
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, Error> {
        self.ask(self.store.queues(prefix)).await
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, Error> {
        self.ask(self.store.delete_if_empty(queue)).await
    }
}

#[async_trait]
impl<T: Table + ?Sized> Table for Timely<T> {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        self.ask(self.store.get(key, consistency)).await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        self.ask(self.store.put(key, value, expect)).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        self.ask(self.store.delete(key, expect)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.ask(self.store.list(prefix, after, limit)).await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        self.ask(self.store.watch(prefix)).await
    }
}

#[async_trait]
impl<T: Journal + ?Sized> Journal for Timely<T> {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        let appended = self.store.append(partition, expected, records);
        let answer = tokio::time::timeout(self.within, appended).await;
        answer.unwrap_or(Appended::Unknown)
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        self.ask(self.store.read(partition, from, limit)).await
    }

    async fn tail(&self, partition: &str) -> Result<Position, Error> {
        self.ask(self.store.tail(partition)).await
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), Error> {
        self.ask(self.store.trim(partition, before)).await
    }
}

#[async_trait]
impl<T: Blobs + ?Sized> Blobs for Timely<T> {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        self.ask(self.store.put(name, bytes)).await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        self.ask(self.store.get(name)).await
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        self.ask(self.store.size(name)).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        self.ask(self.store.list(prefix, after, limit)).await
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        self.ask(self.store.delete(name)).await
    }
}
