//! Credentials of a function's execution role, and what it may do.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::{FunctionArn, Timestamp};

use crate::{Kind, Secret};

/// Temporary keys, as STS gives them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Credentials {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: Secret,
    /// The session token.
    pub session_token: Secret,
    /// When they expire.
    pub expires: Timestamp,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
pub enum Error {
    /// The text is not the ARN of a role.
    #[error("{role} is not the ARN of a role")]
    Role {
        /// What was given.
        role: String,
    },
    /// The service cannot be reached.
    #[error("the token service cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Role { .. } => Kind::Invalid,
            Self::Unavailable => Kind::Unavailable,
        }
    }
}

/// Issues keys for roles.
#[async_trait]
pub trait RoleCredentials: Send + Sync {
    /// Keys of `role` for the environments of `function`. Every call makes new ones.
    async fn for_function(&self, role: &str, function: &FunctionArn) -> Result<Credentials, Error>;

    /// Whether `role`, on behalf of `function`, may do `action` (`sqs:SendMessage`) to `resource`, an
    /// ARN of another service. A role that nobody has described is trusted where its own key signs, and
    /// an implementation without descriptions trusts every role in this way.
    async fn may(
        &self,
        _role: &str,
        _function: &FunctionArn,
        _action: &str,
        _resource: &str,
    ) -> Result<bool, Error> {
        Ok(true)
    }
}
