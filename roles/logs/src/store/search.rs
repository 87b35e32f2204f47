//! Finding events by time, page by page, with bounded memory and, for what was written in order,
//! little reading.
//!
//! ```text
//!   streams ─▶ chunks that can hold what is wanted, by their earliest time ─▶ the first events
//! ```
//!
//! Chunks are read in the order of their earliest event, until none that is left can hold an event
//! before the last of the page. Searching backwards is the same with time reversed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::sync::Arc;

use super::index::{Chunk, Indexed};
use super::segment::{Line, Segment};

/// What an event counts in addition to its message, as CloudWatch Logs counts it.
const EVENT_BYTES: usize = 26;
/// Bytes of events in one page (AWS: 1 MB).
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes read for one page. What then precedes everything unread is the page; the next continues.
const READ_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The position of an event among all of a group: by time, then by stream, then by its position in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Place {
    /// Milliseconds since 1970.
    pub(crate) time: u64,
    pub(crate) stream: Arc<str>,
    pub(crate) position: u64,
}

/// An event that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    /// When we received it, milliseconds since 1970.
    pub(crate) ingested: u64,
    pub(crate) message: String,
}

/// The direction of the search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    /// From the earliest.
    Forward,
    /// From the latest.
    Backward,
}

/// What is searched for.
pub(crate) struct Search<'s> {
    pub(crate) direction: Direction,
    /// Times, milliseconds since 1970: from the first, and before the second.
    pub(crate) times: (u64, u64),
    /// Where to continue: forward from there, including it; backward before there.
    pub(crate) from: Option<Place>,
    /// The most events.
    pub(crate) limit: usize,
    /// Whether an event's message matches.
    pub(crate) matches: &'s dyn Fn(&str) -> bool,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Page {
    /// By position, in either direction.
    pub(crate) events: Vec<Found>,
    /// Where to continue, as [`Search::from`] takes it, unless everything has been searched.
    pub(crate) rest: Option<Place>,
}

/// One chunk that may hold what is searched for; its times are reversed if the search is.
struct Candidate<'i> {
    min: u64,
    stream: &'i Arc<str>,
    segment: &'i Segment,
    chunk: Chunk,
}

/// The first events so far, by their position as the search orders them.
#[derive(Default)]
struct Kept {
    events: BTreeMap<Place, Found>,
    bytes: usize,
    /// Something that belongs behind the last was left out.
    cut: bool,
}

impl Direction {
    /// A number as this direction orders it.
    fn turn(self, number: u64) -> u64 {
        match self {
            Self::Forward => number,
            Self::Backward => u64::MAX - number,
        }
    }

    /// A position as this direction orders it. A backward search covers one stream.
    fn turn_place(self, place: Place) -> Place {
        Place {
            time: self.turn(place.time),
            position: self.turn(place.position),
            stream: place.stream,
        }
    }
}

