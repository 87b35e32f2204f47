//! How much disk logs may take, and what is removed first: the oldest of the group or account that has
//! too much. An account's logs are never removed because another account writes: a group makes room in
//! itself, an account in itself, and if all together have too much, the account with the most makes it.

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
    /// Bytes of one account's groups.
    pub account_bytes_max: u64,
    /// Bytes of all groups together.
    pub total_bytes_max: u64,
    /// Files of one account: each stream has one or more.
    pub account_files_max: u64,
    /// Groups that one account may have on disk.
    pub account_groups_max: u64,
}

/// The least that is removed from an account at a time: a tenth is freed at once, as finding the oldest
/// means reading the whole folder.
fn freed(max: u64) -> u64 {
    max - max / 10
}

/// A segment is at most this long, so that old logs are removed in pieces.
const SEGMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// A segment is at least this long: one file for each line would not help.
const SEGMENT_BYTES_MIN: u64 = 64 * 1024;
/// A group consists of at least this many segments when it is full.
const SEGMENTS_MIN: u64 = 16;

impl Bounds {
    /// The length at which a segment is followed by the next, bytes.
    pub(super) fn segment_bytes(self) -> u64 {
        let smaller = self.group_bytes_max.min(self.total_bytes_max);
        (smaller / SEGMENTS_MIN).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX)
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            group_bytes_max: 1024 * 1024 * 1024,
            account_bytes_max: 5 * 1024 * 1024 * 1024,
            total_bytes_max: 10 * 1024 * 1024 * 1024,
            account_files_max: 20_000,
            account_groups_max: 10_000,
        }
    }
}

/// What something takes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Taken {
    pub(super) bytes: u64,
    pub(super) files: u64,
}

impl Taken {
    fn add(&mut self, more: Self) {
        self.bytes = self.bytes.saturating_add(more.bytes);
        self.files = self.files.saturating_add(more.files);
    }

    fn subtract(&mut self, less: Self) {
        self.bytes = self.bytes.saturating_sub(less.bytes);
        self.files = self.files.saturating_sub(less.files);
    }
}

/// What is taken, by group and by account.
pub(super) struct Room {
    bounds: Bounds,
    /// By folder.
    groups: BTreeMap<PathBuf, Taken>,
    /// By folder, with the number of groups.
    accounts: BTreeMap<PathBuf, (Taken, u64)>,
    total: u64,
}

impl Room {
    /// What the logs in `folder` take. What cannot be read now is counted when it grows.
    pub(super) fn new(folder: &Path, bounds: Bounds) -> Self {
        let mut room = Self {
            bounds,
            groups: BTreeMap::new(),
            accounts: BTreeMap::new(),
            total: 0,
        };
        for region in folders(folder).into_iter().flat_map(|f| folders(&f)) {
            for group in folders(&region) {
                room.count(&group, taken(&group));
            }
        }
        room
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Whether a group may have a folder: it has one, or its account may have one more.
    pub(super) fn may_begin(&self, group: &Path) -> bool {
        let of_account = self.accounts.get(account(group));
        self.groups.contains_key(group)
            || of_account.is_none_or(|(_, groups)| *groups < self.bounds.account_groups_max)
    }

    /// A group has grown; returns what was removed to make room.
    pub(super) fn grown(&mut self, group: &Path, by: Taken) -> Vec<PathBuf> {
        self.count(group, by);
        let bounds = self.bounds;
        let mut removed = Vec::new();
        if self.of_group(group).bytes > bounds.group_bytes_max {
            let keep = freed(bounds.group_bytes_max);
            let oldest = oldest(&[group.to_owned()]);
            removed.extend(self.remove(oldest, |room| room.of_group(group).bytes > keep));
        }
        let account = account(group).to_owned();
        let bytes = freed(bounds.account_bytes_max);
        let files = freed(bounds.account_files_max);
        let mine = self.of_account(&account);
        if mine.bytes > bounds.account_bytes_max || mine.files > bounds.account_files_max {
            let oldest = oldest(&self.groups_of(&account));
            removed.extend(self.remove(oldest, |room| {
                let mine = room.of_account(&account);
                mine.bytes > bytes || mine.files > files
            }));
        }
        if self.total > bounds.total_bytes_max {
            removed.extend(self.level(freed(bounds.total_bytes_max)));
        }
        removed
    }

    /// Removes from the account with the most, until all have no more than `keep` together.
    fn level(&mut self, keep: u64) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        // Each turn brings the largest down to the next, so there are at most as many turns as accounts.
        for _ in 0..self.accounts.len() {
            if self.total <= keep {
                break;
            }
            let mut sizes: Vec<(u64, &PathBuf)> = self
                .accounts
                .iter()
                .map(|(account, (taken, _))| (taken.bytes, account))
                .collect();
            sizes.sort();
            let Some((_, largest)) = sizes.pop() else {
                break;
            };
            let next = sizes.last().map_or(0, |(bytes, _)| *bytes);
            let largest = largest.clone();
            let oldest = oldest(&self.groups_of(&largest));
            removed.extend(self.remove(oldest, |room| {
                room.total > keep && room.of_account(&largest).bytes >= next
            }));
        }
        removed
    }

