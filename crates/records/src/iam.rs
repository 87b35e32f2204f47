//! What the control plane writes about users, groups, roles and managed policies: the rows of the
//! metadata table.
//!
//! ```text
//!   key                                  value (JSON)
//!   iam/user/<account>/<name>            Entity          names are alike whatever their case
//!   iam/group/<account>/<name>           Entity
//!   iam/role/<account>/<name>            Entity
//!   iam/policy/<account>/<name>          ManagedPolicy
//!   iam-use/<access key>                 KeyUse          not watched: nobody decides by it
//! ```
//!
//! A principal's policies and groups are in its own row, together with the unique id of
//! the policy or group that was meant. A reference to what is gone means nothing, even if there is
//! another of the same name by now.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};
use types::{AccountId, Timestamp};

/// Where all these rows begin.
pub const IAM: &str = "iam/";
/// Where the rows of users begin.
pub const USERS: &str = "iam/user/";
/// Where the rows of managed policies begin.
pub const POLICIES: &str = "iam/policy/";

/// What an [`Entity`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EntityKind {
    /// Somebody with keys of their own.
    User,
    /// What others may become for a while.
    Role,
    /// Users who have policies in common.
    Group,
}

/// A user, a group or a role.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entity {
    /// Which.
    pub kind: EntityKind,
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// `/`, or folders between slashes.
    pub path: String,
    /// `AIDA…`, `AGPA…` or `AROA…`; never used again.
    pub id: String,
    /// When it was made.
    pub created: Timestamp,
    /// Free text.
    pub description: String,
    /// Who may become it: the document, of roles only.
    pub trust: String,
    /// Seconds a session of it lasts at most.
    pub session_seconds_max: u32,
    /// Policies of its own, by name.
    pub inline: BTreeMap<String, String>,
    /// Managed policies by their ARNs, with their ids; AWS's own have none.
    #[serde(deserialize_with = "attached")]
    pub attached: BTreeMap<String, String>,
    /// What its policies may allow at most, if that is limited.
    #[serde(default)]
    pub boundary: Option<Boundary>,
    /// Ids of the groups that a user is in.
    #[serde(default)]
    pub groups: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Access keys, of users only.
    pub keys: Vec<UserKey>,
    /// While it is being renamed: the row it had. It is there once that row is [`moved`](Self::moved).
    #[serde(default)]
    pub moving_from: Option<String>,
    /// Renamed: this row is no more than a mark of that.
    #[serde(default)]
    pub moved: bool,
}

/// The managed policy that limits somebody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Boundary {
    /// Its ARN.
    pub arn: String,
    /// Its id; AWS's own have none.
    pub id: String,
}

/// A managed policy of an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManagedPolicy {
    /// Whose.
    pub account: AccountId,
    /// Its name.
    pub name: String,
    /// `/`, or folders between slashes.
    pub path: String,
    /// `ANPA…`; never used again.
    pub id: String,
    /// Free text.
    pub description: String,
    /// When it was made.
    pub created: Timestamp,
    /// When its default version was last another.
    pub updated: Timestamp,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What it says and has said, by number.
    pub versions: BTreeMap<u32, PolicyVersion>,
    /// The version that counts.
    pub default: u32,
    /// The last number that was given to a version.
    pub last: u32,
}

/// What a managed policy says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PolicyVersion {
    /// The document, as it was given.
    pub document: String,
    /// When it was made.
    pub created: Timestamp,
}

/// An access key of a user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserKey {
    /// `AKIA…`.
    pub id: String,
    /// The secret, sealed under the installation's own.
    pub sealed: String,
    /// Whether it may be used.
    pub active: bool,
    /// When it was made.
    pub created: Timestamp,
}

impl EntityKind {
    /// As ARNs and keys name it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Role => "role",
            Self::Group => "group",
        }
    }
}

impl Entity {
    /// Whether it counts, given what is in the row that it is moving from.
    pub fn is_there(&self, before: Option<&Self>) -> bool {
        let came = before.is_some_and(|before| before.moved && before.id == self.id);
        !self.moved && (self.moving_from.is_none() || came)
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        let word = self.kind.word();
        format!(
            "arn:aws:iam::{}:{word}{}{}",
            self.account, self.path, self.name
        )
    }
}

impl ManagedPolicy {
    /// Its ARN.
    pub fn arn(&self) -> String {
        format!(
            "arn:aws:iam::{}:policy{}{}",
            self.account, self.path, self.name
        )
    }

    /// The document that counts.
    pub fn document(&self) -> Option<&str> {
        let version = self.versions.get(&self.default)?;
        Some(&version.document)
    }
}

/// Rows of an older form have AWS's policies alone, as a list of ARNs.
fn attached<'de, D: Deserializer<'de>>(row: D) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Listed(BTreeSet<String>),
        Named(BTreeMap<String, String>),
    }
    Ok(match Form::deserialize(row)? {
        Form::Listed(arns) => arns.into_iter().map(|arn| (arn, String::new())).collect(),
        Form::Named(attached) => attached,
    })
}

/// Key of an [`Entity`] row.
pub fn entity_key(kind: EntityKind, account: &AccountId, name: &str) -> String {
    format!(
        "{}{}",
        entities_prefix(kind, account),
        name.to_ascii_lowercase()
    )
}

/// Key of a [`ManagedPolicy`] row.
pub fn policy_key(account: &AccountId, name: &str) -> String {
    format!("{}{}", policies_prefix(account), name.to_ascii_lowercase())
}

/// Key of the [`ManagedPolicy`] row that an ARN names, if it can be one: AWS's have none.
pub fn policy_row(arn: &str) -> Option<String> {
    let rest = arn.strip_prefix("arn:aws:iam::")?;
    let (account, name) = rest.split_once(":policy/")?;
    let name = name.rsplit('/').next().unwrap_or(name);
    Some(policy_key(&AccountId::new(account).ok()?, name))
}

/// The last use of an access key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeyUse {
    /// When a request that it signed was accepted.
    pub at: Timestamp,
    /// For which service: `lambda`.
    pub service: String,
    /// For which region.
    pub region: String,
}

/// Key of the [`KeyUse`] row of an access key.
pub fn key_use_row(access_key: &str) -> String {
    format!("iam-use/{access_key}")
}

/// Where the rows of an account's managed policies begin.
pub fn policies_prefix(account: &AccountId) -> String {
    format!("{POLICIES}{account}/")
}

/// Where the rows of an account's users, groups or roles begin.
pub fn entities_prefix(kind: EntityKind, account: &AccountId) -> String {
    format!("{IAM}{}/{account}/", kind.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_the_older_form_are_read() {
        let old = r#"{"kind":"Role","account":"000000000000","name":"r","path":"/","id":"AROA","created":0,
            "description":"","trust":"{}","session_seconds_max":3600,"inline":{},
            "attached":["arn:aws:iam::aws:policy/ReadOnlyAccess"],"tags":{},"keys":[]}"#;
        let role: Entity = serde_json::from_str(old).unwrap();
        let expected = ("arn:aws:iam::aws:policy/ReadOnlyAccess", "");
        let found = role.attached.iter().next().unwrap();
        assert_eq!((found.0.as_str(), found.1.as_str()), expected);
        let text = serde_json::to_string(&role).unwrap();
        assert_eq!(serde_json::from_str::<Entity>(&text).unwrap(), role);
    }
}
