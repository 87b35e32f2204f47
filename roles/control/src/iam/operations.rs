//! Every operation, by its name. Users and roles differ in little more than the names of members.

use std::collections::{BTreeMap, BTreeSet};

use api::iam::{Entity, EntityKind, UserKey, entities_prefix, entity_key};
use http::StatusCode;
use policy::{Form, Policy};
use storage::Expect;
use wire::query::{Query, QueryError};

use super::xml::{document, entity, group, key, list, member, tags};
use super::{Call, error, fault, managed};
use crate::rows::decode;
use crate::service::Control;

/// Access keys of a user (AWS).
const KEYS_MAX: usize = 2;
/// Longest name of a user or a role (AWS).
const NAME_CHARACTERS_MAX: usize = 64;
/// Longest policy document that is read (AWS: 10 240 characters of inline policies of a role).
const DOCUMENT_BYTES_MAX: usize = 10_240;
/// Seconds a session lasts at most, where nothing is said (AWS).
const SESSION_SECONDS: u32 = 3_600;

impl Control {
    pub(super) async fn iam_operation(&self, call: &Call<'_>) -> Result<String, QueryError> {
        use EntityKind::{Role, User};
        match call.query.action.as_str() {
            "CreateUser" => self.iam_create(call, User).await,
            "CreateRole" => self.iam_create(call, Role).await,
            "GetUser" => Ok(group("User", &entity(&self.iam_entity(call, User).await?))),
            "GetRole" => Ok(group("Role", &entity(&self.iam_entity(call, Role).await?))),
            "ListUsers" => self.iam_list(call, User).await,
            "ListRoles" => self.iam_list(call, Role).await,
            "DeleteUser" => self.iam_delete(call, User).await,
            "DeleteRole" => self.iam_delete(call, Role).await,
            "UpdateRole" => self.update_role(call).await,
            "UpdateAssumeRolePolicy" => self.update_trust(call).await,
            "PutUserPolicy" => self.put_inline(call, User).await,
            "PutRolePolicy" => self.put_inline(call, Role).await,
            "GetUserPolicy" => self.get_inline(call, User).await,
            "GetRolePolicy" => self.get_inline(call, Role).await,
            "DeleteUserPolicy" => self.delete_inline(call, User).await,
            "DeleteRolePolicy" => self.delete_inline(call, Role).await,
            "ListUserPolicies" => self.list_inline(call, User).await,
            "ListRolePolicies" => self.list_inline(call, Role).await,
            "AttachUserPolicy" => self.attach_policy(call, User, true).await,
            "AttachRolePolicy" => self.attach_policy(call, Role, true).await,
            "DetachUserPolicy" => self.attach_policy(call, User, false).await,
            "DetachRolePolicy" => self.attach_policy(call, Role, false).await,
            "ListAttachedUserPolicies" => self.list_attached(call, User).await,
            "ListAttachedRolePolicies" => self.list_attached(call, Role).await,
            "TagUser" => self.tag(call, User).await,
            "TagRole" => self.tag(call, Role).await,
            "UntagUser" => self.untag(call, User).await,
            "UntagRole" => self.untag(call, Role).await,
            "ListUserTags" => Ok(tags(&self.iam_entity(call, User).await?) + NO_MORE),
            "ListRoleTags" => Ok(tags(&self.iam_entity(call, Role).await?) + NO_MORE),
            "ListInstanceProfilesForRole" => {
                self.iam_entity(call, Role).await?;
                Ok(list("InstanceProfiles", std::iter::empty()))
            }
            "ListGroupsForUser" => {
                self.iam_entity(call, User).await?;
                Ok(list("Groups", std::iter::empty()))
            }
            "CreateAccessKey" => self.create_key(call).await,
            "ListAccessKeys" => {
                let user = self.iam_entity(call, User).await?;
                let keys = user.keys.iter().map(|found| key(&user.name, found));
                Ok(list("AccessKeyMetadata", keys))
            }
            "UpdateAccessKey" => self.update_key(call).await,
            "DeleteAccessKey" => self.delete_key(call).await,
            other => {
                call.may("*")?;
                Err(QueryError::not_implemented(other))
            }
        }
    }

