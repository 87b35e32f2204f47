//! A stack's record, kept by the server, so that every machine sees the same.
//!
//! It is written before a resource is made (`made: false`, with the name it will have) or changed
//! (`unsure`, with the values it may then have), and after. The deploy after one that was killed in
//! between first takes back what that began to make; what it began to change has both values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::desired::Identity;
use crate::hash::hex;
use crate::resource::Type;
use crate::template::evaluate::{Attribute, Resources};

/// Properties, worked out.
pub type Properties = Map<String, Value>;

/// A stack.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    /// What it has, by its name in the template.
    pub resources: BTreeMap<String, Recorded>,
    /// What was replaced and is to be deleted.
    #[serde(default)]
    pub leftovers: Vec<Leftover>,
    /// The outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// The values of its parameters: they hold until others are given.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
}

/// What is to be deleted although its name is another's now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Leftover {
    /// The name it had in the template.
    pub name: String,
    /// What it is.
    pub resource: Recorded,
    /// Whether it is only forgotten and stays.
    #[serde(default)]
    pub retain: bool,
}

/// A resource.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Recorded {
    /// What it is.
    pub kind: Type,
    /// The name it has been given, where it has one: for what a template does not name.
    pub name: String,
    /// Counts replacements, so that each gets another name.
    #[serde(default)]
    pub generation: u32,
    /// What `Ref` is; empty while it is not made.
    pub id: String,
    /// What `Fn::GetAtt` is.
    pub attributes: BTreeMap<String, Value>,
    /// What it was made from.
    pub properties: Properties,
    /// What has to stay for as long as it does.
    pub depends_on: Vec<String>,
    /// Whether it stays when it is not wanted any more.
    pub retain: bool,
    /// Whether it is known to be there.
    pub made: bool,
    /// Other values that properties may have, null for none: an update that did not come to its
    /// end was to set them.
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    pub unsure: Properties,
}

impl Record {
    /// Takes out what was begun to be made and is not known to be there; what it was to replace is
    /// itself again.
    pub(crate) fn take_unfinished(&mut self) -> Vec<(String, Recorded)> {
        let all = std::mem::take(&mut self.resources);
        let (made, begun): (BTreeMap<_, _>, BTreeMap<_, _>) =
            all.into_iter().partition(|(_, resource)| resource.made);
        self.resources = made;
        for (name, resource) in &begun {
            let replaced = self.leftovers.iter().position(|left| {
                left.name == *name
                    && left.resource.made
                    && left.resource.generation + 1 == resource.generation
            });
            if let Some(replaced) = replaced {
                let left = self.leftovers.remove(replaced);
                self.resources.insert(left.name, left.resource);
            }
        }
        begun.into_iter().collect()
    }
}

impl Resources for Record {
    fn attribute(&self, name: &str, attribute: &str) -> Attribute {
        let Some(recorded) = self.resources.get(name) else {
            return Attribute::NoResource;
        };
        if !recorded.made {
            return Attribute::Later;
        }
        recorded.attribute(attribute)
    }
}

impl Recorded {
    /// The properties that it may have: those of an update that did not come to its end, then those
    /// before that.
    pub(crate) fn may_have(&self) -> Vec<Properties> {
        let mut states = vec![self.properties.clone()];
        if !self.unsure.is_empty() {
            let mut other = self.properties.clone();
            for (name, value) in &self.unsure {
                match value {
                    Value::Null => drop(other.remove(name)),
                    value => drop(other.insert(name.clone(), value.clone())),
                }
            }
            states.insert(0, other);
        }
        states
    }

    /// `Ref` (empty) or an attribute.
    pub fn attribute(&self, attribute: &str) -> Attribute {
        if attribute.is_empty() {
            return Attribute::Is(self.id.clone().into());
        }
        match self.attributes.get(attribute) {
            Some(value) => Attribute::Is(value.clone()),
            None => Attribute::None,
        }
    }
}

/// The name of a resource that the template does not name: `<stack>-<name>-<hash>`. Always the same
/// for the same generation, so that a deploy after a killed one finds what that made.
pub(crate) fn physical_name(
    identity: &Identity,
    kind: Type,
    name: &str,
    generation: u32,
) -> String {
    // A layer's versions are one behind the other under one name.
    let generation = match kind {
        Type::LayerVersion => 0,
        _ => generation,
    };
    let Identity {
        stack,
        region,
        account,
    } = identity;
    let seed = format!("{account}/{region}/{stack}/{name}/{generation}");
    let suffix = &hex(seed.as_bytes())[..8];
    let max = kind.schema().name_characters_max.max(64);
    let mut start: String = format!("{stack}-{name}");
    start.truncate(max - suffix.len() - 1);
    format!("{start}-{suffix}")
}

/// A hash of properties: changes whenever one does.
pub fn fingerprint(value: &Value) -> String {
    // Maps of serde_json are in the order of their keys.
    hex(value.to_string().as_bytes())
}
