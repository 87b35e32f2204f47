//! SQLite and local files keep the promises of the traits.

#![expect(
    clippy::unwrap_used,
    reason = "test code, beside the functions marked as tests"
)]

use std::ops::Deref;

use backends::{LocalBlobs, Sqlite};
use tempfile::TempDir;

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
storage::blobs_conformance!(local_blobs());
