//! The end of what a stack has: of what was begun and not finished, of what was replaced, of what is
//! not wanted any more.

use std::collections::BTreeSet;

use super::{Cause, Engine, Error};
use crate::order::ended;
use crate::record::{Leftover, Recorded};

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

    /// Deletes what was replaced or is not wanted any more; gives what could not be. It is written
    /// down first that all of it is to go: none of it can then be taken for being there.
    pub(super) async fn end(&mut self, wanted: &BTreeSet<&str>) -> Result<Vec<String>, Error> {
        let ended = ended(&self.record, wanted);
        if ended.is_empty() {
            return Ok(Vec::new());
        }
        let unwanted = |name: &String, _: &mut Recorded| wanted.contains(name.as_str());
        self.record.resources.retain(unwanted);
        let doomed = ended.into_iter().filter(|it| !it.retain);
        self.record.leftovers = doomed
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
