//! The stores in memory, for tests and simulation: as the traits say, except that nothing is durable.

mod queue;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;

use crate::blobs::check_name;
use crate::journal::check_append;
use crate::table::check_row;
use crate::{
    Appended, Blobs, Consistency, Error, Expect, Journal, Position, Record, Revision, Row, Table,
    Watch, WatchedRows,
};

pub use queue::MemoryQueue;

/// Rows in memory.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    rows: WatchedRows,
    last: u64,
}

impl Rows {
    fn check(&self, key: &str, expect: Expect) -> Result<(), Error> {
        let found = self.rows.get(key).map(|row| row.revision);
        let expected = match expect {
            Expect::Any => true,
            Expect::Absent => found.is_none(),
            Expect::Revision(revision) => found == Some(revision),
        };
        if expected {
            Ok(())
        } else {
            Err(Error::Conflict {
                key: key.to_owned(),
            })
        }
    }
}

#[async_trait]
impl Table for MemoryTable {
    async fn get(&self, key: &str, _consistency: Consistency) -> Result<Option<Row>, Error> {
        Ok(lock(&self.0).rows.get(key).cloned())
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        check_row(key, &value)?;
        let mut table = lock(&self.0);
        table.check(key, expect)?;
        table.last += 1;
        let revision = Revision(table.last);
        let row = Row {
            key: key.to_owned(),
            value,
            revision,
        };
        table.rows.put(row);
        Ok(revision)
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        let mut table = lock(&self.0);
        table.check(key, expect)?;
        table.rows.remove(key);
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        Ok(lock(&self.0)
            .rows
            .under(prefix, after)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        Ok(lock(&self.0).rows.watch(prefix))
    }
}

/// Journals in memory.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<BTreeMap<String, Log>>);

#[derive(Debug, Default)]
struct Log {
    /// How many were trimmed: the position of the first record kept.
    trimmed: u64,
    records: VecDeque<Bytes>,
}

impl Log {
    fn tail(&self) -> Position {
        Position(self.trimmed + self.records.len() as u64)
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        check_append(&records);
        let mut journals = lock(&self.0);
        let log = journals.entry(partition.to_owned()).or_default();
        if log.tail() != expected {
            return Appended::Fenced { next: log.tail() };
        }
        log.records.extend(records);
        Appended::Done { next: log.tail() }
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, Error> {
        let journals = lock(&self.0);
        let Some(log) = journals.get(partition) else {
            return Ok(Vec::new());
        };
        let skip = usize::try_from(from.0.saturating_sub(log.trimmed)).unwrap_or(usize::MAX);
        let kept = (log.trimmed..).map(Position).zip(&log.records);
        let wanted = kept.skip(skip).take(limit);
        Ok(wanted
            .map(|(position, bytes)| Record {
                position,
                bytes: bytes.clone(),
            })
            .collect())
    }

    async fn tail(&self, partition: &str) -> Result<Position, Error> {
        Ok(lock(&self.0)
            .get(partition)
            .map(Log::tail)
            .unwrap_or_default())
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), Error> {
        if let Some(log) = lock(&self.0).get_mut(partition) {
            while log.trimmed < before.0 && log.records.pop_front().is_some() {
                log.trimmed += 1;
            }
        }
        Ok(())
    }
}

/// Blobs in memory.
#[derive(Debug, Default)]
pub struct MemoryBlobs(Mutex<BTreeMap<String, Bytes>>);

#[async_trait]
impl Blobs for MemoryBlobs {
    async fn put(&self, name: &str, bytes: Bytes) -> Result<(), Error> {
        check_name(name)?;
        lock(&self.0).insert(name.to_owned(), bytes);
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, Error> {
        check_name(name)?;
        Ok(lock(&self.0).get(name).cloned())
    }

    async fn size(&self, name: &str) -> Result<Option<u64>, Error> {
        check_name(name)?;
        Ok(lock(&self.0).get(name).map(|bytes| bytes.len() as u64))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let blobs = lock(&self.0);
        let names = blobs.keys().filter(|name| name.starts_with(prefix));
        let later = names.filter(|name| after.is_none_or(|after| name.as_str() > after));
        Ok(later.take(limit).cloned().collect())
    }

    async fn delete(&self, name: &str) -> Result<(), Error> {
        check_name(name)?;
        lock(&self.0).remove(name);
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .expect("nothing panics while it holds this lock")
}
