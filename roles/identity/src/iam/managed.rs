//! AWS's managed policies that Lambda's users attach. `managed.json` has them as AWS publishes
//! them: name, version, dates, document.
//!
//! Of `ReadOnlyAccess`, which lists every service there is, it has those that functions commonly use.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use data_encoding::BASE32_NOPAD;
use policy::{Form, Policy};
use ring::digest::{SHA256, digest};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The prefix of the names in `managed.json`.
const PREFIX: &str = "arn:aws:iam::aws:policy/";

/// One of AWS's managed policies.
pub(crate) struct AwsPolicy {
    pub(crate) arn: String,
    /// `/` or `/service-role/`.
    pub(crate) path: String,
    pub(crate) name: String,
    /// Number of the default version; the others are not known here.
    pub(crate) version: u32,
    /// As ISO 8601 texts.
    pub(crate) created: String,
    pub(crate) updated: String,
    pub(crate) document: String,
    /// The same, read.
    pub(crate) policy: Arc<Policy>,
}

#[derive(Deserialize)]
struct Entry {
    version: u32,
    created: String,
    updated: String,
    document: Box<RawValue>,
}

static POLICIES: LazyLock<BTreeMap<String, AwsPolicy>> = LazyLock::new(|| {
    let text = include_str!("managed.json");
    let entries: BTreeMap<String, Entry> =
        serde_json::from_str(text).expect("a test reads this file");
    let policies = entries.into_iter().map(|(name, entry)| {
        let document = entry.document.get().to_owned();
        let policy = Policy::parse(&document, Form::Identity).expect("a test reads each of them");
        let (path, name) = match name.rsplit_once('/') {
            Some((path, name)) => (format!("/{path}/"), name.to_owned()),
            None => ("/".to_owned(), name),
        };
        let arn = format!("{PREFIX}{}{name}", &path[1..]);
        let known = AwsPolicy {
            arn: arn.clone(),
            path,
            name,
            version: entry.version,
            created: entry.created,
            updated: entry.updated,
            document,
            policy: Arc::new(policy),
        };
        (arn, known)
    });
    policies.collect()
});

/// The managed policy of AWS's that has that ARN.
pub(crate) fn managed(arn: &str) -> Option<&'static AwsPolicy> {
    POLICIES.get(arn)
}

/// All of AWS's that are known, by ARN.
pub(crate) fn all() -> impl Iterator<Item = &'static AwsPolicy> {
    POLICIES.values()
}

impl AwsPolicy {
    /// A unique id that is always the same. AWS publishes none.
    pub(crate) fn id(&self) -> String {
        let hash = digest(&SHA256, self.arn.as_bytes());
        format!("ANPA{:.17}", BASE32_NOPAD.encode(&hash.as_ref()[..11]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_managed_policy_is_one() {
        assert!(all().count() > 20);
        let role = managed("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole");
        let role = role.unwrap();
        assert_eq!(role.path, "/service-role/");
        assert_eq!(role.name, "AWSLambdaBasicExecutionRole");
        assert!(role.id().starts_with("ANPA") && role.id().len() == 21);
        assert!(managed("arn:aws:iam::aws:policy/None").is_none());
    }
}
