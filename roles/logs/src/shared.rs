//! Log groups and streams of a cluster: blobs, which workers write without any table.
//!
//! ```text
//!   worker:   append ─▶ Shipper ─▶ blobs   a segment for each group and second with output
//!                          │
//!                          ▼ RecentLogs: what is not stored yet
//!   control:  CloudWatch ─▶ SharedStore ─▶ blobs
//!                          ▲
//!             Keeper ──────┘  one in the cluster: merges segments, removes what is deleted or too old
//! ```
//!
//! Read in this order: [`name`] says what blobs there are, [`segment`] what is in them, [`waiting`] and [`shipper`]
//! write them, [`listing`], [`reading`] and [`finding`] find what is in them, [`plan`], [`room`] and [`tending`] keep
//! them few.
//!
//! An event has its place (time, stream, id) from when it is taken, wherever it is: in a worker's memory, in a segment, in a
//! merged one, or in two of these at once. So a search shows it once, and continues at the same place.
//!
//! Architecture invariant: nothing is removed before what replaces it is stored, and a reader looks at workers first, at
//! blobs then.

mod cache;
mod finding;
mod listing;
mod name;
mod plan;
mod reading;
mod recents;
mod room;
mod segment;
mod shipper;
mod tending;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use api::logs::{EventId, RecentLogs, StreamName};
use async_trait::async_trait;
use storage::Blobs;
use tokio::sync::{Mutex, Semaphore};
use types::{Clock, Random, Scope, Timestamp};

use crate::files::Bounds;
use crate::search::{Page, Search, Streams};
use crate::store::{KeptSince, Line, Store, StreamFacts};
use listing::Listing;
use name::{Leaf, TIME_MAX, stream_hash};
use reading::{Group, Reading, failed};
use segment::{Event, Named, Writer};
pub use shipper::{Shipper, Shipping};

/// Concurrent requests that read; more wait.
const READINGS_MAX: usize = 4;
/// Blobs that cannot be read within this are not waited for. What was merged is kept for longer: [`tending`].
const READ_WITHIN: Duration = Duration::from_secs(60);

/// How far the clocks of two hosts may be apart, milliseconds.
const SKEW_MAX: u64 = 60_000;

/// The workers of now, which are asked for what they have not stored yet.
pub type Workers = Arc<dyn Fn() -> Vec<Arc<dyn RecentLogs>> + Send + Sync>;

/// What a [`SharedStore`] needs.
pub struct SharedDependencies {
    /// Where events are. Every call to it must end.
    pub blobs: Arc<dyn Blobs>,
    /// Who has events that are not stored yet.
    pub workers: Workers,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// For numbers of what is written.
    pub random: Arc<dyn Random>,
}

/// Keeps log events of a cluster in blobs. Any number of processes may have one over the same blobs; one at a time should
/// [`Store::tend`] them.
pub struct SharedStore {
    bounds: Bounds,
    reading: Reading,
    workers: Workers,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    readings: Semaphore,
    /// Which of all that write there are: by chance.
    taker: u64,
    /// Events taken so far.
    count: AtomicU64,
    tended: Mutex<tending::Tended>,
}

impl SharedStore {
    /// One over these blobs. What is beyond the bounds is removed when it is tended, since workers write without asking;
    /// how many groups there are is not bounded.
    pub fn new(bounds: Bounds, dependencies: SharedDependencies) -> Self {
        let SharedDependencies {
            blobs,
            workers,
            clock,
            random,
        } = dependencies;
        Self {
            bounds,
            reading: Reading::new(blobs),
            workers,
            clock,
            readings: Semaphore::new(READINGS_MAX),
            taker: random.next_u64(),
            random,
            count: AtomicU64::default(),
            tended: Mutex::default(),
        }
    }

    /// Reads, a few at a time and not for ever.
    async fn timely<T>(&self, work: impl Future<Output = io::Result<T>> + Send) -> io::Result<T> {
        // Never closed, so a permit is always available in the end.
        let _turn = self.readings.acquire().await.ok();
        let done = tokio::time::timeout(READ_WITHIN, work).await;
        done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn list(&self, group: &Group) -> io::Result<Listing> {
        self.reading.list(group, 0).await.map_err(failed)
    }

    async fn write(&self, group: &Group, leaf: Leaf, stream: &str) -> io::Result<()> {
        let named = Named {
            group: group.name.clone(),
            stream: stream.to_owned(),
        };
        let bytes = serde_json::to_vec(&named)?;
        let blob = group.blob(&leaf);
        let put = self.reading.blobs.put(&blob, bytes.into());
        put.await.map_err(failed)
    }

    /// The moment of a deletion: not before now or anything that was received, but for what says that it was received
    /// much later, since what comes until then would be deleted, too.
    fn moment(listing: &Listing, now: Timestamp) -> u64 {
        let received = listing.segments.iter().map(|name| name.received);
        let known = received.chain(listing.created.values().copied());
        let now = listing.deleted.after(now.as_millis());
        let known = known.filter(|at| *at <= now + SKEW_MAX).max();
        now.max(known.unwrap_or(0)).min(TIME_MAX)
    }

    async fn has(
        &self,
        group: &Group,
        listing: &Listing,
        names: &BTreeSet<String>,
    ) -> io::Result<bool> {
        let mut missing = names.clone();
        missing.retain(|name| !listing.created.contains_key(&stream_hash(name)));
        // The newest first, since most that is asked for is there.
        for name in listing.segments.iter().rev() {
            if missing.is_empty() {
                return Ok(true);
            }
            let index = self.reading.index((group, listing), name).await;
            if let Some(index) = index.map_err(failed)? {
                missing.retain(|name| {
                    let there = index.streams.get(name.as_str());
                    there.is_none_or(|(.., received)| listing.deleted.hide(name, *received))
                });
            }
        }
        Ok(missing.is_empty())
    }
}

#[async_trait]
impl Store for SharedStore {
    async fn groups(&self, scope: &Scope) -> io::Result<Vec<String>> {
        self.timely(self.group_names(scope)).await
    }

