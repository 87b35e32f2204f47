//! Reading policy documents, strictly: what is not understood is refused in IAM's words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use types::ForCallers;

use crate::document::{List, Policy, Statement};

mod conditions;
mod elements;

use conditions::parse_conditions;
use elements::{parse_action, parse_principals, parse_resource};

/// What a document is for: that decides which members it must have and may not have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Belongs to a user, a role, a session: has resources and no principals.
    Identity,
    /// Belongs to a resource: has principals and resources.
    Resource,
    /// Says who may become a role: has principals and no resources.
    Trust,
}

/// Why a document is none, in IAM's words.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(String);

impl ForCallers for Malformed {}

/// Members of documents, and of statements.
const MEMBERS: [&str; 3] = ["Version", "Id", "Statement"];
const STATEMENT_MEMBERS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];
/// The version from which on variables mean something.
const WITH_VARIABLES: &str = "2012-10-17";
const WITHOUT_VARIABLES: &str = "2008-10-17";
const INVALID_JSON: &str = "This policy contains invalid Json";

fn malformed<T>(message: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(message.into()))
}

fn syntax<T>() -> Result<T, Malformed> {
    malformed("Syntax errors in policy.")
}

impl Policy {
    /// Reads a document.
    pub fn parse(text: &str, form: Form) -> Result<Self, Malformed> {
        let value: Value = types::json::from_slice(text.as_bytes()).map_err(|error| {
            Malformed(match error.is_data() {
                true => format!("{INVALID_JSON}: an object has two members of one name"),
                false => INVALID_JSON.to_owned(),
            })
        })?;
        Self::from_value(&value, form)
    }

    /// Reads a document that has been read as JSON, by [`types::json`] if it is somebody else's.
    pub fn from_value(value: &Value, form: Form) -> Result<Self, Malformed> {
        let Some(document) = value.as_object() else {
            return malformed(INVALID_JSON);
        };
        if document.keys().any(|key| !MEMBERS.contains(&key.as_str())) {
            return syntax();
        }
        let variables = match document.get("Version") {
            None => false,
            Some(Value::String(version)) if version == WITH_VARIABLES => true,
            Some(Value::String(version)) if version == WITHOUT_VARIABLES => false,
            Some(_) => return syntax(),
        };
        if document.get("Id").is_some_and(|id| !id.is_string()) {
            return syntax();
        }
        let statements = match document.get("Statement") {
            Some(Value::Array(list)) if !list.is_empty() => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return syntax(),
        };
        let mut sids = BTreeSet::new();
        let mut read = Vec::with_capacity(statements.len());
        for value in statements {
            let Some(statement) = value.as_object() else {
                return syntax();
            };
            read.push(parse_statement(statement, form, variables)?);
            match statement.get("Sid") {
                None => {}
                Some(Value::String(sid)) => check_sid(sid, form, &mut sids)?,
                Some(_) => return syntax(),
            }
        }
        Ok(Self { statements: read })
    }
}

fn check_sid<'s>(sid: &'s str, form: Form, seen: &mut BTreeSet<&'s str>) -> Result<(), Malformed> {
    let plain = sid.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !plain && form == Form::Identity {
        return malformed(format!(
            "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular \
             expression [0-9A-Za-z]*: {sid}"
        ));
    }
    if !sid.is_empty() && !seen.insert(sid) {
        return malformed("Statement IDs (SID) in a single policy must be unique.");
    }
    Ok(())
}

fn parse_statement(
    statement: &Map<String, Value>,
    form: Form,
    variables: bool,
) -> Result<Statement, Malformed> {
    let unknown = |key: &String| !STATEMENT_MEMBERS.contains(&key.as_str());
    if statement.keys().any(unknown) {
        return syntax();
    }
    let allow = match statement.get("Effect").and_then(Value::as_str) {
        Some("Allow") => true,
        Some("Deny") => false,
        _ => return syntax(),
    };
    let principals = match either(statement, "Principal", "NotPrincipal")? {
        // It would allow everyone, strangers too; AWS supports it only with Deny.
        Some(given) if given.all_but && allow && form != Form::Identity => {
            return malformed("Allow with NotPrincipal is not allowed.");
        }
        None if form == Form::Identity => None,
        Some(_) if form == Form::Identity => {
            return malformed("Policy document should not specify a principal.");
        }
        None => return malformed("Missing required field Principal"),
        Some(given) => Some(given.list(parse_principals)?),
    };
    let Some(actions) = either(statement, "Action", "NotAction")? else {
        return malformed("Policy statement must contain actions.");
    };
    let actions = actions.each(|text| parse_action(text, form))?;
    if is_empty(&actions) {
        return malformed("Policy statement must contain actions.");
    }
    let resources = match either(statement, "Resource", "NotResource")? {
        Some(_) if form == Form::Trust => return malformed("Has prohibited field Resource"),
        None if form == Form::Trust => None,
        None => return malformed("Policy statement must contain resources."),
        Some(given) => Some(given.each(|text| parse_resource(text, variables))?),
    };
    if resources.as_ref().is_some_and(is_empty) {
        return malformed("Policy statement must contain resources.");
    }
    Ok(Statement {
        allow,
        principals,
        actions,
        resources,
        conditions: parse_conditions(statement.get("Condition"), variables)?,
    })
}

/// The member of the two that is there; both are one too many.
fn either<'v>(
    statement: &'v Map<String, Value>,
    only: &str,
    all_but: &str,
) -> Result<Option<Given<'v>>, Malformed> {
    match (statement.get(only), statement.get(all_but)) {
        (None, None) => Ok(None),
        (Some(value), None) => Ok(Some(Given {
            value,
            all_but: false,
        })),
        (None, Some(value)) => Ok(Some(Given {
            value,
            all_but: true,
        })),
        (Some(_), Some(_)) => syntax(),
    }
}

/// A member of either name.
struct Given<'v> {
    value: &'v Value,
    all_but: bool,
}

impl Given<'_> {
    fn list<T>(
        &self,
        read: impl Fn(&Value) -> Result<Vec<T>, Malformed>,
    ) -> Result<List<T>, Malformed> {
        let list = read(self.value)?;
        Ok(match self.all_but {
            false => List::Only(list),
            true => List::AllBut(list),
        })
    }

    fn each<T>(&self, read: impl Fn(&str) -> Result<T, Malformed>) -> Result<List<T>, Malformed> {
        self.list(|value| texts(value)?.into_iter().map(&read).collect())
    }
}

fn is_empty<T>(list: &List<T>) -> bool {
    match list {
        List::Only(list) | List::AllBut(list) => list.is_empty(),
    }
}

/// One text or a list of them.
fn texts(value: &Value) -> Result<Vec<&str>, Malformed> {
    match value {
        Value::String(text) => Ok(vec![text]),
        Value::Array(list) => list
            .iter()
            .map(|value| value.as_str().map_or_else(syntax, Ok))
            .collect(),
        _ => syntax(),
    }
}

#[cfg(test)]
mod tests;
