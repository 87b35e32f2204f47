//! Reading logs back, from this process or another, while they are being written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use api::logs::{LogEvent, StreamName};
use types::{Scope, Timestamp};

use super::path;

/// Bytes read of one stream in one poll. Lines are shorter: a request's payload is, and no line
/// is longer than what a function can write before it is cut.
const CHUNK_BYTES: u64 = 8 * 1024 * 1024;

/// Reads groups, streams and events. All calls wait for the disk.
#[derive(Clone, Debug)]
pub struct LogReader {
    folder: PathBuf,
}

/// An event and where it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StreamEvent {
    /// Its stream.
    pub stream: String,
    /// The event.
    pub event: LogEvent,
}

/// Reads one group on and on. See [`LogReader::follow`].
#[derive(Debug)]
pub struct Follow {
    folder: PathBuf,
    scope: Scope,
    group: String,
    since: Timestamp,
    /// How far each stream has been read, in bytes.
    read: BTreeMap<String, u64>,
}

impl LogReader {
    /// Reads the logs in `folder`, whoever writes them.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The groups of a scope by name.
    pub fn groups(&self, scope: &Scope) -> io::Result<Vec<String>> {
        path::groups(&path::scope_folder(&self.folder, scope))
    }

    /// The streams of a group by name; none if there is no such group.
    pub fn streams(&self, scope: &Scope, group: &str) -> io::Result<Vec<String>> {
        path::streams(&path::group_folder(&self.folder, scope, group))
    }

    /// The events of a group from `since` on, and then those that come.
    pub fn follow(&self, scope: &Scope, group: &str, since: Timestamp) -> Follow {
        Follow {
            folder: self.folder.clone(),
            scope: scope.clone(),
            group: group.to_owned(),
            since,
            read: BTreeMap::new(),
        }
    }
}

impl Follow {
    /// What is new since the last poll, merged over all streams by time. Of a very long stream a
    /// part at a time: poll until nothing comes.
    pub fn poll(&mut self) -> io::Result<Vec<StreamEvent>> {
        let streams = path::streams(&path::group_folder(&self.folder, &self.scope, &self.group))?;
        let mut found = Vec::new();
        for stream in streams {
            let name = StreamName {
                scope: self.scope.clone(),
                group: self.group.clone(),
                stream: stream.clone(),
            };
            let file = path::stream_file(&self.folder, &name);
            let offset = self.read.get(&stream).copied().unwrap_or(0);
            let (events, offset) = read_on(&file, offset)?;
            let events = events.into_iter().filter(|event| event.time >= self.since);
            found.extend(events.map(|event| StreamEvent {
                stream: stream.clone(),
                event,
            }));
            self.read.insert(stream, offset);
        }
        // Stable: events of the same millisecond stay in the order of their stream.
        found.sort_by_key(|found| found.event.time);
        Ok(found)
    }
}

/// The whole lines of a file from `offset`, and where they end. Lines that are no events are left
/// out: a crash tore them.
fn read_on(path: &Path, offset: u64) -> io::Result<(Vec<LogEvent>, u64)> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((Vec::new(), offset)),
        Err(error) => return Err(error),
    };
    let size = file.metadata()?.len();
    if size <= offset {
        return Ok((Vec::new(), offset));
    }
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
