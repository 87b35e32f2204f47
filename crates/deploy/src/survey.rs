//! Finds everything in a template that is not supported, all at once, and removes it. Pure.
//!
//! ```text
//!   read ─▶ Node ──of──▶ Survey { found: line 9: events of type Api …, rest: Node } ──▶ Template
//! ```
//!
//! What is left out is never made smaller so that it allows more: a policy item, a permission or any resource but
//! a function goes as a whole when it refers to something that is not made. Of a function goes the property, and
//! of its environment the one variable. What gives rights goes as a whole when any part of it is not
//! supported, and what takes rights away is never left out: [`rights`] says what that is.

mod edit;
mod lost;
mod rights;

use std::collections::BTreeSet;

use crate::resource::Type;
use crate::sam::{events, function, layer, policies};
use crate::template::Error;
use crate::template::evaluate::FUNCTIONS;
use crate::template::node::{Entry, Kind, Node};
use crate::template::parameters;

use edit::{entries_mut, items, keep};

const SERVERLESS: &str = "AWS::Serverless-2016-10-31";
const FUNCTION: &str = "AWS::Serverless::Function";
const LAYER: &str = "AWS::Serverless::LayerVersion";
/// The further resources that SAM makes of a function's events, by the names by which templates refer to them.
const IMPLICIT: [&str; 6] = [
    "ServerlessRestApi",
    "ServerlessRestApiProdStage",
    "ServerlessRestApiDeployment",
    "ServerlessHttpApi",
    "ServerlessHttpApiApiGatewayDefaultStage",
    "ServerlessDeploymentApplication",
];
const SECTIONS: [&str; 10] = [
    "AWSTemplateFormatVersion",
    "Conditions",
    "Description",
    "Globals",
    "Mappings",
    "Metadata",
    "Outputs",
    "Parameters",
    "Resources",
    "Transform",
];
const ATTRIBUTES: [&str; 7] = [
    "Condition",
    "DeletionPolicy",
    "DependsOn",
    "Metadata",
    "Properties",
    "Type",
    "UpdateReplacePolicy",
];

/// Something that is not made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// What, and where.
    pub what: Error,
    /// Whether the rest can do without it. What decides values of others, or takes rights away, cannot be left
    /// out.
    pub can_be_skipped: bool,
}

/// What was found.
#[derive(Clone, PartialEq, Debug)]
pub struct Survey {
    /// In the order of the file, each once.
    pub found: Vec<Unsupported>,
    /// The template without it.
    pub rest: Node,
}

/// Looks at all of a template. What is wrong with it otherwise is not this one's to say.
pub fn of(root: &Node) -> Survey {
    let mut walk = Walk::default();
    let mut rest = root.clone();
    walk.template(&mut rest);
    while walk.references(&mut rest) {}
    walk.outputs(&mut rest);
    let mut found = walk.found;
    found.sort_by_key(|found| found.what.line);
    Survey { found, rest }
}

#[derive(Default)]
struct Walk {
    found: Vec<Unsupported>,
    /// Names of resources that are not made.
    gone: BTreeSet<String>,
}

impl Walk {
    fn skip(&mut self, line: usize, message: impl Into<String>) {
        self.tell(line, message.into(), true);
    }

    /// Leaves a property out, if the resource does not get more rights without it.
    fn skip_property(&mut self, line: usize, key: &str, message: String) {
        let widens = rights::are_bounded_by(key) || rights::are_of_own_role(key);
        self.tell(line, message, !widens);
    }

    fn tell(&mut self, line: usize, message: String, can_be_skipped: bool) {
        let what = Error { line, message };
        let found = Unsupported {
            what,
            can_be_skipped,
        };
        if !self.found.contains(&found) {
            self.found.push(found);
        }
    }

    fn template(&mut self, root: &mut Node) {
        keep(root, |entry| {
            let known = SECTIONS.contains(&entry.key.as_str());
            if !known {
                self.skip(entry.line, format!("the section {}", entry.key));
            }
            known
        });
        for entry in entries_mut(root) {
            match entry.key.as_str() {
                "Transform" => self.transforms(&mut entry.value),
                "Globals" => self.globals(&mut entry.value),
                "Parameters" => self.parameters(&entry.value),
                "Conditions" | "Mappings" => self.whole_functions(&entry.value),
                "Resources" => {
                    keep(&mut entry.value, |entry| self.resource(entry));
                }
                _ => {}
            }
        }
    }

