//! The thread that writes log files.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use api::logs::StreamName;

use super::{Batch, Counts, path};

/// Files held open. More streams than this in use at once cost an open per burst.
const FILES_MAX: usize = 128;
/// Batches taken together: lines of one stream then cost one write.
const TOGETHER: usize = 256;

/// See the module.
pub(super) struct Writer {
    folder: PathBuf,
    counts: Arc<Counts>,
    files: BTreeMap<StreamName, OpenFile>,
    /// Counts uses, to find the file that was not used for longest.
    uses: u64,
    /// Whether the last write failed: said once, not for every line.
    failing: bool,
}

struct OpenFile {
    file: File,
    used: u64,
}

impl Writer {
    pub(super) fn new(folder: PathBuf, counts: Arc<Counts>) -> Self {
        Self {
            folder,
            counts,
            files: BTreeMap::new(),
            uses: 0,
            failing: false,
        }
    }

    /// Writes until all senders are gone and everything is written.
    pub(super) fn run(mut self, batches: &Receiver<Batch>) {
        while let Ok(first) = batches.recv() {
            let mut together: BTreeMap<StreamName, Vec<Batch>> = BTreeMap::new();
            together
                .entry(first.stream.clone())
                .or_default()
                .push(first);
            for batch in batches.try_iter().take(TOGETHER - 1) {
                together
                    .entry(batch.stream.clone())
                    .or_default()
                    .push(batch);
            }
            for (stream, batches) in together {
                self.write(&stream, &batches);
            }
        }
    }

    fn write(&mut self, stream: &StreamName, batches: &[Batch]) {
        let mut lines = Vec::new();
        let mut count = 0;
        for event in batches.iter().flat_map(|batch| &batch.events) {
            serde_json::to_writer(&mut lines, event).expect("an event is a number and a text");
            lines.push(b'\n');
            count += 1;
        }
        let written = self.append(stream, &lines);
        let bytes = batches.iter().map(|batch| batch.bytes).sum();
        self.counts
            .waiting_bytes
            .fetch_sub(bytes, Ordering::Relaxed);
        match written {
            Ok(()) => {
                self.counts
                    .written_events
                    .fetch_add(count, Ordering::Relaxed);
                self.failing = false;
            }
            Err(error) => {
                self.counts
                    .dropped_events
                    .fetch_add(count, Ordering::Relaxed);
                // The file may end in half a line; opening it anew sees to that.
                self.files.remove(stream);
                if !self.failing {
                    tracing::warn!(error = %error, "log lines cannot be written and are dropped");
                }
                self.failing = true;
            }
        }
    }

    fn append(&mut self, stream: &StreamName, lines: &[u8]) -> io::Result<()> {
        self.uses += 1;
        if !self.files.contains_key(stream) {
            if self.files.len() >= FILES_MAX {
                let oldest = self.files.iter().min_by_key(|(_, open)| open.used);
                let oldest = oldest.map(|(stream, _)| stream.clone());
                if let Some(oldest) = oldest {
                    self.files.remove(&oldest);
                }
            }
            let file = self.open(stream)?;
            self.files.insert(
                stream.clone(),
                OpenFile {
                    file,
                    used: self.uses,
                },
            );
        }
        let open = self
            .files
            .get_mut(stream)
            .expect("it is there or was just put there");
        open.used = self.uses;
        open.file.write_all(lines)
    }

    fn open(&self, stream: &StreamName) -> io::Result<File> {
        path::prepare(&self.folder, stream)?;
        let path = path::stream_file(&self.folder, stream);
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        // What a crash left without its end must not swallow the next line.
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                file.write_all(b"\n")?;
            }
        }
        Ok(file)
    }
}
