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

mod check;
mod commit;
mod file;
mod names;
mod open;
mod query;
mod queue;
mod writer;

use std::path::Path;

use async_trait::async_trait;
use bytes::Bytes;
use storage::journal::check_append;
use storage::table::check_row;
use storage::{
    Appended, Consistency, Error as StorageError, Expect, Journal, Position, Record, Revision, Row,
    Table, Watch,
};

use crate::{Error, Opening};
use file::DatabaseFile;
pub use queue::SqliteQueue;
use writer::{Command, Writer};

/// The store. Dropping it waits for the writer to finish what it was given.
pub struct Sqlite {
    file: DatabaseFile<Command>,
}

impl Sqlite {
    /// Opens the file at `path` by itself.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::open_with(path, &Opening::default())
    }

    /// Opens the file at `path`, or makes it, readable by its owner only. Blocks for some milliseconds,
    /// and for some seconds if it is large. Refuses a damaged file, one that cannot be written, another
    /// program's, a newer Lambent's, and one that has less than is remembered.
    pub fn open_with(path: &Path, opening: &Opening) -> Result<Self, Error> {
        let file = DatabaseFile::open(path, &open::METADATA, opening, Writer::new)?;
        Ok(Self { file })
    }

    /// Brings all that was acknowledged into the file itself, out of its log.
    pub async fn checkpoint(&self) -> Result<(), StorageError> {
        self.file.checkpoint().await
    }
}

#[async_trait]
impl Table for Sqlite {
    async fn get(&self, key: &str, _: Consistency) -> Result<Option<Row>, StorageError> {
        let key = key.to_owned();
        self.file
            .query(move |connection| query::get(connection, &key))
            .await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, StorageError> {
        check_row(key, &value)?;
        let key = key.to_owned();
        self.file
            .command(|reply| Command::Put {
                key,
                value,
                expect,
                reply,
            })
            .await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), StorageError> {
        let key = key.to_owned();
        self.file
            .command(|reply| Command::Delete { key, expect, reply })
            .await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, StorageError> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.file
            .query(move |connection| query::list(connection, &prefix, after.as_deref(), limit))
            .await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, StorageError> {
        let prefix = prefix.to_owned();
        self.file
            .command(|reply| Command::Watch { prefix, reply })
            .await
    }
}

#[async_trait]
impl Journal for Sqlite {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        check_append(&records);
        let partition = partition.to_owned();
        let answer = self
            .file
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
        self.file
            .query(move |connection| query::read(connection, &partition, from, limit))
            .await
    }

    async fn tail(&self, partition: &str) -> Result<Position, StorageError> {
        let partition = partition.to_owned();
        self.file
            .query(move |connection| query::tail(connection, &partition))
            .await
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), StorageError> {
        let partition = partition.to_owned();
        self.file
            .command(|reply| Command::Trim {
                partition,
                before,
                reply,
            })
            .await
    }
}
