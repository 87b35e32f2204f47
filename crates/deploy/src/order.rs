//! The order in which a stack's resources are deleted.

use std::collections::BTreeSet;

use crate::record::{Record, Recorded};

/// What is to be deleted.
pub(crate) struct Ended {
    /// The name it had in the template.
    pub(crate) name: String,
    /// What it is.
    pub(crate) resource: Recorded,
    /// Whether it is only forgotten and stays.
    pub(crate) retain: bool,
}

/// What was replaced, and what is there but not wanted: each before what it depends on.
pub(crate) fn ended(record: &Record, wanted: &BTreeSet<&str>) -> Vec<Ended> {
    let replaced = record.leftovers.iter().map(|leftover| Ended {
        name: leftover.name.clone(),
        resource: leftover.resource.clone(),
        retain: leftover.retain,
    });
    let current = record.resources.iter();
    let unwanted = current
        .filter(|(name, _)| !wanted.contains(name.as_str()))
        .map(|(name, resource)| Ended {
            name: name.clone(),
            resource: resource.clone(),
            retain: resource.retain,
        });
    backwards(replaced.chain(unwanted).collect())
}

/// Ends also where a record has a circle, which no template can make.
fn backwards(mut waiting: Vec<Ended>) -> Vec<Ended> {
    let mut ordered = Vec::new();
    while !waiting.is_empty() {
        let needed: BTreeSet<String> = waiting
            .iter()
            .flat_map(|it| {
                let others = it.resource.depends_on.iter();
                others.filter(|other| **other != it.name).cloned()
            })
            .collect();
        let (free, rest): (Vec<Ended>, Vec<Ended>) = waiting
            .into_iter()
            .partition(|it| !needed.contains(&it.name));
        if free.is_empty() {
            ordered.extend(rest);
            return ordered;
        }
        ordered.extend(free);
        waiting = rest;
    }
    ordered
}
