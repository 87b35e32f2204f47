//! Killed in the middle of writes, a store has every acknowledged write, and none half.
//!
//! The test runs itself a second time as a child that never stops writing and prints on its standard
//! output what was acknowledged. The parent kills it at a random moment, opens the store, compares,
//! and lets the next child continue from there. (This shows that writes are whole and in order. That
//! they are on disk, and not in the kernel's memory, only a power cut shows; for that we rely on
//! `synchronous=FULL` and on the bench, whose figures are no better than the disk's fsync.)

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test with a main of its own"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::{LocalBlobs, Sqlite, SqliteQueue};
use bytes::Bytes;
use storage::queue::Charge;
use storage::{Appended, Blobs, Consistency, Expect, Journal, Position, Queue, Table};
use types::{Random, SystemClock, SystemRandom};

const ROUNDS: usize = 12;
const WRITERS: u64 = 8;
/// The records of one append: more than fit one page, so that half an append could exist.
const RECORDS: u64 = 5;

/// What a child has told: `row 3` and the like, and the last number acknowledged.
type Acknowledged = BTreeMap<String, u64>;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, folder] = arguments.as_slice()
        && flag == "--write-until-killed"
    {
        runtime().block_on(write_until_killed(Path::new(folder)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for round in 0..ROUNDS {
        run_and_kill(folder.path(), &mut acknowledged);
        runtime().block_on(check(folder.path(), &acknowledged));
        println!(
            "round {round}: {} writes are there",
            acknowledged.values().sum::<u64>()
        );
    }
    assert_eq!(
        acknowledged.len() as u64,
        WRITERS * 4,
        "everybody has written"
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// A value whose every part tells its number, so that a mixture of two would show.
fn value(number: u64) -> Bytes {
    let size = 100 + (number as usize * 997) % 9_000;
    format!("{number:08}").repeat(size / 8).into()
}

fn number(bytes: &Bytes) -> u64 {
    let number = std::str::from_utf8(&bytes[..8]).unwrap().parse().unwrap();
    assert_eq!(*bytes, value(number), "a value is whole");
    number
}

async fn write_until_killed(folder: &Path) {
    let sqlite = Arc::new(Sqlite::open(&folder.join("metadata.db")).unwrap());
    let blobs = Arc::new(LocalBlobs::open(&folder.join("blobs")).unwrap());
    let queue = Arc::new(open_queue(folder));
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(write_rows(sqlite.clone(), format!("row {writer}")));
        tasks.spawn(append_records(sqlite.clone(), format!("journal {writer}")));
        tasks.spawn(put_blobs(blobs.clone(), writer));
        tasks.spawn(send_messages(queue.clone(), format!("queue-{writer}")));
    }
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// One line, in one write: the parent reads whole lines only.
fn acknowledge(what: &str, number: u64) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{what} {number}\n").as_bytes())
        .unwrap();
    out.flush().unwrap();
}

async fn write_rows(store: Arc<Sqlite>, key: String) {
    let row = store.get(&key, Consistency::Strong).await.unwrap();
    let (mut next, mut expect) = match row {
        Some(row) => (number(&row.value) + 1, Expect::Revision(row.revision)),
        None => (1, Expect::Absent),
    };
    loop {
        let revision = store.put(&key, value(next), expect).await.unwrap();
        acknowledge(&key, next);
        next += 1;
        expect = Expect::Revision(revision);
    }
}

async fn append_records(store: Arc<Sqlite>, journal: String) {
    let mut tail = store.tail(&journal).await.unwrap();
    loop {
        let number = tail.0 / RECORDS + 1;
        let records = (0..RECORDS).map(|_| value(number)).collect();
        match store.append(&journal, tail, records).await {
            Appended::Done { next } => tail = next,
            other => panic!("{other:?}"),
        }
        acknowledge(&journal, number);
        if number.is_multiple_of(10) {
            store
                .trim(&journal, Position(tail.0 - RECORDS))
                .await
                .unwrap();
        }
    }
}

async fn put_blobs(store: Arc<LocalBlobs>, writer: u64) {
    let name = format!("blob-{writer}");
    let mut next = store
        .get(&name)
        .await
        .unwrap()
        .map_or(1, |bytes| number(&bytes) + 1);
    loop {
        store.put(&name, value(next)).await.unwrap();
        acknowledge(&format!("blob {writer}"), next);
        next += 1;
    }
}

fn open_queue(folder: &Path) -> SqliteQueue {
    SqliteQueue::open(&folder.join("queues.db"), Arc::new(SystemClock)).unwrap()
}

/// Sends one number after the other.
async fn send_messages(store: Arc<SqliteQueue>, queue: String) {
    let mut next = last_message(&store, &queue).await + 1;
    loop {
        let body = format!("{next:08}").into();
        let charge = Charge {
            owner: format!("of/{queue}"),
            bounds: Vec::new(),
        };
        let sent = store.send_for(&queue, body, Duration::ZERO, &charge);
        sent.await.unwrap();
        acknowledge(&queue, next);
        next += 1;
    }
}

async fn last_message(store: &SqliteQueue, queue: &str) -> u64 {
    let found = store.peek(queue, usize::MAX, usize::MAX).await.unwrap();
    for (expected, body) in (1..).zip(&found) {
        assert_eq!(*body, format!("{expected:08}"), "none is missing");
    }
    found.len() as u64
}

/// Lets a child write for a random while after its first word.
fn run_and_kill(folder: &Path, acknowledged: &mut Acknowledged) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg("--write-until-killed")
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lifetime = Duration::from_millis(20 + SystemRandom.next_u64() % 250);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut begun = None;
    let mut killed = false;
    // The child never stops writing, so that a line always comes until it is killed; then what the
    // pipe still holds is read to its end.
    while let Some(Ok(line)) = lines.next() {
        let begun = *begun.get_or_insert_with(Instant::now);
        let (what, number) = line.rsplit_once(' ').unwrap();
        let last = acknowledged.insert(what.to_owned(), number.parse().unwrap());
        assert!(
            last < acknowledged.get(what).copied(),
            "numbers go up: {line}"
        );
        if !killed && begun.elapsed() >= lifetime {
            child.kill().unwrap();
            killed = true;
        }
    }
    let status = child.wait().unwrap();
    assert!(killed, "the child ended by itself: {status}");
}

async fn check(folder: &Path, acknowledged: &Acknowledged) {
    let sqlite = Sqlite::open(&folder.join("metadata.db")).unwrap();
    let blobs = LocalBlobs::open(&folder.join("blobs")).unwrap();
    let queue = open_queue(folder);
    for (what, last) in acknowledged {
        let found = if what.starts_with("row") {
            number(
                &sqlite
                    .get(what, Consistency::Strong)
                    .await
                    .unwrap()
                    .unwrap()
                    .value,
            )
        } else if what.starts_with("blob") {
            number(&blobs.get(&what.replace(' ', "-")).await.unwrap().unwrap())
        } else if what.starts_with("queue") {
            let last = last_message(&queue, what).await;
            let usage = queue.usage().await.unwrap();
            let (_, kept) = usage.iter().find(|(of, _)| of.ends_with(what)).unwrap();
            assert_eq!(
                (kept.messages, kept.bytes),
                (last, 8 * last),
                "counts are right"
            );
            last
        } else {
            check_journal(&sqlite, what).await
        };
        // One more may have been written whose acknowledgement the kill has cut off.
        assert!(
            (*last..=last + 1).contains(&found),
            "{what} is at {found}, {last} was told"
        );
    }
}

async fn check_journal(store: &Sqlite, journal: &str) -> u64 {
    let tail = store.tail(journal).await.unwrap();
    assert_eq!(tail.0 % RECORDS, 0, "appends are whole");
    let records = store.read(journal, Position(0), usize::MAX).await.unwrap();
    let first = records[0].position.0;
    assert_eq!(first % RECORDS, 0, "trims are whole");
    for (place, record) in (first..).zip(&records) {
        assert_eq!(record.position, Position(place));
        assert_eq!(number(&record.bytes), place / RECORDS + 1);
    }
    assert_eq!(first + records.len() as u64, tail.0);
    tail.0 / RECORDS
}
