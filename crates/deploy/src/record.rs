//! What a stack has: kept by the server, so that every machine sees the same.
//!
//! It is written before a resource is made (`made: false`, with the name it will have) and after.
//! A deploy that was killed in between finds what it may have left behind.

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
    /// What was told at the end.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
}

/// What is to be deleted although its name is another's now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Leftover {
    /// The name it had in the template.
    pub name: String,
    /// What it is.
    pub resource: Recorded,
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
    /// Whether an earlier deploy may have made it, which was killed before it could say so.
    #[serde(skip)]
    pub resumed: bool,
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
pub fn physical_name(identity: &Identity, kind: Type, name: &str, generation: u32) -> String {
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
