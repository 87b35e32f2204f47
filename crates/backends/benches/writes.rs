//! Compare-and-sets a second, by one writer and by many, compared with what the disk can sync.
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
        "fsync of 4 KiB, file grows:       {:>9.0} /s",
        syncs(folder.path(), None)
    );
    println!(
        "fsync of 4 KiB, in place:         {:>9.0} /s",
        syncs(folder.path(), Some(1_000))
    );
    for writers in [1, 16, 64] {
        let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
        let path = folder.path().join(format!("{writers}.db"));
        let rate = runtime.block_on(compare_and_sets(&path, writers));
        println!("compare-and-set, {writers:>2} writers:      {rate:>9.0} /s");
    }
}

/// Writes 4 KiB and syncs, again and again. Going through a file that is there (`pages` of it) is
/// what SQLite does once its WAL has been checkpointed; making a file longer costs the file system more.
fn syncs(folder: &Path, pages: Option<u64>) -> f64 {
    let path = folder.join("raw");
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(path);
    let file = file.expect("a file can be made");
    let page = [7; 4096];
    for number in 0..pages.unwrap_or(0) {
        file.write_all_at(&page, number * 4096)
            .expect("the disk has room");
    }
    file.sync_all().expect("the disk works");
    let begun = Instant::now();
    let mut count = 0u64;
    while begun.elapsed() < LASTS {
        let number = pages.map_or(count, |pages| count % pages);
        file.write_all_at(&page, number * 4096)
            .expect("the disk has room");
        file.sync_all().expect("the disk works");
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
