//! What is done now and then to the blobs of all groups: what is deleted or too old is removed, small segments are merged,
//! and room is made.
//!
//! ```text
//!   merge:    put index ─▶ put merged segment, which names what it replaces ─▶ … two minutes … ─▶ remove what it replaces
//! ```
//!
//! It may end anywhere and begin again elsewhere. What is replaced is removed only if the merged segment is there and has all
//! of it: two that work at the same time merge the same twice, and lose nothing.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use storage::Error;
use types::Scope;

use super::SharedStore;
use super::listing::{Deletions, Listing, NAMES, following};
use super::name::{Component, Leaf, ROOT, SegmentName, leaf, split, stream_hash};
use super::plan::{GRACE, made, merges, removable};
use super::reading::{Group, Index};
use super::room::{Blob, excess};
use super::segment::{self, Event, Segment, Writer};
use crate::search::Place;
use crate::store::KeptSince;

/// Merges of one group at a time: the next are done next time.
const MERGES_MAX: usize = 32;
/// How long a deletion is remembered at least, milliseconds: what was received before may be stored later.
const REMEMBERED: u64 = 24 * 60 * 60 * 1000;
/// How far an event may be ahead of its being received, milliseconds (AWS: 2 hours).
const AHEAD_MAX: u64 = 2 * 60 * 60 * 1000;

/// What is known from the last time.
#[derive(Default)]
pub(super) struct Tended {
    /// Merged segments that replace nothing that is still there.
    settled: HashSet<SegmentName>,
}

/// One group at one time.
struct Turn<'t> {
    group: &'t Group,
    listing: Listing,
    /// From when on its events are kept.
    since: u64,
    /// When this was begun: before anything was listed, so that what is old now was old when its group was listed.
    now: u64,
}

impl Turn<'_> {
    /// Whether an event is neither deleted nor too old.
    fn keeps(&self, event: &Event) -> bool {
        event.time >= self.since && !self.listing.deleted.hide(&event.stream, event.received)
    }
}

