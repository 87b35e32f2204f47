//! A store that has lost something, cannot be written or is damaged says so when it is opened; one whose
//! file is taken away acknowledges nothing; what it has is in its file when it has ended.

#![expect(
    clippy::unwrap_used,
    reason = "test code outside the functions marked as tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use backends::{Error, Opening, Remembered, Sqlite, SqliteQueue};
use bytes::Bytes;
use rusqlite::Connection;
use storage::queue::{Bound, Charge, Usage};
use storage::{Consistency, Expect, Queue, Room, Table};
use tempfile::TempDir;
use types::SystemClock;

const NOW: Duration = Duration::ZERO;

struct Folder {
    folder: TempDir,
}

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn opening(&self, accept_older: bool) -> Opening {
        let remembered = Remembered::open(&self.path("remembered"), accept_older).unwrap();
        Opening {
            remembered: Some(Arc::new(remembered)),
            ..Opening::default()
        }
    }

    fn open(&self) -> Result<Sqlite, Error> {
        Sqlite::open_with(&self.path("metadata.db"), &self.opening(false))
    }

    fn accept(&self) -> Result<Sqlite, Error> {
        Sqlite::open_with(&self.path("metadata.db"), &self.opening(true))
    }

    fn queues(&self) -> SqliteQueue {
        let clock = Arc::new(SystemClock);
        SqliteQueue::open_with(&self.path("queues.db"), clock, &self.opening(false)).unwrap()
    }
}

async fn put(store: &Sqlite, key: &str) {
    let value = Bytes::from(vec![b'x'; 2_000]);
    store.put(key, value, Expect::Any).await.unwrap();
}

async fn has(store: &Sqlite, key: &str) -> bool {
    let row = store.get(key, Consistency::Strong).await.unwrap();
    row.is_some()
}

fn is_refused(opened: Result<Sqlite, Error>) -> bool {
    let error = opened.err();
    let told = error.as_ref().is_some_and(|error| {
        let text = error.to_string();
        text.contains("--accept-older-data") && text.contains("metadata.db")
    });
    told && matches!(error, Some(Error::NotTheLatest { .. }))
}

fn copy(from: &Path, to: &Path) {
    fs::copy(from, to).unwrap();
}

#[tokio::test]
async fn after_an_orderly_end_all_is_in_the_file_itself() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    put(&store, "a").await;
    store.checkpoint().await.unwrap();
    let log = fs::metadata(folder.path("metadata.db-wal")).unwrap().len();
    assert_eq!(log, 0);
    put(&store, "b").await;
    drop(store);
    assert!(!folder.path("metadata.db-wal").exists());
    copy(&folder.path("metadata.db"), &folder.path("copy.db"));
    let copy = Sqlite::open(&folder.path("copy.db")).unwrap();
    assert!(has(&copy, "a").await && has(&copy, "b").await);
}

#[tokio::test]
async fn a_file_that_is_gone_emptied_older_or_another_is_refused_until_it_is_accepted() {
    let folder = Folder::new();
    let (file, older) = (folder.path("metadata.db"), folder.path("older"));
    let store = folder.open().unwrap();
    put(&store, "a").await;
    drop(store);
    copy(&file, &older);
    let store = folder.open().unwrap();
    put(&store, "b").await;
    drop(store);
    let latest = fs::read(&file).unwrap();

    copy(&older, &file);
    assert!(is_refused(folder.open()), "older");
    fs::remove_file(&file).unwrap();
    assert!(is_refused(folder.open()), "gone");
    assert!(!file.exists(), "nothing is made in its place");
    fs::write(&file, b"").unwrap();
    assert!(is_refused(folder.open()), "emptied");
    let other = Folder::new();
    drop(other.open().unwrap());
    copy(&other.path("metadata.db"), &file);
    assert!(is_refused(folder.open()), "another");

    fs::write(&file, &latest).unwrap();
    assert!(has(&folder.open().unwrap(), "b").await, "the latest");
    copy(&older, &file);
    let accepted = folder.accept().unwrap();
    assert!(has(&accepted, "a").await && !has(&accepted, "b").await);
    drop(accepted);
    assert!(folder.open().is_ok(), "from then on it is the latest");
}

