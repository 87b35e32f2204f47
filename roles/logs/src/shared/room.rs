//! How much logs may take in blobs, and what is removed first: the same rules as for files, applied to names.

use std::collections::BTreeMap;

use types::AccountId;

use crate::files::Bounds;

/// A blob that may be removed to make room.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Blob {
    pub(super) account: AccountId,
    /// The beginning of its group's names.
    pub(super) group: String,
    pub(super) name: String,
    pub(super) bytes: u64,
    /// When the last of it was received.
    pub(super) received: u64,
}

/// What something takes.
#[derive(Clone, Copy, Default)]
struct Taken {
    bytes: u64,
    blobs: u64,
}

impl Taken {
    fn exceeds(self, bytes: u64, blobs: u64) -> bool {
        self.bytes > bytes || self.blobs > blobs
    }
}

/// The least that is removed at a time: a tenth.
fn freed(max: u64) -> u64 {
    max - max / 10
}

/// Which blobs are to be removed, the oldest first: of a group that has too much its own, of an account its own, and if all
/// together have too much, those of the account with the most.
pub(super) fn excess(bounds: &Bounds, mut blobs: Vec<Blob>) -> Vec<Blob> {
    blobs.sort_by_key(|blob| (blob.received, blob.name.clone()));
    let mut removed = Vec::new();
    let (group, account) = (bounds.group_bytes_max, bounds.account_bytes_max);
    let files = bounds.account_files_max;
    let by_group = |blob: &Blob| blob.group.clone();
    removed.extend(trim(&mut blobs, by_group, (group, u64::MAX)));
    let by_account = |blob: &Blob| blob.account.clone();
    removed.extend(trim(&mut blobs, by_account, (account, files)));
    removed.extend(level(&mut blobs, bounds.total_bytes_max));
    removed
}

/// Takes the oldest out of what has too much.
fn trim<K: Ord>(
    blobs: &mut Vec<Blob>,
    of: impl Fn(&Blob) -> K,
    (bytes, count): (u64, u64),
) -> Vec<Blob> {
    let mut all = taken(blobs, &of);
    all.retain(|_, taken| taken.exceeds(bytes, count));
    let (bytes, count) = (freed(bytes), freed(count));
    take_out(blobs, |blob| {
        let Some(taken) = all.get_mut(&of(blob)) else {
            return false;
        };
        let exceeds = taken.exceeds(bytes, count);
        if exceeds {
            taken.bytes = taken.bytes.saturating_sub(blob.bytes);
            taken.blobs = taken.blobs.saturating_sub(1);
        }
        exceeds
    })
}

/// Takes the oldest of the account with the most, until all have no more than there may be.
fn level(blobs: &mut Vec<Blob>, max: u64) -> Vec<Blob> {
    let mut accounts = taken(blobs, &|blob: &Blob| blob.account.clone());
    let mut total: u64 = accounts.values().map(|taken| taken.bytes).sum();
    let mut removed = Vec::new();
    if total <= max {
        return removed;
    }
    // Each turn brings the largest down to the next, so there are at most as many turns as accounts.
    for _ in 0..accounts.len() {
        let mut sizes: Vec<(u64, AccountId)> = accounts
            .iter()
            .map(|(account, taken)| (taken.bytes, account.clone()))
            .collect();
        sizes.sort();
        let Some((mut bytes, largest)) = sizes.pop() else {
            break;
        };
        let next = sizes.last().map_or(0, |(bytes, _)| *bytes);
        removed.extend(take_out(blobs, |blob| {
            let take = total > freed(max) && bytes >= next && blob.account == largest;
            if take {
                total = total.saturating_sub(blob.bytes);
                bytes = bytes.saturating_sub(blob.bytes);
            }
            take
        }));
        if let Some(taken) = accounts.get_mut(&largest) {
            taken.bytes = bytes;
        }
    }
    removed
}

fn taken<K: Ord>(blobs: &[Blob], of: &impl Fn(&Blob) -> K) -> BTreeMap<K, Taken> {
    let mut all: BTreeMap<K, Taken> = BTreeMap::new();
    for blob in blobs {
        let taken = all.entry(of(blob)).or_default();
        taken.bytes = taken.bytes.saturating_add(blob.bytes);
        taken.blobs += 1;
    }
    all
}

fn take_out(blobs: &mut Vec<Blob>, mut take: impl FnMut(&Blob) -> bool) -> Vec<Blob> {
    let (taken, kept) = std::mem::take(blobs)
        .into_iter()
        .partition(|blob| take(blob));
    *blobs = kept;
    taken
}
