//! Which part of a segment holds which times, so that a search reads only what it must.
//!
//! Built by reading a segment once, and then only what is new; kept in memory, some 40 bytes for every
//! [`CHUNK_BYTES`] of log.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use super::segment::{self, Head, Segment};
use crate::search::Streams;

/// How much a search reads at once: many lines, and few enough that reading one too many costs little.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Consecutive whole lines, and the times of their events.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Chunk {
    /// Where in the file it begins.
    pub(super) offset: u64,
    pub(super) bytes: u64,
    /// The earliest and the latest time in it, milliseconds since 1970.
    pub(super) min: u64,
    pub(super) max: u64,
}

/// What is known about a segment.
#[derive(Clone, Default, Debug)]
pub(super) struct Index {
    pub(super) chunks: Vec<Chunk>,
    /// When its stream was created, if its first line says so.
    pub(super) created: Option<u64>,
    /// When it last received an event.
    pub(super) ingested: u64,
    /// How far it has been read.
    read: u64,
    /// The file it describes.
    identity: Option<(u64, Option<SystemTime>)>,
}

/// The times of one line.
#[derive(serde::Deserialize)]
struct Times {
    t: u64,
    i: Option<u64>,
}

impl Index {
    /// Whether all of a segment has been read.
    fn covers(&self, segment: &Segment) -> bool {
        self.identity == Some(segment.identity) && self.read == segment.bytes
    }

    /// Reads what was added since. A deleted file has nothing.
    fn update(&mut self, segment: &Segment) -> io::Result<()> {
        let identity = Some(segment.identity);
        if self.identity != identity || segment.bytes < self.read {
            *self = Self {
                identity,
                ..Self::default()
            };
        }
        let file = match File::open(&segment.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                *self = Self::default();
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::with_capacity(CHUNK_BYTES as usize, file);
        reader.seek(SeekFrom::Start(self.read))?;
        self.take_lines(&mut reader)
    }

    fn take_lines(&mut self, reader: &mut impl io::BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            // A line without its end is still being written.
            if !line.ends_with(b"\n") {
                return Ok(());
            }
            self.take_line(&line);
        }
    }

    fn take_line(&mut self, line: &[u8]) {
        let (offset, bytes) = (self.read, line.len() as u64);
        self.read += bytes;
        let Ok(times) = serde_json::from_slice::<Times>(line) else {
            // The head; or a line that a crash has torn.
            if let (0, Ok(head)) = (offset, serde_json::from_slice::<Head>(line)) {
                self.created = Some(head.created.as_millis());
            }
            return;
        };
        let time = times.t;
        self.ingested = self.ingested.max(times.i.unwrap_or(time));
        match self.chunks.last_mut() {
            Some(last) if last.bytes + bytes <= CHUNK_BYTES => {
                last.bytes = offset + bytes - last.offset;
                last.min = last.min.min(time);
                last.max = last.max.max(time);
            }
            _ => self.chunks.push(Chunk {
                offset,
                bytes,
                min: time,
                max: time,
            }),
        }
    }
}

/// A stream with what is known about its segments.
#[derive(Clone, Debug)]
pub(super) struct Indexed {
    pub(super) stream: Arc<str>,
    pub(super) segments: Vec<(Segment, Arc<Index>)>,
}

/// Everything that is known, by group's folder and file.
#[derive(Clone, Default, Debug)]
pub(super) struct Indices(Arc<Mutex<BTreeMap<PathBuf, Group>>>);

type Group = BTreeMap<PathBuf, Arc<Index>>;

impl Indices {
    /// These streams of a group, as they are now. Deleted files are forgotten.
    pub(super) fn of_group(&self, folder: &Path, wanted: &Streams) -> io::Result<Vec<Indexed>> {
        let segments = segment::of_group(folder)?;
        let mut known = self.lock().get(folder).cloned().unwrap_or_default();
        let mut kept = Group::new();
        let mut found = Vec::new();
        for (stream, segments) in segments {
            let wanted = wanted.have(&stream);
            let mut indexed = Vec::new();
            for segment in segments {
                let mut index = known.remove(&segment.path).unwrap_or_default();
                // Unwanted ones are read when they are wanted.
                if wanted && !index.covers(&segment) {
                    Arc::make_mut(&mut index).update(&segment)?;
                }
                kept.insert(segment.path.clone(), Arc::clone(&index));
                indexed.push((segment, index));
            }
            if wanted {
                found.push(Indexed {
                    stream: stream.into(),
                    segments: indexed,
                });
            }
        }
        let mut all = self.lock();
        match kept.is_empty() {
            true => all.remove(folder),
            false => all.insert(folder.to_owned(), kept),
        };
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<PathBuf, Group>> {
        self.0.lock().expect("no code panics while it holds this")
    }
}

impl Indexed {
    /// When the stream was created.
    pub(super) fn created(&self) -> u64 {
        let told = self.segments.iter().find_map(|(_, index)| index.created);
        told.or_else(|| self.times().map(|(first, _)| first))
            .unwrap_or(0)
    }

    /// The times of its first and last event.
    pub(super) fn times(&self) -> Option<(u64, u64)> {
        let chunks = self.segments.iter().flat_map(|(_, index)| &index.chunks);
        chunks.fold(None, |times, chunk| match times {
            None => Some((chunk.min, chunk.max)),
            Some((min, max)) => Some((chunk.min.min(min), chunk.max.max(max))),
        })
    }

    /// When it last received an event.
    pub(super) fn ingested(&self) -> Option<u64> {
        let all = self.segments.iter().map(|(_, index)| index.ingested);
        all.max().filter(|time| *time > 0)
    }
}
