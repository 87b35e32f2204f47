//! From a template's properties to an API's members: almost the same, but for how a few are
//! written.

use serde_json::{Map, Value};

use crate::api::Error;
use crate::record::Properties;
use crate::template::evaluate::text_of;

/// A text property.
pub(super) fn text<'p>(properties: &'p Properties, name: &str) -> Option<&'p str> {
    properties.get(name).and_then(Value::as_str)
}

/// A text property that must be there.
pub(super) fn needed<'p>(properties: &'p Properties, name: &str) -> Result<&'p str, Error> {
    text(properties, name).ok_or_else(|| Error::Failed(format!("{name} must be a text")))
}

/// A member of an answer that must be there.
pub(super) fn told<'v>(answer: &'v Value, name: &str) -> Result<&'v str, Error> {
    let found = answer.get(name).and_then(Value::as_str);
    found.ok_or_else(|| Error::Answer(name.to_owned()))
}

/// The properties of those names, as they are.
pub(super) fn chosen(properties: &Properties, names: &[&str]) -> Map<String, Value> {
    let pairs = names.iter().filter_map(|name| {
        let value = properties.get(*name)?;
        Some(((*name).to_owned(), value.clone()))
    });
    pairs.collect()
}

/// Scalars as texts: of variables and tags, which templates may write as numbers.
pub(super) fn texts(map: &Value) -> Value {
    match map {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| {
                let value = text_of(value).map_or_else(|| value.clone(), Value::String);
                (key.clone(), value)
            })
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

/// Numbers and truth values that came as texts, of parameters say, as what they are.
pub(super) fn numbers(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Ok(number) = text.parse::<i64>() {
                *value = number.into();
            } else if text == "true" || text == "false" {
                *value = (text == "true").into();
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(numbers),
        _ => {}
    }
}

/// The name, or the ARN, of a function, as a part of a path.
pub(super) fn in_path(name: &str) -> String {
    wire::uri::encode(name)
}
