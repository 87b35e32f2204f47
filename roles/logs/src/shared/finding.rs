//! Finding groups, streams and events in blobs and in what workers say.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use futures_util::future::FutureExt as _;
use futures_util::stream::{self, StreamExt as _};
use types::Scope;

use super::SharedStore;
use super::listing::{Listing, NAMES, following};
use super::name::{Component, SegmentName, scope_prefix, split};
use super::reading::{Group, failed};
use super::segment::{Event, Segment};
use crate::search::{Direction, Finding, Page, Place, Search, Streams};
use crate::store::StreamFacts;

/// A search begins again if a segment is gone that was listed, since its events are then in another.
const TRIES_MAX: usize = 5;
/// Segments that are read before it is known whether they are needed.
const READ_AHEAD: usize = 4;

impl SharedStore {
    /// The names of a scope's groups. A list of a thousand blobs at a time, and none for what is of a known group.
    pub(super) async fn group_names(&self, scope: &Scope) -> io::Result<Vec<String>> {
        let prefix = scope_prefix(scope);
        let mut groups = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let list = self.reading.blobs.list(&prefix, after.as_deref(), NAMES);
            let names = list.await.map_err(failed)?;
            let mut seen = "";
            for name in &names {
                let end = name[prefix.len()..].find('/').unwrap_or(0);
                let component = &name[..prefix.len() + end];
                if component == seen {
                    continue;
                }
                seen = component;
                match split(name) {
                    Some((_, Component::Plain(group), _)) => groups.push(group),
                    Some((_, Component::Hashed, _)) => {
                        let long = self.reading.long_named(scope, name).await.map_err(failed)?;
                        groups.extend(long.map(|group| group.name));
                    }
                    None => {}
                }
            }
            let Some(last) = following(names) else {
                return Ok(groups);
            };
            // What is after all blobs of the last one's group: `0` follows `/`.
            let known = last[prefix.len()..].split('/').next().unwrap_or_default();
            after = Some(format!("{prefix}{known}0"));
        }
    }

    /// What is known of streams.
    pub(super) async fn facts(
        &self,
        scope: &Scope,
        group: &Group,
        streams: &Streams,
    ) -> io::Result<Vec<StreamFacts>> {
        let recents = self.recents(scope, group, 0).await;
        let listing = self.list(group).await?;
        let mut known: BTreeMap<String, StreamFacts> = BTreeMap::new();
        let mut learn = |stream: &str, (first, last, received): (u64, u64, u64)| {
            if !streams.have(stream) || listing.deleted.hide(stream, received) {
                return;
            }
            let facts = known
                .entry(stream.to_owned())
                .or_insert_with(|| StreamFacts {
                    name: stream.to_owned(),
                    created: first,
                    times: None,
                    ingested: None,
                });
            let (from, to) = facts.times.unwrap_or((first, last));
            facts.times = Some((from.min(first), to.max(last)));
            facts.created = facts.created.min(first);
            facts.ingested = facts.ingested.max(Some(received));
        };
        let indexes = self.reading.indexes(group, &listing).await;
        for index in indexes.map_err(failed)? {
            for (stream, times) in &index.streams {
                learn(stream, *times);
            }
        }
        for event in recents.seen(&listing.deleted) {
            learn(&event.stream, (event.time, event.time, event.received));
        }
        let created = self.reading.created(group, &listing).await;
        for (stream, at) in created.map_err(failed)? {
            if streams.have(&stream) {
                let facts = known.entry(stream.clone()).or_insert(StreamFacts {
                    name: stream,
                    created: at,
                    times: None,
                    ingested: None,
                });
                facts.created = at;
            }
        }
        Ok(known.into_values().collect())
    }

    /// A page of events.
    pub(super) async fn find(
        &self,
        scope: &Scope,
        group: &Group,
        search: &Search,
    ) -> io::Result<Page> {
        for _ in 0..TRIES_MAX {
            if let Some(page) = self.find_once(scope, group, search).await? {
                return Ok(page);
            }
        }
        Err(io::ErrorKind::ResourceBusy.into())
    }

    /// The same; `None` if a segment is gone that was there a moment ago.
    async fn find_once(
        &self,
        scope: &Scope,
        group: &Group,
        search: &Search,
    ) -> io::Result<Option<Page>> {
        let mut search = search.clone();
        let since = match (&search.from, search.direction) {
            (Some(from), Direction::Forward) => from.time.max(search.times.0),
            _ => search.times.0,
        };
        let recents = self.recents(scope, group, since).await;
        let listing = self.reading.list(group, since).await.map_err(failed)?;
        let horizon = recents.horizon.filter(|horizon| *horizon < search.times.1);
        if let Some(horizon) = horizon {
            search.times.1 = horizon;
        }
        let mut finding = Finding::new(&search);
        let offer = |finding: &mut Finding<'_>, event: &Event| {
            let hidden = || listing.deleted.hide(&event.stream, event.received);
            if search.streams.have(&event.stream) && !hidden() {
                finding.offer(event.place(), event.received, &event.message);
            }
        };
        for event in recents.seen(&listing.deleted) {
            offer(&mut finding, event);
        }
        let mut candidates = Vec::new();
        for name in &listing.segments {
            if let Some(key) = finding.key((name.first, name.last)) {
                candidates.push((key, name));
            }
        }
        candidates.sort_by_key(|(key, name)| (*key, **name));
        let wanted = &search.streams;
        let mut gets = Vec::new();
        for (key, name) in candidates {
            let segment = self.segment_with((group, &listing), name, wanted);
            let get = async move { (key, name.bytes, segment.await) };
            gets.push(get.boxed());
        }
        let mut read = stream::iter(gets).buffered(READ_AHEAD);
        while let Some((key, bytes, segment)) = read.next().await {
            let segment = match segment.map_err(failed)? {
                Read::Segment(segment) => segment,
                Read::Nothing => continue,
                Read::Gone => return Ok(None),
            };
            if !finding.wants(key, bytes) {
                break;
            }
            for event in &segment.events {
                offer(&mut finding, event);
            }
        }
        drop(read);
        let mut page = finding.page();
        if let (Some(horizon), None, Direction::Forward) = (horizon, &page.rest, search.direction) {
            let border = Place {
                time: horizon,
                stream: "".into(),
                position: 0,
            };
            page.rest = Some(border).max(search.from.clone());
        }
        Ok(Some(page))
    }

    /// A segment, if it has some of the streams; it is not read if that is known without reading it.
    async fn segment_with(
        &self,
        (group, listing): (&Group, &Listing),
        name: &SegmentName,
        streams: &Streams,
    ) -> Result<Read, storage::Error> {
        if *streams != Streams::all() && listing.indexed.contains(name) {
            match self.reading.index((group, listing), name).await? {
                None => return Ok(Read::Gone),
                Some(index) if !index.streams.keys().any(|stream| streams.have(stream)) => {
                    return Ok(Read::Nothing);
                }
                Some(_) => {}
            }
        }
        let segment = self.reading.segment(group, name).await?;
        Ok(segment.map_or(Read::Gone, Read::Segment))
    }
}

/// What came of reading a segment.
enum Read {
    Segment(Arc<Segment>),
    /// None of the streams is in it.
    Nothing,
    Gone,
}
