//! Who has which access key, and temporary keys for execution roles.
//!
//! Root keys are a list in the configuration. Temporary keys are written down nowhere: the session
//! token that goes with one holds everything about it, sealed ([`sealed`]), so that any server
//! with the same [`MasterSecret`] knows it, and a restart forgets none.

mod directory;
mod master;
mod sealed;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::Secret;
use api::credentials::{self, Credentials, RoleCredentials};
use api::identity::{AccessKey, Error, Identities, Principal, PrincipalKind};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use policy::{Form, Permissions, Policy};
use ring::digest::{SHA256, digest};
use serde_json::json;
use storage::Table;
use types::{AccountId, Clock, FunctionArn, Random};

use directory::Directory;
pub(crate) use directory::lambda_may_become;
pub use master::MasterSecret;
use sealed::{Sealing, Session};

use crate::role::RoleArn;

/// How long a function's credentials are good. Longer than any environment lives, so that an
/// environment never has to fetch new ones.
const SESSION: Duration = Duration::from_secs(12 * 60 * 60);

/// An access key of an account itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RootKey {
    /// `AKIA…`, or whatever the operator chose.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The account.
    pub account: AccountId,
}

/// All access keys.
pub struct Keys {
    roots: BTreeMap<String, AccessKey>,
    /// What sessions of roles may do that nobody has described.
    roles: Arc<Permissions>,
    sealing: Sealing,
    users: UserKeys,
    directory: Directory,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Keys {
    /// These root keys, and every temporary key sealed under `master`. `role_actions` are patterns
    /// of what sessions of roles may do beside `sts:GetCallerIdentity`: `lambda:InvokeFunction`,
    /// `lambda:*`.
    pub fn new(
        roots: Vec<RootKey>,
        role_actions: &[String],
        master: &MasterSecret,
        table: Arc<dyn Table>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, policy::Malformed> {
        let everything = Arc::new(Permissions {
            everything: true,
            ..Permissions::NONE
        });
        let roots = roots.into_iter().map(|root| {
            let principal = Principal {
                arn: format!("arn:aws:iam::{}:root", root.account),
                user_id: root.account.to_string(),
                account: root.account,
                kind: PrincipalKind::Root,
            };
            (
                root.access_key_id,
                AccessKey {
                    secret: root.secret,
                    principal,
                    permissions: Arc::clone(&everything),
                },
            )
        });
        let sealing = Sealing::new(&master.derive("session-tokens"));
        Ok(Self {
            roots: roots.collect(),
            roles: Arc::new(listed(role_actions)?),
            sealing,
            users: UserKeys::new(master),
            directory: Directory::new(table),
            clock,
            random,
        })
    }
}

/// Permission to do these actions, to whatever the role's account has.
fn listed(actions: &[String]) -> Result<Permissions, policy::Malformed> {
    if actions.is_empty() {
        return Ok(Permissions::NONE);
    }
    let document = json!({
        "Version": "2012-10-17",
        "Statement": { "Effect": "Allow", "Action": actions, "Resource": "*" },
    });
    Ok(Permissions {
        policies: vec![Arc::new(Policy::from_value(&document, Form::Identity)?)],
        ..Permissions::NONE
    })
}

#[async_trait]
impl Identities for Keys {
    async fn access_key(&self, id: &str, session_token: Option<&str>) -> Result<AccessKey, Error> {
        let Some(token) = session_token else {
            return match self.roots.get(id) {
                Some(root) => Ok(root.clone()),
                None => self.user(id).await,
            };
        };
        let session = self
            .sealing
            .open(token)
            .filter(|session| session.access_key_id == id);
        let session = session.ok_or(Error::Unknown)?;
        if session.expires < self.clock.now() {
            return Err(Error::Expired);
        }
        let role = RoleArn::parse(&session.role).ok_or(Error::Unknown)?;
        let known = self.directory.role(&role.account, role.name).await;
        let known = known.map_err(|_| Error::Unavailable)?;
        let known = known.filter(|known| known.entity.arn() == session.role);
        // A session ends with its role, even if another of that name is made.
        if let Some(id) = &session.role_id
            && known.as_ref().is_none_or(|known| known.entity.id != *id)
        {
            return Err(Error::Unknown);
        }
        let unique = match &known {
            Some(known) => known.entity.id.clone(),
            None => role_id(&session.role),
        };
        let permissions = match &known {
            Some(known) => Arc::clone(&known.permissions),
            None => Arc::clone(&self.roles),
        };
        let principal = Principal {
            arn: format!(
                "arn:aws:sts::{}:assumed-role/{}/{}",
                role.account, role.name, session.session_name
            ),
            user_id: format!("{unique}:{}", session.session_name),
            account: role.account,
            kind: PrincipalKind::Role {
                role: session.role.clone(),
            },
        };
        Ok(AccessKey {
            secret: Secret::new(session.secret),
            principal,
            permissions,
        })
    }
}

#[async_trait]
impl RoleCredentials for Keys {
    async fn for_function(
        &self,
        role: &str,
        function: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        let refused = || credentials::Error::Role {
            role: role.to_owned(),
        };
        let arn = RoleArn::parse(role).ok_or_else(refused)?;
        let known = self.directory.role(&arn.account, arn.name).await;
        let known = known.map_err(|_| credentials::Error::Unavailable)?;
        let known = known.filter(|known| known.entity.arn() == role);
        if known
            .as_ref()
            .is_some_and(|known| !lambda_may_become(&known.entity))
        {
            return Err(refused());
        }
        let (mut id, mut secret) = ([0; 10], [0; 30]);
        self.random.fill(&mut id);
        self.random.fill(&mut secret);
        let session = Session {
            role: role.to_owned(),
            session_name: function.name.to_string(),
            access_key_id: format!("ASIA{}", base32(&id)),
            secret: BASE64.encode(secret),
            expires: self.clock.now().after(SESSION),
            role_id: known.map(|known| known.entity.id.clone()),
        };
        let token = self.sealing.seal(&session, self.random.as_ref());
        Ok(Credentials {
            access_key_id: session.access_key_id,
            secret_access_key: Secret::new(session.secret),
            session_token: Secret::new(token),
            expires: session.expires,
        })
    }
}

impl Keys {
    /// The user who has this key.
    async fn user(&self, id: &str) -> Result<AccessKey, Error> {
        let known = self.directory.user(id).await;
        let known = known
            .map_err(|_| Error::Unavailable)?
            .ok_or(Error::Unknown)?;
        let user = &known.entity;
        let key = user.keys.iter().find(|key| key.id == id && key.active);
        let sealed = &key.ok_or(Error::Unknown)?.sealed;
        Ok(AccessKey {
            secret: self.users.open(id, sealed).ok_or(Error::Unknown)?,
            principal: Principal {
                account: user.account.clone(),
                arn: user.arn(),
                user_id: user.id.clone(),
                kind: PrincipalKind::User {
                    name: user.name.clone(),
                },
            },
            permissions: Arc::clone(&known.permissions),
        })
    }
}

/// Makes secrets of users' access keys, and seals them as session tokens are, under a key of
/// their own.
pub(crate) struct UserKeys(Sealing);

impl UserKeys {
    pub(crate) fn new(master: &MasterSecret) -> Self {
        Self(Sealing::new(&master.derive("access-keys")))
    }

    /// A new secret, and the same sealed.
    pub(crate) fn make(&self, id: &str, random: &dyn Random) -> (Secret, String) {
        let mut bytes = [0; 30];
        random.fill(&mut bytes);
        let secret = BASE64.encode(bytes);
        let held = Session {
            role: String::new(),
            session_name: String::new(),
            access_key_id: id.to_owned(),
            secret: secret.clone(),
            expires: types::Timestamp::from_millis(u64::MAX),
            role_id: None,
        };
        (Secret::new(secret), self.0.seal(&held, random))
    }

    fn open(&self, id: &str, sealed: &str) -> Option<Secret> {
        let held = self.0.open(sealed)?;
        (held.access_key_id == id).then(|| Secret::new(held.secret))
    }
}

/// A role's unique id, `AROA` and 17 letters: made from its ARN, since nothing records roles.
fn role_id(role: &str) -> String {
    let hash = digest(&SHA256, role.as_bytes());
    format!("AROA{:.17}", base32(&hash.as_ref()[..11]))
}

/// RFC 4648's alphabet, no padding: what AWS's key ids are written in.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        out.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    out
}

#[cfg(test)]
mod tests {
    use types::{ManualClock, SystemRandom, Timestamp};

