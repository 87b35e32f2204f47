//! Carries out a plan: step by step, with a record of each, and rolls back if one fails.
//!
//! ```text
//!   first             delete what a deploy began to make that did not come to its end
//!   for each resource: work out its properties, decide, write down, do, write down
//!   then              delete what was replaced or is not wanted any more
//!   a step failed:    undo all steps, the last one first; nothing has been deleted until then
//! ```
//!
//! Steps are decided when it is their turn, with what the ones before have given, so a step of the
//! plan may turn out to be none.

use std::collections::BTreeSet;

use tokio::time::Instant;

use crate::api::Error as ApiError;
use crate::desired::{Desired, Identity, Wanted};
use crate::live::{Made, Provider};
use crate::plan::{Action, Settle, changed, decide, take_back, told, worked_out};
use crate::record::{Leftover, Properties, Record, Recorded, physical_name};
use crate::resource::Type;
use crate::store::Store;
use crate::template;

mod ending;
#[cfg(test)]
mod tests;
mod undo;

use undo::Undo;

/// The progress that a person sees.
pub trait Observer: Send + Sync {
    /// Work on a resource begins: `creating`, `updating`, ….
    fn begun(&self, verb: &'static str, kind: Type, name: &str);
    /// It is done; how many seconds it took.
    fn done(&self, verb: &'static str, kind: Type, name: &str, seconds: f64);
    /// It is not done.
    fn failed(&self, verb: &'static str, kind: Type, name: &str, error: &ApiError);
    /// Everything is now brought back to how it was.
    fn rolling_back(&self);
}

/// How a deploy ends when it does not end well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Everything is as it was before.
    #[error("{name} could not be deployed: {error}; everything is as it was")]
    RolledBack {
        /// The resource.
        name: String,
        /// Why not.
        error: Cause,
    },
    /// Not everything could be brought back.
    #[error("{name} could not be deployed: {error}; these could not be rolled back: {}", .stuck.join(", "))]
    Stuck {
        /// The resource.
        name: String,
        /// Why not.
        error: Cause,
        /// Resources that are not as they were.
        stuck: Vec<String>,
    },
    /// What was to be deleted is still there; another try may do.
    #[error("these could not be deleted: {}", .0.join(", "))]
    Undeleted(Vec<String>),
    /// What was done cannot be written down. Nothing more is done then.
    #[error("the stack's record cannot be written ({0}): is another deploy of it under way?")]
    Record(ApiError),
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The service, or what came of it.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// The template, which only now could be worked out.
    #[error("{0}")]
    Template(#[from] template::Error),
    /// See [`Error::Record`].
    #[error("{0}")]
    Record(ApiError),
}

/// A stack at work.
pub struct Engine<'e> {
    /// Does it.
    provider: &'e dyn Provider,
    /// Keeps the record.
    store: Store,
    /// What is there.
    record: Record,
    /// Whose, and where.
    identity: Identity,
    /// Called at each step.
    observer: &'e dyn Observer,
}

impl<'e> Engine<'e> {
    /// A stack that has what `record` says, kept in `store`.
    pub fn new(
        provider: &'e dyn Provider,
        observer: &'e dyn Observer,
        (store, record): (Store, Record),
        identity: Identity,
    ) -> Self {
        Self {
            provider,
            store,
            record,
            identity,
            observer,
        }
    }

    /// What is there.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Makes what is wanted.
    pub async fn deploy(
        &mut self,
        desired: &Desired,
        settle: &mut Settle<'_>,
    ) -> Result<(), Error> {
        self.tidy_up().await?;
        let before = self.record.clone();
        let mut undo = Vec::new();
        for wanted in &desired.resources {
            match self.step(desired, wanted, settle, &mut undo).await {
                Ok(()) => {}
                Err(Cause::Record(error)) => return Err(Error::Record(error)),
                Err(error) => {
                    let name = wanted.name.clone();
                    return Err(self.roll_back(&before, undo, name, error).await);
                }
            }
        }
        let wanted = desired.resources.iter().map(|wanted| wanted.name.as_str());
        let left = self.end(&wanted.collect()).await?;
        self.record.parameters.clone_from(&desired.parameters);
        self.record.outputs.clear();
        for output in &desired.outputs {
            // Every value has been worked out for the plan, and resources are all there now.
            let value = desired.evaluate(&output.value, &self.record);
            let value = value.ok().and_then(|outcome| outcome.value);
            self.record
                .outputs
                .insert(output.name.clone(), told(value.as_ref()));
        }
        self.save().await.map_err(Error::Record)?;
        match left.is_empty() {
            true => Ok(()),
            false => Err(Error::Undeleted(left)),
        }
    }

    /// Ends the stack.
    pub async fn delete(&mut self) -> Result<(), Error> {
        self.tidy_up().await?;
        let left = self.end(&BTreeSet::new()).await?;
        if !left.is_empty() {
            return Err(Error::Undeleted(left));
        }
        self.store.delete().await.map_err(Error::Record)
    }

    async fn step(
        &mut self,
        desired: &Desired,
        wanted: &Wanted,
        settle: &mut Settle<'_>,
        undo: &mut Vec<Undo>,
    ) -> Result<(), Cause> {
        let (properties, _) = worked_out(desired, wanted, &self.record, settle)?;
        if take_back(&mut self.record, wanted, &properties) {
            self.save().await.map_err(Cause::Record)?;
        }
        let before = self.record.resources.get(&wanted.name).cloned();
        let action = decide(wanted, before.as_ref(), &properties)?;
        let depends_on: Vec<String> = wanted.depends_on.iter().cloned().collect();
        match (action, before) {
            (Action::Keep, Some(before)) => {
                let kept = Recorded {
                    depends_on,
                    retain: wanted.retain,
                    ..before
                };
                self.record.resources.insert(wanted.name.clone(), kept);
                Ok(())
            }
            (Action::Update(_), Some(before)) => {
                undo.push(Undo::Restore(wanted.name.clone(), before.clone()));
                self.update(wanted, before, properties, depends_on).await
            }
            (_, before) => {
                let fresh = self.fresh(wanted, before.as_ref(), properties, depends_on);
                self.create(wanted, before, fresh, undo).await
            }
        }
    }

    /// A resource that is not made yet.
    fn fresh(
        &self,
        wanted: &Wanted,
        before: Option<&Recorded>,
        properties: Properties,
        depends_on: Vec<String>,
    ) -> Recorded {
        let generation = before.map_or(0, |before| before.generation + 1);
        Recorded {
            kind: wanted.kind,
            name: physical_name(&self.identity, wanted.kind, &wanted.name, generation),
            generation,
            id: String::new(),
            attributes: Default::default(),
            properties,
            depends_on,
            retain: wanted.retain,
            made: false,
            unsure: Properties::new(),
        }
    }

    /// Makes one; what was `before` in its place goes when everything else is done.
    async fn create(
        &mut self,
        wanted: &Wanted,
        before: Option<Recorded>,
        mut fresh: Recorded,
        undo: &mut Vec<Undo>,
    ) -> Result<(), Cause> {
        let name = &wanted.name;
        let verb = match &before {
            Some(_) => "replacing",
            None => "creating",
        };
        let begun = self.begin(verb, fresh.kind, name);
        // What is to go and has not gone yet may have the name.
        for left in self.record.leftovers.clone() {
            if left.name == *name && !left.resource.made {
                self.end_one(&left).await?;
            }
        }
        // Nothing is written down, and so nothing undone, where somebody else has what is to be made.
        let intent = self.provider.intend(&fresh).await;
        fresh.attributes = match intent {
            Ok(intent) => intent,
            Err(error) => return Ok(self.told(verb, fresh.kind, name, begun, Err(error))?),
        };
        let untouched = self.record.clone();
        undo.push(match before {
            Some(before) => {
                self.record.leftovers.push(Leftover {
                    name: name.clone(),
                    resource: before.clone(),
                    retain: wanted.retain_replaced,
                });
                Undo::Unreplace(name.clone(), before)
            }
            None => Undo::Delete(name.clone()),
        });
        self.record.resources.insert(name.clone(), fresh.clone());
        self.save().await.map_err(Cause::Record)?;
        let made = self.provider.create(&fresh).await;
        if made.as_ref().is_err_and(ApiError::is_taken) {
            // Somebody was faster: what they made is not to be deleted as ours.
            undo.pop();
            self.record = untouched;
            self.save().await.map_err(Cause::Record)?;
        }
        let made = self.told(verb, fresh.kind, name, begun, made)?;
        // Publishing what has not changed since gives the version that is there.
        let same = self.record.leftovers.iter().position(|left| {
            fresh.kind == Type::Version
                && (left.name.as_str(), left.resource.kind) == (name, fresh.kind)
                && left.resource.id == made.id
        });
        if let Some(same) = same {
            let left = self.record.leftovers.remove(same);
            for (name, value) in &mut fresh.attributes {
                let first = left.resource.attributes.get(name);
                *value = first.cloned().unwrap_or_default();
            }
        }
        self.made(name, fresh, made).await
    }

    async fn update(
        &mut self,
        wanted: &Wanted,
        before: Recorded,
        properties: Properties,
        depends_on: Vec<String>,
    ) -> Result<(), Cause> {
        let verb = "updating";
        let begun = self.begin(verb, wanted.kind, &wanted.name);
        let mut unsure = before.unsure.clone();
        for property in changed(&before.properties, &properties) {
            let value = properties.get(&property).cloned().unwrap_or_default();
            unsure.entry(property).or_insert(value);
        }
        let changing = Recorded {
            unsure,
            ..before.clone()
        };
        let name = wanted.name.clone();
        self.record.resources.insert(name, changing);
        self.save().await.map_err(Cause::Record)?;
        let made = self.bring(&before, &properties).await;
        let made = self.told(verb, wanted.kind, &wanted.name, begun, made)?;
        let after = Recorded {
            properties,
            depends_on,
            retain: wanted.retain,
            ..before
        };
        self.made(&wanted.name, after, made).await
    }

    /// Changes a resource to those properties, from whichever it may have.
    async fn bring(&self, it: &Recorded, to: &Properties) -> Result<Made, ApiError> {
        let mut made = Made {
            id: it.id.clone(),
            attributes: it.attributes.clone(),
        };
        for properties in it.may_have() {
            if properties != *to {
                let from = Recorded {
                    properties,
                    ..it.clone()
                };
                made = self.provider.update(&from, to).await?;
            }
        }
        Ok(made)
    }

    async fn made(&mut self, name: &str, resource: Recorded, made: Made) -> Result<(), Cause> {
        // What was known before it was made stays known.
        let mut attributes = resource.attributes;
        attributes.extend(made.attributes);
        let resource = Recorded {
            id: made.id,
            attributes,
            made: true,
            unsure: Properties::new(),
            ..resource
        };
        self.record.resources.insert(name.to_owned(), resource);
        self.save().await.map_err(Cause::Record)
    }

    async fn save(&mut self) -> Result<(), ApiError> {
        self.store.save(&self.record).await
    }

    fn begin(&self, verb: &'static str, kind: Type, name: &str) -> Instant {
        self.observer.begun(verb, kind, name);
        Instant::now()
    }

    fn told<T>(
        &self,
        verb: &'static str,
        kind: Type,
        name: &str,
        begun: Instant,
        outcome: Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        match &outcome {
            Ok(_) => {
                let seconds = begun.elapsed().as_secs_f64();
                self.observer.done(verb, kind, name, seconds);
            }
            Err(error) => self.observer.failed(verb, kind, name, error),
        }
        outcome
    }
}
