//! Rows and journals in one SQLite file.
//!
//! ```text
//!   put, delete, append, trim, watch ──▶ channel ──▶ one writer thread ──▶ COMMIT, one fsync
//!   get, list, read, tail ──▶ a reader connection, on a blocking thread
//! ```
//!
//! The writer takes all commands that wait, carries them out in one transaction, and answers each
//! when that is on disk: many writers share one fsync. WAL with `synchronous=FULL` makes a commit
//! durable; readers see every commit at once and never wait for the writer.

mod commit;
mod open;
mod query;
mod queue;
mod writer;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::Connection;
use storage::journal::{APPEND_RECORDS_MAX, RECORD_BYTES_MAX};
use storage::table::check_row;
use storage::{
    Appended, Consistency, Error as StorageError, Expect, Journal, Position, Record, Revision, Row,
    Table, Watch,
};
use tokio::sync::{mpsc, oneshot};

use crate::Error;
use crate::error::{Closed, unavailable};
use commit::COMMANDS_WAITING_MAX;
pub use queue::SqliteQueue;
use writer::Command;

/// Connections for reading. Reads are of a few rows and a few microseconds; two let a long listing
/// pass by.
const READERS: usize = 2;

/// The store. Dropping it waits for the writer to finish what it was given.
pub struct Sqlite {
    /// `None` only while it is dropped.
    commands: Option<mpsc::Sender<Command>>,
    readers: Arc<[Mutex<Connection>]>,
    writer: Option<JoinHandle<()>>,
}

impl Sqlite {
    /// Opens the file at `path`, or makes it, readable by its owner only. Blocks for some
    /// milliseconds. Refuses a damaged file, another program's, and a newer Lambent's.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = open::open(path, &open::METADATA)?;
        let damaged = |source| Error::Damaged {
            path: path.to_owned(),
            source,
        };
        let readers = (0..READERS)
            .map(|_| open::reader(path).map(Mutex::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(damaged)?;
        let (commands, receiver) = mpsc::channel(COMMANDS_WAITING_MAX);
        let writer = writer::Writer::new(connection).map_err(damaged)?;
        let writer = thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || commit::run(writer, receiver))
            .map_err(|source| Error::Io {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self {
            commands: Some(commands),
            readers: readers.into(),
            writer: Some(writer),
        })
    }

    async fn command<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StorageError>>) -> Command,
    ) -> Result<T, StorageError> {
        let (sender, receiver) = oneshot::channel();
        let commands = self
            .commands
            .as_ref()
            .expect("it is there until the store is dropped");
        commands
            .send(command(sender))
            .await
            .map_err(|_| unavailable(Closed))?;
        receiver.await.map_err(|_| unavailable(Closed))?
    }

    /// Runs a query on whichever reader is free.
    async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StorageError> {
        let readers = self.readers.clone();
        let answer = tokio::task::spawn_blocking(move || {
            let free = readers.iter().find_map(|reader| reader.try_lock().ok());
            // A reader keeps no state from one query to the next that a panic could have spoiled.
            let reader =
                free.unwrap_or_else(|| readers[0].lock().unwrap_or_else(PoisonError::into_inner));
            query(&reader)
        });
        answer.await.map_err(unavailable)?.map_err(unavailable)
    }
}

impl Drop for Sqlite {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(writer) = self.writer.take() {
            // It has panicked or it has not: either way it is over, and whoever waited was told.
            let _ = writer.join();
        }
    }
}

#[async_trait]
impl Table for Sqlite {
    async fn get(&self, key: &str, _: Consistency) -> Result<Option<Row>, StorageError> {
        let key = key.to_owned();
        self.query(move |connection| query::get(connection, &key))
            .await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, StorageError> {
        check_row(key, &value)?;
        let key = key.to_owned();
        self.command(|reply| Command::Put {
            key,
            value,
            expect,
            reply,
        })
        .await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StorageError> {
        let key = key.to_owned();
        self.command(|reply| Command::Delete { key, expect, reply })
            .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.query(move |connection| query::list(connection, &prefix, after.as_deref(), limit))
            .await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, StorageError> {
        let prefix = prefix.to_owned();
        self.command(|reply| Command::Watch { prefix, reply }).await
    }
}

#[async_trait]
impl Journal for Sqlite {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        assert!(
            records.len() <= APPEND_RECORDS_MAX,
            "an append is of a thousand records at most"
        );
        assert!(
            records
                .iter()
                .all(|record| record.len() <= RECORD_BYTES_MAX),
            "records are small"
        );
        let partition = partition.to_owned();
        let answer = self
            .command(|reply| Command::Append {
                partition,
                expected,
                records,
                reply,
            })
            .await;
        answer.unwrap_or(Appended::Unknown)
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, StorageError> {
        let partition = partition.to_owned();
        self.query(move |connection| query::read(connection, &partition, from, limit))
            .await
    }

    async fn tail(&self, partition: &str) -> Result<Position, StorageError> {
        let partition = partition.to_owned();
        self.query(move |connection| query::tail(connection, &partition))
            .await
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), StorageError> {
        let partition = partition.to_owned();
        self.command(|reply| Command::Trim {
            partition,
            before,
            reply,
        })
        .await
    }
}
