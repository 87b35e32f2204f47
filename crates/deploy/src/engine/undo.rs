//! Rolls back.

use super::{Cause, Engine, Error};
use crate::record::{Leftover, Record, Recorded};

/// How a step is undone.
pub(super) enum Undo {
    /// What it made, or began to make, is deleted.
    Delete(String),
    /// It gets the properties it had.
    Restore(String, Recorded),
    /// What was made in its place is deleted, and it is itself again.
    Unreplace(String, Recorded),
}

impl Engine<'_> {
    /// Undoes all steps, the last one first, and says how that went.
    pub(super) async fn roll_back(
        &mut self,
        before: &Record,
        undo: Vec<Undo>,
        name: String,
        error: Cause,
    ) -> Error {
        self.observer.rolling_back();
        let mut stuck = Vec::new();
        for step in undo.into_iter().rev() {
            let undone = match step {
                Undo::Delete(name) => self.undo_create(&name, None).await.map_err(|e| (name, e)),
                Undo::Unreplace(name, it) => {
                    let undone = self.undo_create(&name, Some(it)).await;
                    undone.map_err(|e| (name, e))
                }
                Undo::Restore(name, it) => self.restore(&name, it).await.map_err(|e| (name, e)),
            };
            match undone {
                Ok(()) => {}
                Err((_, Cause::Record(error))) => return Error::Record(error),
                Err((name, _)) => stuck.push(name),
            }
        }
        if stuck.is_empty() {
            // What the steps that changed nothing wrote is taken back, too.
            self.record = before.clone();
            let empty = before.resources.is_empty() && before.leftovers.is_empty();
            let saved = match empty {
                true => self.store.delete().await,
                false => self.save().await,
            };
            return match saved {
                Ok(()) => Error::RolledBack { name, error },
                Err(error) => Error::Record(error),
            };
        }
        Error::Stuck { name, error, stuck }
    }

    async fn undo_create(&mut self, name: &str, before: Option<Recorded>) -> Result<(), Cause> {
        let verb = "deleting";
        if let Some(made) = self.record.resources.get(name).cloned() {
            let same = before.as_ref().is_some_and(|before| before.id == made.id);
            if !same {
                let begun = self.begin(verb, made.kind, name);
                let outcome = self.provider.delete(&made).await;
                self.told(verb, made.kind, name, begun, outcome)?;
            }
        }
        match before {
            Some(before) => {
                let same = |left: &Leftover| left.name == name && left.resource == before;
                self.record.leftovers.retain(|left| !same(left));
                self.record.resources.insert(name.to_owned(), before);
            }
            None => drop(self.record.resources.remove(name)),
        }
        self.save().await.map_err(Cause::Record)
    }

    async fn restore(&mut self, name: &str, before: Recorded) -> Result<(), Cause> {
        let verb = "restoring";
        let begun = self.begin(verb, before.kind, name);
        // Where the update itself failed, it may have come to anywhere between.
        let current = self.record.resources.get(name).unwrap_or(&before);
        let outcome = self.bring(current, &before.properties).await;
        let made = self.told(verb, before.kind, name, begun, outcome)?;
        self.made(name, before, made).await
    }
}
