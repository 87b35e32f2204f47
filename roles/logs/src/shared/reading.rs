//! Reading a cluster's blobs: segments, what streams are in them, and the names of streams and groups.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use storage::{Blobs, Error};

use super::cache::Cache;
use super::listing::Listing;
use super::name::{Leaf, SEGMENT_BYTES_MAX, SegmentName, StreamHash, group_prefix, stream_hash};
use super::segment::{self, Event, Named, Segment};
use types::Scope;

/// Segments in memory, bytes.
const SEGMENTS_BYTES: usize = 64 * 1024 * 1024;
/// What is known of segments, bytes.
const INDEXES_BYTES: usize = 16 * 1024 * 1024;
/// Names of streams, bytes.
const NAMES_BYTES: usize = 4 * 1024 * 1024;
/// Blobs that are got at a time for one request.
const GETS: usize = 16;

/// For each stream in a segment the times of its first and its last event, and when the last was received.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) group: String,
    pub(super) streams: BTreeMap<Arc<str>, (u64, u64, u64)>,
}

/// A group and the beginning of its blobs' names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) prefix: String,
}

/// See the module.
pub(super) struct Reading {
    pub(super) blobs: Arc<dyn Blobs>,
    segments: Cache<Segment>,
    indexes: Cache<Index>,
    names: Cache<Named>,
}

impl Group {
    pub(super) fn new(scope: &Scope, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            prefix: group_prefix(scope, name),
        }
    }

    /// The name of one of its blobs.
    pub(super) fn blob(&self, leaf: &Leaf) -> String {
        format!("{}{leaf}", self.prefix)
    }
}

impl Index {
    /// What is in a segment.
    pub(super) fn of(group: &str, events: &[Event]) -> Self {
        let mut index = Self {
            group: group.to_owned(),
            streams: BTreeMap::new(),
        };
        for event in events {
            let now = (event.time, event.time, event.received);
            let (first, last, received) = *index.streams.get(&event.stream).unwrap_or(&now);
            let with = (
                first.min(event.time),
                last.max(event.time),
                received.max(event.received),
            );
            index.streams.insert(Arc::clone(&event.stream), with);
        }
        index
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        let bytes = serde_json::to_vec(self);
        bytes.expect("an index is texts and numbers").into()
    }

    fn size(&self) -> usize {
        let names = self.streams.keys();
        names.map(|name| name.len() + 96).sum::<usize>() + 96
    }
}

impl Reading {
    pub(super) fn new(blobs: Arc<dyn Blobs>) -> Self {
        Self {
            blobs,
            segments: Cache::new(SEGMENTS_BYTES),
            indexes: Cache::new(INDEXES_BYTES),
            names: Cache::new(NAMES_BYTES),
        }
    }

    /// A blob, empty if it is longer than any that we would write: who wrote it may be hostile.
    async fn get(&self, blob: &str) -> Result<Option<Bytes>, Error> {
        match self.blobs.size(blob).await? {
            None => Ok(None),
            Some(bytes) if bytes > SEGMENT_BYTES_MAX => Ok(Some(Bytes::new())),
            Some(_) => self.blobs.get(blob).await,
        }
    }

    /// The blobs of a group, without segments that end before `since`.
    pub(super) async fn list(&self, group: &Group, since: u64) -> Result<Listing, Error> {
        Listing::read(self.blobs.as_ref(), &group.prefix, since).await
    }

    /// A segment; `None` if it is gone. One that is damaged, or not what its name says, has nothing: that is reported here.
    pub(super) async fn segment(
        &self,
        group: &Group,
        name: &SegmentName,
    ) -> Result<Option<Arc<Segment>>, Error> {
        let blob = group.blob(&Leaf::Segment(*name));
        if let Some(known) = self.segments.get(&blob) {
            return Ok(Some(known));
        }
        let Some(bytes) = self.get(&blob).await? else {
            return Ok(None);
        };
        let read = segment::read(name, &group.name, &bytes).unwrap_or_else(|bad| {
            tracing::warn!(
                blob,
                error = &bad as &dyn std::error::Error,
                "log events cannot be read"
            );
            Segment {
                damaged: true,
                ..Segment::default()
            }
        });
        let read = Arc::new(read);
        let size = bytes.len() + read.events.len() * size_of::<Event>();
        self.segments.put(&blob, Arc::clone(&read), size);
        Ok(Some(read))
    }

