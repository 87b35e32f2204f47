//! `Globals`: what all functions of a template have in common.

use crate::template::Error;
use crate::template::node::{Entry, Kind, Node};

/// The properties of one resource over those of its section of `Globals`: a value of the resource's own wins, maps
/// are put together, lists come one after the other (SAM's rules).
pub(super) fn merge(
    globals: Option<&Node>,
    section: &str,
    properties: &Node,
) -> Result<Node, Error> {
    let Some(globals) = globals else {
        return Ok(properties.clone());
    };
    for Entry { key, line, .. } in globals.expect_map("Globals")? {
        if key != "Function" {
            return Err(Error {
                line: *line,
                message: format!("Globals: {key} is not supported"),
            });
        }
    }
    let Some(common) = globals.get(section) else {
        return Ok(properties.clone());
    };
    common.expect_map("Globals.Function")?;
    Ok(over(common, properties))
}

fn over(common: &Node, own: &Node) -> Node {
    if common.call().is_some() || own.call().is_some() {
        return own.clone();
    }
    let kind = match (&common.kind, &own.kind) {
        (Kind::Map(common), Kind::Map(entries)) => {
            let mut merged = common.clone();
            for entry in entries {
                match merged.iter_mut().find(|other| other.key == entry.key) {
                    Some(other) => {
                        other.line = entry.line;
                        other.value = over(&other.value, &entry.value);
                    }
                    None => merged.push(entry.clone()),
                }
            }
            Kind::Map(merged)
        }
        (Kind::List(common), Kind::List(items)) => {
            Kind::List(common.iter().chain(items).cloned().collect())
        }
        _ => own.kind.clone(),
    };
    Node {
        line: own.line,
        kind,
    }
}
