//! Deletes resources of a stack: those that were started and not finished, of what was replaced, of what is
//! not wanted any more.

use std::collections::BTreeSet;

use super::{Cause, Engine, Error};
use crate::order::ended;
use crate::record::{Leftover, Record, Recorded};
use crate::resource::Type;

impl Engine<'_> {
    /// Deletes what a deploy began to make that did not come to its end.
    pub(super) async fn tidy_up(&mut self) -> Result<(), Error> {
        let mut tidied = self.record.clone();
        let begun = tidied.take_unfinished();
        if begun.is_empty() {
            return Ok(());
        }
        for (name, resource) in begun {
            let verb = "deleting";
            let began = self.begin(verb, resource.kind, &name);
            let outcome = self.provider.delete(&resource).await;
            self.told(verb, resource.kind, &name, began, outcome)
                .map_err(|_| Error::Undeleted(vec![name]))?;
        }
        self.record = tidied;
        self.save().await.map_err(Error::Record)
    }

    /// Deletes what was replaced or is no longer wanted; returns what could not be deleted. First the record says
    /// that all of it will be deleted, so that none of it can be mistaken for existing.
    pub(super) async fn end(&mut self, wanted: &BTreeSet<&str>) -> Result<Vec<String>, Error> {
        let ended = ended(&self.record, wanted);
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let unwanted = |name: &String, _: &mut Recorded| wanted.contains(name.as_str());
        self.record.resources.retain(unwanted);
        let mut doomed: Vec<_> = ended.into_iter().filter(|it| !it.retain).collect();
        doomed.retain(|it| !inherited(&mut self.record, &it.resource));
        self.record.leftovers = doomed
            .into_iter()
            .map(|it| Leftover {
                name: it.name,
                resource: Recorded {
                    made: false,
                    ..it.resource
                },
                retain: false,
            })
            .collect();
        self.save().await.map_err(Error::Record)?;
        let mut left = Vec::new();
        for it in self.record.leftovers.clone() {
            match self.end_one(&it).await {
                Ok(()) => {}
                Err(Cause::Record(error)) => return Err(Error::Record(error)),
                Err(_) => left.push(it.name),
            }
        }
        Ok(left)
    }

    pub(super) async fn end_one(&mut self, it: &Leftover) -> Result<(), Cause> {
        let (verb, kind) = ("deleting", it.resource.kind);
        let begun = self.begin(verb, kind, &it.name);
        let outcome = self.provider.delete(&it.resource).await;
        self.told(verb, kind, &it.name, begun, outcome)?;
        self.record.leftovers.retain(|left| left != it);
        self.save().await.map_err(Cause::Record)
    }
}

/// Whether what is to go is also what another name stands for, which stays and has it from now on.
/// A function that has not changed since is published as the version that is there.
fn inherited(record: &mut Record, doomed: &Recorded) -> bool {
    let heir = record.resources.values_mut().find(|it| {
        doomed.made && (it.kind, &it.id) == (Type::Version, &doomed.id) && doomed.kind == it.kind
    });
    let Some(heir) = heir else { return false };
    // Which versions there were before this was published, too.
    heir.attributes.clone_from(&doomed.attributes);
    true
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn recorded(kind: Type, id: &str, after: u64) -> Recorded {
        Recorded {
            kind,
            name: String::new(),
            generation: 0,
            id: id.to_owned(),
            attributes: [("after".to_owned(), json!(after))].into(),
            properties: Default::default(),
            depends_on: Vec::new(),
            retain: false,
            made: true,
            unsure: Default::default(),
        }
    }

    #[test]
    fn a_version_goes_over_to_the_name_that_stays() {
        let mut record = Record::default();
        let stays = recorded(Type::Version, "f:1", 1);
        record.resources.insert("New".to_owned(), stays);
        assert!(inherited(&mut record, &recorded(Type::Version, "f:1", 0)));
        assert_eq!(record.resources["New"].attributes["after"], json!(0));
        for other in [
            recorded(Type::Version, "f:2", 0),
            recorded(Type::Alias, "f:1", 0),
            Recorded {
                made: false,
                ..recorded(Type::Version, "f:1", 0)
            },
        ] {
            assert!(!inherited(&mut record, &other), "{other:?}");
        }
    }
}
