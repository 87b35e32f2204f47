//! The desired state: a template with its parameters given, SAM's types written out, conditions
//! decided, resources in an order in which they can be made.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::resource::Type;
use crate::sam;
use crate::template::evaluate::{Attribute, Outcome, Resources, Scope, decide, evaluate};
use crate::template::node::{Entry, Node};
use crate::template::references::references;
use crate::template::{Declared, Error, Output, Template, parameters};

/// Whose stack, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The stack's name.
    pub stack: String,
    /// The region.
    pub region: String,
    /// The account's id.
    pub account: String,
}

/// A resource that is to be there.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    /// Its name in the template.
    pub name: String,
    /// Where it stands.
    pub line: usize,
    /// What it is.
    pub kind: Type,
    /// A map, not worked out yet.
    pub properties: Node,
    /// What has to be there before it.
    pub depends_on: BTreeSet<String>,
    /// Whether it stays when it is not wanted any more.
    pub retain: bool,
    /// Whether what it replaces stays.
    pub retain_replaced: bool,
}

/// All of it.
#[derive(Debug)]
pub struct Desired {
    /// Each after what it depends on.
    pub resources: Vec<Wanted>,
    /// The outputs whose conditions hold.
    pub outputs: Vec<Output>,
    /// The values of its parameters, to be remembered.
    pub parameters: BTreeMap<String, String>,
    values: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    mappings: Option<Node>,
    renames: BTreeMap<String, String>,
}

impl Desired {
    /// What a template asks for, given values for its parameters.
    pub fn of(
        template: &Template,
        given: &BTreeMap<String, String>,
        identity: &Identity,
    ) -> Result<Self, Error> {
        let mut values = parameters::resolve(&template.parameters, given)?;
        values.extend(pseudo(identity));
        let conditions = conditions(template, &values)?;
        let holds = |condition: &Option<String>, at: usize| match condition {
            None => Ok(true),
            Some(name) => conditions.get(name).copied().ok_or_else(|| Error {
                line: at,
                message: format!("there is no condition {name}"),
            }),
        };
        let expanded = sam::expand(template)?;
        let known: BTreeSet<String> = expanded.resources.iter().map(|d| d.name.clone()).collect();
        let mut declared = Vec::new();
        for resource in expanded.resources {
            if holds(&resource.condition, resource.line)? {
                declared.push(resource);
            }
        }
        let mut outputs = Vec::new();
        for output in &template.outputs {
            if holds(&output.condition, output.value.line)? {
                outputs.push(output.clone());
            }
        }
        let names: BTreeSet<&str> = declared.iter().map(|d| d.name.as_str()).collect();
        let mut wanted = Vec::new();
        for resource in &declared {
            check_dependencies(resource, &known)?;
            wanted.push(want(resource, &names, &expanded.renames)?);
        }
        Ok(Self {
            resources: in_order(wanted)?,
            outputs,
            parameters: parameters::texts(&template.parameters, given),
            values,
            conditions,
            mappings: template.mappings.clone(),
            renames: expanded.renames,
        })
    }

    /// Works out a value, with what is known of resources.
    pub(crate) fn evaluate(&self, node: &Node, known: &dyn Resources) -> Result<Outcome, Error> {
        let known = Renamed {
            renames: &self.renames,
            known,
        };
        let scope = Scope {
            values: &self.values,
            mappings: self.mappings.as_ref(),
            conditions: &self.conditions,
            resources: &known,
        };
        evaluate(&scope, node)
    }
}

/// Finds resources by the other names that SAM gives them, too.
struct Renamed<'r> {
    renames: &'r BTreeMap<String, String>,
    known: &'r dyn Resources,
}

impl Resources for Renamed<'_> {
    fn attribute(&self, name: &str, attribute: &str) -> Attribute {
        let whole = match attribute {
            "" => name.to_owned(),
            _ => format!("{name}.{attribute}"),
        };
        match self.renames.get(&whole) {
            Some(other) => self.known.attribute(other, ""),
            None => self.known.attribute(name, attribute),
        }
    }
}

fn pseudo(identity: &Identity) -> BTreeMap<String, Value> {
    let Identity {
        stack,
        region,
        account,
    } = identity;
    let id = format!("arn:aws:cloudformation:{region}:{account}:stack/{stack}");
    [
        ("AWS::AccountId", account.as_str()),
        ("AWS::Partition", "aws"),
        ("AWS::Region", region.as_str()),
        ("AWS::StackId", id.as_str()),
        ("AWS::StackName", stack.as_str()),
        ("AWS::URLSuffix", "amazonaws.com"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), Value::from(value)))
    .collect()
}

/// Conditions know parameters and each other, and nothing of resources.
struct NoResources;

