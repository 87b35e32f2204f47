//! Queues in one SQLite file, apart from the metadata's: a flood of events fills their own writer.
//!
//! ```text
//!   send, receive, extend, replace, ack ──▶ channel ──▶ one writer thread ──▶ COMMIT, one fsync
//!                    └─ nothing visible: waits for a send, a release, or the next message's time
//! ```

mod bells;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use storage::queue::{Depth, Message, RECEIVE_MAX, Receipt, check_message, check_queue};
use storage::{Error as StorageError, Queue};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use types::Clock;

use super::commit::{self, COMMANDS_WAITING_MAX, Reply};
use super::open;
use crate::Error;
use crate::error::{Closed, unavailable};
use bells::Bells;
use writer::{Command, Taken, Writer};

/// The queues. Dropping them waits for the writer to finish what it was given.
pub struct SqliteQueue {
    /// `None` only while it is dropped.
    commands: Option<mpsc::Sender<Command>>,
    reader: Arc<Mutex<Connection>>,
    writer: Option<JoinHandle<()>>,
    clock: Arc<dyn Clock>,
    bells: Arc<Bells>,
}

impl SqliteQueue {
    /// Opens the file at `path`, or makes it, readable by its owner only. Blocks for some
    /// milliseconds. Refuses a damaged file, another program's, and a newer Lambent's.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        let connection = open::open(path, &open::QUEUES)?;
        let damaged = |source| Error::Damaged {
            path: path.to_owned(),
            source,
        };
        let reader = open::reader(path).map_err(damaged)?;
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let bells = Arc::new(Bells::default());
        let writer = Writer::new(connection, Arc::clone(&bells));
        let writer = thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || commit::run(writer, receiver))
            .map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            commands: Some(commands),
            reader: Arc::new(Mutex::new(reader)),
            writer: Some(writer),
            clock,
            bells,
        })
    }

    async fn command<T>(
        &self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> Result<T, StorageError> {
        let (sender, receiver) = oneshot::channel();
        let commands = self
            .commands
            .as_ref()
            .expect("it is there until the store is dropped");
        let sent = commands.send(command(sender)).await;
        sent.map_err(|_| unavailable(Closed))?;
        receiver.await.map_err(|_| unavailable(Closed))?
    }

    /// Runs a query beside the writer.
    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let reader = Arc::clone(&self.reader);
        let answer = tokio::task::spawn_blocking(move || {
            // It keeps no state from one query to the next that a panic could have spoiled.
            query(&reader.lock().unwrap_or_else(PoisonError::into_inner))
        });
        answer.await.map_err(unavailable)?.map_err(unavailable)
    }
}

impl Drop for SqliteQueue {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(writer) = self.writer.take() {
            // It has panicked or it has not: either way it is over, and whoever waited was told.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send(&self, queue: &str, body: Bytes, delay: Duration) -> Result<(), StorageError> {
        check_message(queue, &body)?;
        let (queue, visible_from) = (queue.to_owned(), self.clock.now().after(delay));
        self.command(|reply| Command::Send {
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
        self.command(|reply| Command::Extend {
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
        self.command(|reply| Command::Replace {
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
        self.command(|reply| Command::Ack {
            queue,
            message: receipt.message,
            reply,
        })
        .await
    }

    async fn depth(&self, queue: &str) -> Result<Depth, StorageError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.query(move |connection| writer::depth(connection, &queue, now))
            .await
    }

    async fn peek(
        &self,
        queue: &str,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Bytes>, StorageError> {
        let queue = queue.to_owned();
        self.query(move |connection| writer::peek(connection, &queue, limit, bytes))
            .await
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let prefix = prefix.to_owned();
        self.query(move |connection| writer::queues(connection, &prefix))
            .await
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, StorageError> {
        let queue = queue.to_owned();
        self.command(|reply| Command::DeleteIfEmpty { queue, reply })
            .await
    }
}
