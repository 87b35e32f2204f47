//! What is in a blob of events: one JSON object a line, so that it can be read without us.
//!
//! ```text
//!   {"group":"/aws/lambda/f","streams":["2026/01/31/[1]0a…"],"takers":[123],"replaces":[]}
//!   {"s":0,"k":0,"n":7,"t":1769854830123,"m":"…"}          an event: stream, taker, number, time, text
//!   {"s":0,"k":0,"n":8,"t":…,"i":…,"m":"…"}                one that was received later than it happened
//! ```
//!
//! A worker writes it, and may have been taken over by what it runs: whatever is here is read as a whole or refused,
//! and its name decides whose it is and what it may contain.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::logs::EventId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::name::{Maker, SPAN_MAX, SegmentName, TIME_MAX};
use crate::search::Place;

/// A segment is followed by the next at this length, bytes.
pub(super) const CUT_BYTES: usize = 4 * 1024 * 1024;

/// An event of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Event {
    /// Milliseconds since 1970.
    pub(super) time: u64,
    pub(super) stream: Arc<str>,
    pub(super) id: EventId,
    /// When we received it.
    pub(super) received: u64,
    pub(super) message: String,
}

/// A blob's events.
#[derive(PartialEq, Eq, Debug, Default)]
pub(super) struct Segment {
    /// In the order of their places.
    pub(super) events: Vec<Event>,
    /// Leaves of the segments whose events are here.
    pub(super) replaces: Vec<String>,
    /// Whether it could not be read, and so has nothing.
    pub(super) damaged: bool,
}

/// Why a blob is no segment.
#[derive(Debug, thiserror::Error)]
pub(super) enum Bad {
    #[error("it has another length than its name says")]
    Length,
    #[error("its first line is damaged")]
    Head(#[source] serde_json::Error),
    #[error("it is of another group")]
    Group,
    #[error("an event is damaged")]
    Line(#[source] serde_json::Error),
    #[error("an event is not as the name says")]
    Event,
}

#[derive(Serialize)]
struct Head<'h> {
    group: &'h str,
    streams: Vec<String>,
    takers: Vec<u64>,
    replaces: Vec<String>,
}

/// The name alone: that of the group of any of our blobs.
#[derive(Serialize, Deserialize)]
pub(super) struct Named {
    /// The group.
    pub(super) group: String,
    /// The stream, of a marker.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) stream: String,
}

#[derive(Serialize, Deserialize)]
struct Row<'r> {
    #[serde(rename = "s")]
    stream: usize,
    #[serde(rename = "k")]
    taker: usize,
    #[serde(rename = "n")]
    number: u64,
    #[serde(rename = "t")]
    time: u64,
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    received: Option<u64>,
    #[serde(rename = "m", borrow)]
    message: Cow<'r, str>,
}

impl Event {
    /// Where it is.
    pub(super) fn place(&self) -> Place {
        Place {
            time: self.time,
            stream: Arc::clone(&self.stream),
            position: (u128::from(self.id.taker) << 64) | u128::from(self.id.number),
        }
    }
}

/// Who writes segments.
#[derive(Clone, Copy)]
pub(super) enum Writer<'w> {
    /// What took the events.
    Taker,
    /// A merge of these leaves: its number, and the time.
    Merge(u64, u64, &'w [String]),
}

/// Events of a group, in the order of their places, as segments. Times that no name can say are left out.
pub(super) fn cut(group: &str, events: &[Event], writer: Writer<'_>) -> Vec<(SegmentName, Bytes)> {
    let mut cuts = Vec::new();
    let mut open = Open::default();
    for event in events {
        if event.time > TIME_MAX || event.received > TIME_MAX {
            continue;
        }
        let far = open
            .times
            .is_some_and(|(first, ..)| event.time - first > SPAN_MAX);
        if far || open.rows.len() >= CUT_BYTES {
            cuts.extend(std::mem::take(&mut open).close(group, writer));
        }
        open.add(event);
    }
    cuts.extend(open.close(group, writer));
    cuts
}