#[tokio::test]
async fn a_log_that_is_lost_after_a_kill_is_noticed() {
    let folder = Folder::new();
    let (file, copied) = (folder.path("metadata.db"), folder.path("killed"));
    let store = folder.open().unwrap();
    put(&store, "a").await;
    // As a kill leaves the file: without what is in the log.
    copy(&file, &copied);
    drop(store);
    copy(&copied, &file);
    assert!(is_refused(folder.open()));
}

#[tokio::test]
async fn a_copy_of_the_whole_folder_is_taken_as_it_is() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    put(&store, "a").await;
    drop(store);
    let backup = Folder::new();
    for name in ["metadata.db", "remembered"] {
        copy(&folder.path(name), &backup.path(name));
    }
    for _ in 0..2 {
        put(&folder.open().unwrap(), "b").await;
    }
    let restored = backup.open().unwrap();
    assert!(has(&restored, "a").await && !has(&restored, "b").await);
}

#[tokio::test]
async fn what_is_remembered_and_cannot_be_read_is_no_reason_to_forget() {
    let folder = Folder::new();
    drop(folder.open().unwrap());
    fs::write(folder.path("remembered"), b"{").unwrap();
    assert!(Remembered::open(&folder.path("remembered"), false).is_err());
    assert!(folder.accept().is_ok());
}

#[tokio::test]
async fn a_damaged_page_anywhere_is_told_of_at_the_start() {
    let folder = Folder::new();
    let file = folder.path("metadata.db");
    let store = folder.open().unwrap();
    for number in 0..200 {
        put(&store, &format!("row {number}")).await;
    }
    drop(store);
    let sound = fs::read(&file).unwrap();
    let mut refused = 0;
    // Every page but the first, whose header is checked before.
    for page in (1..sound.len() / 4_096).step_by(7) {
        let mut damaged = sound.clone();
        damaged[page * 4_096..page * 4_096 + 64].fill(0xa5);
        fs::write(&file, &damaged).unwrap();
        match folder.open().err() {
            // Some bytes of a value may be anything.
            None => continue,
            Some(error) => {
                let text = error.to_string();
                assert!(
                    text.contains("metadata.db is damaged"),
                    "page {page}: {text}"
                );
                refused += 1;
            }
        }
        assert_eq!(fs::read(&file).unwrap(), damaged, "it is left as it was");
    }
    assert!(refused > 5, "{refused}");
    fs::write(&file, &sound).unwrap();
    assert!(folder.open().is_ok());
}

#[tokio::test]
async fn nothing_is_acknowledged_while_the_file_or_its_log_is_not_there() {
    let folder = Folder::new();
    let store = folder.open().unwrap();
    put(&store, "a").await;
    for name in ["metadata.db", "metadata.db-wal"] {
        let (file, away) = (folder.path(name), folder.path("away"));
        fs::rename(&file, &away).unwrap();
        let refused = store.put("b", Bytes::new(), Expect::Any).await;
        assert!(
            matches!(refused, Err(storage::Error::Unavailable(_))),
            "{name}: {refused:?}"
        );
        fs::write(&file, b"").unwrap();
        assert!(store.put("b", Bytes::new(), Expect::Any).await.is_err());
        fs::rename(&away, &file).unwrap();
        put(&store, "c").await;
    }
    drop(store);
    assert!(has(&folder.open().unwrap(), "c").await);
}

/// Of one function, without bounds or with one.
fn charge(most: Option<u64>) -> Charge {
    let bound = |bytes| Bound {
        of: "a".to_owned(),
        most: Usage {
            messages: u64::MAX,
            bytes,
        },
    };
    Charge {
        owner: "a/r/f".to_owned(),
        bounds: most.map(bound).into_iter().collect(),
    }
}

