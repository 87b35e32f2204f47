//! Queues in one SQLite file, apart from the metadata's: a flood of events fills their own writer.
//!
//! ```text
//!   send, receive, extend, replace, ack ──▶ channel ──▶ one writer thread ──▶ COMMIT, one fsync
//!                    └─ nothing visible: waits for a send, a release, or the next message's time
//! ```

mod bells;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage::queue::{Depth, Message, RECEIVE_MAX, Receipt, check_message, check_queue};
use storage::{Error as StorageError, Queue};
use tokio::time::Instant;
use types::Clock;

use super::file::DatabaseFile;
use super::open;
use crate::Error;
use bells::Bells;
use writer::{Command, Taken, Writer};

/// The queues. Dropping them waits for the writer to finish what it was given.
pub struct SqliteQueue {
    file: DatabaseFile<Command>,
    clock: Arc<dyn Clock>,
    bells: Arc<Bells>,
}

impl SqliteQueue {
    /// Opens the file at `path`, or makes it, readable by its owner only. Blocks for some
    /// milliseconds. Refuses a damaged file, another program's, and a newer Lambent's.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let bells = Arc::new(Bells::default());
        let file = DatabaseFile::open(path, &open::QUEUES, |connection| {
            Ok(Writer::new(connection, Arc::clone(&bells)))
        })?;
        Ok(Self { file, clock, bells })
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send(&self, queue: &str, body: Bytes, delay: Duration) -> Result<(), StorageError> {
        check_message(queue, &body)?;
        let (queue, visible_from) = (queue.to_owned(), self.clock.now().after(delay));
        self.file
            .command(|reply| Command::Send {
                queue,
                body,
                visible_from,
                reply,
            })
            .await
    }

    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, StorageError> {
        check_queue(queue)?;
        let until = Instant::now() + wait;
        loop {
            let changed = self.bells.of(queue).notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            let now = self.clock.now();
            let Taken { messages, next } = self
                .file
                .command(|reply| Command::Receive {
                    queue: queue.to_owned(),
                    max: max.min(RECEIVE_MAX),
                    now,
                    visible_from: now.after(visibility),
                    reply,
                })
                .await?;
            let left = until.saturating_duration_since(Instant::now());
            if !messages.is_empty() || left.is_zero() || max == 0 {
                return Ok(messages);
            }
            let next = next.map(|next| next.since(self.clock.now()));
            let pause = next.unwrap_or(left).min(left).max(Duration::from_millis(1));
            tokio::select! {
                biased;
                () = changed => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        visibility: Duration,
    ) -> Result<bool, StorageError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.file
            .command(|reply| Command::Extend {
                queue,
                receipt,
                now,
                visible_from: now.after(visibility),
                reply,
            })
            .await
    }

    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, StorageError> {
        check_message(queue, &body)?;
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.file
            .command(|reply| Command::Replace {
                queue,
                receipt,
                now,
                body,
                visible_from: now.after(delay),
                reply,
            })
            .await
    }

    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), StorageError> {
        let queue = queue.to_owned();
        self.file
            .command(|reply| Command::Ack {
                queue,
                message: receipt.message,
                reply,
            })
            .await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, StorageError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.file
            .query(move |connection| writer::depth(connection, &queue, now))
            .await
    }

    async fn peek(
        &self,
        queue: &str,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let queue = queue.to_owned();
        self.file
            .query(move |connection| writer::peek(connection, &queue, limit, bytes))
            .await
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let prefix = prefix.to_owned();
        self.file
            .query(move |connection| writer::queues(connection, &prefix))
            .await
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, StorageError> {
        let queue = queue.to_owned();
        self.file
            .command(|reply| Command::DeleteIfEmpty { queue, reply })
            .await
    }
}
