//! Log groups and streams as files, one JSON event a line.
//!
//! ```text
//!   DATA-DIR/logs/<account>/<region>/<group>/<stream>.jsonl      mode 0600, folders 0700
//!   append ─▶ bounded channel ─▶ writer thread ─▶ files          LogReader reads them, from any process
//! ```
//!
//! Logs are best effort, as in Lambda: what does not fit is dropped and counted, and nothing waits
//! for a disk.
//!
//! Architecture invariant: whatever a group or stream is called, its file is inside the folder.

mod path;
mod reader;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use api::logs::{LogEvent, Logs, StreamName};

pub use reader::{Follow, LogReader, StreamEvent};

/// Batches that wait for the writer. An environment sends one per line or burst of lines.
const BATCHES_MAX: usize = 8_192;
/// Bytes of events that wait for the writer, about 64 MiB: what a slow disk may cost in memory.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// Keeps log events in files. Dropping it writes what is waiting, then stops its thread.
pub struct LogStore {
    folder: PathBuf,
    /// `None` only while being dropped.
    sender: Option<SyncSender<Batch>>,
    writer: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
}

/// Events of one stream on their way to its file.
struct Batch {
    stream: StreamName,
    events: Vec<LogEvent>,
    bytes: usize,
}

/// What the store knows of itself.
#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    dropped_events: AtomicU64,
    written_events: AtomicU64,
}

impl LogStore {
    /// Logs in `folder`, which is made if it is not there, and a thread that writes them.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        path::make_folder(&folder)?;
        let (sender, receiver) = sync_channel(BATCHES_MAX);
        let counts = Arc::new(Counts::default());
        let writer = writer::Writer::new(folder.clone(), Arc::clone(&counts));
        let writer = std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || writer.run(&receiver))?;
        Ok(Self {
            folder,
            sender: Some(sender),
            writer: Some(writer),
            counts,
        })
    }

    /// Reads what is kept here.
    pub fn reader(&self) -> LogReader {
        LogReader::new(self.folder.clone())
    }

    /// Events that were not kept, for want of room or because writing failed.
    pub fn dropped_events(&self) -> u64 {
        self.counts.dropped_events.load(Ordering::Relaxed)
    }

    /// Events that were written.
    pub fn written_events(&self) -> u64 {
        self.counts.written_events.load(Ordering::Relaxed)
    }
}

impl Logs for LogStore {
    fn append(&self, stream: &StreamName, events: Vec<LogEvent>) {
        let count = events.len() as u64;
        let bytes = events
            .iter()
            .map(|event| event.message.len() + size_of::<LogEvent>())
            .sum();
        let waiting = self
            .counts
            .waiting_bytes
            .fetch_add(bytes, Ordering::Relaxed)
            + bytes;
        let batch = Batch {
            stream: stream.clone(),
            events,
            bytes,
        };
        let sent = match &self.sender {
            Some(sender) if waiting <= BYTES_MAX => sender.try_send(batch),
            _ => Err(TrySendError::Full(batch)),
        };
        if sent.is_err() {
            self.counts
                .waiting_bytes
                .fetch_sub(bytes, Ordering::Relaxed);
            self.counts
                .dropped_events
                .fetch_add(count, Ordering::Relaxed);
        }
    }
}

impl Drop for LogStore {
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has said so; there is nothing more to do about it here.
            let _ = writer.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use types::{AccountId, Region, Scope, Timestamp};

    use super::*;

    fn stream(group: &str, stream: &str) -> StreamName {
        StreamName {
            scope: Scope {
                account: AccountId::new("000000000000").unwrap(),
                region: Region::new("us-east-1").unwrap(),
            },
            group: group.to_owned(),
            stream: stream.to_owned(),
        }
    }

    fn event(time: u64, message: &str) -> LogEvent {
        LogEvent {
            time: Timestamp::from_millis(time),
            message: message.to_owned(),
        }
    }