    fn transforms(&mut self, value: &mut Node) {
        let mut is_known = |node: &Node| match node.as_text() {
            Some(SERVERLESS) | None => true,
            Some(other) => {
                self.skip(node.line, format!("the transform {other}"));
                false
            }
        };
        match &mut value.kind {
            Kind::List(items) => items.retain(|item| is_known(item)),
            _ => {
                if !is_known(value) {
                    value.kind = Kind::List(Vec::new());
                }
            }
        }
    }

    fn globals(&mut self, globals: &mut Node) {
        keep(globals, |entry| {
            let known = entry.key == "Function";
            if !known {
                self.skip(entry.line, format!("Globals.{}", entry.key));
            }
            known
        });
        for entry in entries_mut(globals) {
            keep(&mut entry.value, |entry| {
                self.property("Globals.Function", function::knows(&entry.key), entry)
            });
        }
    }

    fn parameters(&mut self, all: &Node) {
        for entry in all.entries().unwrap_or_default() {
            let what = format!("the parameter {}", entry.key);
            let kind = entry.value.get("Type").and_then(Node::as_text);
            if let Some(kind) = kind.filter(|kind| !parameters::is_type(kind)) {
                self.tell(entry.line, format!("{what}: the type {kind}"), false);
            }
            for Entry { key, line, .. } in entry.value.entries().unwrap_or_default() {
                if !parameters::ATTRIBUTES.contains(&key.as_str()) {
                    self.tell(*line, format!("{what}: {key}"), false);
                }
            }
        }
    }

    /// Tells of functions on which values depend that cannot be left out.
    fn whole_functions(&mut self, node: &Node) {
        for (line, name) in unknown_functions(node) {
            self.tell(line, name, false);
        }
    }

    /// Whether a resource is made.
    fn resource(&mut self, entry: &mut Entry) -> bool {
        let name = entry.key.clone();
        let kind = entry.value.get("Type").and_then(Node::as_text);
        let kind = kind.unwrap_or_default().to_owned();
        let known = [FUNCTION, LAYER].contains(&kind.as_str()) || Type::of(&kind).is_some();
        let denies = rights::are_denied_by(&kind, &entry.value);
        if !known && !kind.is_empty() {
            let what = format!("{name}: resources of type {kind}");
            self.tell(entry.line, what, !denies);
            self.gone.insert(name);
            return false;
        }
        keep(&mut entry.value, |attribute| {
            let known = ATTRIBUTES.contains(&attribute.key.as_str());
            if !known {
                self.skip(attribute.line, format!("{name}: {}", attribute.key));
            }
            let policy = attribute.key.ends_with("Policy");
            let value = attribute.value.as_text().unwrap_or("Delete");
            if known && policy && !["Delete", "Retain"].contains(&value) {
                // It says what becomes of data.
                let what = format!("{name}: {} {value}", attribute.key);
                self.tell(attribute.line, what, false);
            }
            known
        });
        let mut is_whole = true;
        for attribute in entries_mut(&mut entry.value) {
            if attribute.key == "Properties" {
                keep(&mut attribute.value, |property| {
                    let known = match kind.as_str() {
                        FUNCTION => function::knows(&property.key),
                        LAYER => layer::knows(&property.key),
                        // A text that is not a type's name is refused later.
                        _ => {
                            Type::of(&kind).is_none_or(|kind| kind.change(&property.key).is_some())
                        }
                    };
                    let kept = match rights::are_given_by(&kind) {
                        true => self.part(&name, known, property),
                        false => self.property(&name, known, property),
                    };
                    is_whole &= kept;
                    kept
                });
            }
        }
        if !is_whole && rights::are_given_by(&kind) {
            let what =
                format!("{name}: a resource of type {kind} is made as a whole or not at all");
            self.tell(entry.line, what, !denies);
            self.gone.insert(name);
            return false;
        }
        true
    }