    async fn iam_create(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let (shown, name_member) = match kind {
            EntityKind::User => ("User", "UserName"),
            EntityKind::Role => ("Role", "RoleName"),
        };
        let name = call.required(name_member)?;
        check_name(name)?;
        let path = call.query.parameter("Path").unwrap_or("/");
        let plain = |byte: u8| byte.is_ascii_graphic();
        if !path.starts_with('/') || !path.ends_with('/') || !path.bytes().all(plain) {
            return Err(invalid("path", path));
        }
        if call.query.parameter("PermissionsBoundary").is_some() {
            return Err(QueryError::not_implemented("PermissionsBoundary"));
        }
        let trust = match kind {
            EntityKind::User => String::new(),
            EntityKind::Role => checked(call, "AssumeRolePolicyDocument", Form::Trust)?,
        };
        let made = Entity {
            kind,
            account: call.account().clone(),
            name: name.to_owned(),
            path: path.to_owned(),
            id: self.new_iam_id(if kind == EntityKind::User {
                "AIDA"
            } else {
                "AROA"
            }),
            created: self.clock.now(),
            description: text(call.query, "Description"),
            trust,
            session_seconds_max: seconds(call)?.unwrap_or(SESSION_SECONDS),
            inline: BTreeMap::new(),
            attached: BTreeSet::new(),
            tags: given_tags(call.query),
            keys: Vec::new(),
        };
        call.may(&made.arn())?;
        let row = entity_key(kind, call.account(), name);
        let written = self.rows.put(&row, &made, Expect::Absent).await;
        if written.map_err(fault)?.is_none() {
            let message = format!("{shown} with name {name} already exists.");
            return Err(error(StatusCode::CONFLICT, "EntityAlreadyExists", message));
        }
        Ok(group(shown, &entity(&made)))
    }

    async fn iam_list(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let word = kind.word();
        call.may(&format!("arn:aws:iam::{}:{word}/", call.account()))?;
        let rows = self.rows.all(&entities_prefix(kind, call.account())).await;
        let entities: Result<Vec<Entity>, _> = rows.map_err(fault)?.iter().map(decode).collect();
        let prefix = call.query.parameter("PathPrefix").unwrap_or("/");
        let entities = entities.map_err(fault)?;
        let wanted = entities
            .iter()
            .filter(|found| found.path.starts_with(prefix));
        let name = if kind == EntityKind::User {
            "Users"
        } else {
            "Roles"
        };
        Ok(list(name, wanted.map(entity)))
    }

    async fn iam_delete(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let named = self.iam_entity(call, kind).await?;
        let row = entity_key(kind, call.account(), &named.name);
        let Some((found, revision)) = self.rows.get::<Entity>(&row).await.map_err(fault)? else {
            return Err(super::missing(kind, &named.name));
        };
        let first = match () {
            () if !found.attached.is_empty() => "must detach all policies first",
            () if !found.inline.is_empty() => "must delete policies first",
            () if !found.keys.is_empty() => "must delete access keys first",
            () => {
                let deleted = self.rows.delete(&row, Expect::Revision(revision)).await;
                return match deleted.map_err(fault)? {
                    true => Ok(String::new()),
                    false => Err(fault(crate::failure::Failure::Contended { key: row })),
                };
            }
        };
        let message = format!("Cannot delete entity, {first}.");
        Err(error(StatusCode::CONFLICT, "DeleteConflict", message))
    }

    async fn update_role(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let seconds = seconds(call)?;
        let change = |role: &mut Entity| {
            if let Some(description) = call.query.parameter("Description") {
                role.description = description.to_owned();
            }
            role.session_seconds_max = seconds.unwrap_or(role.session_seconds_max);
            Ok(())
        };
        self.iam_change(call, EntityKind::Role, change).await?;
        Ok(String::new())
    }

    async fn update_trust(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let trust = checked(call, "PolicyDocument", Form::Trust)?;
        let change = |role: &mut Entity| {
            role.trust.clone_from(&trust);
            Ok(())
        };
        self.iam_change(call, EntityKind::Role, change).await?;
        Ok(String::new())
    }

