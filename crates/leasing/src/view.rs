//! What a member knows of a group's rows, and since when by its own clock. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use storage::Revision;

/// A row of the table: whose it is. `beat` only serves to change the row.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) holder: String,
    pub(crate) beat: u64,
}

/// A claim as it was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) claim: Claim,
    pub(crate) revision: Revision,
    /// When this revision was first seen: time since this member began.
    pub(crate) at: Duration,
}

/// Everything a member knows.
#[derive(Clone, Default, Debug)]
pub(crate) struct View {
    pub(crate) works: BTreeMap<String, Seen>,
    pub(crate) members: BTreeMap<String, Seen>,
}

/// Which rows are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Work,
    Member,
}

impl View {
    /// Takes in a row. One that is seen again as it was keeps its time.
    pub(crate) fn put(&mut self, kind: Kind, name: &str, seen: Seen) {
        let rows = self.rows(kind);
        if rows
            .get(name)
            .is_none_or(|known| known.revision < seen.revision)
        {
            rows.insert(name.to_owned(), seen);
        }
    }

    /// A row was deleted.
    pub(crate) fn remove(&mut self, kind: Kind, name: &str) {
        self.rows(kind).remove(name);
    }

    /// Works whose rows say so.
    pub(crate) fn held_by(&self, holder: &str) -> impl Iterator<Item = &String> {
        let works = self.works.iter();
        works
            .filter(move |(_, seen)| seen.claim.holder == holder)
            .map(|(work, _)| work)
    }

    /// The revision of a row.
    pub(crate) fn revision(&self, kind: Kind, name: &str) -> Option<Revision> {
        let rows = match kind {
            Kind::Work => &self.works,
            Kind::Member => &self.members,
        };
        rows.get(name).map(|seen| seen.revision)
    }

    fn rows(&mut self, kind: Kind) -> &mut BTreeMap<String, Seen> {
        match kind {
            Kind::Work => &mut self.works,
            Kind::Member => &mut self.members,
        }
    }
}

impl Seen {
    /// Whether its writer has been silent for a whole term.
    pub(crate) fn is_stale(&self, now: Duration, term: Duration) -> bool {
        now.saturating_sub(self.at) >= term
    }
}
