//! The stores in memory, for tests and simulation: as the traits say, except that nothing is durable.

mod queue;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::blobs::check_name;
use crate::journal::{APPEND_RECORDS_MAX, RECORD_BYTES_MAX};
use crate::table::{WATCH_BACKLOG, check_row};
use crate::{
    Appended, Blobs, Change, Consistency, Error, Expect, Journal, Position, Record, Revision, Row,
    Table, Watch,
};

pub use queue::MemoryQueue;

/// Rows in memory.
#[derive(Debug, Default)]
pub struct MemoryTable(Mutex<Rows>);

#[derive(Debug, Default)]
struct Rows {
    rows: BTreeMap<String, Row>,
    last: u64,
    watchers: Vec<(String, mpsc::Sender<Change>)>,
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

    fn under(&self, prefix: &str, after: Option<&str>) -> impl Iterator<Item = &Row> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let rows = self.rows.range::<str, _>((from, Bound::Unbounded));
        let prefix = prefix.to_owned();
        rows.take_while(move |(key, _)| key.starts_with(&prefix))
            .map(|(_, row)| row)
    }

    fn tell(&mut self, key: &str, change: &Change) {
        // A watcher whose channel is full or closed is dropped: it starts again.
        self.watchers.retain(|(prefix, watcher)| {
            !key.starts_with(prefix.as_str()) || watcher.try_send(change.clone()).is_ok()
        });
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
        table.rows.insert(key.to_owned(), row.clone());
        table.tell(key, &Change::Put(row));
        Ok(revision)
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        let mut table = lock(&self.0);
        table.check(key, expect)?;
        if table.rows.remove(key).is_some() {
            table.tell(
                key,
                &Change::Delete {
                    key: key.to_owned(),
                },
            );
        }
        Ok(())
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        Ok(lock(&self.0)
            .under(prefix, after)
            .take(limit)
            .cloned()
            .collect())
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        let mut table = lock(&self.0);
        let rows: Vec<Row> = table.under(prefix, None).cloned().collect();
        // The existing rows, the mark after them, and the backlog.
        let (sender, receiver) = mpsc::channel(rows.len() + 1 + WATCH_BACKLOG);
        for change in rows.into_iter().map(Change::Put).chain([Change::Current]) {
            sender
                .try_send(change)
                .expect("the channel was made for all of them");
        }
        // Watchers that left while nothing changed under their prefix are not noticed otherwise.
        table.watchers.retain(|(_, watcher)| !watcher.is_closed());
        table.watchers.push((prefix.to_owned(), sender));
        Ok(receiver)
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
