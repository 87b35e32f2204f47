//! An ordered log per partition, whose writers fence each other by position.

use async_trait::async_trait;
use bytes::Bytes;

use crate::Error;

/// The most records of one append: all of a busy moment, in a few hundred kilobytes.
pub const APPEND_RECORDS_MAX: usize = 1_000;
/// The largest record, bytes.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// All records of one append together, bytes: what a message of every store can carry.
pub const APPEND_BYTES_MAX: usize = 7 * 1024 * 1024;

/// A place in a journal: the number of records ever appended before it. Survives trimming.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position(pub u64);

/// A record and its position.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    /// Its position; the next append expects the one after the last record's.
    pub position: Position,
    /// Its bytes: at most 1 MiB.
    pub bytes: Bytes,
}

/// The answer to an append. There are three, and a writer must handle each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Appended {
    /// The records are durable; the next append expects `next`.
    Done {
        /// The position after the last record.
        next: Position,
    },
    /// Somebody else has appended: nothing was written. The writer is no longer the leader.
    Fenced {
        /// The position after the last record there is.
        next: Position,
    },
    /// Not known whether the records were written. Read from the expected position to learn it.
    Unknown,
}

/// Panics if an append is larger than it may be.
pub fn check_append(records: &[Bytes]) {
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
    assert!(
        records.iter().map(Bytes::len).sum::<usize>() <= APPEND_BYTES_MAX,
        "an append is of seven megabytes at most"
    );
}

/// Journals by partition name.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Appends `records` at `expected`, all or none. Durable when `Done`. At most
    /// [`APPEND_RECORDS_MAX`] records of [`RECORD_BYTES_MAX`], [`APPEND_BYTES_MAX`] together; more is a
    /// fault of the caller's, and panics ([`check_append`]). No records at all are a question: is the tail still at `expected`?
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended;

    /// Records from `from` on, in order, `limit` at most; from the oldest kept, if `from` is trimmed.
    /// Sees every append acknowledged before the read began.
    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, Error>;

    /// The position after the last record; 0 for a partition never written.
    async fn tail(&self, partition: &str) -> Result<Position, Error>;

    /// Forgets records before `before`. Positions stay as they are. Trimming twice is harmless.
    async fn trim(&self, partition: &str, before: Position) -> Result<(), Error>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_append_has_a_bound_of_bytes_too() {
        let records = |count| vec![Bytes::from(vec![0; RECORD_BYTES_MAX]); count];
        check_append(&records(7));
        assert!(std::panic::catch_unwind(|| check_append(&records(8))).is_err());
    }
}