    /// Several, each as [`Reading::segment`] has it.
    pub(super) async fn segments(
        &self,
        group: &Group,
        names: &[SegmentName],
    ) -> Result<Vec<Option<Arc<Segment>>>, Error> {
        let mut gets = Vec::new();
        for name in names {
            gets.push(async move { self.segment(group, name).await.map(Some) }.boxed());
        }
        all(gets).await
    }

    /// What is in a segment of a listing; `None` if it is gone.
    pub(super) async fn index(
        &self,
        (group, listing): (&Group, &Listing),
        name: &SegmentName,
    ) -> Result<Option<Arc<Index>>, Error> {
        let blob = group.blob(&Leaf::Index(*name));
        if let Some(known) = self.indexes.get(&blob) {
            return Ok(Some(known));
        }
        let mut read = None;
        if listing.indexed.contains(name)
            && let Some(bytes) = self.get(&blob).await?
        {
            let index = serde_json::from_slice::<Index>(&bytes).ok();
            read = index.filter(|index| index.group == group.name);
        }
        if read.is_none() {
            let segment = self.segment(group, name).await?;
            read = segment.map(|segment| Index::of(&group.name, &segment.events));
        }
        let Some(read) = read.map(Arc::new) else {
            return Ok(None);
        };
        self.indexes.put(&blob, Arc::clone(&read), read.size());
        Ok(Some(read))
    }

    /// What is in all segments of a listing, without those that are gone.
    pub(super) async fn indexes(
        &self,
        group: &Group,
        listing: &Listing,
    ) -> Result<Vec<Arc<Index>>, Error> {
        let mut gets = Vec::new();
        for name in &listing.segments {
            gets.push(self.index((group, listing), name).boxed());
        }
        all(gets).await
    }

    /// The names of streams that were created, without those that are gone, and when they were.
    pub(super) async fn created(
        &self,
        group: &Group,
        listing: &Listing,
    ) -> Result<Vec<(String, u64)>, Error> {
        let mut gets = Vec::new();
        for (stream, at) in &listing.created {
            gets.push(self.created_stream(group, *stream, *at).boxed());
        }
        all(gets).await
    }

    async fn created_stream(
        &self,
        group: &Group,
        stream: StreamHash,
        at: u64,
    ) -> Result<Option<(String, u64)>, Error> {
        let named = self.named(&group.blob(&Leaf::Created(stream, at))).await?;
        let is_it =
            |named: &Arc<Named>| named.group == group.name && stream_hash(&named.stream) == stream;
        let named = named.filter(is_it);
        Ok(named.map(|named| (named.stream.clone(), at)))
    }

    /// Whose a blob is.
    pub(super) async fn named(&self, blob: &str) -> Result<Option<Arc<Named>>, Error> {
        if let Some(known) = self.names.get(blob) {
            return Ok(Some(known));
        }
        let Some(bytes) = self.get(blob).await? else {
            return Ok(None);
        };
        let line = bytes.split(|byte| *byte == b'\n').next();
        let named = line.and_then(|line| serde_json::from_slice::<Named>(line).ok());
        let Some(named) = named.map(Arc::new) else {
            return Ok(None);
        };
        let size = named.group.len() + named.stream.len() + blob.len();
        self.names.put(blob, Arc::clone(&named), size);
        Ok(Some(named))
    }

    /// The group whose blobs' names begin like that, if its name is too long to be there: one of the blobs says it.
    pub(super) async fn long_named(
        &self,
        scope: &Scope,
        blob: &str,
    ) -> Result<Option<Group>, Error> {
        let named = self.named(blob).await?;
        let group = named.map(|named| Group::new(scope, &named.group));
        Ok(group.filter(|group| blob.starts_with(&group.prefix)))
    }
}

/// Does all of it, some at a time.
async fn all<T>(gets: Vec<BoxFuture<'_, Result<Option<T>, Error>>>) -> Result<Vec<T>, Error> {
    let mut got = stream::iter(gets).buffered(GETS);
    let mut all = Vec::new();
    while let Some(one) = got.next().await {
        all.extend(one?);
    }
    Ok(all)
}

/// The store's error as those of files are.
pub(super) fn failed(error: Error) -> io::Error {
    match error {
        Error::Full { .. } => io::Error::new(io::ErrorKind::StorageFull, error),
        error => io::Error::other(error),
    }
}