impl SharedStore {
    pub(super) async fn tend_all(&self, kept_since: KeptSince<'_>) {
        let mut tended = self.tended.lock().await;
        let before = std::mem::take(&mut *tended);
        if let Err(error) = self.tend_groups(kept_since, before, &mut tended).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "stored log events cannot be tended"
            );
        }
    }

    async fn tend_groups(
        &self,
        kept_since: KeptSince<'_>,
        before: Tended,
        tended: &mut Tended,
    ) -> Result<(), Error> {
        let now = self.clock.now().as_millis();
        let mut blobs = Vec::new();
        let mut after: Option<String> = None;
        let mut open: Option<(Scope, Group, Vec<Leaf>)> = None;
        loop {
            let names = self
                .reading
                .blobs
                .list(ROOT, after.as_deref(), NAMES)
                .await?;
            for name in &names {
                let Some((scope, component, text)) = split(name) else {
                    continue;
                };
                let prefix = &name[..name.len() - text.len()];
                let is_open = |(_, group, _): &(_, Group, _)| group.prefix == prefix;
                if !open.as_ref().is_some_and(is_open) {
                    let group = match component {
                        Component::Plain(group) => Some(Group::new(&scope, &group)),
                        Component::Hashed => self.reading.long_named(&scope, name).await?,
                    };
                    // What is called otherwise is not ours.
                    let group = group.filter(|group| group.prefix == prefix);
                    let next = group.map(|group| (scope, group, Vec::new()));
                    if let Some(whole) = std::mem::replace(&mut open, next) {
                        blobs.extend(
                            self.tend_group(whole, (kept_since, now), (&before, tended))
                                .await,
                        );
                    }
                }
                if let Some((_, _, leaves)) = &mut open {
                    leaves.extend(leaf(text));
                }
            }
            after = following(names);
            if after.is_none() {
                break;
            }
        }
        if let Some(whole) = open {
            blobs.extend(
                self.tend_group(whole, (kept_since, now), (&before, tended))
                    .await,
            );
        }
        for blob in excess(&self.bounds, blobs) {
            self.reading.blobs.delete(&blob.name).await?;
        }
        Ok(())
    }

    /// Tends one group; what is wrong with it is reported and must not keep the others. Returns what it has.
    async fn tend_group(
        &self,
        (scope, group, leaves): (Scope, Group, Vec<Leaf>),
        (kept_since, now): (KeptSince<'_>, u64),
        (before, tended): (&Tended, &mut Tended),
    ) -> Vec<Blob> {
        let mut turn = Turn {
            group: &group,
            listing: Listing::of(leaves.iter().cloned()),
            since: kept_since(&scope, &group.name).as_millis(),
            now,
        };
        let blob = |leaf: Leaf, bytes: u64, received: u64| Blob {
            account: scope.account.clone(),
            group: group.prefix.clone(),
            name: group.blob(&leaf),
            bytes,
            received,
        };
        match self.tend_turn(&mut turn, leaves, (before, tended)).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(
                group = group.name,
                error = &error as &dyn std::error::Error,
                "the stored events of a log group cannot be tended"
            ),
        }
        let segments = turn.listing.segments.iter();
        let segments = segments.map(|name| blob(Leaf::Segment(*name), name.bytes, name.received));
        let created = turn.listing.created.iter();
        let created = created.map(|(stream, at)| blob(Leaf::Created(*stream, *at), 0, *at));
        segments.chain(created).collect()
    }

    async fn tend_turn(
        &self,
        turn: &mut Turn<'_>,
        leaves: Vec<Leaf>,
        (before, tended): (&Tended, &mut Tended),
    ) -> Result<(), Error> {
        for leaf in removable(&leaves, &turn.listing, turn.since, turn.now) {
            self.reading.blobs.delete(&turn.group.blob(&leaf)).await?;
            if let Leaf::Segment(name) = leaf {
                turn.listing.segments.retain(|other| *other != name);
            }
        }
        let mut busy = self.settle(turn, (before, tended)).await?;
        let mut left = turn.listing.segments.clone();
        left.retain(|name| !busy.contains(name));
        let mut batches = merges(&left, turn.now);
        batches.truncate(MERGES_MAX);
        for batch in batches {
            self.merge(turn, &batch).await?;
            busy.extend(batch);
        }
        self.purge(turn, &busy).await
    }

    /// Removes what merged segments replace. Returns what is not to be merged now: what is replaced and too young to be
    /// removed, and what replaces it.
    async fn settle(
        &self,
        turn: &mut Turn<'_>,
        (before, tended): (&Tended, &mut Tended),
    ) -> Result<BTreeSet<SegmentName>, Error> {
        let mut waiting = BTreeSet::new();
        let there: BTreeMap<String, SegmentName> = turn
            .listing
            .segments
            .iter()
            .map(|name| (name.to_string(), *name))
            .collect();
        for merged in there.values().filter(|name| name.is_merged()) {
            let inside = |name: &&SegmentName| {
                *name != merged && name.first >= merged.first && name.last <= merged.last
            };
            if before.settled.contains(merged) || !there.values().any(|name| inside(&name)) {
                tended.settled.insert(*merged);
                continue;
            }
            let Some(segment) = self.reading.segment(turn.group, merged).await? else {
                continue;
            };
            let replaced = segment.replaces.iter().filter_map(|leaf| there.get(leaf));
            let replaced: Vec<SegmentName> =
                replaced.filter(|name| *name != merged).copied().collect();
            if made(merged).saturating_add(GRACE) > turn.now {
                if !replaced.is_empty() {
                    waiting.insert(*merged);
                }
                waiting.extend(replaced);
                continue;
            }
            let has: BTreeSet<Place> = segment.events.iter().map(Event::place).collect();
            let segments = self.reading.segments(turn.group, &replaced).await?;
            for (name, segment) in replaced.iter().zip(segments) {
                let missing = |event: &Event| turn.keeps(event) && !has.contains(&event.place());
                let is_in =
                    |segment: &Segment| !segment.damaged && !segment.events.iter().any(missing);
                if segment.is_some_and(|segment| is_in(&segment)) {
                    self.remove(turn, name).await?;
                }
            }
            tended.settled.insert(*merged);
        }
        // Two may replace each other's; what is gone waits for nothing.
        waiting.retain(|name| turn.listing.segments.contains(name));
        Ok(waiting)
    }

    async fn remove(&self, turn: &mut Turn<'_>, name: &SegmentName) -> Result<(), Error> {
        let leaf = Leaf::Segment(*name);
        self.reading.blobs.delete(&turn.group.blob(&leaf)).await?;
        turn.listing.segments.retain(|other| other != name);
        if turn.listing.indexed.remove(name) {
            let index = Leaf::Index(*name);
            self.reading.blobs.delete(&turn.group.blob(&index)).await?;
        }
        Ok(())
    }

    /// Writes what is to be kept of segments as one. If nothing is, they are removed.
    async fn merge(&self, turn: &mut Turn<'_>, names: &[SegmentName]) -> Result<(), Error> {
        let mut events: BTreeMap<Place, Event> = BTreeMap::new();
        for segment in self.reading.segments(turn.group, names).await? {
            let Some(segment) = segment.filter(|segment| !segment.damaged) else {
                return Ok(());
            };
            let kept = segment.events.iter().filter(|event| turn.keeps(event));
            events.extend(kept.map(|event| (event.place(), event.clone())));
        }
        let events: Vec<Event> = events.into_values().collect();
        if events.is_empty() {
            for name in names {
                self.remove(turn, name).await?;
            }
            return Ok(());
        }
        let leaves: Vec<String> = names.iter().map(SegmentName::to_string).collect();
        let made = self.clock.now().as_millis();
        let writer = Writer::Merge(self.random.next_u64(), made, &leaves);
        let mut cut = segment::cut(&turn.group.name, &events, writer);
        // More than one would have to be there before anything is removed.
        if let (Some((name, bytes)), true) = (cut.pop(), cut.is_empty()) {
            let index = Index::of(&turn.group.name, &events).to_bytes();
            let blob = turn.group.blob(&Leaf::Index(name));
            self.reading.blobs.put(&blob, index).await?;
            let blob = turn.group.blob(&Leaf::Segment(name));
            self.reading.blobs.put(&blob, bytes).await?;
        }
        Ok(())
    }

    /// Writes segments again without what was deleted long ago, but for those that are busy, and forgets these deletions
    /// when nothing of it is left.
    async fn purge(&self, turn: &mut Turn<'_>, busy: &BTreeSet<SegmentName>) -> Result<(), Error> {
        let old = old(&turn.listing.deleted, turn.now);
        if old == Deletions::default() {
            return Ok(());
        }
        let latest = old.after(0).saturating_add(AHEAD_MAX);
        let mut segments = turn.listing.segments.clone();
        segments.retain(|name| name.first <= latest);
        let (mut found, mut rewritten) = (false, 0);
        for name in segments {
            let listing = &turn.listing;
            let Some(index) = self.reading.index((turn.group, listing), &name).await? else {
                continue;
            };
            let suspect = |stream: &str| {
                old.group.is_some() || old.streams.contains_key(&stream_hash(stream))
            };
            if !index.streams.keys().any(|stream| suspect(stream)) {
                continue;
            }
            let segment = self.reading.segment(turn.group, &name).await?;
            let hidden = |event: &Event| old.hide(&event.stream, event.received);
            if segment.is_some_and(|segment| segment.events.iter().any(hidden)) {
                found = true;
                if rewritten < MERGES_MAX && !busy.contains(&name) {
                    self.merge(turn, &[name]).await?;
                    rewritten += 1;
                }
            }
        }
        if found {
            return Ok(());
        }
        let streams = old.streams.iter();
        let mut markers: Vec<Leaf> = streams.map(|(s, at)| Leaf::Deleted(*s, *at)).collect();
        markers.extend(old.group.map(Leaf::GroupDeleted));
        for marker in markers {
            self.reading.blobs.delete(&turn.group.blob(&marker)).await?;
        }
        Ok(())
    }
}

/// The deletions before which nothing can have been received that is stored now.
fn old(deletions: &Deletions, now: u64) -> Deletions {
    let is_old = |at: &u64| at.saturating_add(REMEMBERED) < now;
    let streams = deletions.streams.iter().filter(|(_, at)| is_old(at));
    Deletions {
        group: deletions.group.filter(is_old),
        streams: streams.map(|(stream, at)| (*stream, *at)).collect(),
    }
}
