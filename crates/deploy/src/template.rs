//! A template: what is to be deployed, as its writer put it.
//!
//! ```text
//!   text ──yaml, json──▶ Node ──cdk, sections──▶ Template ──crate::sam──▶ resources of Lambda's own
//!                                              │
//!                         parameters, conditions, evaluate: what its values are
//! ```

use std::collections::BTreeMap;

mod cdk;
pub mod evaluate;
mod json;
pub mod node;
pub mod parameters;
pub mod references;
mod yaml;

#[cfg(test)]
mod tests;

use node::{Entry, Node};

/// Bytes of a template (CloudFormation: 1 MB).
pub const BYTES_MAX: usize = 1_000_000;
/// Resources of a template (CloudFormation).
pub(crate) const RESOURCES_MAX: usize = 500;

/// What is wrong with a template, and where.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}{message}", at(*line))]
pub struct Error {
    /// Line from 1; 0 if it is not known.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

fn at(line: usize) -> String {
    match line {
        0 => String::new(),
        _ => format!("line {line}: "),
    }
}

/// The sections of a template.
#[derive(Clone, PartialEq, Debug)]
pub struct Template {
    /// Whether SAM's types may be used.
    pub serverless: bool,
    /// What SAM's types have in common.
    pub globals: Option<Node>,
    /// What can be given from outside.
    pub parameters: Vec<parameters::Parameter>,
    /// Tables for `Fn::FindInMap`.
    pub mappings: Option<Node>,
    /// Conditions by name.
    pub conditions: BTreeMap<String, Node>,
    /// What is to be there, in the order of the file.
    pub resources: Vec<Declared>,
    /// The outputs.
    pub outputs: Vec<Output>,
}

/// A resource as it is written.
#[derive(Clone, PartialEq, Debug)]
pub struct Declared {
    /// Its name in the template.
    pub name: String,
    /// Where it stands.
    pub line: usize,
    /// `AWS::Lambda::Function`, say.
    pub type_name: String,
    /// A map.
    pub properties: Node,
    /// The condition it depends on.
    pub condition: Option<String>,
    /// Resources that come before it.
    pub depends_on: Vec<String>,
    /// Whether it outlives its place in the template (`DeletionPolicy: Retain`).
    pub retain: bool,
    /// Whether what it replaces stays (`UpdateReplacePolicy: Retain`).
    pub retain_replaced: bool,
}

/// An output.
#[derive(Clone, PartialEq, Debug)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: Node,
    /// For people.
    pub description: Option<String>,
    /// The condition it depends on.
    pub condition: Option<String>,
}

impl Template {
    /// Reads a template, YAML or JSON.
    pub fn parse(text: &str) -> Result<Self, Error> {
        sections(&read(text)?)
    }

    /// The sections of a template that was [`read`].
    pub fn of(root: &Node) -> Result<Self, Error> {
        sections(root)
    }
}

/// What a template's text says.
pub fn read(text: &str) -> Result<Node, Error> {
    if text.len() > BYTES_MAX {
        return Err(Error {
            line: 0,
            message: format!("a template has {BYTES_MAX} bytes at most"),
        });
    }
    let root = match text.trim_start().starts_with('{') {
        // Text in braces is JSON, or YAML of the kind that has braces.
        true => json::parse(text).or_else(|error| yaml::parse(text).map_err(|_| error))?,
        false => yaml::parse(text)?,
    };
    Ok(cdk::plain(root))
}