async fn send(queue: &SqliteQueue, bytes: usize, charge: &Charge) -> Result<(), storage::Error> {
    let body = Bytes::from(vec![0; bytes]);
    queue.send_for("q", body, NOW, charge).await
}

#[tokio::test]
async fn what_is_kept_is_known_after_a_start_and_bounds_go_on() {
    let folder = Folder::new();
    let queue = folder.queues();
    send(&queue, 100, &charge(Some(150))).await.unwrap();
    drop(queue);
    let queue = folder.queues();
    let usage = queue.usage().await.unwrap();
    let kept = Usage {
        messages: 1,
        bytes: 100,
    };
    assert_eq!(usage, [("a/r/f".to_owned(), kept)]);
    let full = send(&queue, 100, &charge(Some(150))).await;
    assert!(matches!(full, Err(storage::Error::Full { .. })), "{full:?}");
}

struct Full;

impl Room for Full {
    fn is_there(&self) -> bool {
        false
    }
}

#[tokio::test]
async fn on_a_disk_with_its_reserve_alone_only_the_systems_own_is_taken() {
    let folder = Folder::new();
    let opening = Opening {
        room: Arc::new(Full),
        ..Opening::default()
    };
    let clock = Arc::new(SystemClock);
    let queue = SqliteQueue::open_with(&folder.path("queues.db"), clock, &opening).unwrap();
    let full = send(&queue, 1, &charge(Some(u64::MAX))).await;
    assert!(matches!(full, Err(storage::Error::Full { .. })), "{full:?}");
    send(&queue, 1, &charge(None)).await.unwrap();
}

#[tokio::test]
async fn room_in_the_file_goes_back_to_the_disk() {
    let folder = Folder::new();
    let queue = folder.queues();
    for _ in 0..64 {
        send(&queue, 1024 * 1024, &charge(None)).await.unwrap();
    }
    queue.checkpoint().await.unwrap();
    let size = || fs::metadata(folder.path("queues.db")).unwrap().len();
    assert!(size() > 64 * 1024 * 1024);
    loop {
        let messages = queue
            .receive("q", 10, Duration::from_secs(60), NOW)
            .await
            .unwrap();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            queue.ack("q", message.receipt).await.unwrap();
        }
    }
    let begun = std::time::Instant::now();
    while size() > 20 * 1024 * 1024 {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{} bytes",
            size()
        );
        // Whatever is written now and then, as by every poller.
        send(&queue, 1, &charge(None)).await.unwrap();
        queue.checkpoint().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn queues_of_the_first_version_go_on_with_what_is_in_them() {
    let folder = Folder::new();
    let old = Connection::open(folder.path("queues.db")).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 0x4c4d4251;
         CREATE TABLE schema (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
         INSERT INTO schema VALUES (1, 1);
         CREATE TABLE queues (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
         CREATE TABLE messages (
             id INTEGER PRIMARY KEY AUTOINCREMENT, queue INTEGER NOT NULL,
             visible_from INTEGER NOT NULL, receives INTEGER NOT NULL, body BLOB NOT NULL);
         CREATE INDEX messages_by_time ON messages (queue, visible_from, id);
         INSERT INTO queues VALUES (1, 'q');
         INSERT INTO messages VALUES (7, 1, 0, 0, x'616263');",
    )
    .unwrap();
    drop(old);
    for turn in 0..2 {
        let queue = folder.queues();
        assert_eq!(queue.peek("q", 10, 10).await.unwrap()[0], "abc");
        send(&queue, 3, &charge(None)).await.unwrap();
        assert_eq!(queue.usage().await.unwrap()[0].1.messages, turn + 1);
    }
    let file = Connection::open(folder.path("queues.db")).unwrap();
    let mode: i64 = file
        .pragma_query_value(None, "auto_vacuum", |row| row.get(0))
        .unwrap();
    assert_eq!(mode, 2, "its room is given back from now on");
    let queue = folder.queues();
    let taken = queue.receive("q", 10, NOW, NOW).await.unwrap();
    assert_eq!(taken[0].body, "abc");
    queue.ack("q", taken[0].receipt).await.unwrap();
}
