//! Which of a group's blobs mean nothing any more, and which of its segments to merge.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::Listing;
use super::name::{Leaf, Maker, SPAN_MAX, SegmentName};

/// How long what was replaced remains, milliseconds: twice as long as the longest request, which may have listed it
/// before what replaces it was there.
pub(super) const GRACE: u64 = 120_000;
/// A segment of this length stays as it is.
const LARGE: u64 = 2 * 1024 * 1024;
/// What is merged has no more than this together.
const MERGED_BYTES_MAX: u64 = 3 * 1024 * 1024;
/// That many of about the same length are merged: an event is then written once for each length.
const ALIKE: usize = 8;
/// The same for those that are older than a day.
const OLD: usize = 2;

/// The leaves of a group that mean nothing any more, in the order in which to remove them.
pub(super) fn removable(leaves: &[Leaf], listing: &Listing, since: u64, now: u64) -> Vec<Leaf> {
    let deleted = &listing.deleted;
    let is_kept = |name: &SegmentName| {
        let gone = deleted.group.is_some_and(|at| name.received <= at);
        !gone && name.last >= since
    };
    let segments = leaves.iter().filter_map(|leaf| match leaf {
        Leaf::Segment(name) => Some(name),
        _ => None,
    });
    let kept: BTreeSet<_> = segments.filter(|name| is_kept(name)).collect();
    let means_nothing = |leaf: &&Leaf| match leaf {
        Leaf::Segment(name) => !kept.contains(name),
        // It is there before its segment is.
        Leaf::Index(name) => !kept.contains(name) && made(name).saturating_add(GRACE) <= now,
        Leaf::Created(stream, at) => listing.created.get(stream) != Some(at),
        Leaf::Deleted(stream, at) => {
            deleted.streams.get(stream) != Some(at) || deleted.group >= Some(*at)
        }
        Leaf::GroupDeleted(at) => deleted.group != Some(*at),
    };
    leaves.iter().filter(means_nothing).cloned().collect()
}

/// When a merged segment was made; other segments are as old as what they have.
pub(super) fn made(name: &SegmentName) -> u64 {
    match name.maker {
        Maker::Merge(_, made) => made,
        Maker::Taker(..) => name.received,
    }
}

/// Which segments to merge, each with others. Those of about the same length are, and all that are old: so there are few,
/// and each event is written a few times.
pub(super) fn merges(segments: &[SegmentName], now: u64) -> Vec<Vec<SegmentName>> {
    let mut alike: BTreeMap<(bool, u32), Vec<SegmentName>> = BTreeMap::new();
    for name in segments.iter().filter(|name| name.bytes < LARGE) {
        let old = name.last.saturating_add(SPAN_MAX) < now;
        // 32 KiB, 256 KiB, 2 MiB.
        let length = match old {
            true => 0,
            false => (name.bytes >> 15)
                .checked_ilog2()
                .map_or(0, |log| 1 + log / 3),
        };
        alike.entry((old, length)).or_default().push(*name);
    }
    let mut all = Vec::new();
    for ((old, _), mut names) in alike {
        names.sort();
        let fewest = if old { OLD } else { ALIKE };
        let mut batch: Vec<SegmentName> = Vec::new();
        for name in names {
            let bytes: u64 = batch.iter().map(|name| name.bytes).sum();
            let first = batch.first().map_or(name.first, |name| name.first);
            let last = batch.iter().map(|name| name.last).fold(name.last, u64::max);
            let fits = bytes + name.bytes <= MERGED_BYTES_MAX && last - first <= SPAN_MAX;
            if !fits {
                all.push(std::mem::take(&mut batch));
            }
            batch.push(name);
        }
        all.push(batch);
        all.retain(|batch| batch.len() >= fewest);
    }
    all
}
