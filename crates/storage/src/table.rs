//! Rows by key, changed by compare-and-set.

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::mpsc;

use crate::Error;

/// A row's revision. Increases with every write to the table, and is never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Revision(pub u64);

/// A row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its key: UTF-8, 1 to 1 024 bytes.
    pub key: String,
    /// Its value: at most 1 MiB.
    pub value: Bytes,
    /// Its revision.
    pub revision: Revision,
}

/// How fresh a read must be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Consistency {
    /// Sees every write acknowledged before the read began.
    Strong,
    /// May miss the last ones.
    MaybeStale,
}

/// What a writer expects the row to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Anything: an unconditional write.
    Any,
    /// No such row.
    Absent,
    /// This revision.
    Revision(Revision),
}

/// A change, as a watcher sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The row is now so.
    Put(Row),
    /// The row was deleted.
    Delete {
        /// Its key.
        key: String,
    },
    /// Everything that existed when the watch began has been sent; what follows is new. Comes exactly
    /// once.
    Current,
}

/// The longest key, bytes. NATS has no room for more in a subject.
pub(crate) const KEY_BYTES_MAX: usize = 1_024;
/// The largest value, bytes. NATS's default limit of a message.
pub const VALUE_BYTES_MAX: usize = 1024 * 1024;

/// How many changes a watcher may be behind before it is dropped. A thousand rows of a few kilobytes
/// are a few megabytes for each watcher at most, and a second of hard writing.
pub const WATCH_BACKLOG: usize = 1_024;

/// Checks the rules for a row that is to be written.
pub fn check_row(key: &str, value: &[u8]) -> Result<(), Error> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        return Err(Error::Invalid {
            what: "key",
            rule: "1 to 1 024 bytes",
        });
    }
    if value.len() > VALUE_BYTES_MAX {
        return Err(Error::Invalid {
            what: "value",
            rule: "at most 1 MiB",
        });
    }
    Ok(())
}

/// The changes under a prefix, in order. Ends when the table does, or when the watcher is too slow to
/// keep up: it then has to watch again.
pub type Watch = mpsc::Receiver<Change>;

/// A table of rows.
#[async_trait]
pub trait Table: Send + Sync {
    /// The row, if there is one.
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error>;

    /// Writes a row if it is as expected, else [`Error::Conflict`]. Durable on return.
    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error>;

    /// Deletes a row if it is as expected, else [`Error::Conflict`]; deleting a row that does not exist
    /// with [`Expect::Any`] does nothing. Durable on return.
    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error>;

    /// Rows whose key begins with `prefix` and is greater than `after`, in order of key, `limit` at most.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error>;

    /// All rows under `prefix` as they are, then [`Change::Current`], then every change; per key in
    /// order, none left out but those overtaken by a later one of the same key.
    async fn watch(&self, prefix: &str) -> Result<Watch, Error>;
}
