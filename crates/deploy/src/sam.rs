//! SAM's types, written out in Lambda's and IAM's own, as SAM's transform does it: one function
//! becomes a function, its role, a version and an alias, a URL, mappings.
//!
//! The names of what is made are those that SAM gives, so that `!Ref HelloRole` or
//! `!GetAtt HelloUrl.FunctionUrl` find it. `!Ref Hello.Alias` and `!Ref Hello.Version` are found by
//! [`Expanded::renames`].

pub(crate) mod events;
pub(crate) mod function;
mod globals;
pub(crate) mod layer;
mod outcomes;
pub(crate) mod policies;
mod role;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::template::node::Node;
use crate::template::{Declared, Error, Template};

/// The resources of a template after SAM's were written out.
#[derive(Debug, Default)]
pub struct Expanded {
    /// Only types of [`crate::resource::Type`], and others that are refused later.
    pub resources: Vec<Declared>,
    /// Other names of resources: `Hello.Alias`.
    pub renames: BTreeMap<String, String>,
}

/// Writes out what is SAM's.
pub fn expand(template: &Template) -> Result<Expanded, Error> {
    let mut expanded = Expanded::default();
    for declared in &template.resources {
        if declared.type_name.starts_with("AWS::Serverless::") && !template.serverless {
            return Err(Error {
                line: declared.line,
                message: format!(
                    "{}: {} needs the line `Transform: AWS::Serverless-2016-10-31`",
                    declared.name, declared.type_name
                ),
            });
        }
        match declared.type_name.as_str() {
            "AWS::Serverless::Function" => {
                let merged =
                    globals::merge(template.globals.as_ref(), "Function", &declared.properties)?;
                let declared = Declared {
                    properties: merged,
                    ..declared.clone()
                };
                function::expand(&declared, &mut expanded)?;
            }
            "AWS::Serverless::LayerVersion" => {
                expanded.resources.push(layer::expand(declared)?);
            }
            _ => expanded.resources.push(declared.clone()),
        }
    }
    let mut names = BTreeSet::new();
    for declared in &expanded.resources {
        if !names.insert(declared.name.as_str()) {
            return Err(Error {
                line: declared.line,
                message: format!("there are two resources {}", declared.name),
            });
        }
    }
    Ok(expanded)
}

/// A resource that belongs to `owner` and comes and goes with it.
fn companion(owner: &Declared, name: String, type_name: &str, properties: Node) -> Declared {
    Declared {
        name,
        line: owner.line,
        type_name: type_name.to_owned(),
        properties,
        condition: owner.condition.clone(),
        depends_on: Vec::new(),
        retain: owner.retain,
        retain_replaced: owner.retain_replaced,
    }
}

/// A property that the type does not have, or that is not supported.
fn unknown(owner: &Declared, line: usize, property: &str) -> Error {
    Error {
        line,
        message: format!(
            "{}: {} has no property {property}, or it is not supported",
            owner.name, owner.type_name
        ),
    }
}

/// Where code is: `CodeUri` and `ContentUri`, as the map that Lambda's types have, or the path of
/// a folder or file.
fn location(node: &Node) -> Node {
    let line = node.line;
    if let Some(rest) = node.as_text().and_then(|text| text.strip_prefix("s3://")) {
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        return Node::map(
            line,
            [
                ("S3Bucket", Node::text(line, bucket)),
                ("S3Key", Node::text(line, key)),
            ],
        );
    }
    if node.call().is_some() {
        return node.clone();
    }
    let Some(entries) = node.entries() else {
        return node.clone();
    };
    let renamed = entries.iter().map(|entry| {
        let key = match entry.key.as_str() {
            "Bucket" => "S3Bucket",
            "Key" => "S3Key",
            "Version" => "S3ObjectVersion",
            other => other,
        };
        (key, entry.value.clone())
    });
    Node::map(line, renamed)
}
