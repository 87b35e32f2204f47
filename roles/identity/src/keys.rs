//! All access keys, and temporary keys for assumed roles.
//!
//! Root keys are a list in the configuration, users' keys are with their users. Temporary keys are
//! stored nowhere: the session token that goes with one holds everything about it, sealed
//! ([`sessions`]), so that any server with the same [`Keyring`] accepts it, and a restart forgets none.
//! What a session may do is looked up at every request: its token contains only what limits it.

mod directory;
mod key_ids;
mod rights;
mod roles;
mod sessions;
mod user_keys;
mod uses;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Secret;
use async_trait::async_trait;
use authn::identity::{self, AccessKey, Error, Identities, Principal, PrincipalKind};
use authn::operator_key::OperatorKey;
use data_encoding::BASE32_NOPAD;
use keyring::Keyring;
use policy::{Form, Permissions, Policy};
use records::iam::Entity;
use records::iam::KeyUse;
use ring::digest::{SHA256, digest};
use serde_json::json;
use storage::Table;
use types::{AccountId, Clock, Random, RoleArn};

use directory::Directory;
pub(crate) use key_ids::account_of;
pub(crate) use sessions::{Given, Sessions, Subject};
use sessions::{Opener, Session};
pub(crate) use user_keys::UserKeys;
use uses::Uses;

/// An access key of an account itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RootKey {
    /// `AKIA…`, or any id that the operator chose.
    pub access_key_id: String,
    /// Its secret.
    pub secret: Secret,
    /// The account.
    pub account: AccountId,
}

/// Roles that IAM does not know: functions may name them, and they have no described permissions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownRoles {
    /// Whether they are accepted: if not, a function must name an existing role.
    pub accepted: bool,
    /// Patterns of what their sessions may do in addition to `sts:GetCallerIdentity`:
    /// `lambda:InvokeFunction`, `lambda:*`.
    pub actions: Vec<String>,
}

impl Default for UnknownRoles {
    fn default() -> Self {
        Self {
            accepted: true,
            actions: Vec::new(),
        }
    }
}

