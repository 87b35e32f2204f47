//! Who signed a request?

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use policy::{Caller, Permissions};
use serde::{Deserialize, Serialize};
use types::{AccountId, Timestamp};

use api::{Kind, Secret};
use records::iam::KeyUse;

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
    /// A user; may do what their policies say.
    User {
        /// Their name, without its path.
        name: String,
    },
    /// A session of a role; may do what the role may.
    Role {
        /// ARN of the role.
        role: String,
    },
}

impl Principal {
    /// As policies see them.
    pub fn caller(&self) -> Caller<'_> {
        let account = self.account.as_str();
        let arn = self.arn.as_str();
        match &self.kind {
            PrincipalKind::Root => Caller::Root { account },
            PrincipalKind::User { .. } => Caller::User { account, arn },
            PrincipalKind::Role { role } => Caller::Session { account, role, arn },
        }
    }
}

/// An access key: what verifies a signature, and whom it proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessKey {
    /// The secret that signs.
    pub secret: Secret,
    /// Whose it is.
    pub principal: Principal,
    /// What they may do.
    pub permissions: Arc<Permissions>,
    /// What is known of the session, if the key is a temporary one.
    pub session: Option<Session>,
}

/// What is known about a temporary key, in addition to its owner.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Session {
    /// When it began.
    pub issued: Timestamp,
    /// ARN of the function whose environment was given the key.
    pub function: Option<String>,
    /// The person behind it, as the session's creator stated. Sessions that are started from this one inherit it.
    pub source_identity: Option<String>,
    /// Tags that sessions started from this one inherit.
    pub inherited: BTreeMap<String, String>,
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

    /// Notes that a request signed with this key was accepted. Only in memory, as every invoke
    /// does it; a note that is not collected in time is lost.
    fn note_use(&self, _id: &str, _service: &str, _region: &str) {}

    /// The last uses of users' keys by their ids, as far as they were noted since this was asked last.
    fn take_uses(&self) -> Vec<(String, KeyUse)> {
        Vec::new()
    }
}
