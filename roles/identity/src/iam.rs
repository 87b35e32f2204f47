//! IAM, as far as Lambda's users need it: users with access keys, groups, roles, policies of their
//! own and managed ones.
//!
//! ```text
//!   form ─▶ constraints of the model ─▶ authorise ─▶ one row, by compare-and-set ─▶ XML
//! ```
//!
//! Two rules span rows: what is attached to an entity, or has members, cannot be deleted. There are no
//! transactions; [`references`] ensures them nevertheless.
//!
//! Modules in reading order: `call` is a request, `operations` says what answers it; `entities`,
//! `keys`, `uses`, `inline`, `attached`, `references`, `renames`, `policies`, `versions`,
//! `groups`, `tags` and `details` are the answers, `reseal` works in the background, `rules` what documents and tags must be, `paging` and `xml` how
//! answers look, `managed` what AWS has.

mod attached;
mod call;
mod details;
mod entities;
mod groups;
mod inline;
mod keys;
mod managed;
mod operations;
mod paging;
mod policies;
mod references;
mod renames;
mod reseal;
mod rules;
mod tags;
#[cfg(test)]
mod tests;
mod uses;
mod versions;
mod xml;

use std::collections::BTreeMap;
use std::sync::Arc;

use authn::authorisation::Requester;
use authn::identity::Identities;
use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use http::{Response, StatusCode};
use records::iam::{Entity, EntityKind, entities_prefix, entity_key};
use serde::de::DeserializeOwned;
use storage::Expect;
use tables::{Failure, Rows, TRIES_MAX, decode};
use types::{AccountId, Clock, Random, RequestId};
use wire::model::check_form;
use wire::query::{IAM_NAMESPACE, Query, QueryError, answer_xml};

use call::Call;
pub(crate) use managed::managed;
pub use reseal::Resealing;
pub use uses::KeyUses;

use crate::keys::UserKeys;

/// See the module.
pub(crate) struct Iam {
    rows: Arc<Rows>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    user_keys: UserKeys,
    /// Records what keys were used for.
    identities: Arc<dyn Identities>,
}

/// What an operation answers: XML.
type Answer = Result<String, QueryError>;

impl Iam {
    pub(crate) fn new(
        rows: Arc<Rows>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        user_keys: UserKeys,
        identities: Arc<dyn Identities>,
    ) -> Self {
        Self {
            rows,
            clock,
            random,
            user_keys,
            identities,
        }
    }

    /// Answers a verified request.
    pub(crate) async fn answer(
        &self,
        requester: &Requester,
        query: &Query,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, QueryError> {
        rules::check_names(query)?;
        check_form("iam", query)?;
        let call = Call { requester, query };
        let result = self.operation(&call).await?;
        Ok(answer_xml(
            IAM_NAMESPACE,
            &query.action,
            &result,
            request_id,
        ))
    }

    /// The entity that a request names, if the caller may do this to it.
    async fn entity(&self, call: &Call<'_>, kind: EntityKind) -> Result<Entity, QueryError> {
        let name = call.entity_name(kind)?;
        let key = entity_key(kind, call.account(), name);
        match self.read(&key).await? {
            Some((entity, _)) => {
                call.may_to(&entity)?;
                Ok(entity)
            }
            None => {
                let word = kind.word();
                call.may(&format!("arn:aws:iam::{}:{word}/{name}", call.account()))?;
                Err(missing(kind, name))
            }
        }
    }

    /// Changes an entity: `change` decides on the current row, and may be called again.
    async fn change<T>(
        &self,
        call: &Call<'_>,
        kind: EntityKind,
        change: impl FnMut(&mut Entity) -> Result<T, QueryError>,
    ) -> Result<(Entity, T), QueryError> {
        let named = self.entity(call, kind).await?;
        let key = entity_key(kind, call.account(), &named.name);
        self.alter(&key, || missing(kind, &named.name), change)
            .await
    }

    /// Changes the entity in that row.
    async fn alter<T>(
        &self,
        key: &str,
        missing: impl Fn() -> QueryError,
        mut change: impl FnMut(&mut Entity) -> Result<T, QueryError>,
    ) -> Result<(Entity, T), QueryError> {
        for _ in 0..TRIES_MAX {
            let (mut row, revision) = self.read(key).await?.ok_or_else(&missing)?;
            let told = change(&mut row)?;
            let written = self.rows.put(key, &row, Expect::Revision(revision)).await;
            if written.map_err(fault)?.is_some() {
                return Ok((row, told));
            }
        }
        Err(contended(key))
    }

    /// All entities of one kind in an account, by name.
    async fn entities(
        &self,
        kind: EntityKind,
        account: &AccountId,
    ) -> Result<Vec<Entity>, QueryError> {
        let rows = self.rows.all(&entities_prefix(kind, account)).await;
        let mut all = BTreeMap::new();
        for row in rows.map_err(fault)? {
            let entity = decode(&row).map_err(fault)?;
            all.insert(row.key, entity);
        }
        Ok(renames::those_there(all))
    }

    async fn all<R: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<R>, QueryError> {
        let rows = self.rows.all(prefix).await.map_err(fault)?;
        let read: Result<Vec<R>, Failure> = rows.iter().map(decode).collect();
        read.map_err(fault)
    }

    /// A unique id: four letters for the kind, and sixteen more.
    fn new_id(&self, prefix: &str) -> String {
        let mut bytes = [0; 10];
        self.random.fill(&mut bytes);
        format!("{prefix}{}", BASE32_NOPAD.encode(&bytes))
    }
}

/// An error of IAM: its status, code and words.
fn error(status: StatusCode, code: &'static str, message: impl Into<String>) -> QueryError {
    QueryError {
        status,
        code,
        message: message.into(),
    }
}

fn no_such(message: String) -> QueryError {
    error(StatusCode::NOT_FOUND, "NoSuchEntity", message)
}

fn taken(message: String) -> QueryError {
    error(StatusCode::CONFLICT, "EntityAlreadyExists", message)
}

fn limit(message: String) -> QueryError {
    error(StatusCode::CONFLICT, "LimitExceeded", message)
}

fn in_use(message: &str) -> QueryError {
    error(StatusCode::CONFLICT, "DeleteConflict", message)
}

fn invalid_input(message: impl Into<String>) -> QueryError {
    error(StatusCode::BAD_REQUEST, "InvalidInput", message)
}

fn missing(kind: EntityKind, name: &str) -> QueryError {
    no_such(format!(
        "The {} with name {name} cannot be found.",
        kind.word()
    ))
}

fn contended(key: &str) -> QueryError {
    let key = key.to_owned();
    fault(Failure::Contended { key })
}

fn fault(failure: Failure) -> QueryError {
    if let Failure::Quota(quota) = failure {
        return limit(format!(
            "Cannot exceed quota for {}: {}",
            quota.name, quota.max
        ));
    }
    let told = failure.answer();
    match told.status {
        StatusCode::CONFLICT => error(StatusCode::CONFLICT, "ConcurrentModification", told.message),
        _ => QueryError::unavailable(),
    }
}

/// The prefix of members in answers: `UserName`, `UserId`.
const fn title(kind: EntityKind) -> &'static str {
    match kind {
        EntityKind::User => "User",
        EntityKind::Role => "Role",
        EntityKind::Group => "Group",
    }
}
