//! The steps from the current to the desired state. Pure: the template and the
//! record go in, steps come out.
//!
//! A value that refers to something not yet made is not known, so the plan then says that its
//! resource *may* change; while it is carried out each step is decided again with what is known by then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use crate::desired::{Desired, Wanted};
use crate::order::{Ended, ended};
use crate::record::{Leftover, Properties, Record, Recorded};
use crate::resource::{Change, Type};
use crate::template::Error;
use crate::template::evaluate::{Attribute, Resources};

#[cfg(test)]
mod tests;

/// What happens to a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// It is made.
    Create,
    /// Those properties are changed.
    Update(Vec<String>),
    /// Another is made in its place, because of those properties.
    Replace(Vec<String>),
    /// Nothing.
    Keep,
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// The resource's name in the template.
    pub name: String,
    /// What it is.
    pub kind: Type,
    /// What is done.
    pub action: Action,
    /// Whether that depends on what earlier steps give.
    pub uncertain: bool,
}

/// The end of a resource.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// The name it had in the template.
    pub name: String,
    /// What it is.
    pub kind: Type,
    /// Whether it is only forgotten and stays.
    pub retain: bool,
}

/// All steps in their order, then the deletions in theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What a deploy began that did not come to its end: deleted before anything else.
    pub begun: Vec<Deletion>,
    /// What is made and changed.
    pub steps: Vec<Step>,
    /// What is deleted after that.
    pub deletions: Vec<Deletion>,
    /// Whether the outputs change, or the values of parameters that are stored.
    pub outputs_change: bool,
}

/// Reads the folders of code that properties refer to. Replaces them by what
/// distinguishes one content from another.
pub type Settle<'s> = dyn FnMut(&Wanted, &mut Properties) -> Result<(), Error> + Send + 's;

/// Makes the plan.
pub fn plan(desired: &Desired, record: &Record, settle: &mut Settle<'_>) -> Result<Plan, Error> {
    let (mut record, begun) = tidied(record);
    let mut fates = BTreeMap::new();
    let mut steps = Vec::new();
    for wanted in &desired.resources {
        let known = Foreseen {
            record: &record,
            fates: &fates,
        };
        let (properties, later) = worked_out(desired, wanted, &known, settle)?;
        take_back(&mut record, wanted, &properties);
        let action = decide(wanted, record.resources.get(&wanted.name), &properties)?;
        steps.push(Step {
            name: wanted.name.clone(),
            kind: wanted.kind,
            uncertain: !later.is_empty()
                && matches!(action, Action::Update(_) | Action::Replace(_)),
            action: action.clone(),
        });
        fates.insert(wanted.name.clone(), action);
    }
    let known = Foreseen {
        record: &record,
        fates: &fates,
    };
    let mut outputs = BTreeMap::new();
    for output in &desired.outputs {
        let outcome = desired.evaluate(&output.value, &known)?;
        outputs.insert(output.name.clone(), told(outcome.value.as_ref()));
    }
    Ok(Plan {
        begun,
        steps,
        deletions: deletions(desired, &record),
        outputs_change: outputs != record.outputs || desired.parameters != record.parameters,
    })
}

/// What the end of a stack takes: everything, in the opposite order.
pub fn plan_deletion(record: &Record) -> Plan {
    let (record, begun) = tidied(record);
    Plan {
        begun,
        steps: Vec::new(),
        deletions: ended(&record, &BTreeSet::new())
            .iter()
            .map(deletion)
            .collect(),
        outputs_change: false,
    }
}

/// The record as it is once what a killed deploy began is deleted, and that.
fn tidied(record: &Record) -> (Record, Vec<Deletion>) {
    let mut record = record.clone();
    let begun = record.take_unfinished();
    let begun = begun.into_iter().map(|(name, resource)| Deletion {
        name,
        kind: resource.kind,
        retain: false,
    });
    let begun = begun.collect();
    (record, begun)
}

/// A resource's properties, and what they wait for.
pub(crate) fn worked_out(
    desired: &Desired,
    wanted: &Wanted,
    known: &dyn Resources,
    settle: &mut Settle<'_>,
) -> Result<(Properties, BTreeSet<String>), Error> {
    let outcome = desired.evaluate(&wanted.properties, known)?;
    let mut properties = match outcome.value {
        Some(Value::Object(properties)) => properties,
        _ => Properties::new(),
    };
    for name in wanted.kind.schema().required {
        if !properties.contains_key(*name) {
            return Err(Error {
                line: wanted.line,
                message: format!("{}: the property {name} has no value", wanted.name),
            });
        }
    }
    settle(wanted, &mut properties)?;
    Ok((properties, outcome.later))
}

