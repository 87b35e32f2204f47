//! A queue that blocks one of its receivers' threads.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use async_trait::async_trait;
use backends::SqliteQueue;
use bytes::Bytes;
use storage::Queue;
use storage::queue::{Charge, Depth, Kept, Message, Receipt, Usage};

/// Holds a thread until it is released.
pub(crate) struct StandStill(pub(crate) Mutex<Option<mpsc::Receiver<()>>>);

/// A queue that blocks one of its receivers' threads, after it has received messages.
pub(crate) struct Standing(pub(crate) Arc<SqliteQueue>, pub(crate) Arc<StandStill>);

#[async_trait]
impl Queue for Standing {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), storage::Error> {
        self.0.send_for(queue, body, delay, charge).await
    }
    async fn usage(&self) -> Result<Vec<(String, Usage)>, storage::Error> {
        self.0.usage().await
    }
    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, storage::Error> {
        self.0.show(owner, beyond).await
    }
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, storage::Error> {
        let received = self.0.receive(queue, max, visibility, wait).await?;
        if !received.is_empty() {
            let melts = self.1.0.lock().unwrap().take();
            // It ends when the other end is dropped.
            let _ = melts.map(|melts| melts.recv());
        }
        Ok(received)
    }
    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        by: Duration,
    ) -> Result<bool, storage::Error> {
        self.0.extend(queue, receipt, by).await
    }
    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, storage::Error> {
        self.0.replace(queue, receipt, body, delay).await
    }
    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), storage::Error> {
        self.0.ack(queue, receipt).await
    }
    async fn depth(&self, queue: &str) -> Result<Depth, storage::Error> {
        self.0.depth(queue).await
    }
    async fn peek(
        &self,
        queue: &str,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Bytes>, storage::Error> {
        self.0.peek(queue, limit, bytes).await
    }
    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, storage::Error> {
        self.0.browse(queue, after, limit).await
    }
    async fn queues(&self, prefix: &str) -> Result<Vec<String>, storage::Error> {
        self.0.queues(prefix).await
    }
    async fn delete_if_empty(&self, queue: &str) -> Result<bool, storage::Error> {
        self.0.delete_if_empty(queue).await
    }
}