fn sections(root: &Node) -> Result<Template, Error> {
    let mut template = Template {
        serverless: false,
        globals: None,
        parameters: Vec::new(),
        mappings: None,
        conditions: BTreeMap::new(),
        resources: Vec::new(),
        outputs: Vec::new(),
    };
    for Entry { key, line, value } in root.expect_map("a template")? {
        match key.as_str() {
            "AWSTemplateFormatVersion" | "Description" | "Metadata" => {}
            "Transform" => template.serverless = transform(value)?,
            "Globals" => template.globals = Some(value.clone()),
            "Parameters" => {
                for entry in value.expect_map(key)? {
                    template
                        .parameters
                        .push(parameters::Parameter::read(entry)?);
                }
            }
            "Mappings" => {
                value.expect_map(key)?;
                template.mappings = Some(value.clone());
            }
            "Conditions" => {
                for entry in value.expect_map(key)? {
                    let (name, condition) = (entry.key.clone(), entry.value.clone());
                    template.conditions.insert(name, condition);
                }
            }
            "Resources" => {
                for entry in value.expect_map(key)? {
                    template.resources.push(resource(entry)?);
                }
            }
            "Outputs" => {
                for entry in value.expect_map(key)? {
                    template.outputs.push(output(entry)?);
                }
            }
            _ => {
                return Err(Error {
                    line: *line,
                    message: format!(
                        "{key} is not a section of a template, or not a supported one"
                    ),
                });
            }
        }
    }
    if template.resources.is_empty() {
        return Err(root.error("the template has no Resources"));
    }
    if template.resources.len() > RESOURCES_MAX {
        return Err(root.error(format!("a template has {RESOURCES_MAX} resources at most")));
    }
    Ok(template)
}

/// Whether SAM's transform is asked for; no other is known.
fn transform(value: &Node) -> Result<bool, Error> {
    let single = std::slice::from_ref(value);
    for name in value.items().unwrap_or(single) {
        let text = name.expect_text("Transform")?;
        if text != "AWS::Serverless-2016-10-31" {
            return Err(name.error(format!("the transform {text} is not supported")));
        }
    }
    Ok(true)
}

fn resource(entry: &Entry) -> Result<Declared, Error> {
    let mut declared = Declared {
        name: name(entry)?,
        line: entry.line,
        type_name: String::new(),
        properties: Node::map(entry.line, Vec::<(String, Node)>::new()),
        condition: None,
        depends_on: Vec::new(),
        retain: false,
        retain_replaced: false,
    };
    let what = format!("the resource {}", entry.key);
    for Entry { key, line, value } in entry.value.expect_map(&what)? {
        match key.as_str() {
            "Type" => declared.type_name = value.expect_text(key)?.to_owned(),
            "Properties" => {
                value.expect_map(key)?;
                declared.properties = value.clone();
            }
            "Condition" => declared.condition = Some(value.expect_text(key)?.to_owned()),
            "DependsOn" => {
                let single = std::slice::from_ref(value);
                for name in value.items().unwrap_or(single) {
                    declared.depends_on.push(name.expect_text(key)?.to_owned());
                }
            }
            "DeletionPolicy" => declared.retain = retains(value)?,
            "UpdateReplacePolicy" => declared.retain_replaced = retains(value)?,
            "Metadata" => {}
            _ => {
                return Err(Error {
                    line: *line,
                    message: format!("{what}: {key} is not supported"),
                });
            }
        }
    }
    if declared.type_name.is_empty() {
        return Err(entry.value.error(format!("{what} has no Type")));
    }
    Ok(declared)
}

fn retains(value: &Node) -> Result<bool, Error> {
    match value.expect_text("the policy")? {
        "Delete" => Ok(false),
        "Retain" => Ok(true),
        other => Err(value.error(format!("the policy {other} is not supported"))),
    }
}

/// Names are letters and digits (CloudFormation).
fn name(entry: &Entry) -> Result<String, Error> {
    let good = !entry.key.is_empty()
        && entry.key.len() <= 255
        && entry.key.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match good {
        true => Ok(entry.key.clone()),
        false => Err(Error {
            line: entry.line,
            message: format!("{:?}: a name is of letters and digits", entry.key),
        }),
    }
}

fn output(entry: &Entry) -> Result<Output, Error> {
    let what = format!("the output {}", entry.key);
    entry.value.expect_map(&what)?;
    let value = entry.value.get("Value");
    let text = |key: &str| -> Result<Option<String>, Error> {
        let node = entry.value.get(key);
        node.map(|node| node.expect_text(key).map(str::to_owned))
            .transpose()
    };
    Ok(Output {
        name: name(entry)?,
        value: value
            .cloned()
            .ok_or_else(|| entry.value.error(format!("{what} has no Value")))?,
        description: text("Description")?,
        condition: text("Condition")?,
    })
}