/// Where a deploy was killed after it had replaced a resource, and what it replaced is wanted again:
/// makes that the resource, and what took its place the one to be deleted. Says whether it is so.
pub(crate) fn take_back(record: &mut Record, wanted: &Wanted, properties: &Properties) -> bool {
    let stays = |it: &Recorded| {
        let action = decide(wanted, Some(it), properties);
        matches!(action, Ok(Action::Keep | Action::Update(_)))
    };
    let Some(current) = record.resources.get(&wanted.name) else {
        return false;
    };
    let found = record
        .leftovers
        .iter()
        .position(|left| left.name == wanted.name && left.resource.made && stays(&left.resource));
    let Some(found) = found.filter(|_| !stays(current)) else {
        return false;
    };
    let left = record.leftovers.remove(found);
    let replaced = record.resources.insert(left.name.clone(), left.resource);
    record.leftovers.extend(replaced.map(|resource| Leftover {
        name: left.name,
        resource,
        retain: wanted.retain_replaced,
    }));
    true
}

/// What has to happen to one resource.
pub(crate) fn decide(
    wanted: &Wanted,
    before: Option<&Recorded>,
    properties: &Properties,
) -> Result<Action, Error> {
    let Some(before) = before else {
        return Ok(Action::Create);
    };
    if before.kind != wanted.kind {
        return Ok(Action::Replace(vec!["Type".to_owned()]));
    }
    let states = before.may_have();
    let differ = states.iter().flat_map(|state| changed(state, properties));
    let changed: BTreeSet<String> = differ.collect();
    let replaces = |name: &String| wanted.kind.change(name) != Some(Change::InPlace);
    let because: Vec<String> = changed
        .iter()
        .filter(|name| replaces(name))
        .cloned()
        .collect();
    if because.is_empty() {
        return Ok(match changed.is_empty() {
            true => Action::Keep,
            false => Action::Update(changed.into_iter().collect()),
        });
    }
    let named_by = wanted.kind.schema().named_by;
    let same_name = named_by.is_some_and(|property| {
        wanted.kind != Type::LayerVersion
            && properties.contains_key(property)
            && properties.get(property) == before.properties.get(property)
    });
    if same_name {
        return Err(Error {
            line: wanted.line,
            message: format!(
                "{}: a change of {} needs another {} in its place, and two cannot have one name: change {}, too",
                wanted.name,
                because.join(", "),
                wanted.kind,
                named_by.unwrap_or_default()
            ),
        });
    }
    Ok(Action::Replace(because))
}

/// Names of properties that differ.
pub(crate) fn changed(before: &Properties, after: &Properties) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let differ = names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name));
    differ.cloned().collect()
}

fn deletions(desired: &Desired, record: &Record) -> Vec<Deletion> {
    let wanted: BTreeSet<&str> = desired.resources.iter().map(|w| w.name.as_str()).collect();
    let ended = ended(record, &wanted);
    ended.iter().map(deletion).collect()
}

fn deletion(ended: &Ended) -> Deletion {
    Deletion {
        name: ended.name.clone(),
        kind: ended.resource.kind,
        retain: ended.retain,
    }
}

/// What an output says.
pub(crate) fn told(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// What is known while the plan is made: what the record says of that which stays.
struct Foreseen<'r> {
    record: &'r Record,
    fates: &'r BTreeMap<String, Action>,
}

impl Resources for Foreseen<'_> {
    fn attribute(&self, name: &str, attribute: &str) -> Attribute {
        let Some(fate) = self.fates.get(name) else {
            return Attribute::NoResource;
        };
        let recorded = self.record.resources.get(name);
        match (fate, recorded) {
            (Action::Keep, Some(recorded)) => recorded.attribute(attribute),
            (Action::Update(changed), Some(recorded))
                if recorded.kind.outlives(attribute, changed) =>
            {
                recorded.attribute(attribute)
            }
            _ => Attribute::Later,
        }
    }
}

impl Plan {
    /// Whether everything is as it is wanted.
    pub fn is_empty(&self) -> bool {
        let kept = self.steps.iter().all(|step| step.action == Action::Keep);
        kept && self.begun.is_empty() && self.deletions.is_empty() && !self.outputs_change
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |sign: &str, verb: &str, kind: Type, name: &str, more: &str| {
            writeln!(
                f,
                "  {sign} {verb:<8} {name:<32} {kind}{more}",
                kind = kind.schema().name
            )
        };
        for begun in &self.begun {
            let more = ", begun by a deploy that did not end";
            line("-", "delete", begun.kind, &begun.name, more)?;
        }
        for step in &self.steps {
            let maybe = match step.uncertain {
                true => ", if what it refers to changes",
                false => "",
            };
            match &step.action {
                Action::Keep => {}
                Action::Create => line("+", "create", step.kind, &step.name, "")?,
                Action::Update(changed) => {
                    let more = format!(" ({}){maybe}", changed.join(", "));
                    line("~", "update", step.kind, &step.name, &more)?;
                }
                Action::Replace(because) => {
                    let more = format!(" ({}){maybe}", because.join(", "));
                    line("±", "replace", step.kind, &step.name, &more)?;
                }
            }
        }
        for deletion in &self.deletions {
            let (sign, verb) = match deletion.retain {
                true => (" ", "keep"),
                false => ("-", "delete"),
            };
            line(sign, verb, deletion.kind, &deletion.name, "")?;
        }
        Ok(())
    }
}
