//! Templates in JSON.

use serde_json::Value;

use super::Error;
use super::node::{Entry, Kind, Node};

/// Reads one. Its lines are not known, except for the line of a syntax error.
pub(super) fn parse(text: &str) -> Result<Node, Error> {
    let value: Value = types::json::from_slice(text.as_bytes()).map_err(|error| Error {
        line: error.line(),
        message: format!("this is not JSON: {error}"),
    })?;
    Ok(node(value))
}

/// serde_json refuses what is nested more than 128 deep, so this ends.
fn node(value: Value) -> Node {
    let kind = match value {
        Value::Null => Kind::Null,
        Value::Bool(value) => Kind::Bool(value),
        Value::Number(number) => Kind::Number(number.to_string()),
        Value::String(text) => Kind::Text(text),
        Value::Array(items) => Kind::List(items.into_iter().map(node).collect()),
        Value::Object(fields) => Kind::Map(fields.into_iter().map(entry).collect()),
    };
    Node { line: 0, kind }
}

fn entry((key, value): (String, Value)) -> Entry {
    let mut value = node(value);
    if key == "Fn::GetAtt"
        && let Some((name, attribute)) = value.as_text().and_then(|text| text.split_once('.'))
    {
        value = Node::list(0, vec![Node::text(0, name), Node::text(0, attribute)]);
    }
    Entry {
        key,
        line: 0,
        value,
    }
}