    /// Removes what was last written to before then; returns what was removed.
    pub(super) fn expire(&mut self, group: &Path, before: Timestamp) -> Vec<PathBuf> {
        let mut old = oldest(&[group.to_owned()]);
        old.retain(|(_, segment)| segment.modified < before);
        self.remove(old, |_| true)
    }

    /// A file of a group was removed.
    pub(super) fn shrunk(&mut self, group: &Path, bytes: u64) {
        let mut less = Taken { bytes, files: 1 };
        let Some(taken) = self.groups.get_mut(group) else {
            return;
        };
        less.bytes = less.bytes.min(taken.bytes);
        taken.subtract(less);
        self.total = self.total.saturating_sub(less.bytes);
        if let Some((taken, _)) = self.accounts.get_mut(account(group)) {
            taken.subtract(less);
        }
    }

    /// A group was removed.
    pub(super) fn forget(&mut self, group: &Path) {
        let Some(all) = self.groups.remove(group) else {
            return;
        };
        self.total = self.total.saturating_sub(all.bytes);
        if let Some((taken, groups)) = self.accounts.get_mut(account(group)) {
            taken.subtract(all);
            *groups = groups.saturating_sub(1);
        }
    }

    fn count(&mut self, group: &Path, by: Taken) {
        let (account, groups) = self.accounts.entry(account(group).to_owned()).or_default();
        account.add(by);
        self.total = self.total.saturating_add(by.bytes);
        if !self.groups.contains_key(group) {
            *groups += 1;
        }
        self.groups.entry(group.to_owned()).or_default().add(by);
    }

    fn remove(
        &mut self,
        segments: Vec<(PathBuf, Segment)>,
        more: impl Fn(&Self) -> bool,
    ) -> Vec<PathBuf> {
        let mut removed = Vec::new();
        for (group, segment) in segments {
            if !more(self) {
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

    fn of_group(&self, group: &Path) -> Taken {
        self.groups.get(group).copied().unwrap_or_default()
    }

    fn of_account(&self, account: &Path) -> Taken {
        let found = self.accounts.get(account);
        found.map(|(taken, _)| *taken).unwrap_or_default()
    }

    fn groups_of(&self, of: &Path) -> Vec<PathBuf> {
        let groups = self.groups.keys().filter(|group| account(group) == of);
        groups.cloned().collect()
    }
}

/// The folder of a group's account: above the region's.
fn account(group: &Path) -> &Path {
    let above = group.parent().and_then(Path::parent);
    above.unwrap_or(Path::new(""))
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

fn taken(group: &Path) -> Taken {
    let segments = segment::of_group(group).unwrap_or_default();
    let mut taken = Taken::default();
    for segment in segments.values().flatten() {
        taken.add(Taken {
            bytes: segment.bytes,
            files: 1,
        });
    }
    taken
}

/// The folders in a folder; none if it cannot be read.
fn folders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}
