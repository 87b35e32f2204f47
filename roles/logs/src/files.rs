//! Log groups and streams as files, one JSON event a line.
//!
//! ```text
//!   DATA-DIR/logs/<account>/<region>/<group>/<stream>….jsonl     mode 0600, folders 0700
//!   append ─▶ bounded channel ─▶ writer thread ─▶ files          LogReader reads them
//! ```
//!
//! Read in this order: [`segment`] says what the files are, [`writer`] and [`appending`] write
//! them, [`room`] keeps them from filling the disk, [`index`] and [`reader`] find what is in them, and
//! [`serving`] is all of it as a [`crate::store::Store`].
//!
//! Logs are best effort, as in Lambda: what does not fit is dropped and counted, and nothing waits for
//! a disk.
//!
//! Architecture invariant: whatever the name of a group or stream, its file is inside the folder.

mod appending;
mod index;
mod path;
mod reader;
mod room;
mod segment;
mod serving;
#[cfg(test)]
mod tests;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use api::logs::{LogEvent, Logs, StreamName};
use storage::Room;
use tokio::sync::{Semaphore, oneshot};

use crate::metrics::Counted;

use reader::LogReader;
pub use room::Bounds;
use writer::Command;

/// Commands that wait for the writer. An environment sends one per line or burst of lines.
const COMMANDS_MAX: usize = 8_192;
/// A disk that has not written for this long is not waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The most bytes of events that wait for the writer, about 64 MiB: what a slow disk may cost in
/// memory.
const BYTES_MAX: usize = 64 * 1024 * 1024;
/// Concurrent readings; more wait. A search reads up to 32 MiB and holds a page of 1 MB.
const READINGS_MAX: usize = 4;

/// Keeps log events in files. Dropping it writes what is waiting, then stops its thread.
pub struct LogStore {
    reader: LogReader,
    /// `None` only while being dropped.
    sender: Option<SyncSender<Command>>,
    writer: Option<JoinHandle<()>>,
    counts: Arc<Counts>,
    readings: Arc<Semaphore>,
}

/// Events of one stream that wait to be written.
struct Batch {
    stream: StreamName,
    events: Vec<LogEvent>,
    bytes: usize,
}

/// The store's counts of its own work.
#[derive(Debug, Default)]
struct Counts {
    waiting_bytes: AtomicUsize,
    dropped_events: AtomicU64,
    written_events: AtomicU64,
}

impl LogStore {
    /// Logs in `folder`, which is created if it does not exist, and a thread that writes them while
    /// there is room.
    pub fn open(folder: PathBuf, bounds: Bounds, room: Arc<dyn Room>) -> io::Result<Self> {
        path::make_folder(&folder)?;
        let (sender, receiver) = sync_channel(COMMANDS_MAX);
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let reader = LogReader::new(folder.clone());
        let writer = std::thread::Builder::new()
            .name("logs".to_owned())
            .spawn(move || writer::Writer::new(folder, bounds, (counting, room)).run(&receiver))?;
        Ok(Self {
            reader,
            sender: Some(sender),
            writer: Some(writer),
            counts,
            readings: Arc::new(Semaphore::new(READINGS_MAX)),
        })
    }

    async fn ask<T>(
        &self,
        command: Command,
        answer: oneshot::Receiver<io::Result<T>>,
    ) -> io::Result<T> {
        let sender = self.sender.as_ref();
        if sender.is_none_or(|sender| sender.try_send(command).is_err()) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        match tokio::time::timeout(ANSWER_WITHIN, answer).await {
            Ok(Ok(done)) => done,
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Counted for LogStore {
    fn written_events(&self) -> u64 {
        self.counts.written_events.load(Ordering::Relaxed)
    }

    fn dropped_events(&self) -> u64 {
        self.counts.dropped_events.load(Ordering::Relaxed)
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
            Some(sender) if waiting <= BYTES_MAX => sender.try_send(Command::Append(batch)),
            _ => Err(TrySendError::Full(Command::Append(batch))),
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
            // A writer that panicked has reported it; there is nothing more to do about it here.
            let _ = writer.join();
        }
    }
}
