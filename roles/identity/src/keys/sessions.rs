//! Sessions: temporary keys, for callers of STS and for functions.
//!
//! Nothing of a session is stored. Everything about it is in its token, signed and sealed; its owner,
//! and what they may do with it, is looked up at every request.
//!
//! ```text
//!   token = sealed( session | Ed25519 signature )     sealed: it has the session's secret in it
//! ```
//!
//! Every frontend opens tokens, and must not be able to make them: it gets the sealing key and the public half of the
//! signing key.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::Secret;
use api::credentials::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use keyring::{Derived, Keyring, MasterKey, Sealing};
use ring::digest::{SHA256, digest};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use types::{AccountId, Random, Timestamp};

use super::key_ids;

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
    /// What was given to it.
    #[serde(default)]
    pub(crate) given: Given,
}

/// Whose a session is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Subject {
    /// Somebody who has assumed a role.
    Role {
        /// The role's account.
        account: AccountId,
        /// ARN of the role.
        arn: String,
        /// Its unique id, if the role was described: the session ends with that role.
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
    /// Which of these are passed on to sessions begun with this one.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) transitive: BTreeSet<String>,
    /// The source identity; passed on as well.
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

/// What session tokens are sealed for.
const SEALED: &str = "session-tokens";
/// What they are signed for.
const SIGNED: &str = "session-signatures";
/// How many tokens with a valid signature are remembered. When there are more, all are verified once
/// more.
const VERIFIED_MAX: usize = 4_096;

/// What is sealed in a token: a session, and its signature.
#[derive(Serialize, Deserialize)]
struct Minted {
    /// The session's JSON, as it was signed.
    session: String,
    /// Its Ed25519 signature in base64.
    signature: String,
}

/// Verifies sessions. It holds the keys that open tokens and the public keys of those that sign them: it can begin
/// none.
pub(crate) struct Opener {
    sealing: Sealing,
    verifying: Derived<UnparsedPublicKey<Vec<u8>>>,
    /// Digests of tokens. Verifying takes longer than everything else in a request.
    verified: Mutex<HashSet<Vec<u8>>>,
}

/// Begins sessions.
pub(crate) struct Sessions {
    sealing: Sealing,
    signing: Derived<Ed25519KeyPair>,
}

impl Sessions {
    /// Signed and sealed by the newest key.
    pub(crate) fn new(keyring: &Arc<Keyring>) -> Self {
        Self {
            sealing: Sealing::new(keyring, SEALED),
            signing: Derived::new(keyring, signing_key),
        }
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
        let text = serde_json::to_string(&session).expect("a struct of texts has a JSON form");
        let (_, key) = &self.signing.keys()[0];
        let signature = key.sign(text.as_bytes());
        let minted = Minted {
            session: text,
            signature: BASE64.encode(signature),
        };
        let token = self.sealing.seal(&minted, random);
        Credentials {
            access_key_id: session.access_key_id,
            secret_access_key: Secret::new(session.secret),
            session_token: Secret::new(token),
            expires: session.expires,
        }
    }
}

impl Opener {
    /// Opens what any of the keys has sealed and signed.
    pub(crate) fn new(keyring: &Arc<Keyring>) -> Self {
        Self {
            sealing: Sealing::new(keyring, SEALED),
            verifying: Derived::new(keyring, |master| {
                let public = signing_key(master).public_key().as_ref().to_vec();
                UnparsedPublicKey::new(&ED25519, public)
            }),
            verified: Mutex::default(),
        }
    }

    /// The session of a key and its token; `None` if we did not begin it.
    pub(super) fn open(&self, access_key_id: &str, token: &str, now: Timestamp) -> Option<Session> {
        let minted: Minted = self.sealing.open(token, now)?;
        if !self.is_verified(token, &minted) {
            return None;
        }
        let session: Session = serde_json::from_str(&minted.session).ok()?;
        (session.access_key_id == access_key_id).then_some(session)
    }

    fn is_verified(&self, token: &str, minted: &Minted) -> bool {
        let digest = digest(&SHA256, token.as_bytes()).as_ref().to_vec();
        if self.verified().contains(&digest) {
            return true;
        }
        let Ok(signature) = BASE64.decode(&minted.signature) else {
            return false;
        };
        let keys = self.verifying.keys();
        let verifies = |key: &UnparsedPublicKey<Vec<u8>>| {
            let session = minted.session.as_bytes();
            key.verify(session, &signature).is_ok()
        };
        let good = keys.iter().any(|(_, key)| verifies(key));
        if good {
            let mut verified = self.verified();
            if verified.len() >= VERIFIED_MAX {
                verified.clear();
            }
            verified.insert(digest);
        }
        good
    }

    fn verified(&self) -> MutexGuard<'_, HashSet<Vec<u8>>> {
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a master key's sessions are signed by.
fn signing_key(key: &MasterKey) -> Ed25519KeyPair {
    let seed = key.derive(SIGNED);
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed")
}

#[cfg(test)]
mod tests {
    use types::SystemRandom;

    use super::*;

    fn keyring(byte: u8) -> Arc<Keyring> {
        Arc::new(Keyring::from_bytes([byte; 32]))
    }

    fn root() -> Subject {
        Subject::Root {
            account: AccountId::new("123456789012").unwrap(),
            key: "AKIA".to_owned(),
        }
    }

    fn begin(sessions: &Sessions) -> Credentials {
        let lasts = Duration::from_secs(900);
        sessions.begin(
            root(),
            Given::default(),
            (Timestamp::default(), lasts),
            &SystemRandom,
        )
    }

    #[test]
    fn whoever_can_only_open_cannot_mint() {
        let known = keyring(1);
        let opener = Opener::new(&known);
        let open = |made: &Credentials, token: &str| {
            opener.open(&made.access_key_id, token, Timestamp::default())
        };
        let made = begin(&Sessions::new(&known));
        for _ in 0..2 {
            assert!(open(&made, made.session_token.expose()).is_some());
        }
        // Sealed as it must be, and signed by another.
        let forger = Sessions {
            sealing: Sealing::new(&known, SEALED),
            signing: Derived::new(&keyring(2), signing_key),
        };
        let forged = begin(&forger);
        assert_eq!(open(&forged, forged.session_token.expose()), None);
        // Another session under a valid signature.
        let minted: Minted = opener
            .sealing
            .open(made.session_token.expose(), Timestamp::default())
            .unwrap();
        let changed = Minted {
            session: minted.session.replace("123456789012", "000000000000"),
            ..minted
        };
        let changed = opener.sealing.seal(&changed, &SystemRandom);
        assert_eq!(open(&made, &changed), None);
    }
}