impl Search<'_> {
    /// Searches streams. Waits for the disk.
    pub(super) fn run(&self, streams: &[Indexed]) -> io::Result<Page> {
        let from = self.from.clone().map(|place| self.begin(place));
        let mut candidates = self.candidates(streams, from.as_ref());
        candidates.sort_by_key(|candidate| candidate.min);
        let floor = from.as_ref().map(|place| place.time);
        let floor = floor.unwrap_or_else(|| candidates.first().map_or(0, |first| first.min));
        let mut kept = Kept::default();
        let mut read = 0;
        let mut frontier = None;
        for candidate in &candidates {
            if kept.cut && kept.last_time().is_some_and(|last| candidate.min > last) {
                break;
            }
            if read >= READ_BYTES_MAX && candidate.min > floor {
                frontier = Some(candidate.min);
                break;
            }
            read += candidate.chunk.bytes;
            self.read(candidate, from.as_ref(), &mut kept)?;
        }
        Ok(self.page(kept, frontier))
    }

    /// The first position that a reversed search is to read.
    fn begin(&self, place: Place) -> Place {
        let turned = self.direction.turn_place(place);
        match self.direction {
            Direction::Forward => turned,
            Direction::Backward => turned.next(),
        }
    }

    fn candidates<'i>(&self, streams: &'i [Indexed], from: Option<&Place>) -> Vec<Candidate<'i>> {
        let (start, end) = self.times;
        let mut found = Vec::new();
        for indexed in streams {
            for (segment, index) in &indexed.segments {
                for chunk in &index.chunks {
                    let (min, max) = match self.direction {
                        Direction::Forward => (chunk.min, chunk.max),
                        Direction::Backward => (u64::MAX - chunk.max, u64::MAX - chunk.min),
                    };
                    let over = from.is_some_and(|from| max < from.time);
                    if chunk.max >= start && chunk.min < end && !over {
                        found.push(Candidate {
                            min,
                            stream: &indexed.stream,
                            segment,
                            chunk: *chunk,
                        });
                    }
                }
            }
        }
        found
    }

    fn read(
        &self,
        candidate: &Candidate<'_>,
        from: Option<&Place>,
        kept: &mut Kept,
    ) -> io::Result<()> {
        let bytes = read_chunk(candidate)?;
        let (start, end) = self.times;
        let mut position = candidate.segment.base + candidate.chunk.offset;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let here = position;
            position += line.len() as u64;
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                continue;
            };
            let time = line.time.as_millis();
            let place = self.direction.turn_place(Place {
                time,
                stream: Arc::clone(candidate.stream),
                position: here,
            });
            let wanted = time >= start && time < end && from.is_none_or(|from| place >= *from);
            if wanted && !kept.is_beyond(&place) && (self.matches)(&line.message) {
                let ingested = line.ingested.unwrap_or(line.time).as_millis();
                kept.add(place, ingested, line.message, self.limit);
            }
        }
        Ok(())
    }

    fn page(&self, mut kept: Kept, frontier: Option<u64>) -> Page {
        let mut rest = match kept.cut {
            true => kept.events.keys().next_back().cloned().map(Place::next),
            false => None,
        };
        if let Some(frontier) = frontier {
            let border = Place {
                time: frontier,
                stream: "".into(),
                position: 0,
            };
            kept.events.retain(|place, _| *place < border);
            if rest.as_ref().is_none_or(|rest| *rest > border) {
                rest = Some(border);
            }
        }
        let mut events: Vec<Found> = kept.events.into_values().collect();
        for event in &mut events {
            event.place = self.direction.turn_place(event.place.clone());
        }
        if self.direction == Direction::Backward {
            events.reverse();
        }
        Page {
            events,
            rest: rest.map(|place| self.end(place)),
        }
    }

    /// The opposite of [`Search::begin`].
    fn end(&self, place: Place) -> Place {
        match self.direction {
            Direction::Forward => place,
            Direction::Backward => self.direction.turn_place(place.before()),
        }
    }
}

impl Kept {
    fn last_time(&self) -> Option<u64> {
        self.events.keys().next_back().map(|place| place.time)
    }

    /// Whether an event there would only be left out again.
    fn is_beyond(&self, place: &Place) -> bool {
        self.cut
            && self
                .events
                .keys()
                .next_back()
                .is_none_or(|last| place > last)
    }

    fn add(&mut self, place: Place, ingested: u64, message: String, limit: usize) {
        self.bytes += message.len() + EVENT_BYTES;
        let event = Found {
            place: place.clone(),
            ingested,
            message,
        };
        self.events.insert(place, event);
        while self.events.len() > limit || (self.bytes > PAGE_BYTES_MAX && self.events.len() > 1) {
            if let Some((_, event)) = self.events.pop_last() {
                self.bytes -= event.message.len() + EVENT_BYTES;
                self.cut = true;
            }
        }
    }
}

impl Place {
    /// The next one there can be.
    pub(crate) fn next(self) -> Self {
        match self.position.checked_add(1) {
            Some(position) => Self { position, ..self },
            None => Self {
                time: self.time.saturating_add(1),
                position: 0,
                ..self
            },
        }
    }
}

impl Place {
    /// The one before, the opposite of [`Place::next`].
    fn before(self) -> Self {
        match self.position.checked_sub(1) {
            Some(position) => Self { position, ..self },
            None => Self {
                time: self.time.saturating_sub(1),
                position: u64::MAX,
                ..self
            },
        }
    }
}

/// The lines of a chunk; none if its file was deleted.
fn read_chunk(candidate: &Candidate<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match File::open(&candidate.segment.path) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(candidate.chunk.offset))?;
            file.take(candidate.chunk.bytes).read_to_end(&mut bytes)?;
            Ok(bytes)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(bytes),
        Err(error) => Err(error),
    }
}