    #[test]
    fn what_was_appended_is_read_back_in_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path().join("logs")).unwrap();
        let reader = store.reader();
        let (one, two) = (
            stream("/aws/lambda/f", "a/[1]x"),
            stream("/aws/lambda/f", "b"),
        );
        store.append(&one, vec![event(1, "first\n"), event(3, "third\n\"é")]);
        store.append(&two, vec![event(2, "second\n")]);
        drop(store);
        assert_eq!(reader.groups(&one.scope).unwrap(), ["/aws/lambda/f"]);
        assert_eq!(
            reader.streams(&one.scope, "/aws/lambda/f").unwrap(),
            ["a/[1]x", "b"]
        );
        let mut follow = reader.follow(&one.scope, "/aws/lambda/f", Timestamp::from_millis(2));
        let found = follow.poll().unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|e| (e.stream.as_str(), e.event.message.as_str()))
            .collect();
        assert_eq!(found, [("b", "second\n"), ("a/[1]x", "third\n\"é")]);
        assert!(follow.poll().unwrap().is_empty());
        let again = LogStore::open(folder.path().join("logs")).unwrap();
        again.append(&two, vec![event(9, "later")]);
        drop(again);
        assert_eq!(follow.poll().unwrap().len(), 1);
    }

    #[test]
    fn hostile_names_stay_in_the_folder_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("logs");
        let store = LogStore::open(root.clone()).unwrap();
        let long = "ü/".repeat(200);
        let names = [
            "..",
            ".",
            "",
            "../../../../tmp/x",
            "/etc/passwd",
            "a\0b",
            "~x",
            "%2E",
            &long,
        ];
        for group in names {
            for name in names {
                store.append(&stream(group, name), vec![event(1, group)]);
            }
        }
        let reader = store.reader();
        drop(store);
        let outside = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(outside, 1, "only the log folder itself");
        let scope = stream("", "").scope;
        let groups = reader.groups(&scope).unwrap();
        let mut expected = names.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(groups, expected);
        for group in names {
            assert_eq!(reader.streams(&scope, group).unwrap(), expected);
            let found = reader
                .follow(&scope, group, Timestamp::default())
                .poll()
                .unwrap();
            assert_eq!(found.len(), names.len());
            assert!(found.iter().all(|found| found.event.message == group));
        }
        let mode = std::fs::metadata(&root).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn a_line_torn_by_a_crash_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let name = stream("g", "s");
        let store = LogStore::open(folder.path().to_owned()).unwrap();
        store.append(&name, vec![event(1, "whole")]);
        drop(store);
        let file = path::stream_file(folder.path(), &name);
        let mut text = std::fs::read_to_string(&file).unwrap();
        text.push_str("{\"t\":2,\"m\":\"to");
        std::fs::write(&file, text).unwrap();
        let store = LogStore::open(folder.path().to_owned()).unwrap();
        store.append(&name, vec![event(3, "after")]);
        let reader = store.reader();
        drop(store);
        let found = reader
            .follow(&name.scope, "g", Timestamp::default())
            .poll()
            .unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|found| found.event.message.as_str())
            .collect();
        assert_eq!(found, ["whole", "after"]);
    }

    #[test]
    fn more_than_there_is_room_for_is_dropped_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path().to_owned()).unwrap();
        let huge = "x".repeat(BYTES_MAX + 1);
        store.append(&stream("g", "s"), vec![event(1, &huge)]);
        assert_eq!(store.dropped_events(), 1);
        store.append(&stream("g", "s"), vec![event(1, "small")]);
        let counts = Arc::clone(&store.counts);
        drop(store);
        assert_eq!(counts.written_events.load(Ordering::Relaxed), 1);
        assert_eq!(counts.waiting_bytes.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn many_streams_need_few_open_files() {
        let folder = tempfile::tempdir().unwrap();
        let store = LogStore::open(folder.path().to_owned()).unwrap();
        for round in 0..2 {
            for number in 0..300 {
                store.append(&stream("g", &number.to_string()), vec![event(round, "x")]);
            }
        }
        let reader = store.reader();
        drop(store);
        let scope = stream("", "").scope;
        assert_eq!(reader.streams(&scope, "g").unwrap().len(), 300);
        let found = reader
            .follow(&scope, "g", Timestamp::default())
            .poll()
            .unwrap();
        assert_eq!(found.len(), 600);
    }
}