    use super::*;

    fn keys(clock: Arc<ManualClock>) -> Keys {
        let root = RootKey {
            access_key_id: "test".to_owned(),
            secret: Secret::new("test"),
            account: AccountId::new("000000000000").unwrap(),
        };
        Keys::new(
            vec![root],
            &[],
            &MasterSecret::from_bytes([7; 32]),
            Arc::new(storage::memory::MemoryTable::default()),
            clock,
            Arc::new(SystemRandom),
        )
        .unwrap()
    }

    fn function() -> FunctionArn {
        FunctionArn {
            scope: types::Scope {
                account: AccountId::new("000000000000").unwrap(),
                region: types::Region::new("us-east-1").unwrap(),
            },
            name: types::FunctionName::new("f").unwrap(),
            qualifier: None,
        }
    }

    #[test]
    fn base32_is_rfc_4648s() {
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
        assert_eq!(base32(b"f"), "MY");
        assert_eq!(base32(&[0; 10]).len(), 16);
    }

    #[tokio::test]
    async fn a_root_key_is_the_account_itself() {
        let keys = keys(Arc::default());
        let key = keys.access_key("test", None).await.unwrap();
        assert_eq!(key.principal.arn, "arn:aws:iam::000000000000:root");
        assert_eq!(keys.access_key("other", None).await, Err(Error::Unknown));
        assert_eq!(
            keys.access_key("test", Some("x")).await,
            Err(Error::Unknown)
        );
    }

    #[tokio::test]
    async fn temporary_keys_are_known_until_they_expire_and_after_a_restart() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        let role = "arn:aws:iam::000000000000:role/path/worker";
        let made = keys(Arc::clone(&clock))
            .for_function(role, &function())
            .await
            .unwrap();
        assert_eq!(made.access_key_id.len(), 20);
        assert_eq!(made.secret_access_key.expose().len(), 40);
        let restarted = keys(Arc::clone(&clock));
        let token = Some(made.session_token.expose());
        let key = restarted
            .access_key(&made.access_key_id, token)
            .await
            .unwrap();
        assert_eq!(key.secret, made.secret_access_key);
        assert_eq!(
            key.principal.arn,
            "arn:aws:sts::000000000000:assumed-role/worker/f"
        );
        assert!(key.principal.user_id.starts_with("AROA") && key.principal.user_id.ends_with(":f"));
        assert_eq!(key.principal.user_id.len(), 21 + 2);
        let other = restarted.access_key("ASIAOTHER", token).await;
        assert_eq!(other, Err(Error::Unknown));
        clock.advance(SESSION + Duration::from_millis(1));
        let late = restarted.access_key(&made.access_key_id, token).await;
        assert_eq!(late, Err(Error::Expired));
    }

    #[tokio::test]
    async fn what_is_no_role_gets_no_credentials() {
        let refused = keys(Arc::default()).for_function("x", &function()).await;
        assert!(matches!(refused, Err(credentials::Error::Role { .. })));
    }
}