    async fn put_inline(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let name = call.required("PolicyName")?;
        let text = checked(call, "PolicyDocument", Form::Identity)?;
        let change = |found: &mut Entity| {
            found.inline.insert(name.to_owned(), text.clone());
            let size: usize = found.inline.values().map(String::len).sum();
            if size > DOCUMENT_BYTES_MAX {
                let word = kind.word();
                let message = format!(
                    "Maximum policy size of {DOCUMENT_BYTES_MAX} bytes exceeded for {word} {}",
                    found.name
                );
                return Err(error(StatusCode::CONFLICT, "LimitExceeded", message));
            }
            Ok(())
        };
        self.iam_change(call, kind, change).await?;
        Ok(String::new())
    }

    async fn get_inline(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let found = self.iam_entity(call, kind).await?;
        let name = call.required("PolicyName")?;
        let text = found.inline.get(name).ok_or_else(|| no_policy(name))?;
        let owner = if kind == EntityKind::User {
            "UserName"
        } else {
            "RoleName"
        };
        let named = member(owner, &found.name) + &member("PolicyName", name);
        Ok(named + &document("PolicyDocument", text))
    }

    async fn delete_inline(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let name = call.required("PolicyName")?;
        let change = |found: &mut Entity| {
            found
                .inline
                .remove(name)
                .map(|_| ())
                .ok_or_else(|| no_policy(name))
        };
        self.iam_change(call, kind, change).await?;
        Ok(String::new())
    }

    async fn list_inline(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let found = self.iam_entity(call, kind).await?;
        let names: String = found
            .inline
            .keys()
            .map(|name| member("member", name))
            .collect();
        Ok(group("PolicyNames", &names) + NO_MORE)
    }

    async fn attach_policy(
        &self,
        call: &Call<'_>,
        kind: EntityKind,
        attach: bool,
    ) -> Result<String, QueryError> {
        let arn = call.required("PolicyArn")?;
        if attach && managed(arn).is_none() {
            let message = format!("Policy {arn} does not exist or is not attachable.");
            return Err(error(StatusCode::NOT_FOUND, "NoSuchEntity", message));
        }
        let change = |found: &mut Entity| {
            let there = match attach {
                true => found.attached.insert(arn.to_owned()) || attach,
                false => found.attached.remove(arn),
            };
            there.then_some(()).ok_or_else(|| {
                let message = format!("Policy {arn} was not found.");
                error(StatusCode::NOT_FOUND, "NoSuchEntity", message)
            })
        };
        self.iam_change(call, kind, change).await?;
        Ok(String::new())
    }

    async fn list_attached(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let found = self.iam_entity(call, kind).await?;
        let attached = found.attached.iter().map(|arn| {
            let name = arn.rsplit('/').next().unwrap_or(arn);
            member("PolicyName", name) + &member("PolicyArn", arn)
        });
        Ok(list("AttachedPolicies", attached))
    }

    async fn tag(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let new = given_tags(call.query);
        let change = |found: &mut Entity| {
            found.tags.extend(new.clone());
            Ok(())
        };
        self.iam_change(call, kind, change).await?;
        Ok(String::new())
    }

    async fn untag(&self, call: &Call<'_>, kind: EntityKind) -> Result<String, QueryError> {
        let parameters = call.query.parameters.iter();
        let gone: Vec<&str> = parameters
            .filter(|(name, _)| name.starts_with("TagKeys.member."))
            .map(|(_, value)| value.as_str())
            .collect();
        let change = |found: &mut Entity| {
            found.tags.retain(|key, _| !gone.contains(&key.as_str()));
            Ok(())
        };
        self.iam_change(call, kind, change).await?;
        Ok(String::new())
    }

