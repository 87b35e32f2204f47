//! Resource policies, statement by statement, in the form in which AWS shows them.
//!
//! A row of [`POLICIES`](crate::functions::POLICIES) holds a [`ResourcePolicy`]; its key is an
//! [`attached_key`](crate::functions::attached_key). It counts only for what it was made for
//! ([`ResourcePolicy::bound_to`]): a row that a crash has left says nothing about a new function
//! of the same name.

use std::collections::BTreeMap;

use policy::{Form, Policy};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::functions::Alias;

/// Of the documents that statements make.
const VERSION: &str = "2012-10-17";

/// The policy of a function, a version, an alias or a layer's version.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct ResourcePolicy {
    /// See [`binding`].
    pub bound_to: String,
    /// Changes with every write, for callers' compare-and-set (`RevisionId`).
    pub revision_id: String,
    /// In the order in which they were added.
    pub statements: Vec<Statement>,
}

/// One permission. Its members are in AWS's order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Statement {
    /// `StatementId`.
    pub sid: String,
    /// `Allow`: there is no way to add a denial.
    pub effect: String,
    /// Who.
    pub principal: Principal,
    /// `lambda:InvokeFunction`.
    pub action: String,
    /// The exact ARN.
    pub resource: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// `Principal`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Principal {
    /// `"*"`.
    Anyone(String),
    /// `{"AWS": …}` or `{"Service": …}`.
    Named(BTreeMap<String, String>),
}

/// `Condition`: keys and values of each operator.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Condition {
    /// Exact texts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub string_equals: BTreeMap<String, String>,
    /// ARNs, with wildcards.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub arn_like: BTreeMap<String, String>,
    /// Truths.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub bool: BTreeMap<String, String>,
}

impl Statement {
    /// Whether it is one that decisions can be made by. One that is not would make its whole policy deny.
    pub fn is_understood(&self) -> bool {
        let document = json!({ "Version": VERSION, "Statement": self });
        Policy::from_value(&document, Form::Resource).is_ok()
    }
}

impl ResourcePolicy {
    /// The document, as GetPolicy answers it.
    pub fn document(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Document<'p> {
            version: &'p str,
            id: &'p str,
            statement: &'p [Statement],
        }
        let document = Document {
            version: VERSION,
            id: "default",
            statement: &self.statements,
        };
        serde_json::to_string(&document).expect("a struct of texts has a JSON form")
    }

    /// Ready for decisions. A policy of no statements says nothing; one that cannot be understood
    /// denies everything.
    pub fn compile(&self) -> Option<Policy> {
        if self.statements.is_empty() {
            return None;
        }
        let document = json!({ "Version": VERSION, "Statement": self.statements });
        let read = Policy::from_value(&document, Form::Resource);
        Some(read.unwrap_or_else(|_| Policy::deny_all()))
    }
}

/// What a policy is bound to: the function of this [`instance`](crate::functions::Function), or
/// this alias of it. Version numbers are never used again, so that the function is enough for
/// those.
pub fn binding(instance: &str, alias: Option<&Alias>) -> String {
    match alias {
        None => instance.to_owned(),
        Some(alias) => format!("{instance}/{}", alias.instance),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_written_as_aws_writes_it() {
        let named = |kind: &str, name: &str| {
            Principal::Named(BTreeMap::from([(kind.to_owned(), name.to_owned())]))
        };
        let statement = |principal, condition| Statement {
            sid: "s".to_owned(),
            effect: "Allow".to_owned(),
            principal,
            action: "lambda:InvokeFunction".to_owned(),
            resource: "arn:f".to_owned(),
            condition,
        };
        let condition = Condition {
            string_equals: BTreeMap::from([("AWS:SourceAccount".to_owned(), "1".to_owned())]),
            arn_like: BTreeMap::from([("AWS:SourceArn".to_owned(), "arn:b".to_owned())]),
            ..Condition::default()
        };
        let policy = ResourcePolicy {
            statements: vec![
                statement(named("Service", "s3.amazonaws.com"), Some(condition)),
                statement(Principal::Anyone("*".to_owned()), None),
            ],
            ..ResourcePolicy::default()
        };
        let expected = r#"{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"arn:f","Condition":{"StringEquals":{"AWS:SourceAccount":"1"},"ArnLike":{"AWS:SourceArn":"arn:b"}}},{"Sid":"s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"arn:f"}]}"#;
        assert_eq!(policy.document(), expected);
        let read: Vec<Statement> = serde_json::from_value(
            serde_json::from_str::<serde_json::Value>(expected).unwrap()["Statement"].take(),
        )
        .unwrap();
        assert_eq!(read, policy.statements);
    }
}
