//! What the control plane writes about users and roles: the rows of the metadata table.
//!
//! ```text
//!   key                                  value (JSON)
//!   iam/user/<account>/<name>            Entity     names are alike whatever their case
//!   iam/role/<account>/<name>            Entity
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use types::{AccountId, Timestamp};

/// Where all these rows begin.
pub const IAM: &str = "iam/";

/// What an [`Entity`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum EntityKind {
    /// Somebody with keys of their own.
    User,
    /// What others may become for a while.
    Role,
}

/// A user or a role.
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
    /// `AIDA…` or `AROA…`; never used again.
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
    /// ARNs of managed policies.
    pub attached: BTreeSet<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Access keys, of users only.
    pub keys: Vec<UserKey>,
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
        }
    }
}

impl Entity {
    /// Its ARN.
    pub fn arn(&self) -> String {
        let word = self.kind.word();
        format!(
            "arn:aws:iam::{}:{word}{}{}",
            self.account, self.path, self.name
        )
    }
}

/// Key of an [`Entity`] row.
pub fn entity_key(kind: EntityKind, account: &AccountId, name: &str) -> String {
    format!(
        "{}{}",
        entities_prefix(kind, account),
        name.to_ascii_lowercase()
    )
}

/// Where the rows of an account's users or roles begin.
pub fn entities_prefix(kind: EntityKind, account: &AccountId) -> String {
    format!("{IAM}{}/{account}/", kind.word())
}
