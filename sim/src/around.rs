//! What surrounds the roles of a world, as little of it as they need.

use std::time::Duration;

use api::Secret;
use api::credentials::{self, Credentials, RoleCredentials};
use api::logs::{LogEvent, Logs, StreamName};
use async_trait::async_trait;
use authn::identity::{self, AccessKey, Identities};
use types::{FunctionArn, Pressure, Timestamp};

/// Issues keys for every role.
pub(crate) struct AnyRole;

#[async_trait]
impl RoleCredentials for AnyRole {
    async fn for_function(
        &self,
        _: &str,
        _: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        Ok(any_keys())
    }
}

/// Keys that nobody checks.
pub fn any_keys() -> Credentials {
    Credentials {
        access_key_id: "ASIA".to_owned(),
        secret_access_key: Secret::new(""),
        session_token: Secret::new(""),
        expires: Timestamp::from_millis(u64::MAX),
    }
}

/// Knows no key: an invoke needs none here.
pub(crate) struct NoKeys;

#[async_trait]
impl Identities for NoKeys {
    async fn access_key(&self, _: &str, _: Option<&str>) -> Result<AccessKey, identity::Error> {
        Err(identity::Error::Unknown)
    }
}

/// Keeps no logs.
pub(crate) struct Nowhere;

impl Logs for Nowhere {
    fn append(&self, _: &StreamName, _: Vec<LogEvent>) {}
}

/// Processors are never short.
pub(crate) struct Free;

impl Pressure for Free {
    fn stalled(&self) -> Option<Duration> {
        None
    }

    fn processors(&self) -> u32 {
        2
    }
}
