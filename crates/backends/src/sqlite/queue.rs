//! Queues in one SQLite file, apart from the metadata's: a flood of events fills their own writer.
//!
//! ```text
//!   send, receive, extend, replace ──▶ channel ──▶ one writer thread ──▶ COMMIT, one fsync
//!              │                           ack: a moment later ─┘
//!              └─ nothing visible: waits for a send, a release, or the next message's time
//! ```

mod acks;
mod command;
mod owners;
mod read;
mod waiting;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use storage::queue::{
    Charge, Depth, Kept, Message, RECEIVE_MAX, Receipt, Usage, check_charge, check_message,
    check_queue,
};
use storage::{Error as StorageError, Queue, Room};
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};
use types::Clock;

use super::file::DatabaseFile;
use super::open;
use crate::error::{Closed, unavailable};
use crate::{Error, Opening};
use acks::Acks;
use command::{Command, Taken};
use writer::Writer;

/// The queues. Dropping them waits for the writer to finish what it was given.
pub struct SqliteQueue {
    file: DatabaseFile<Command>,
    clock: Arc<dyn Clock>,
    acks: Arc<Acks>,
    room: Arc<dyn Room>,
}

/// Messages that are shown in one transaction.
const SHOWN_TOGETHER: usize = 500;

impl SqliteQueue {
    /// Opens the file at `path` by itself.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        Self::open_with(path, clock, &Opening::default())
    }

    /// Opens the file at `path`, or makes it, as [`super::Sqlite::open_with`] does.
    pub fn open_with(path: &Path, clock: Arc<dyn Clock>, opening: &Opening) -> Result<Self, Error> {
        let acks = Arc::new(Acks::default());
        let file = DatabaseFile::open(path, &open::QUEUES, opening, |connection| {
            Writer::new(connection, Arc::clone(&clock), Arc::clone(&acks))
        })?;
        let room = Arc::clone(&opening.room);
        Ok(Self {
            file,
            clock,
            acks,
            room,
        })
    }

    /// Brings all that was acknowledged into the file itself, out of its log.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        self.file.checkpoint().await
    }
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), StorageError> {
        check_message(queue, &body)?;
        check_charge(charge)?;
        if !charge.bounds.is_empty() && !self.room.is_there() {
            return Err(StorageError::Full { what: "the disk" });
        }
        let (queue, visible_from) = (queue.to_owned(), self.clock.now().after(delay));
        let charge = charge.clone();
        self.file
            .command(|reply| Command::Send {
                queue,
                body,
                visible_from,
                charge,
                reply,
            })
            .await
    }

    async fn usage(&self) -> Result<Vec<(String, Usage)>, StorageError> {
        self.file.query(owners::usage).await
    }

    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, StorageError> {
        let (owner, now) = (owner.to_owned(), self.clock.now());
        let late = now.after(beyond);
        // Read on another connection, so that a long query does not delay the writer.
        let found = self
            .file
            .query(move |connection| owners::seen_after(connection, &owner, late))
            .await?;
        let mut shown = 0;
        for messages in found.chunks(SHOWN_TOGETHER) {
            let messages = messages.to_vec();
            shown += self
                .file
                .command(|reply| Command::Show {
                    messages,
                    late,
                    reply,
                })
                .await?;
        }
        Ok(shown)
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
            let left = until.saturating_duration_since(Instant::now());
            let waits = !left.is_zero() && max > 0;
            let Taken {
                messages,
                next,
                later,
            } = self
                .file
                .command(|reply| Command::Receive {
                    queue: queue.to_owned(),
                    max: max.min(RECEIVE_MAX),
                    visibility,
                    waits,
                    reply,
                })
                .await?;
            let Some(mut later) = later else {
                return Ok(messages);
            };
            let next = next.map(|next| next.since(self.clock.now()));
            let pause = next.unwrap_or(left).min(left).max(Duration::from_millis(1));
            let handed = match timeout(pause, &mut later).await {
                Ok(handed) => handed.ok(),
                Err(_) => {
                    // What comes from here on is not for this receiver; what has come is.
                    later.close();
                    later.try_recv().ok()
                }
            };
            // Nothing: something changed, or the writer has failed, which it will say by itself.
            if let Some(messages) = handed
                && !messages.is_empty()
            {
                return Ok(messages);
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
        let (reply, mut done) = oneshot::channel();
        let many = self.acks.add(Command::Ack {
            queue: queue.to_owned(),
            message: receipt.message,
            reply,
        });
        if !many && let Ok(done) = timeout(acks::PATIENCE, &mut done).await {
            return done.map_err(|_| unavailable(Closed))?;
        }
        self.file.tell(Command::TakeAcks).await?;
        done.await.map_err(|_| unavailable(Closed))?
    }

    async fn depth(&self, queue: &str) -> Result<Depth, StorageError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.file
            .query(move |connection| read::depth(connection, &queue, now))
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
            .query(move |connection| read::peek(connection, &queue, limit, bytes))
            .await
    }

    async fn browse(
        &self,
        queue: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Kept>, StorageError> {
        let (queue, now) = (queue.to_owned(), self.clock.now());
        self.file
            .query(move |connection| read::browse(connection, &queue, (after, limit), now))
            .await
    }

    async fn queues(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        let prefix = prefix.to_owned();
        self.file
            .query(move |connection| read::queues(connection, &prefix))
            .await
    }

    async fn delete_if_empty(&self, queue: &str) -> Result<bool, StorageError> {
        let queue = queue.to_owned();
        self.file
            .command(|reply| Command::DeleteIfEmpty { queue, reply })
            .await
    }
}
