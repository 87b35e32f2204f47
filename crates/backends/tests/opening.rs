//! Which files are opened, what is left alone, and what outlives the store that wrote it.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside the functions marked as tests"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use backends::{Error, LocalBlobs, Sqlite};
use bytes::Bytes;
use rusqlite::Connection;
use storage::{Appended, Blobs, Consistency, Expect, Journal, Position, Revision, Table};
use tempfile::TempDir;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metadata.db");
    (folder, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn assert_refused_untouched(path: &Path, expected: fn(&Error) -> bool) {
    let before = fs::read(path).unwrap();
    let error = Sqlite::open(path).err().expect("it is refused");
    assert!(expected(&error), "{error:?}");
    assert_eq!(fs::read(path).unwrap(), before);
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let (_folder, path) = folder();
    let mut last = Revision(0);
    for turn in 0..3u64 {
        let store = Sqlite::open(&path).unwrap();
        let row = store.get("a", Consistency::Strong).await.unwrap();
        assert_eq!(row.map(|row| row.revision), (turn > 0).then_some(last));
        let revision = store
            .put("a", Bytes::from_static(b"x"), Expect::Any)
            .await
            .unwrap();
        assert!(revision > last);
        last = revision;
        let appended = store
            .append("p", Position(turn), vec![Bytes::from_static(b"r")])
            .await;
        assert_eq!(
            appended,
            Appended::Done {
                next: Position(turn + 1)
            }
        );
        // The highest revision belongs to a deleted row.
        last = last.max(store.put("b", Bytes::new(), Expect::Any).await.unwrap());
        store.delete("b", Expect::Any).await.unwrap();
        last = store
            .put("a", Bytes::from_static(b"y"), Expect::Any)
            .await
            .unwrap()
            .max(last);
    }
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let (folder, path) = folder();
    let store = Sqlite::open(&path).unwrap();
    store.put("a", Bytes::new(), Expect::Any).await.unwrap();
    for file in ["metadata.db", "metadata.db-wal", "metadata.db-shm"] {
        assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
    }
    let root = folder.path().join("blobs");
    let blobs = LocalBlobs::open(&root).unwrap();
    blobs.put("a/b", Bytes::from_static(b"x")).await.unwrap();
    // Where it will be looked for by every Lambent to come: the name's FNV-1a ends in c1.
    assert!(root.join("c1/a%b").is_file());
    assert_eq!(mode(&root), 0o700);
    let mut files = 0;
    for fan in fs::read_dir(&root).unwrap() {
        let fan = fan.unwrap().path();
        assert_eq!(mode(&fan), 0o700);
        for file in fs::read_dir(fan).unwrap() {
            assert_eq!(mode(&file.unwrap().path()), 0o600);
            files += 1;
        }
    }
    assert_eq!(files, 1);
}

#[test]
fn an_empty_file_is_a_new_store() {
    let (_folder, path) = folder();
    fs::write(&path, b"").unwrap();
    assert!(Sqlite::open(&path).is_ok());
}

#[test]
fn a_damaged_file_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    fs::write(
        &path,
        b"this is not a database, and it is rather longer than a header".repeat(100),
    )
    .unwrap();
    assert_refused_untouched(&path, |error| matches!(error, Error::Damaged { .. }));
}

#[test]
fn a_file_cut_short_is_refused() {
    let (_folder, path) = folder();
    drop(Sqlite::open(&path).unwrap());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(
        Sqlite::open(&path).err(),
        Some(Error::Damaged { .. })
    ));
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("CREATE TABLE recipes (name TEXT)")
        .unwrap();
    drop(other);
    assert_refused_untouched(&path, |error| matches!(error, Error::Foreign { .. }));
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_folder, path) = folder();
    drop(Sqlite::open(&path).unwrap());
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "journal_mode", "DELETE").unwrap();
    newer.execute("UPDATE schema SET version = 99", []).unwrap();
    drop(newer);
    assert_refused_untouched(&path, |error| {
        assert!(error.to_string().contains("version 99"));
        matches!(
            error,
            Error::Newer {
                found: 99,
                known: 1,
                ..
            }
        )
    });
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let (folder, _) = folder();
    let path = folder.path().join("none").join("metadata.db");
    assert!(matches!(Sqlite::open(&path).err(), Some(Error::Io { .. })));
}

#[tokio::test]
async fn a_failed_transaction_is_told_to_all_in_it_and_the_next_one_works() {
    let (_folder, path) = folder();
    drop(Sqlite::open(&path).unwrap());
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER poisoned BEFORE INSERT ON rows WHEN NEW.key = 'poison'
             BEGIN SELECT RAISE(ROLLBACK, 'poisoned'); END",
        )
        .unwrap();
    drop(other);
    let store = Sqlite::open(&path).unwrap();
    let before = store.put("a", Bytes::new(), Expect::Any).await.unwrap();
    let failed = store.put("poison", Bytes::new(), Expect::Any).await;
    assert!(
        matches!(failed, Err(storage::Error::Unavailable(_))),
        "{failed:?}"
    );
    let after = store.put("b", Bytes::new(), Expect::Absent).await.unwrap();
    assert!(after > before);
    assert_eq!(store.list("", None, 10).await.unwrap().len(), 2);
    assert_eq!(
        store.append("p", Position(0), vec![Bytes::new()]).await,
        Appended::Done { next: Position(1) }
    );
}

#[tokio::test]
async fn what_a_killed_process_did_not_finish_writing_is_removed() {
    let (folder, _) = folder();
    let root = folder.path().join("blobs");
    drop(LocalBlobs::open(&root).unwrap());
    fs::write(root.join("new").join("0"), b"half a blo").unwrap();
    let blobs = LocalBlobs::open(&root).unwrap();
    blobs.put("a", Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(fs::read_dir(root.join("new")).unwrap().count(), 0);
    assert_eq!(
        blobs.get("a").await.unwrap(),
        Some(Bytes::from_static(b"x"))
    );
}
