//! Execution roles, as the control plane asks about them when it gives one to a function.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::FunctionArn;

use crate::identity::{AccessKey, Error};

/// A role that somebody has made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Role {
    /// What it is tagged with.
    pub tags: BTreeMap<String, String>,
    /// Whether it lets Lambda become it for the function that was asked about.
    pub trusts_lambda: bool,
}

/// Knows roles.
#[async_trait]
pub trait Roles: Send + Sync {
    /// The role with that ARN, to be used by that function; `None` if nobody has made it.
    async fn role(&self, arn: &str, function: &FunctionArn) -> Result<Option<Role>, Error>;

    /// A key as the function would have one that has become the role, whether or not it may: to ask what
    /// the role lets it do. Where nobody has made the role it is one of those that are not known.
    async fn key_of(&self, arn: &str, function: &FunctionArn) -> Result<AccessKey, Error>;
}
