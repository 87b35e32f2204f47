//! Compare-and-sets a second, by one writer and by many, beside what the disk can sync.
//!
//! `cargo bench -p backends [-- FOLDER]`; the folder says which disk (the temporary one by default).
//! One writer waits for one fsync each time, so it can be no faster than the disk's; if it is,
//! writes are not durable.

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use backends::Sqlite;
use bytes::Bytes;
use storage::{Expect, Table};

const LASTS: Duration = Duration::from_secs(3);
/// A function's row is of about this size.
const VALUE_BYTES: usize = 1_500;

fn main() {
    // Cargo adds `--bench` of its own.
    let folder = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with("--"));
    let folder = folder.map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder).expect("the folder can be written to");
    println!(
        "fsync of 4 KiB at a file's end:   {:>9.0} /s",
        syncs(folder.path())
    );
    for writers in [1, 16, 64] {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let path = folder.path().join(format!("{writers}.db"));
        let rate = runtime.block_on(compare_and_sets(&path, writers));
        println!("compare-and-set, {writers:>2} writers:      {rate:>9.0} /s");
    }
}

/// As SQLite's WAL is written: at the end, then synced.
fn syncs(folder: &Path) -> f64 {
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .open(folder.join("raw"));
    let file = file.expect("a file can be made");
    let begun = Instant::now();
    let mut count = 0u64;
    while begun.elapsed() < LASTS {
        file.write_all_at(&[7; 4096], count * 4096)
            .expect("the disk has room");
        file.sync_data().expect("the disk works");
        count += 1;
    }
    count as f64 / begun.elapsed().as_secs_f64()
}

async fn compare_and_sets(path: &Path, writers: usize) -> f64 {
    let store = Arc::new(Sqlite::open(path).expect("a new file opens"));
    let begun = Instant::now();
    let tasks: Vec<_> = (0..writers)
        .map(|writer| tokio::spawn(write(store.clone(), format!("function/{writer}"), begun)))
        .collect();
    let mut count = 0;
    for task in tasks {
        count += task.await.expect("no writer panics");
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}

async fn write(store: Arc<Sqlite>, key: String, begun: Instant) -> u32 {
    let value = Bytes::from(vec![b'x'; VALUE_BYTES]);
    let mut expect = Expect::Absent;
    let mut count = 0;
    while begun.elapsed() < LASTS {
        let revision = store
            .put(&key, value.clone(), expect)
            .await
            .expect("nobody else writes");
        expect = Expect::Revision(revision);
        count += 1;
    }
    count
}
