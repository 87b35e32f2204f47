//! Finding events by time, page by page, with bounded memory and, for what was written in order,
//! little reading.
//!
//! ```text
//!   streams ─▶ chunks that can hold what is wanted, by their earliest time ─▶ the first events
//! ```
//!
//! A store offers what it has chunk by chunk, in the order of each chunk's earliest event, until none that
//! is left can hold an event before the last of the page. Searching backwards is the same with time
//! reversed. Nothing here reads: [`Finding`] decides what is worth reading and what of it is the page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What an event counts in addition to its message, as CloudWatch Logs counts it.
const EVENT_BYTES: usize = 26;
/// Bytes of events in one page (AWS: 1 MB).
const PAGE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes read for one page. What then precedes everything unread is the page; the next continues.
const READ_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The position of an event among all of a group: by time, then by stream, then by its position in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Milliseconds since 1970.
    pub time: u64,
    /// The stream's name.
    pub stream: Arc<str>,
    /// Never that of another event of the same stream and time.
    pub position: u128,
}

/// An event that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// When we received it, milliseconds since 1970.
    pub ingested: u64,
    /// The text.
    pub message: String,
}

/// The direction of the search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From the earliest.
    Forward,
    /// From the latest.
    Backward,
}

/// Which streams of a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Streams {
    /// Those of these names.
    Named(BTreeSet<String>),
    /// Those whose names begin like this.
    Prefixed(String),
}

/// Whether an event's message matches.
pub type Matches = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What is searched for.
#[derive(Clone)]
pub struct Search {
    /// From which end.
    pub direction: Direction,
    /// Where. A backward search covers one stream.
    pub streams: Streams,
    /// Times, milliseconds since 1970: from the first, and before the second.
    pub times: (u64, u64),
    /// Where to continue: forward from there, including it; backward before there.
    pub from: Option<Place>,
    /// The most events.
    pub limit: usize,
    /// Which of them; all if there is none.
    pub matches: Option<Matches>,
}

/// What was found.
#[derive(Debug)]
pub struct Page {
    /// By position, in either direction.
    pub events: Vec<Found>,
    /// Where to continue, as [`Search::from`] takes it, unless everything has been searched.
    pub rest: Option<Place>,
}

/// A search under way.
pub(crate) struct Finding<'s> {
    search: &'s Search,
    /// Where it begins, as the search orders places.
    from: Option<Place>,
    kept: Kept,
    /// Bytes read so far.
    read: u64,
    /// The time before which all has to be read, as the search orders times.
    floor: Option<u64>,
    /// The time from which nothing was read, because enough was.
    frontier: Option<u64>,
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
            position: match self {
                Self::Forward => place.position,
                Self::Backward => u128::MAX - place.position,
            },
            stream: place.stream,
        }
    }
}

impl Streams {
    /// All of a group.
    pub(crate) fn all() -> Self {
        Self::Prefixed(String::new())
    }

    /// One.
    pub(crate) fn one(name: &str) -> Self {
        Self::Named(BTreeSet::from([name.to_owned()]))
    }

    /// Whether a stream is one of them.
    pub(crate) fn have(&self, stream: &str) -> bool {
        match self {
            Self::Named(names) => names.contains(stream),
            Self::Prefixed(prefix) => stream.starts_with(prefix),
        }
    }
}

impl<'s> Finding<'s> {
    /// Begins a search.
    pub(crate) fn new(search: &'s Search) -> Self {
        Self {
            from: search.from.clone().map(|place| search.begin(place)),
            search,
            kept: Kept::default(),
            read: 0,
            floor: None,
            frontier: None,
        }
    }

    /// By which a chunk is ordered whose events are of these times, the last included; `None` if it cannot
    /// hold what is searched for.
    pub(crate) fn key(&self, (min, max): (u64, u64)) -> Option<u64> {
        let (start, end) = self.search.times;
        let (first, last) = match self.search.direction {
            Direction::Forward => (min, max),
            Direction::Backward => (u64::MAX - max, u64::MAX - min),
        };
        let over = self.from.as_ref().is_some_and(|from| last < from.time);
        (max >= start && min < end && !over).then_some(first)
    }

    /// Whether to read the next chunk in the order of keys, of that many bytes. If not, nothing more is.
    pub(crate) fn wants(&mut self, key: u64, bytes: u64) -> bool {
        let from = self.from.as_ref().map(|place| place.time);
        let floor = *self.floor.get_or_insert(from.unwrap_or(key));
        if self.kept.cut && self.kept.last_time().is_some_and(|last| key > last) {
            return false;
        }
        if self.read >= READ_BYTES_MAX && key > floor {
            self.frontier = Some(key);
            return false;
        }
        self.read += bytes;
        true
    }

    /// An event that was read, of a stream that is wanted. One that is offered twice is found once.
    pub(crate) fn offer(&mut self, place: Place, ingested: u64, message: &str) {
        let (start, end) = self.search.times;
        let time = place.time;
        let place = self.search.direction.turn_place(place);
        let from = self.from.as_ref();
        let wanted = time >= start && time < end && from.is_none_or(|from| place >= *from);
        let matches = self.search.matches.as_ref();
        if wanted && !self.kept.is_beyond(&place) && matches.is_none_or(|matches| matches(message))
        {
            self.kept.add(place, ingested, message, self.search.limit);
        }
    }

    /// What was found.
    pub(crate) fn page(self) -> Page {
        self.search.page(self.kept, self.frontier)
    }
}

impl Search {
    /// The first position that a reversed search is to read.
    fn begin(&self, place: Place) -> Place {
        let turned = self.direction.turn_place(place);
        match self.direction {
            Direction::Forward => turned,
            Direction::Backward => turned.next(),
        }
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

    fn add(&mut self, place: Place, ingested: u64, message: &str, limit: usize) {
        if self.events.contains_key(&place) {
            return;
        }
        self.bytes += message.len() + EVENT_BYTES;
        let event = Found {
            place: place.clone(),
            ingested,
            message: message.to_owned(),
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
                position: u128::MAX,
                ..self
            },
        }
    }
}
