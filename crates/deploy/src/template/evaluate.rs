//! Evaluates a template's values: the functions, parameters, attributes of resources.
//!
//! What only comes to be during the deploy is not known yet when the plan is made. Such a value is
//! worked out nevertheless, with a text in its place that says so, and the outcome says what it
//! waits for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::Error;
use super::node::{Kind, Node};

mod functions;
pub use functions::FUNCTIONS;

/// Values within each other, counting what functions lead to.
const DEPTH_MAX: usize = 128;
/// Bytes of all texts that the functions of one value make.
const BYTES_MAX: usize = 4 * 1024 * 1024;

/// What names stand for.
pub struct Scope<'t> {
    /// Parameters and pseudo parameters.
    pub values: &'t BTreeMap<String, Value>,
    /// `Mappings`.
    pub mappings: Option<&'t Node>,
    /// `Conditions`, decided.
    pub conditions: &'t BTreeMap<String, bool>,
    /// Resources and their attributes.
    pub resources: &'t dyn Resources,
}

/// What is known of resources. The attribute of `Ref` is the empty text.
pub trait Resources {
    /// The attribute, or why there is none.
    fn attribute(&self, name: &str, attribute: &str) -> Attribute;
}

/// An attribute of a resource.
pub enum Attribute {
    /// It is this.
    Is(Value),
    /// It will be known once the resource is made.
    Later,
    /// The resource has no such attribute.
    None,
    /// There is no such resource.
    NoResource,
}

/// A value, worked out.
#[derive(Clone, PartialEq, Debug)]
pub struct Outcome {
    /// The value; `None` if it is `AWS::NoValue`.
    pub value: Option<Value>,
    /// Resources whose attributes are not known yet.
    pub later: BTreeSet<String>,
}

/// Works out one value.
pub(crate) fn evaluate(scope: &Scope<'_>, node: &Node) -> Result<Outcome, Error> {
    let mut evaluator = Evaluator {
        scope,
        later: BTreeSet::new(),
        depth: 0,
        bytes: 0,
    };
    let value = evaluator.value(node)?;
    Ok(Outcome {
        value,
        later: evaluator.later,
    })
}

/// A condition's value.
pub fn decide(scope: &Scope<'_>, node: &Node) -> Result<bool, Error> {
    match evaluate(scope, node)?.value {
        Some(Value::Bool(value)) => Ok(value),
        _ => Err(node.error(
            "a condition must be Fn::Equals, Fn::And, Fn::Or, Fn::Not or the name of a condition",
        )),
    }
}

struct Evaluator<'s, 't> {
    scope: &'s Scope<'t>,
    later: BTreeSet<String>,
    depth: usize,
    bytes: usize,
}

impl Evaluator<'_, '_> {
    fn value(&mut self, node: &Node) -> Result<Option<Value>, Error> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(node.error("too many levels within each other"));
        }
        let value = match &node.kind {
            Kind::Null => Some(Value::Null),
            Kind::Bool(value) => Some(Value::Bool(*value)),
            Kind::Number(text) => Some(number(text)),
            Kind::Text(text) => Some(Value::String(text.clone())),
            Kind::List(items) => {
                let mut values = Vec::new();
                for item in items {
                    values.extend(self.value(item)?);
                }
                Some(Value::Array(values))
            }
            Kind::Map(entries) => match node.call() {
                Some((function, argument)) => self.call(node, function, argument)?,
                None => {
                    let mut fields = Map::new();
                    for entry in entries {
                        if let Some(value) = self.value(&entry.value)? {
                            fields.insert(entry.key.clone(), value);
                        }
                    }
                    Some(Value::Object(fields))
                }
            },
        };
        self.depth -= 1;
        Ok(value)
    }

    /// `Ref`.
    fn reference(&mut self, at: &Node, name: &str) -> Result<Option<Value>, Error> {
        if name == "AWS::NoValue" {
            return Ok(None);
        }
        if let Some(value) = self.scope.values.get(name) {
            return Ok(Some(value.clone()));
        }
        self.attribute(at, name, "").map(Some)
    }

    fn attribute(&mut self, at: &Node, name: &str, attribute: &str) -> Result<Value, Error> {
        match self.scope.resources.attribute(name, attribute) {
            Attribute::Is(value) => Ok(value),
            Attribute::Later => {
                self.later.insert(name.to_owned());
                Ok(Value::String(format!("(known after {name})")))
            }
            Attribute::None => {
                Err(at.error(format!("{name} has no attribute {attribute} to refer to")))
            }
            Attribute::NoResource => Err(at.error(format!(
                "{name} is neither a parameter nor a resource of this template"
            ))),
        }
    }

    /// A function makes a text: all of them together are bounded.
    fn made(&mut self, at: &Node, text: String) -> Result<Option<Value>, Error> {
        self.bytes += text.len();
        if self.bytes > BYTES_MAX {
            return Err(at.error("the functions of this value make too much text"));
        }
        Ok(Some(Value::String(text)))
    }
}

/// A number, or its text where the number would be written otherwise: `1.10`, say.
fn number(text: &str) -> Value {
    match serde_json::from_str::<serde_json::Number>(text) {
        Ok(number) if number.to_string() == text => Value::Number(number),
        _ => Value::String(text.to_owned()),
    }
}

/// What a scalar says, as text.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
