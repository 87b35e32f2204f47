//! SQLite and local files keep the promises of the traits.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside the functions marked as tests"
)]

use std::ops::Deref;
use std::sync::Arc;

use backends::{LocalBlobs, Sqlite, SqliteQueue};
use tempfile::TempDir;
use types::SystemClock;

/// A store in a folder that goes with it. The store is dropped first.
struct Temporary<T> {
    store: T,
    _folder: TempDir,
}

impl<T> Deref for Temporary<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.store
    }
}

fn sqlite() -> Temporary<Sqlite> {
    let folder = tempfile::tempdir().unwrap();
    let store = Sqlite::open(&folder.path().join("metadata.db")).unwrap();
    Temporary {
        store,
        _folder: folder,
    }
}

fn sqlite_queue() -> Temporary<SqliteQueue> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("queues.db");
    let store = SqliteQueue::open(&path, Arc::new(SystemClock)).unwrap();
    Temporary {
        store,
        _folder: folder,
    }
}

fn local_blobs() -> Temporary<LocalBlobs> {
    let folder = tempfile::tempdir().unwrap();
    let store = LocalBlobs::open(&folder.path().join("blobs")).unwrap();
    Temporary {
        store,
        _folder: folder,
    }
}

storage::table_conformance!(sqlite());
storage::journal_conformance!(sqlite());
storage::queue_conformance!(sqlite_queue());
storage::blobs_conformance!(local_blobs());
