//! The files of a stream: segments, so that old events can be removed without new ones.
//!
//! ```text
//!   =<stream>.jsonl                    the first, from position 0
//!   =<stream>.<%016 position>.jsonl    those that follow; the position is where they begin
//!
//!   {"c":1769854830123}                when the stream was made: the first line of each
//!   {"t":…,"m":"…"}                    an event
//!   {"t":…,"i":…,"m":"…"}              one that was received later than it happened
//! ```
//!
//! A position counts the bytes of a stream since it was created. Together with an event's time it
//! identifies the event permanently, whatever part of the stream still exists.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use types::Timestamp;

use super::path;

/// One file of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Where in its stream it begins.
    pub(super) base: u64,
    pub(super) bytes: u64,
    /// When it was last written to.
    pub(super) modified: Timestamp,
    /// Distinguishes the file from another of the same name: inode and birth.
    pub(super) identity: (u64, Option<SystemTime>),
}

/// The first line of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// When the stream was created.
    #[serde(rename = "c")]
    pub(super) created: Timestamp,
}

/// The segments of all streams of a group, each stream's in order.
pub(super) fn of_group(folder: &Path) -> io::Result<BTreeMap<String, Vec<Segment>>> {
    let mut found: BTreeMap<String, Vec<Segment>> = BTreeMap::new();
    for file in path::stream_files(folder)? {
        let path = folder.join(&file.name);
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            // It was deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        found.entry(file.stream).or_default().push(Segment {
            path,
            base: file.base,
            bytes: metadata.len(),
            modified: timestamp(metadata.modified()?),
            identity: (metadata.ino(), metadata.created().ok()),
        });
    }
    for segments in found.values_mut() {
        segments.sort_by_key(|segment| segment.base);
    }
    Ok(found)
}

/// A file's time as ours.
pub(super) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH);
    Timestamp::default().after(since.unwrap_or_default())
}