/// A segment being written.
#[derive(Default)]
struct Open<'e> {
    rows: Vec<u8>,
    streams: BTreeMap<&'e str, usize>,
    takers: BTreeMap<u64, usize>,
    /// Of the first event, of the last, and when the last was received.
    times: Option<(u64, u64, u64)>,
    id: Option<EventId>,
}

impl<'e> Open<'e> {
    fn add(&mut self, event: &'e Event) {
        let count = self.streams.len();
        let stream = *self.streams.entry(&event.stream).or_insert(count);
        let count = self.takers.len();
        let taker = *self.takers.entry(event.id.taker).or_insert(count);
        let row = Row {
            stream,
            taker,
            number: event.id.number,
            time: event.time,
            received: (event.received != event.time).then_some(event.received),
            message: Cow::Borrowed(&event.message),
        };
        serde_json::to_writer(&mut self.rows, &row).expect("a row is numbers and a text");
        self.rows.push(b'\n');
        let (first, _, received) = self.times.unwrap_or((event.time, 0, 0));
        self.times = Some((first, event.time, received.max(event.received)));
        self.id.get_or_insert(event.id);
    }

    fn close(self, group: &str, writer: Writer<'_>) -> Option<(SegmentName, Bytes)> {
        let (first, last, received) = self.times?;
        let id = self.id?;
        let (maker, replaces) = match writer {
            Writer::Taker => (Maker::Taker(id.taker, id.number), Vec::new()),
            Writer::Merge(merge, made, replaces) => (Maker::Merge(merge, made), replaces.to_vec()),
        };
        let head = Head {
            group,
            streams: in_order(&self.streams, |stream| (*stream).to_owned()),
            takers: in_order(&self.takers, |taker| *taker),
            replaces,
        };
        let mut bytes = serde_json::to_vec(&head).expect("a head is numbers and texts");
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.rows);
        let name = SegmentName {
            first,
            last,
            received,
            bytes: bytes.len() as u64,
            maker,
        };
        Some((name, bytes.into()))
    }
}

fn in_order<K, T>(numbered: &BTreeMap<K, usize>, of: impl Fn(&K) -> T) -> Vec<T> {
    let mut order: Vec<(&K, usize)> = numbered.iter().map(|(key, at)| (key, *at)).collect();
    order.sort_by_key(|(_, at)| *at);
    order.into_iter().map(|(key, _)| of(key)).collect()
}

/// Reads a blob of that name in that group.
pub(super) fn read(name: &SegmentName, group: &str, bytes: &[u8]) -> Result<Segment, Bad> {
    if bytes.len() as u64 != name.bytes {
        return Err(Bad::Length);
    }
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let head = lines.next().unwrap_or_default();
    let head: OwnedHead = serde_json::from_slice(head).map_err(Bad::Head)?;
    if head.group != group {
        return Err(Bad::Group);
    }
    let mut events = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let row: Row<'_> = serde_json::from_slice(line).map_err(Bad::Line)?;
        let event = head.event(row).ok_or(Bad::Event)?;
        let taken = match name.maker {
            Maker::Taker(taker, _) => event.id.taker == taker,
            Maker::Merge(..) => true,
        };
        let times = name.first..=name.last;
        if !taken || !times.contains(&event.time) || event.received > name.received {
            return Err(Bad::Event);
        }
        events.push(event);
    }
    Ok(Segment {
        events,
        replaces: head.replaces,
        damaged: false,
    })
}

#[derive(Deserialize)]
struct OwnedHead {
    group: String,
    streams: Vec<Arc<str>>,
    takers: Vec<u64>,
    replaces: Vec<String>,
}

impl OwnedHead {
    fn event(&self, row: Row<'_>) -> Option<Event> {
        Some(Event {
            time: row.time,
            stream: Arc::clone(self.streams.get(row.stream)?),
            id: EventId {
                taker: *self.takers.get(row.taker)?,
                number: row.number,
            },
            received: row.received.unwrap_or(row.time),
            message: row.message.into_owned(),
        })
    }
}