    /// Whether a property is there; what is within it, too.
    fn property(&mut self, owner: &str, known: bool, property: &mut Entry) -> bool {
        let what = format!("{owner}: {}", property.key);
        match property.key.as_str() {
            _ if !known => {}
            "Events" => keep(&mut property.value, |event| self.event(owner, event)),
            "Policies" => items(&mut property.value, |item| self.policy(owner, item)),
            "Environment" => self.variables(owner, &mut property.value),
            "FunctionUrlConfig" => self.inner(&what, &mut property.value, &function::URL),
            "EventInvokeConfig" => self.inner(&what, &mut property.value, &function::INVOKES),
            _ => {}
        }
        self.value(owner, known, property)
    }

    /// Whether a property is there, and all of its value can be worked out.
    fn value(&mut self, owner: &str, known: bool, property: &Entry) -> bool {
        let missing = missing(owner, known, property);
        for (line, what) in &missing {
            self.skip_property(*line, &property.key, what.clone());
        }
        missing.is_empty()
    }

    /// The same of a resource that goes whole with it.
    fn part(&mut self, owner: &str, known: bool, property: &Entry) -> bool {
        let missing = missing(owner, known, property);
        let bounds = rights::are_bounded_by(&property.key);
        for (line, what) in &missing {
            self.tell(*line, what.clone(), !bounds);
        }
        missing.is_empty()
    }

    /// Leaves out single variables whose values cannot be worked out.
    fn variables(&mut self, owner: &str, environment: &mut Node) {
        for variables in entries_mut(environment) {
            keep(&mut variables.value, |entry| {
                let unknown = unknown_functions(&entry.value);
                for (line, name) in &unknown {
                    self.skip(
                        *line,
                        format!("{owner}: the variable {}: {name}", entry.key),
                    );
                }
                unknown.is_empty()
            });
        }
    }

    fn inner(&mut self, what: &str, value: &mut Node, known: &[&str]) {
        keep(value, |entry| {
            let known = known.contains(&entry.key.as_str());
            if !known {
                self.skip(entry.line, format!("{what}.{}", entry.key));
            }
            known
        });
    }

    /// Whether an event is made.
    fn event(&mut self, owner: &str, entry: &mut Entry) -> bool {
        let what = format!("{owner}: the event {}", entry.key);
        let Some(kind) = entry.value.get("Type").and_then(Node::as_text) else {
            return true;
        };
        let kind = kind.to_owned();
        if !events::is_kind(&kind) {
            self.skip(entry.line, format!("{what} of type {kind}"));
            self.gone.extend(IMPLICIT.map(str::to_owned));
            return false;
        }
        for attribute in entries_mut(&mut entry.value) {
            if attribute.key == "Properties" {
                keep(&mut attribute.value, |property| {
                    let known = events::knows(&kind, &property.key);
                    if !known {
                        self.skip(property.line, format!("{what}: {}", property.key));
                    }
                    known
                });
            }
        }
        true
    }

    fn policy(&mut self, owner: &str, item: &Node) -> bool {
        let Some([Entry { key, line, .. }]) = item.entries() else {
            return true;
        };
        let known = item.call().is_some() || key == "Statement" || policies::is_template(key);
        if !known {
            self.skip(*line, format!("{owner}: the policy template {key}"));
        }
        known
    }
}

/// What is not supported of a property, and where.
fn missing(owner: &str, known: bool, property: &Entry) -> Vec<(usize, String)> {
    let Entry { key, line, value } = property;
    if !known {
        let what = format!("{owner}: {key} (no such property, or not supported)");
        return vec![(*line, what)];
    }
    let unknown = unknown_functions(value).into_iter();
    unknown
        .map(|(line, name)| (line, format!("{owner}: {key}: {name}")))
        .collect()
}

/// The functions of a value that are not known, and where they stand.
fn unknown_functions(node: &Node) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // `Condition` and `Ref` are always known; a map that merely has such a key is not a call.
    if let Some((name, _)) = node.call()
        && !FUNCTIONS.contains(&name)
    {
        found.push((node.line, format!("the function {name}")));
    }
    for item in node.items().unwrap_or_default() {
        found.extend(unknown_functions(item));
    }
    for entry in node.entries().unwrap_or_default() {
        found.extend(unknown_functions(&entry.value));
    }
    found
}

#[cfg(test)]
mod tests;