impl Resources for NoResources {
    fn attribute(&self, _: &str, _: &str) -> Attribute {
        Attribute::NoResource
    }
}

/// Decides them, each after those that it names.
fn conditions(
    template: &Template,
    values: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, bool>, Error> {
    let mut decided = BTreeMap::new();
    while decided.len() < template.conditions.len() {
        let before = decided.len();
        for (name, node) in &template.conditions {
            let mut named = BTreeSet::new();
            named_conditions(node, &mut named);
            if let Some(other) = named
                .iter()
                .find(|other| !template.conditions.contains_key(*other))
            {
                return Err(node.error(format!("there is no condition {other}")));
            }
            let ready = named.iter().all(|other| decided.contains_key(other));
            if decided.contains_key(name) || !ready {
                continue;
            }
            let scope = Scope {
                values,
                mappings: template.mappings.as_ref(),
                conditions: &decided,
                resources: &NoResources,
            };
            let value = decide(&scope, node)?;
            decided.insert(name.clone(), value);
        }
        if decided.len() == before {
            let mut open = template.conditions.iter();
            let (name, node) = open
                .find(|(name, _)| !decided.contains_key(*name))
                .expect("some are not decided");
            return Err(node.error(format!("the condition {name} depends on itself")));
        }
    }
    Ok(decided)
}

fn named_conditions(node: &Node, found: &mut BTreeSet<String>) {
    if let Some((function, argument)) = node.call() {
        let name = match function {
            "Condition" => argument.as_text(),
            "Fn::If" => argument.items().and_then(|items| items.first()?.as_text()),
            _ => None,
        };
        found.extend(name.map(str::to_owned));
    }
    for item in node.items().unwrap_or_default() {
        named_conditions(item, found);
    }
    for entry in node.entries().unwrap_or_default() {
        named_conditions(&entry.value, found);
    }
}

/// What a resource waits for must be in the template, be it left out by a condition.
fn check_dependencies(declared: &Declared, known: &BTreeSet<String>) -> Result<(), Error> {
    match declared
        .depends_on
        .iter()
        .find(|name| !known.contains(*name))
    {
        None => Ok(()),
        Some(name) => Err(Error {
            line: declared.line,
            message: format!("{}: DependsOn: there is no resource {name}", declared.name),
        }),
    }
}

/// Checks a resource's type and the names of its properties.
fn want(
    declared: &Declared,
    names: &BTreeSet<&str>,
    renames: &BTreeMap<String, String>,
) -> Result<Wanted, Error> {
    let error = |line: usize, message: String| Error { line, message };
    let kind = Type::of(&declared.type_name).ok_or_else(|| {
        let text = format!(
            "{}: resources of type {} are not supported",
            declared.name, declared.type_name
        );
        error(declared.line, text)
    })?;
    let properties = declared.properties.expect_map("Properties")?;
    for Entry { key, line, .. } in properties {
        if kind.change(key).is_none() {
            let text = format!(
                "{}: {kind} has no property {key}, or it is not supported",
                declared.name
            );
            return Err(error(*line, text));
        }
    }
    for name in kind.schema().required {
        if declared.properties.get(name).is_none() {
            let text = format!("{}: {kind} needs the property {name}", declared.name);
            return Err(error(declared.line, text));
        }
    }
    let mut depends_on = BTreeSet::new();
    // What a condition leaves out is not waited for.
    let there = declared.depends_on.iter();
    let there = there.filter(|name| names.contains(name.as_str()));
    depends_on.extend(there.cloned());
    for name in references(&declared.properties) {
        let name = renames.get(&name).unwrap_or(&name);
        if names.contains(name.as_str()) && *name != declared.name {
            depends_on.insert(name.clone());
        }
    }
    Ok(Wanted {
        name: declared.name.clone(),
        line: declared.line,
        kind,
        properties: declared.properties.clone(),
        depends_on,
        retain: declared.retain,
        retain_replaced: declared.retain_replaced,
    })
}

/// Each after what it depends on, and otherwise as in the file.
fn in_order(mut waiting: Vec<Wanted>) -> Result<Vec<Wanted>, Error> {
    let mut ordered: Vec<Wanted> = Vec::new();
    let mut placed: BTreeSet<String> = BTreeSet::new();
    while !waiting.is_empty() {
        let next = waiting
            .iter()
            .position(|wanted| wanted.depends_on.is_subset(&placed));
        let Some(next) = next else {
            let names: Vec<&str> = waiting.iter().map(|w| w.name.as_str()).collect();
            return Err(Error {
                line: waiting[0].line,
                message: format!(
                    "among {} each waits for another: a circle",
                    names.join(", ")
                ),
            });
        };
        let wanted = waiting.remove(next);
        placed.insert(wanted.name.clone());
        ordered.push(wanted);
    }
    Ok(ordered)
}