    async fn group_made(&self, scope: &Scope, group: &str) -> io::Result<Option<Timestamp>> {
        let group = Group::new(scope, group);
        let recents = self.recents(scope, &group, 0).await;
        let listing = self.list(&group).await?;
        let segments = listing.segments.iter().map(|name| name.first);
        let events = recents.seen(&listing.deleted).map(|event| event.time);
        let all = segments.chain(events);
        let made = all.chain(listing.created.values().copied()).min();
        Ok(made.map(Timestamp::from_millis))
    }

    async fn group_bytes(&self, scope: &Scope, group: &str) -> io::Result<u64> {
        let listing = self.list(&Group::new(scope, group)).await?;
        Ok(listing.segments.iter().map(|name| name.bytes).sum())
    }

    async fn has_streams(
        &self,
        scope: &Scope,
        group: &str,
        names: &BTreeSet<String>,
    ) -> io::Result<bool> {
        let group = Group::new(scope, group);
        let recents = self.recents(scope, &group, 0).await;
        let listing = self.list(&group).await?;
        let mut missing = names.clone();
        for event in recents.seen(&listing.deleted) {
            missing.remove(&*event.stream);
        }
        self.timely(self.has(&group, &listing, &missing)).await
    }

    async fn describe(
        &self,
        scope: &Scope,
        group: &str,
        streams: Streams,
    ) -> io::Result<Vec<StreamFacts>> {
        let group = Group::new(scope, group);
        self.timely(self.facts(scope, &group, &streams)).await
    }

    async fn search(&self, scope: &Scope, group: &str, search: Search) -> io::Result<Page> {
        let group = Group::new(scope, group);
        self.timely(self.find(scope, &group, &search)).await
    }

    async fn put(&self, stream: StreamName, lines: Vec<Line>) -> io::Result<()> {
        let group = Group::new(&stream.scope, &stream.group);
        let markers = Listing::markers(self.reading.blobs.as_ref(), &group.prefix).await;
        let deleted = markers.map_err(failed)?.deleted;
        let name: Arc<str> = stream.stream.as_str().into();
        let event = |line: Line| Event {
            time: line.time.as_millis(),
            stream: Arc::clone(&name),
            id: EventId {
                taker: self.taker,
                number: self.count.fetch_add(1, Ordering::Relaxed),
            },
            received: deleted.after(line.ingested.unwrap_or(line.time).as_millis()),
            message: line.message,
        };
        let mut events: Vec<Event> = lines.into_iter().map(event).collect();
        events.sort_by_cached_key(Event::place);
        for (name, bytes) in segment::cut(&group.name, &events, Writer::Taker) {
            let blob = group.blob(&Leaf::Segment(name));
            self.reading.blobs.put(&blob, bytes).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn create_stream(&self, stream: StreamName, now: Timestamp) -> io::Result<bool> {
        let StreamName { scope, group, .. } = &stream;
        let names = BTreeSet::from([stream.stream.clone()]);
        if self.has_streams(scope, group, &names).await? {
            return Ok(false);
        }
        let group = Group::new(scope, group);
        let markers = Listing::markers(self.reading.blobs.as_ref(), &group.prefix).await;
        let at = markers.map_err(failed)?.deleted.after(now.as_millis());
        let leaf = Leaf::Created(stream_hash(&stream.stream), at.min(TIME_MAX));
        self.write(&group, leaf, &stream.stream).await?;
        Ok(true)
    }

    async fn delete_stream(&self, stream: StreamName, now: Timestamp) -> io::Result<bool> {
        let StreamName { scope, group, .. } = &stream;
        let names = BTreeSet::from([stream.stream.clone()]);
        if !self.has_streams(scope, group, &names).await? {
            return Ok(false);
        }
        let group = Group::new(scope, group);
        let at = Self::moment(&self.list(&group).await?, now);
        let leaf = Leaf::Deleted(stream_hash(&stream.stream), at);
        self.write(&group, leaf, &stream.stream).await?;
        Ok(true)
    }

    async fn delete_group(&self, scope: Scope, group: String, now: Timestamp) -> io::Result<()> {
        let group = Group::new(&scope, &group);
        let listing = self.list(&group).await?;
        let at = Self::moment(&listing, now);
        self.write(&group, Leaf::GroupDeleted(at), "").await
    }

    async fn tend(&self, kept_since: KeptSince<'_>) {
        self.tend_all(kept_since).await;
    }
}