/// All access keys.
pub struct Keys {
    roots: BTreeMap<String, AccessKey>,
    /// What sessions of undescribed roles may do; `None` if there are none.
    unknown_roles: Option<Arc<Permissions>>,
    /// The operator's key, if it signs in place of roles.
    operator_key: Option<Arc<OperatorKey>>,
    sessions: Sessions,
    opener: Opener,
    users: UserKeys,
    directory: Directory,
    uses: Uses,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Keys {
    /// These root keys, the users' of `table`, and every temporary key that was signed and sealed by `keyring`.
    pub fn new(
        roots: Vec<RootKey>,
        unknown_roles: &UnknownRoles,
        keyring: &Arc<Keyring>,
        table: Arc<dyn Table>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, policy::Malformed> {
        let everything = Arc::new(Permissions {
            everything: true,
            ..Permissions::NONE
        });
        let roots = roots.into_iter().map(|root| {
            let key = AccessKey {
                secret: root.secret,
                principal: root_of(root.account),
                permissions: Arc::clone(&everything),
                session: None,
            };
            (root.access_key_id, key)
        });
        let described = Arc::new(listed(&unknown_roles.actions)?);
        Ok(Self {
            roots: roots.collect(),
            unknown_roles: unknown_roles.accepted.then_some(described),
            operator_key: None,
            sessions: Sessions::new(keyring),
            opener: Opener::new(keyring),
            users: UserKeys::new(keyring),
            directory: Directory::new(table),
            uses: Uses::default(),
            clock,
            random,
        })
    }
}

impl Keys {
    /// These, where a key of the operator's signs what functions' settings send: other services see the
    /// operator, so what a function may reach must be checked here.
    #[must_use]
    pub fn with_operator_key(self, operator_key: Option<Arc<OperatorKey>>) -> Self {
        Self {
            operator_key,
            ..self
        }
    }
}

fn root_of(account: AccountId) -> Principal {
    Principal {
        arn: format!("arn:aws:iam::{account}:root"),
        user_id: account.to_string(),
        account,
        kind: PrincipalKind::Root,
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
        let now = self.clock.now();
        let session = self.opener.open(id, token, now).ok_or(Error::Unknown)?;
        if session.expires < now {
            return Err(Error::Expired);
        }
        self.session(session).await
    }

    fn note_use(&self, id: &str, service: &str, region: &str) {
        if !key_ids::is_temporary(id) && !self.roots.contains_key(id) {
            self.uses.note(id, service, region, self.clock.now());
        }
    }

    fn take_uses(&self) -> Vec<(String, KeyUse)> {
        self.uses.take()
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
        let secret = self.users.open(id, sealed, self.clock.now());
        Ok(AccessKey {
            secret: secret.ok_or(Error::Unknown)?,
            principal: user_principal(user),
            permissions: Arc::clone(&known.permissions),
            session: None,
        })
    }

    /// Whose a session is now, and what they may do now.
    async fn session(&self, session: Session) -> Result<AccessKey, Error> {
        let mut function = None;
        let (principal, permissions) = match session.subject {
            Subject::Root { account, key } => {
                let root = self.roots.get(&key).ok_or(Error::Unknown)?;
                if root.principal.account != account {
                    return Err(Error::Unknown);
                }
                (root.principal.clone(), Arc::clone(&root.permissions))
            }
            Subject::User { account, id, name } => {
                let known = self.directory.user_named(&account, &name).await;
                let known = known.map_err(|_| Error::Unavailable)?;
                let known = known.filter(|known| known.entity.id == id);
                let known = known.ok_or(Error::Unknown)?;
                let principal = user_principal(&known.entity);
                (principal, Arc::clone(&known.permissions))
            }
            Subject::Role {
                arn,
                id,
                session,
                function: of,
                ..
            } => {
                function = of;
                self.role(&arn, id.as_deref(), &session).await?
            }
        };
        let given = session.given;
        let permissions = self.limited(permissions, &given);
        let inherited = |key: &String| given.transitive.contains(key);
        let tags = given.tags.into_iter();
        Ok(AccessKey {
            secret: Secret::new(session.secret),
            principal,
            permissions,
            session: Some(identity::Session {
                issued: session.issued,
                function,
                source_identity: given.source_identity,
                inherited: tags.filter(|(key, _)| inherited(key)).collect(),
            }),
        })
    }

    /// What remains of `permissions` in a session with session policies.
    fn limited(&self, permissions: Arc<Permissions>, given: &Given) -> Arc<Permissions> {
        let Given {
            policy,
            managed,
            tags,
            ..
        } = given;
        if policy.is_none() && managed.is_empty() && tags.is_empty() {
            return permissions;
        }
        let mut own = Permissions::clone(&permissions);
        // Tag keys are case-insensitive, and those of the session count.
        let given_too = |key: &String| tags.keys().any(|given| given.eq_ignore_ascii_case(key));
        own.tags.retain(|key, _| !given_too(key));
        own.tags.extend(tags.clone());
        let inline = policy.iter().map(|text| directory::read(text));
        own.session = inline.chain(self.directory.limits(managed)).collect();
        Arc::new(own)
    }

    /// A role as it is now, for a session of the one with that id.
    async fn role(
        &self,
        arn: &str,
        id: Option<&str>,
        session: &str,
    ) -> Result<(Principal, Arc<Permissions>), Error> {
        let role = RoleArn::parse(arn).ok_or(Error::Unknown)?;
        let known = self.directory.role(&role, arn).await;
        let known = known.map_err(|_| Error::Unavailable)?;
        // A session ends with its role, even if another of that name is created.
        if let Some(id) = id
            && known.as_ref().is_none_or(|known| known.entity.id != id)
        {
            return Err(Error::Unknown);
        }
        let (unique, permissions) = match &known {
            Some(known) => (known.entity.id.clone(), Arc::clone(&known.permissions)),
            None => {
                let described = self.unknown_roles.as_ref().ok_or(Error::Unknown)?;
                (role_id(arn), Arc::clone(described))
            }
        };
        let principal = Principal {
            arn: assumed_role(&role, session),
            user_id: format!("{unique}:{session}"),
            account: role.account,
            kind: PrincipalKind::Role {
                role: arn.to_owned(),
            },
        };
        Ok((principal, permissions))
    }
}

/// ARN of a session of a role.
pub(crate) fn assumed_role(role: &RoleArn<'_>, session: &str) -> String {
    format!(
        "arn:aws:sts::{}:assumed-role/{}/{session}",
        role.account, role.name
    )
}

fn user_principal(user: &Entity) -> Principal {
    Principal {
        account: user.account.clone(),
        arn: user.arn(),
        user_id: user.id.clone(),
        kind: PrincipalKind::User {
            name: user.name.clone(),
        },
    }
}

/// A role's unique id, `AROA` and 17 letters: made from its ARN, since nothing records roles.
fn role_id(role: &str) -> String {
    let hash = digest(&SHA256, role.as_bytes());
    format!("AROA{:.17}", BASE32_NOPAD.encode(&hash.as_ref()[..11]))
}

#[cfg(test)]
mod tests;
