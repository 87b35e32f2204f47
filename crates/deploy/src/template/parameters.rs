//! A template's parameters, and their constraints.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Error;
use super::node::{Entry, Node};

/// A parameter.
#[derive(Clone, PartialEq, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Whether it is a secret: its value is never shown, nor remembered.
    pub no_echo: bool,
    line: usize,
    kind: Type,
    default: Option<String>,
    allowed: Vec<String>,
    length: (Option<u64>, Option<u64>),
    value: (Option<f64>, Option<f64>),
    constraint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Type {
    Text,
    Number,
    Texts,
    Numbers,
}

impl Parameter {
    /// Reads one of `Parameters`.
    pub fn read(entry: &Entry) -> Result<Self, Error> {
        let what = format!("the parameter {}", entry.key);
        let mut parameter = Self {
            name: entry.key.clone(),
            no_echo: false,
            line: entry.line,
            kind: Type::Text,
            default: None,
            allowed: Vec::new(),
            length: (None, None),
            value: (None, None),
            constraint: None,
        };
        for Entry { key, line, value } in entry.value.expect_map(&what)? {
            let scalar = || {
                let text = value.scalar();
                text.ok_or_else(|| value.error(format!("{what}: {key} must be a text")))
            };
            match key.as_str() {
                "Type" => parameter.kind = type_of(value, &what)?,
                "Default" => parameter.default = Some(scalar()?),
                "NoEcho" => parameter.no_echo = scalar()? == "true",
                "Description" => {}
                "ConstraintDescription" => parameter.constraint = Some(scalar()?),
                "AllowedValues" => {
                    for item in value.expect_list(key)? {
                        parameter.allowed.extend(item.scalar());
                    }
                }
                "MinLength" => parameter.length.0 = Some(number(value)?),
                "MaxLength" => parameter.length.1 = Some(number(value)?),
                "MinValue" => parameter.value.0 = Some(number(value)?),
                "MaxValue" => parameter.value.1 = Some(number(value)?),
                _ => {
                    return Err(Error {
                        line: *line,
                        message: format!("{what}: {key} is not supported"),
                    });
                }
            }
        }
        Ok(parameter)
    }

    /// What it is, given that.
    fn resolve(&self, given: Option<&str>) -> Result<Value, Error> {
        let Some(text) = given.or(self.default.as_deref()) else {
            return Err(self.error("needs a value: --parameter-overrides NAME=VALUE"));
        };
        let items: Vec<&str> = match self.kind {
            Type::Text | Type::Number => vec![text],
            Type::Texts | Type::Numbers => text.split(',').map(str::trim).collect(),
        };
        for item in &items {
            self.check(item)?;
        }
        Ok(match self.kind {
            Type::Text | Type::Number => text.into(),
            Type::Texts | Type::Numbers => items.into(),
        })
    }

    fn check(&self, item: &str) -> Result<(), Error> {
        if !self.allowed.is_empty() && !self.allowed.iter().any(|allowed| allowed == item) {
            return Err(self.error(&format!("must be one of {}", self.allowed.join(", "))));
        }
        let length = item.chars().count() as u64;
        if self.length.0.is_some_and(|min| length < min)
            || self.length.1.is_some_and(|max| length > max)
        {
            return Err(self.error("has not the length it must have"));
        }
        if matches!(self.kind, Type::Number | Type::Numbers) {
            let number: f64 = item.parse().map_err(|_| self.error("must be a number"))?;
            if self.value.0.is_some_and(|min| number < min)
                || self.value.1.is_some_and(|max| number > max)
            {
                return Err(self.error("is not between its bounds"));
            }
        }
        Ok(())
    }

    /// Never with the value: it may be a secret.
    fn error(&self, what: &str) -> Error {
        let more = self.constraint.as_ref();
        let more = more.map(|text| format!(" ({text})")).unwrap_or_default();
        Error {
            line: self.line,
            message: format!("the parameter {} {what}{more}", self.name),
        }
    }
}

/// The values that the next deployment takes where none is given for a parameter, as CloudFormation does; of
/// secrets none.
pub fn remembered(
    parameters: &[Parameter],
    last: &BTreeMap<String, String>,
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let holds = |name: &str| {
        let mut all = parameters.iter();
        all.any(|parameter| parameter.name == name && !parameter.no_echo)
    };
    let last = last.iter().filter(|(name, _)| holds(name));
    let mut values: BTreeMap<String, String> = last
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    values.extend(given.clone());
    values
}

/// The values that the stack's record keeps, including defaults. Secrets are not kept, as every reader of the
/// record would see them.
pub fn texts(
    parameters: &[Parameter],
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let text = |parameter: &Parameter| {
        let given = given.get(&parameter.name);
        let text = given.or(parameter.default.as_ref())?;
        Some((parameter.name.clone(), text.clone()))
    };
    let shown = parameters.iter().filter(|parameter| !parameter.no_echo);
    shown.filter_map(text).collect()
}

/// All parameters' values. A value for an unknown parameter is refused.
pub fn resolve(
    parameters: &[Parameter],
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, Value>, Error> {
    for name in given.keys() {
        if !parameters.iter().any(|parameter| parameter.name == *name) {
            return Err(Error {
                line: 0,
                message: format!("the template has no parameter {name}"),
            });
        }
    }
    let mut values = BTreeMap::new();
    for parameter in parameters {
        let value = parameter.resolve(given.get(&parameter.name).map(String::as_str))?;
        values.insert(parameter.name.clone(), value);
    }
    Ok(values)
}

/// What a parameter may have.
pub(crate) const ATTRIBUTES: [&str; 10] = [
    "AllowedValues",
    "ConstraintDescription",
    "Default",
    "Description",
    "MaxLength",
    "MaxValue",
    "MinLength",
    "MinValue",
    "NoEcho",
    "Type",
];

/// Whether there is such a type.
pub(crate) fn is_type(name: &str) -> bool {
    type_of(&Node::text(0, name), "").is_ok()
}

fn type_of(value: &Node, what: &str) -> Result<Type, Error> {
    match value.expect_text("Type")? {
        "String" => Ok(Type::Text),
        "Number" => Ok(Type::Number),
        "CommaDelimitedList" => Ok(Type::Texts),
        "List<Number>" => Ok(Type::Numbers),
        // The ids of resources of a network and the like: here they are texts.
        other if other.starts_with("AWS::EC2::") => Ok(Type::Text),
        other if other.starts_with("List<AWS::EC2::") => Ok(Type::Texts),
        other => Err(value.error(format!("{what}: the type {other} is not supported"))),
    }
}

fn number<T: std::str::FromStr>(value: &Node) -> Result<T, Error> {
    let number = value.scalar().and_then(|text| text.parse().ok());
    number.ok_or_else(|| value.error("this must be a number"))
}
