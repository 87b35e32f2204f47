//! `Condition`: an object of operators, each an object of keys, each with one value or a list.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Malformed, malformed, syntax};
use crate::condition::{Condition, Unreadable};

pub(super) fn parse_conditions(
    value: Option<&Value>,
    variables: bool,
) -> Result<Vec<Condition>, Malformed> {
    let operators = match value {
        None => return Ok(Vec::new()),
        Some(Value::Object(operators)) => operators,
        Some(_) => return syntax(),
    };
    let mut conditions = Vec::new();
    // Names of operators and keys are alike whatever their case: two that are alike may be meant as
    // alternatives as well as together.
    let mut seen = BTreeSet::new();
    for (operator, keys) in operators {
        let Some(keys) = keys.as_object() else {
            return syntax();
        };
        for (key, value) in keys {
            if !seen.insert((operator.to_ascii_lowercase(), key.to_ascii_lowercase())) {
                return malformed(format!(
                    "The condition key {key} is there twice for the operator {operator}."
                ));
            }
            check_key(key)?;
            let values = values(value)?;
            if values.is_empty() {
                return malformed(format!("The condition key {key} has no values."));
            }
            let read = Condition::new(operator, key, &values, variables);
            conditions.push(read.map_err(|why| refusal(why, operator, &values))?);
        }
    }
    Ok(conditions)
}

/// `aws:SourceIp`; `aws:RequestTag/` and the key of a tag, which may have spaces.
fn check_key(key: &str) -> Result<(), Malformed> {
    let Some((vendor, name)) = key.split_once(':') else {
        return malformed(
            "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
        );
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if vendor.is_empty() || name.is_empty() || !vendor.bytes().all(plain) {
        return malformed(format!("Vendor {vendor} is not valid"));
    }
    match key.trim() == key && !key.chars().any(char::is_control) {
        true => Ok(()),
        false => syntax(),
    }
}

fn refusal(why: Unreadable, operator: &str, values: &[String]) -> Malformed {
    Malformed(match why {
        Unreadable::Operator => format!("Invalid Condition type : {operator}."),
        Unreadable::Variable => "Syntax errors in policy.".to_owned(),
        Unreadable::Value => format!(
            "The values {values:?} are not all of the kind that the condition operator {operator} \
             compares."
        ),
    })
}

/// Values of a condition may be numbers and truths as well.
fn values(value: &Value) -> Result<Vec<String>, Malformed> {
    let one = |value: &Value| match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        _ => syntax(),
    };
    match value {
        Value::Array(list) => list.iter().map(one).collect(),
        one_value => Ok(vec![one(one_value)?]),
    }
}
