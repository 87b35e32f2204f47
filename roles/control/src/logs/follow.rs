//! Reading one group on and on, as it is written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use api::logs::LogEvent;
use types::Timestamp;

use super::segment;

/// Bytes read of one segment in one poll. Lines are shorter: none is longer than what a function
/// can write before it is cut, or what CloudWatch Logs takes in one event.
const CHUNK_BYTES: u64 = 8 * 1024 * 1024;

/// An event and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamEvent {
    /// Its stream.
    pub stream: String,
    /// The event.
    pub event: LogEvent,
}

/// Reads one group on and on. See [`super::LogReader::follow`].
#[derive(Debug)]
pub struct Follow {
    folder: PathBuf,
    since: Timestamp,
    /// How far each stream has been read, as a position.
    read: BTreeMap<String, u64>,
}

impl Follow {
    pub(super) fn new(folder: PathBuf, since: Timestamp) -> Self {
        Self {
            folder,
            since,
            read: BTreeMap::new(),
        }
    }

    /// What is new since the last poll, merged over all streams by time. Of a very long stream a
    /// part at a time: poll until nothing comes.
    pub fn poll(&mut self) -> io::Result<Vec<StreamEvent>> {
        let mut found = Vec::new();
        for (stream, segments) in segment::of_group(&self.folder)? {
            let mut read = self.read.get(&stream).copied().unwrap_or(0);
            for segment in segments {
                let offset = read.saturating_sub(segment.base);
                if offset >= segment.bytes {
                    continue;
                }
                let (events, offset) = read_on(&segment.path, offset)?;
                let events = events.into_iter().filter(|event| event.time >= self.since);
                found.extend(events.map(|event| StreamEvent {
                    stream: stream.clone(),
                    event,
                }));
                read = segment.base + offset;
                // The rest of it first.
                if offset < segment.bytes {
                    break;
                }
            }
            self.read.insert(stream, read);
        }
        // Stable: events of the same millisecond stay in the order of their stream.
        found.sort_by_key(|found| found.event.time);
        Ok(found)
    }
}

/// The whole lines of a file from `offset`, and where they end. Lines that are no events are left
/// out: a crash tore them, or they are a segment's first.
fn read_on(path: &Path, offset: u64) -> io::Result<(Vec<LogEvent>, u64)> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), offset)),
        Err(error) => return Err(error),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(CHUNK_BYTES).read_to_end(&mut bytes)?;
    let whole = match bytes.iter().rposition(|byte| *byte == b'\n') {
        Some(last) => last + 1,
        // A chunk without a single end of line is no line of ours: it is passed over.
        None if bytes.len() as u64 == CHUNK_BYTES => return Ok((Vec::new(), offset + CHUNK_BYTES)),
        None => 0,
    };
    let lines = bytes[..whole].split(|byte| *byte == b'\n');
    let events = lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    Ok((events, offset + whole as u64))
}
