//! Reading policy documents, strictly: what is not understood is refused in IAM's words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::condition::Condition;
use crate::document::{List, Policy, Statement};
use crate::glob::Pattern;
use crate::principal::Principal;

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

fn malformed<T>(message: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(message.into()))
}

fn syntax<T>() -> Result<T, Malformed> {
    malformed("Syntax errors in policy.")
}

impl Policy {
    /// Reads a document.
    pub fn parse(text: &str, form: Form) -> Result<Self, Malformed> {
        let Ok(value) = serde_json::from_str::<Value>(text) else {
            return malformed("This policy contains invalid Json");
        };
        Self::from_value(&value, form)
    }

    /// Reads a document that has been read as JSON.
    pub fn from_value(value: &Value, form: Form) -> Result<Self, Malformed> {
        let Some(document) = value.as_object() else {
            return malformed("This policy contains invalid Json");
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
    let actions = actions.each(|text| parse_action(text, form, variables))?;
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

fn parse_action(text: &str, form: Form, variables: bool) -> Result<Pattern, Malformed> {
    if text != "*" {
        let Some((vendor, name)) = text.split_once(':') else {
            return malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            );
        };
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-*?".contains(&byte);
        if vendor.is_empty() || name.is_empty() || !vendor.bytes().all(plain) {
            return malformed(format!("Vendor {vendor} is not valid"));
        }
        if form == Form::Trust && !vendor.eq_ignore_ascii_case("sts") {
            return malformed("AssumeRole policy may only specify STS AssumeRole actions.");
        }
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte);
        if !name.bytes().all(plain) {
            return syntax();
        }
    }
    pattern(text, variables)
}

fn parse_resource(text: &str, variables: bool) -> Result<Pattern, Malformed> {
    let pattern = pattern(text, variables)?;
    let parts = text.splitn(6, ':').count();
    let is_arn = text.starts_with("arn:") && (parts == 6 || text.ends_with('*'));
    let begins_open = text.starts_with(['*', '$']);
    if !pattern.is_everything() && !is_arn && !begins_open {
        return malformed(format!("Resource {text} must be in ARN format or \"*\"."));
    }
    Ok(pattern)
}

fn pattern(text: &str, variables: bool) -> Result<Pattern, Malformed> {
    Pattern::parse(text, variables).or_else(|_| syntax())
}

fn parse_principals(value: &Value) -> Result<Vec<Principal>, Malformed> {
    const INVALID: &str = "Invalid principal in policy";
    let kinds = match value {
        Value::String(text) if text == "*" => return Ok(vec![Principal::Anyone]),
        Value::Object(kinds) if !kinds.is_empty() => kinds,
        _ => return malformed(INVALID),
    };
    let mut principals = Vec::new();
    for (kind, value) in kinds {
        let named = texts(value)?;
        if named.is_empty() {
            return malformed(INVALID);
        }
        for text in named {
            let read = match kind.as_str() {
                "AWS" => Principal::aws(text),
                "Service" => is_service(text).then(|| Principal::Service(text.to_owned())),
                "Federated" | "CanonicalUser" => Some(Principal::Other),
                _ => None,
            };
            let Some(read) = read else {
                return malformed(format!("{INVALID}: \"{kind}\":\"{text}\""));
            };
            principals.push(read);
        }
    }
    Ok(principals)
}

/// `s3.amazonaws.com`, `logs.eu-west-1.amazonaws.com`, `*.amazonaws.com.cn` never.
fn is_service(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    text.contains('.') && text.bytes().all(plain)
}

fn parse_conditions(value: Option<&Value>, variables: bool) -> Result<Vec<Condition>, Malformed> {
    let operators = match value {
        None => return Ok(Vec::new()),
        Some(Value::Object(operators)) => operators,
        Some(_) => return syntax(),
    };
    let mut conditions = Vec::new();
    for (operator, keys) in operators {
        let Some(keys) = keys.as_object() else {
            return syntax();
        };
        for (key, value) in keys {
            let mut patterns = Vec::new();
            for text in condition_values(value)? {
                patterns.push(pattern(&text, variables)?);
            }
            if !key.contains(':') {
                return malformed(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
                );
            }
            let Some(condition) = Condition::new(operator, key, patterns) else {
                return malformed(format!("Invalid Condition type : {operator}."));
            };
            conditions.push(condition);
        }
    }
    Ok(conditions)
}

/// Values of a condition may be numbers and truths as well.
fn condition_values(value: &Value) -> Result<Vec<String>, Malformed> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str, form: Form, message: &str) {
        let error = Policy::parse(text, form).map(|_| ()).unwrap_err();
        assert!(error.0.contains(message), "{text}: {}", error.0);
    }

    fn statement(members: &str) -> String {
        format!(r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{members}}}}}"#)
    }

    fn taken(text: &str, form: Form) {
        Policy::parse(text, form).unwrap_or_else(|error| panic!("{text}: {}", error.0));
    }

    #[test]
    fn documents_in_all_their_forms() {
        taken(&statement(r#""Action":"*","Resource":"*""#), Form::Identity);
        taken(
            r#"{"Id":"x","Statement":[{"Sid":"A","Effect":"Deny","NotAction":["s3:*"],
                "NotResource":["arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":false},
                "NumericLessThan":{"a:b":[3,"4"]}}}]}"#,
            Form::Identity,
        );
        taken(
            &statement(
                r#""Principal":{"Service":["lambda.amazonaws.com"],"AWS":"000000000000"},
                   "Action":"sts:AssumeRole""#,
            ),
            Form::Trust,
        );
        taken(
            &statement(r#""Principal":"*","Action":"lambda:*","Resource":"arn:aws:lambda:*""#),
            Form::Resource,
        );
        taken(
            &statement(r#""NotPrincipal":{"AWS":"*"},"Action":"a:b","Resource":"${aws:x}""#),
            Form::Resource,
        );
    }

    #[test]
    fn what_is_no_document_is_refused_in_iams_words() {
        use Form::{Identity, Resource, Trust};
        refused("", Identity, "This policy contains invalid Json");
        refused("[]", Identity, "This policy contains invalid Json");
        for bad in [
            "{}",
            r#"{"Statement":[]}"#,
            r#"{"Statement":"x"}"#,
            r#"{"Statement":[1]}"#,
            r#"{"Version":"2020-01-01","Statement":[]}"#,
            r#"{"Version":3,"Statement":[]}"#,
            r#"{"Other":1}"#,
            r#"{"Id":1,"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"allow","Action":"a:b","Resource":"*"}}"#,
            r#"{"Statement":{"Action":"a:b","Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":1,"Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":[1],"Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","NotAction":"a:b","Resource":"*"}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","":1}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Sid":1}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":[]}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":1}}}"#,
            r#"{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*","Condition":{"Bool":{"a:b":{}}}}}"#,
        ] {
            refused(bad, Identity, "Syntax errors in policy.");
        }
        let check = |members: &str, form, message| refused(&statement(members), form, message);
        check(r#""Resource":"*""#, Identity, "must contain actions");
        check(
            r#""Action":[],"Resource":"*""#,
            Identity,
            "must contain actions",
        );
        check(r#""Action":"a:b""#, Identity, "must contain resources");
        check(
            r#""Action":"b","Resource":"*""#,
            Identity,
            "prefaced by a vendor",
        );
        check(
            r#""Action":"a b:c","Resource":"*""#,
            Identity,
            "Vendor a b is not valid",
        );
        check(
            r#""Action":"a:b","Resource":"f""#,
            Identity,
            r#"Resource f must be in ARN format or "*"."#,
        );
        check(
            r#""Action":"a:b","Resource":"arn:aws:s3""#,
            Identity,
            "ARN format",
        );
        check(
            r#""Action":"a:b","Resource":"arn:aws:s3:::${x""#,
            Identity,
            "Syntax",
        );
        check(
            r#""Principal":"*","Action":"a:b","Resource":"*""#,
            Identity,
            "should not specify a principal",
        );
        check(
            r#""Action":"a:b","Resource":"*""#,
            Resource,
            "Missing required field Principal",
        );
        check(
            r#""Principal":{"AWS":"bob"},"Action":"a:b","Resource":"*""#,
            Resource,
            r#"Invalid principal in policy: "AWS":"bob""#,
        );
        for principal in [
            "{}",
            "1",
            r#""x""#,
            r#"{"AWS":[]}"#,
            r#"{"Some":"x"}"#,
            r#"{"Service":"*"}"#,
        ] {
            let members = format!(r#""Principal":{principal},"Action":"a:b","Resource":"*""#);
            refused(
                &statement(&members),
                Resource,
                "Invalid principal in policy",
            );
        }
        check(
            r#""Principal":"*","Action":"sts:AssumeRole","Resource":"*""#,
            Trust,
            "Has prohibited field Resource",
        );
        check(
            r#""Principal":"*","Action":"s3:GetObject""#,
            Trust,
            "may only specify STS",
        );
        check(
            r#""Action":"a:b","Resource":"*","Condition":{"Same":{"a:b":"c"}}"#,
            Identity,
            "Invalid Condition type : Same.",
        );
        check(
            r#""Action":"a:b","Resource":"*","Condition":{"Bool":{"b":"c"}}"#,
            Identity,
            "prefaced by a vendor",
        );
        check(
            r#""Action":"a:b","Resource":"*","Sid":"a b""#,
            Identity,
            "alpha-numeric",
        );
        let twice = r#"{"Sid":"A","Effect":"Allow","Action":"a:b","Resource":"*"}"#;
        refused(
            &format!(r#"{{"Statement":[{twice},{twice}]}}"#),
            Identity,
            "Statement IDs (SID) in a single policy must be unique.",
        );
    }

    fn json() -> impl Strategy<Value = Value> {
        let words = "(Statement|Effect|Allow|Deny|Action|Resource|Principal|AWS|Condition|Bool|Sid|\\*|a:b|\\$\\{a:b\\}|\\PC{0,5})";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            words.prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((words, inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_document_makes_it_panic(value in json(), text in "\\PC{0,60}") {
            for form in [Form::Identity, Form::Resource, Form::Trust] {
                let _ = Policy::from_value(&value, form);
                let _ = Policy::from_value(&serde_json::json!({ "Statement": value }), form);
                let _ = Policy::parse(&text, form);
            }
        }
    }
}
