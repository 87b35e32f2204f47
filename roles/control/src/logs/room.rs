//! How much disk logs may take, and what goes first: whatever was written longest ago.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use types::Timestamp;

use super::segment::{self, Segment};

/// What logs may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Bytes of one group.
    pub group_bytes_max: u64,
    /// Bytes of all groups together.
    pub total_bytes_max: u64,
}

/// A segment is at most this long, so that what is old goes in pieces.
const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A segment is at least this long: a file a line would be no help.
const SEGMENT_BYTES_MIN: u64 = 64 * 1024;
/// A group consists of at least so many segments when it is full.
const SEGMENTS_MIN: u64 = 16;

impl Bounds {
    /// The length at which a segment is followed by the next, bytes.
    pub(super) fn segment_bytes(self) -> u64 {
        let smaller = self.group_bytes_max.min(self.total_bytes_max);
        (smaller / SEGMENTS_MIN).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
    }

    /// What is left of so much after a removal: a tenth is freed at once, for finding the oldest
    /// means to look at all.
    fn freed(max: u64) -> u64 {
        max - max / 10
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            group_bytes_max: 1024 * 1024 * 1024,
            total_bytes_max: 10 * 1024 * 1024 * 1024,
        }
    }
}

/// What is taken, by group.
pub(super) struct Room {
    bounds: Bounds,
    groups: BTreeMap<PathBuf, u64>,
}

impl Room {
    /// What the logs in `folder` take. What cannot be looked at now is looked at when it grows.
    pub(super) fn new(folder: &Path, bounds: Bounds) -> Self {
        let mut groups = BTreeMap::new();
        for group in folders(folder).into_iter().flat_map(|f| folders(&f)) {
            for group in folders(&group) {
                groups.insert(group.clone(), bytes(&group));
            }
        }
        Self { bounds, groups }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// A group has grown; answers what was removed to make room.
    pub(super) fn grown(&mut self, group: &Path, by: u64) -> Vec<PathBuf> {
        let taken = self.groups.entry(group.to_owned()).or_default();
        *taken += by;
        let mut removed = Vec::new();
        if *taken > self.bounds.group_bytes_max {
            let keep = Bounds::freed(self.bounds.group_bytes_max);
            let oldest = oldest(std::slice::from_ref(&group.to_owned()));
            removed.extend(self.remove(oldest, |room, group| room.taken(group) > keep));
        }
        if self.total() > self.bounds.total_bytes_max {
            let keep = Bounds::freed(self.bounds.total_bytes_max);
            let groups: Vec<PathBuf> = self.groups.keys().cloned().collect();
            removed.extend(self.remove(oldest(&groups), |room, _| room.total() > keep));
        }
        removed
    }

    /// Removes what was last written to before then; answers what was removed.
    pub(super) fn expire(&mut self, group: &Path, before: Timestamp) -> Vec<PathBuf> {
        let mut old = oldest(std::slice::from_ref(&group.to_owned()));
        old.retain(|(_, segment)| segment.modified < before);
        self.remove(old, |_, _| true)
    }

    /// Something of a group was removed.
    pub(super) fn shrunk(&mut self, group: &Path, by: u64) {
        if let Some(taken) = self.groups.get_mut(group) {
            *taken = taken.saturating_sub(by);
        }
    }

    /// A group was removed.
    pub(super) fn forget(&mut self, group: &Path) {
        self.groups.remove(group);
    }

    fn remove(
        &mut self,
        segments: Vec<(PathBuf, Segment)>,
        more: impl Fn(&Self, &Path) -> bool,
    ) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        for (group, segment) in segments {
            if !more(self, &group) {
                break;
            }
            match fs::remove_file(&segment.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(error = %error, "an old log file cannot be removed");
                }
                _ => {
                    self.shrunk(&group, segment.bytes);
                    removed.push(segment.path);
                }
            }
        }
        removed
    }

    fn taken(&self, group: &Path) -> u64 {
        self.groups.get(group).copied().unwrap_or(0)
    }

    fn total(&self) -> u64 {
        self.groups.values().sum()
    }
}

/// The segments of groups with their group, the one written longest ago first.
fn oldest(groups: &[PathBuf]) -> Vec<(PathBuf, Segment)> {
    let mut all = Vec::new();
    for group in groups {
        let segments = segment::of_group(group).unwrap_or_default();
        let segments = segments.into_values().flatten();
        all.extend(segments.map(|segment| (group.clone(), segment)));
    }
    all.sort_by_key(|(_, segment)| (segment.modified, segment.base));
    all
}

fn bytes(group: &Path) -> u64 {
    let segments = segment::of_group(group).unwrap_or_default();
    segments
        .values()
        .flatten()
        .map(|segment| segment.bytes)
        .sum()
}

/// The folders in a folder; none if it cannot be read.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}
