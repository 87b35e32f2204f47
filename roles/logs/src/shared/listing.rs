//! What a list of a group's blobs says, without reading them.

use std::collections::{BTreeMap, BTreeSet};

use storage::Blobs;
use storage::Error;

use super::name::{Leaf, SPAN_MAX, SegmentName, StreamHash, TIME_MAX, leaf, stream_hash};

/// Names of one list.
pub(super) const NAMES: usize = 1_000;

/// A group, as its names describe it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Listing {
    /// In the order of their first events; none that was received before the group was deleted.
    pub(super) segments: Vec<SegmentName>,
    /// Those of which it is known what streams are in them.
    pub(super) indexed: BTreeSet<SegmentName>,
    /// Streams that were created and exist, and when that was.
    pub(super) created: BTreeMap<StreamHash, u64>,
    pub(super) deleted: Deletions,
}

/// What was deleted, and when.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Deletions {
    pub(super) group: Option<u64>,
    pub(super) streams: BTreeMap<StreamHash, u64>,
}

impl Deletions {
    /// Until when whatever a stream received was deleted.
    pub(super) fn of_stream(&self, stream: StreamHash) -> Option<u64> {
        self.group.max(self.streams.get(&stream).copied())
    }

    /// Whether what a stream received then was deleted.
    pub(super) fn hide(&self, stream: &str, received: u64) -> bool {
        let at = match self.streams.is_empty() {
            true => self.group,
            false => self.of_stream(stream_hash(stream)),
        };
        at.is_some_and(|at| received <= at)
    }

    /// The first moment after all of them and not before `now`: what is received then is not hidden.
    pub(super) fn after(&self, now: u64) -> u64 {
        let last = self.streams.values().copied().max().max(self.group);
        last.map_or(now, |last| now.max(last + 1))
    }
}

impl Listing {
    /// What leaves say.
    pub(super) fn of(leaves: impl IntoIterator<Item = Leaf>) -> Self {
        let mut listing = Self::default();
        let later = |known: &mut u64, at: u64| *known = at.max(*known);
        for leaf in leaves {
            match leaf {
                Leaf::Segment(name) => listing.segments.push(name),
                Leaf::Index(name) => drop(listing.indexed.insert(name)),
                Leaf::Created(stream, at) => {
                    later(listing.created.entry(stream).or_insert(at), at);
                }
                Leaf::Deleted(stream, at) => {
                    later(listing.deleted.streams.entry(stream).or_insert(at), at);
                }
                Leaf::GroupDeleted(at) => {
                    listing.deleted.group = Some(at).max(listing.deleted.group);
                }
            }
        }
        let deleted = &listing.deleted;
        let gone = |at: u64, until: Option<u64>| until.is_some_and(|until| at <= until);
        listing
            .segments
            .retain(|name| !gone(name.received, deleted.group));
        listing
            .created
            .retain(|stream, at| !gone(*at, deleted.of_stream(*stream)));
        listing
    }

    /// Lists the blobs of a group that are named so, without segments that end before `since`.
    pub(super) async fn read(blobs: &dyn Blobs, prefix: &str, since: u64) -> Result<Self, Error> {
        let first = since.saturating_sub(SPAN_MAX).min(TIME_MAX);
        let leaves = leaves(blobs, prefix, &format!("{prefix}{first:011x}")).await?;
        Ok(Self::of(leaves))
    }

    /// Lists what says how a group's streams came and went.
    pub(super) async fn markers(blobs: &dyn Blobs, prefix: &str) -> Result<Self, Error> {
        let leaves = leaves(blobs, prefix, &format!("{prefix}m-")).await?;
        Ok(Self::of(leaves))
    }
}

/// After which name a list of [`NAMES`] continues, if it does.
pub(super) fn following(names: Vec<String>) -> Option<String> {
    let is_full = names.len() >= NAMES;
    names.into_iter().next_back().filter(|_| is_full)
}

async fn leaves(blobs: &dyn Blobs, prefix: &str, after: &str) -> Result<Vec<Leaf>, Error> {
    let mut all = Vec::new();
    let mut after = after.to_owned();
    loop {
        let names = blobs.list(prefix, Some(&after), NAMES).await?;
        let found = names.iter().filter_map(|name| name.strip_prefix(prefix));
        all.extend(found.filter_map(leaf));
        match following(names) {
            Some(last) => after = last,
            None => return Ok(all),
        }
    }
}
