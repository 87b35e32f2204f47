//! `AWS::Serverless::LayerVersion`.

use super::{location, unknown};
use crate::template::node::{Entry, Node};
use crate::template::{Declared, Error};

/// Properties that Lambda's own type has under the same name.
const SAME: [&str; 5] = [
    "CompatibleArchitectures",
    "CompatibleRuntimes",
    "Description",
    "LayerName",
    "LicenseInfo",
];

/// Whether there is a property of that name.
pub(crate) fn knows(key: &str) -> bool {
    let other = ["ContentUri", "RetentionPolicy"];
    SAME.contains(&key) || other.contains(&key)
}

/// The layer's version as Lambda's own type.
pub(super) fn expand(declared: &Declared) -> Result<Declared, Error> {
    let mut properties = Node::map(declared.line, Vec::<(String, Node)>::new());
    // SAM keeps old versions unless told otherwise: functions may still refer to them.
    let mut retain = true;
    for Entry { key, line, value } in declared.properties.expect_map("Properties")? {
        match key.as_str() {
            "ContentUri" => properties.set("Content", location(value)),
            key if SAME.contains(&key) => properties.set(key, value.clone()),
            "RetentionPolicy" => {
                retain = match value.expect_text(key)? {
                    "Retain" => true,
                    "Delete" => false,
                    _ => return Err(value.error("RetentionPolicy is Retain or Delete")),
                }
            }
            _ => return Err(unknown(declared, *line, key)),
        }
    }
    if properties.get("LayerName").is_none() {
        properties.set("LayerName", Node::text(declared.line, &declared.name));
    }
    Ok(Declared {
        type_name: "AWS::Lambda::LayerVersion".to_owned(),
        properties,
        retain,
        retain_replaced: retain,
        ..declared.clone()
    })
}