    async fn create_key(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let id = self.new_iam_id("AKIA");
        let (secret, sealed) = self.user_keys.make(&id, self.random.as_ref());
        let made = UserKey {
            id,
            sealed,
            active: true,
            created: self.clock.now(),
        };
        let change = |user: &mut Entity| {
            if user.keys.len() >= KEYS_MAX {
                let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_MAX}");
                return Err(error(StatusCode::CONFLICT, "LimitExceeded", message));
            }
            user.keys.push(made.clone());
            Ok(())
        };
        let user = self.iam_change(call, EntityKind::User, change).await?;
        let shown = key(&user.name, &made) + &member("SecretAccessKey", secret.expose());
        Ok(group("AccessKey", &shown))
    }

    async fn update_key(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let (id, status) = (call.required("AccessKeyId")?, call.required("Status")?);
        if !["Active", "Inactive"].contains(&status) {
            return Err(invalid("status", status));
        }
        let change = |user: &mut Entity| {
            let found = user.keys.iter_mut().find(|found| found.id == id);
            found.ok_or_else(|| no_key(id))?.active = status == "Active";
            Ok(())
        };
        self.iam_change(call, EntityKind::User, change).await?;
        Ok(String::new())
    }

    async fn delete_key(&self, call: &Call<'_>) -> Result<String, QueryError> {
        let id = call.required("AccessKeyId")?;
        let change = |user: &mut Entity| {
            let before = user.keys.len();
            user.keys.retain(|found| found.id != id);
            (user.keys.len() < before)
                .then_some(())
                .ok_or_else(|| no_key(id))
        };
        self.iam_change(call, EntityKind::User, change).await?;
        Ok(String::new())
    }

    /// A unique id: four letters that say of what, and sixteen more.
    fn new_iam_id(&self, prefix: &str) -> String {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        format!("{prefix}{}", crate::identity::base32(&bytes))
    }
}

const NO_MORE: &str = "<IsTruncated>false</IsTruncated>";

fn text(query: &Query, name: &str) -> String {
    query.parameter(name).unwrap_or_default().to_owned()
}

fn no_policy(name: &str) -> QueryError {
    let message = format!("The policy with name {name} cannot be found.");
    error(StatusCode::NOT_FOUND, "NoSuchEntity", message)
}

fn no_key(id: &str) -> QueryError {
    let message = format!("The Access Key with id {id} cannot be found.");
    error(StatusCode::NOT_FOUND, "NoSuchEntity", message)
}

fn invalid(at: &str, value: &str) -> QueryError {
    let message = format!(
        "1 validation error detected: Value '{value}' at '{at}' failed to satisfy constraint"
    );
    error(StatusCode::BAD_REQUEST, "ValidationError", message)
}

fn check_name(name: &str) -> Result<(), QueryError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    if name.len() > NAME_CHARACTERS_MAX || !name.bytes().all(plain) {
        let message = "The specified value for the name is invalid. It must contain only \
                       alphanumeric characters and/or the following: +=,.@_-";
        return Err(error(StatusCode::BAD_REQUEST, "ValidationError", message));
    }
    Ok(())
}

fn seconds(call: &Call<'_>) -> Result<Option<u32>, QueryError> {
    let Some(text) = call.query.parameter("MaxSessionDuration") else {
        return Ok(None);
    };
    let number = text.parse().ok();
    let number = number.filter(|number| (3_600..=43_200).contains(number));
    number
        .map(Some)
        .ok_or_else(|| invalid("maxSessionDuration", text))
}

/// A document that is one.
fn checked(call: &Call<'_>, name: &str, form: Form) -> Result<String, QueryError> {
    let text = call.required(name)?;
    let malformed =
        |message: String| error(StatusCode::BAD_REQUEST, "MalformedPolicyDocument", message);
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(malformed("The policy is too long.".to_owned()));
    }
    Policy::parse(text, form).map_err(|error| malformed(error.to_string()))?;
    Ok(text.to_owned())
}

/// `Tags.member.N.Key` with its `Value`.
fn given_tags(query: &Query) -> BTreeMap<String, String> {
    let keys = query.parameters.iter().filter_map(|(name, key)| {
        let number = name.strip_prefix("Tags.member.")?.strip_suffix(".Key")?;
        let value = query.parameter(&format!("Tags.member.{number}.Value"));
        Some((key.clone(), value.unwrap_or_default().to_owned()))
    });
    keys.collect()
}
