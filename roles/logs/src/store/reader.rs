//! Reading logs back while they are being written.

use std::io;
use std::path::PathBuf;

use types::{Scope, Timestamp};

use super::index::{Indexed, Indices};
use super::search::{Page, Search};
use super::{path, segment};

/// Reads groups, streams and events. All calls wait for the disk. Copies share what they have learned
/// from it.
#[derive(Clone, Debug)]
pub(crate) struct LogReader {
    folder: PathBuf,
    indices: Indices,
}

/// A stream, as far as it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct StreamFacts {
    pub(crate) name: String,
    /// Times are milliseconds since 1970.
    pub(crate) created: u64,
    /// Of its first and its last event.
    pub(crate) times: Option<(u64, u64)>,
    /// When it last received an event.
    pub(crate) ingested: Option<u64>,
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

    /// The streams of a group that `wanted` accepts, by name.
    pub(crate) fn describe(
        &self,
        scope: &Scope,
        group: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<StreamFacts>> {
        let streams = self.indexed(scope, group, wanted)?;
        let facts = streams.iter().map(|stream| StreamFacts {
            name: stream.stream.to_string(),
            created: stream.created(),
            times: stream.times(),
            ingested: stream.ingested(),
        });
        Ok(facts.collect())
    }

    /// Searches the streams of a group that `wanted` accepts.
    pub(crate) fn search(
        &self,
        scope: &Scope,
        group: &str,
        wanted: impl Fn(&str) -> bool,
        search: &Search<'_>,
    ) -> io::Result<Page> {
        search.run(&self.indexed(scope, group, wanted)?)
    }

    fn indexed(
        &self,
        scope: &Scope,
        group: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> io::Result<Vec<Indexed>> {
        let folder = path::group_folder(&self.folder, scope, group);
        self.indices.of_group(&folder, wanted)
    }
}
