//! Who signed a request?

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::AccountId;

use crate::{Kind, Secret};

/// Who a request's caller is, once the signature is verified.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Principal {
    /// Their account.
    pub account: AccountId,
    /// As `GetCallerIdentity` tells it: `arn:aws:iam::…:root`, `arn:aws:sts::…:assumed-role/…`.
    pub arn: String,
    /// As `GetCallerIdentity` tells it (`UserId`).
    pub user_id: String,
    /// What they are.
    pub kind: PrincipalKind,
}

/// See [`Principal`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PrincipalKind {
    /// The account itself: may do everything.
    Root,
    /// A session of a role; may do what the role may.
    Role {
        /// ARN of the role.
        role: String,
    },
}

/// An access key: what verifies a signature, and whom it proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKey {
    /// The secret that signs.
    pub secret: Secret,
    /// Whose it is.
    pub principal: Principal,
}

/// Why not.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such key, or it does not go with this session token.
    #[error("the access key is not known")]
    Unknown,
    /// The session has ended.
    #[error("the session has expired")]
    Expired,
    /// The service cannot be reached.
    #[error("the identity service cannot be reached")]
    Unavailable,
}

impl Error {
    /// What the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Unknown | Self::Expired => Kind::Invalid,
            Self::Unavailable => Kind::Unavailable,
        }
    }
}

/// Knows access keys.
#[async_trait]
pub trait Identities: Send + Sync {
    /// The key with this id, checked against the session token where the key is a temporary one.
    async fn access_key(&self, id: &str, session_token: Option<&str>) -> Result<AccessKey, Error>;
}
