//! What is written down about log groups: the rows of the metadata table and their keys.
//!
//! ```text
//!   key                                     value (JSON)
//!   log-group/<account>/<region>/<group>    LogGroup
//! ```
//!
//! Their streams and events are files: logs must not wait for a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Scope, Timestamp};

/// A log group.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogGroup {
    /// Whose, and where.
    pub scope: Scope,
    /// `/aws/lambda/<function>`, usually.
    pub name: String,
    /// When it came into being.
    pub created: Timestamp,
    /// Days after which its events go; `None` for what the operator says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// `STANDARD` and others: stored and returned.
    pub class: String,
    /// ARN of the key it is said to be encrypted with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Whether it may not be deleted.
    #[serde(default)]
    pub protected: bool,
    /// Its tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// Key of a [`LogGroup`] row.
pub fn log_group_key(scope: &Scope, name: &str) -> String {
    format!("{}{name}", log_groups_prefix(scope))
}

/// Where a scope's [`LogGroup`] rows begin.
pub fn log_groups_prefix(scope: &Scope) -> String {
    format!("{LOG_GROUPS}{}/{}/", scope.account, scope.region)
}

/// Where all [`LogGroup`] rows begin.
pub const LOG_GROUPS: &str = "log-group/";
