//! The supported resource types: which properties each has, and what changing one means.

mod types;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

/// A type of resource.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Type {
    /// A function.
    Function,
    /// A published version of one.
    Version,
    /// An alias.
    Alias,
    /// A version of a layer.
    LayerVersion,
    /// Who may use a version of a layer.
    LayerVersionPermission,
    /// A statement of a function's policy.
    Permission,
    /// A function's URL.
    Url,
    /// What reads a queue or stream for a function.
    EventSourceMapping,
    /// How asynchronous invokes are treated.
    EventInvokeConfig,
    /// Whose signatures on code are wanted.
    CodeSigningConfig,
    /// A role.
    Role,
    /// A policy within roles and users.
    Policy,
    /// A policy of its own.
    ManagedPolicy,
    /// Where logs go.
    LogGroup,
}

/// What there is to know of a type.
#[derive(Debug)]
pub struct Schema {
    /// As templates name it.
    pub name: &'static str,
    /// Properties that must be given.
    pub required: &'static [&'static str],
    /// Properties that can be changed on what exists.
    pub mutable: &'static [&'static str],
    /// Properties whose change makes another resource in place of it.
    pub replacing: &'static [&'static str],
    /// The property that names it, if one does. A name is made where none is given.
    pub named_by: Option<&'static str>,
    /// The longest name, characters.
    pub name_characters_max: usize,
    /// What `Fn::GetAtt` can ask for.
    pub attributes: &'static [&'static str],
}

/// How a property is allowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// On what exists.
    InPlace,
    /// By another in its place.
    Replace,
}

impl Type {
    /// The type of that name.
    pub fn of(name: &str) -> Option<Self> {
        types::ALL
            .iter()
            .find(|(_, schema)| schema.name == name)
            .map(|(kind, _)| *kind)
    }

    /// All of it.
    pub fn schema(self) -> &'static Schema {
        let found = types::ALL.iter().find(|(kind, _)| *kind == self);
        &found.expect("every type is in the table").1
    }

    /// What a change of that property means; `None` if there is no such property.
    pub fn change(self, property: &str) -> Option<Change> {
        let schema = self.schema();
        if schema.mutable.contains(&property) {
            return Some(Change::InPlace);
        }
        schema
            .replacing
            .contains(&property)
            .then_some(Change::Replace)
    }

    /// Whether an attribute is still the same after those properties were changed in place.
    pub fn outlives(self, attribute: &str, changed: &[String]) -> bool {
        match (self, attribute) {
            (Self::Function, CODE) => !changed.iter().any(|name| name == "Code"),
            (Self::Function, EVERYTHING) => changed.is_empty(),
            _ => true,
        }
    }
}

/// An attribute of functions that CloudFormation does not have: the hash of the code. A version that refers to it is
/// published again when the code changes.
pub const CODE: &str = "Lambent.Code";
/// The hash of all properties.
pub(crate) const EVERYTHING: &str = "Lambent.Properties";
/// A version's property that refers to one of them.
pub(crate) const PUBLISH_AGAIN: &str = "Lambent.PublishAgain";

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.schema().name)
    }
}
