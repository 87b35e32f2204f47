//! Sessions: temporary keys, for whoever asks STS and for functions.
//!
//! Nothing of a session is written down. All there is to know of it is in its token, sealed; whose
//! it is, is looked up at every request, and what they may do with it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::Secret;
use api::credentials::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use types::{AccountId, Random, Timestamp};

use super::MasterSecret;
use super::key_ids;
use super::sealed::Sealing;

/// What a token holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Session {
    /// The key that the token goes with.
    pub(crate) access_key_id: String,
    /// Its secret.
    pub(crate) secret: String,
    /// When it began.
    pub(crate) issued: Timestamp,
    /// When it ends.
    pub(crate) expires: Timestamp,
    /// Whose it is.
    pub(crate) subject: Subject,
    /// What came with it.
    #[serde(default)]
    pub(crate) given: Given,
}

/// Whose a session is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// Somebody who has become a role.
    Role {
        /// The role's account.
        account: AccountId,
        /// ARN of the role.
        arn: String,
        /// Its unique id, if anybody had described it: the session ends with that role.
        id: Option<String>,
        /// The session's name.
        session: String,
        /// ARN of the function whose environment has it.
        function: Option<String>,
    },
    /// A user.
    User {
        /// Their account.
        account: AccountId,
        /// The user's unique id: the session ends with that user.
        id: String,
        /// Their name.
        name: String,
    },
    /// An account itself.
    Root {
        /// Which.
        account: AccountId,
        /// The key that began it: the session ends with that key.
        key: String,
    },
}

/// What is given to a session when it begins.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Given {
    /// A policy that must allow as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// Managed policies for the same, with their ids; AWS's own have none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) managed: BTreeMap<String, String>,
    /// Tags, before those of the role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// Which of these go on to sessions begun with this one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) transitive: BTreeSet<String>,
    /// Who is behind it; goes on as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) source_identity: Option<String>,
}

impl Subject {
    fn account(&self) -> &AccountId {
        match self {
            Self::Role { account, .. }
            | Self::User { account, .. }
            | Self::Root { account, .. } => account,
        }
    }
}

/// Begins sessions, and knows them again.
pub(crate) struct Sessions(Sealing);

impl Sessions {
    pub(crate) fn new(master: &MasterSecret) -> Self {
        Self(Sealing::new(&master.derive("session-tokens")))
    }

    /// A new session.
    pub(crate) fn begin(
        &self,
        subject: Subject,
        given: Given,
        (now, lasts): (Timestamp, Duration),
        random: &dyn Random,
    ) -> Credentials {
        let mut secret = [0; 30];
        random.fill(&mut secret);
        let session = Session {
            access_key_id: key_ids::temporary(subject.account(), random),
            secret: BASE64.encode(secret),
            issued: now,
            expires: now.after(lasts),
            subject,
            given,
        };
        let token = self.0.seal(&session, random);
        Credentials {
            access_key_id: session.access_key_id,
            secret_access_key: Secret::new(session.secret),
            session_token: Secret::new(token),
            expires: session.expires,
        }
    }

    /// The session of a key and its token; `None` if we did not begin it.
    pub(super) fn open(&self, access_key_id: &str, token: &str) -> Option<Session> {
        let session: Session = self.0.open(token)?;
        (session.access_key_id == access_key_id).then_some(session)
    }
}
