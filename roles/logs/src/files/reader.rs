//! Reading logs back while they are being written.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use types::{Scope, Timestamp};

use super::index::{Chunk, Indexed, Indices};
use super::segment::Segment;
use super::{path, segment};
use crate::search::{Finding, Page, Place, Search, Streams};
use crate::store::{Line, StreamFacts};

/// Reads groups, streams and events. All calls wait for the disk. Copies share what they have learned
/// from it.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    folder: PathBuf,
    indices: Indices,
}

impl LogReader {
    /// Reads the logs in `folder`, whichever process writes them.
    pub(crate) fn new(folder: PathBuf) -> Self {
        let indices = Indices::default();
        Self { folder, indices }
    }

    /// The groups of a scope by name, as far as they have streams or had some.
    pub(crate) fn groups(&self, scope: &Scope) -> io::Result<Vec<String>> {
        path::groups(&path::scope_folder(&self.folder, scope))
    }

    /// The groups of all scopes.
    pub(crate) fn all_groups(&self) -> io::Result<Vec<(Scope, String)>> {
        let mut all = Vec::new();
        for scope in path::scopes(&self.folder)? {
            let groups = self.groups(&scope)?.into_iter();
            all.extend(groups.map(|group| (scope.clone(), group)));
        }
        Ok(all)
    }

    /// The streams of a group by name; none if there is no such group.
    pub(crate) fn streams(&self, scope: &Scope, group: &str) -> io::Result<Vec<String>> {
        let segments = segment::of_group(&path::group_folder(&self.folder, scope, group))?;
        Ok(segments.into_keys().collect())
    }

    /// When a group's folder was created, if it has one.
    pub(crate) fn group_made(&self, scope: &Scope, group: &str) -> io::Result<Option<Timestamp>> {
        let metadata = match std::fs::metadata(path::group_folder(&self.folder, scope, group)) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // Not every file system records when a folder was created.
        let made = metadata.created().or_else(|_| metadata.modified())?;
        Ok(Some(segment::timestamp(made)))
    }

    /// Bytes on disk of a group.
    pub(crate) fn group_bytes(&self, scope: &Scope, group: &str) -> io::Result<u64> {
        let segments = segment::of_group(&path::group_folder(&self.folder, scope, group))?;
        Ok(segments
            .values()
            .flatten()
            .map(|segment| segment.bytes)
            .sum())
    }

    /// These streams of a group, by name.
    pub(crate) fn describe(
        &self,
        scope: &Scope,
        group: &str,
        streams: &Streams,
    ) -> io::Result<Vec<StreamFacts>> {
        let streams = self.indexed(scope, group, streams)?;
        let facts = streams.iter().map(|stream| StreamFacts {
            name: stream.stream.to_string(),
            created: stream.created(),
            times: stream.times(),
            ingested: stream.ingested(),
        });
        Ok(facts.collect())
    }

    /// Searches a group.
    pub(crate) fn search(&self, scope: &Scope, group: &str, search: &Search) -> io::Result<Page> {
        let streams = self.indexed(scope, group, &search.streams)?;
        let mut finding = Finding::new(search);
        let mut candidates = candidates(&streams, &finding);
        candidates.sort_by_key(|candidate| candidate.key);
        for candidate in &candidates {
            if !finding.wants(candidate.key, candidate.chunk.bytes) {
                break;
            }
            candidate.read(&mut finding)?;
        }
        Ok(finding.page())
    }

    fn indexed(&self, scope: &Scope, group: &str, streams: &Streams) -> io::Result<Vec<Indexed>> {
        let folder = path::group_folder(&self.folder, scope, group);
        self.indices.of_group(&folder, streams)
    }
}

/// A chunk that may hold what is searched for.
struct Candidate<'i> {
    key: u64,
    stream: &'i Arc<str>,
    segment: &'i Segment,
    chunk: Chunk,
}

fn candidates<'i>(streams: &'i [Indexed], finding: &Finding<'_>) -> Vec<Candidate<'i>> {
    let mut found = Vec::new();
    for indexed in streams {
        for (segment, index) in &indexed.segments {
            for chunk in &index.chunks {
                if let Some(key) = finding.key((chunk.min, chunk.max)) {
                    found.push(Candidate {
                        key,
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

impl Candidate<'_> {
    fn read(&self, finding: &mut Finding<'_>) -> io::Result<()> {
        let bytes = self.bytes()?;
        let mut position = self.segment.base + self.chunk.offset;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let here = position;
            position += line.len() as u64;
            let Ok(line) = serde_json::from_slice::<Line>(line) else {
                continue;
            };
            let place = Place {
                time: line.time.as_millis(),
                stream: Arc::clone(self.stream),
                position: here.into(),
            };
            let ingested = line.ingested.unwrap_or(line.time).as_millis();
            finding.offer(place, ingested, &line.message);
        }
        Ok(())
    }

    /// Its lines; none if its file was deleted.
    fn bytes(&self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match File::open(&self.segment.path) {
            Ok(mut file) => {
                file.seek(SeekFrom::Start(self.chunk.offset))?;
                file.take(self.chunk.bytes).read_to_end(&mut bytes)?;
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(bytes),
            Err(error) => Err(error),
        }
    }
}
