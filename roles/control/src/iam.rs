//! The slice of IAM that Lambda's users need: users with access keys, roles, inline policies, and
//! some of AWS's managed ones.
//!
//! ```text
//!   form ─▶ authorise ─▶ one row, by compare-and-set ─▶ XML
//! ```

mod managed;
mod operations;
mod xml;

use api::authorisation::{Ask, Requester};
use api::iam::{Entity, EntityKind, entity_key};
use bytes::Bytes;
use http::{Response, StatusCode};
use policy::Context;
use storage::Expect;
use types::{AccountId, RequestId};
use wire::model::check_form;
use wire::query::{Query, QueryError, answer_xml};

pub(crate) use managed::managed;

use crate::failure::Failure;
use crate::rows::TRIES_MAX;
use crate::service::Control;

/// Name space of IAM's answers.
const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// One verified request to IAM.
pub(crate) struct Call<'r> {
    pub(crate) requester: &'r Requester,
    pub(crate) query: &'r Query,
}

/// An error of IAM: its status, code and words.
fn error(status: StatusCode, code: &'static str, message: impl Into<String>) -> QueryError {
    QueryError {
        status,
        code,
        message: message.into(),
    }
}

fn missing(kind: EntityKind, name: &str) -> QueryError {
    let message = format!("The {} with name {name} cannot be found.", kind.word());
    error(StatusCode::NOT_FOUND, "NoSuchEntity", message)
}

fn fault(failure: Failure) -> QueryError {
    let told = failure.answer();
    match told.status {
        StatusCode::CONFLICT => error(StatusCode::CONFLICT, "ConcurrentModification", told.message),
        _ => QueryError::unavailable(),
    }
}

impl Call<'_> {
    fn account(&self) -> &AccountId {
        self.requester.account()
    }

    /// A parameter that must be there.
    fn required(&self, name: &str) -> Result<&str, QueryError> {
        let given = self.query.parameter(name).filter(|text| !text.is_empty());
        given.ok_or_else(|| {
            let at = name[..1].to_ascii_lowercase() + &name[1..];
            let message = format!(
                "1 validation error detected: Value null at '{at}' failed to satisfy constraint: \
                 Member must not be null"
            );
            error(StatusCode::BAD_REQUEST, "ValidationError", message)
        })
    }

    fn may(&self, resource: &str) -> Result<(), QueryError> {
        let decided = self.requester.authorise(Ask {
            action: &format!("iam:{}", self.query.action),
            resource,
            owner: self.account(),
            policy: None,
            context: Context::new(),
        });
        decided.map_err(|denied| QueryError::access_denied(denied.to_string()))
    }
}

impl Control {
    /// Answers a verified request.
    pub(crate) async fn iam(
        &self,
        requester: &Requester,
        query: &Query,
        request_id: RequestId,
    ) -> Result<Response<Bytes>, QueryError> {
        check_form("iam", query)?;
        let call = Call { requester, query };
        let result = self.iam_operation(&call).await?;
        Ok(answer_xml(NAMESPACE, &query.action, &result, request_id))
    }

    /// The entity that a request names, if the caller may do this to it.
    async fn iam_entity(&self, call: &Call<'_>, kind: EntityKind) -> Result<Entity, QueryError> {
        let member = match kind {
            EntityKind::User => "UserName",
            EntityKind::Role => "RoleName",
        };
        let name = call.required(member)?;
        let key = entity_key(kind, call.account(), name);
        let found = self.rows.get::<Entity>(&key).await.map_err(fault)?;
        let found = found.map(|(entity, _)| entity);
        let found = found.filter(|entity| entity.name == name);
        let arn = found.as_ref().map(Entity::arn).unwrap_or_else(|| {
            let word = kind.word();
            format!("arn:aws:iam::{}:{word}/{name}", call.account())
        });
        call.may(&arn)?;
        found.ok_or_else(|| missing(kind, name))
    }

    /// Changes an entity: `change` decides on the row as it is, and may be asked again.
    async fn iam_change(
        &self,
        call: &Call<'_>,
        kind: EntityKind,
        mut change: impl FnMut(&mut Entity) -> Result<(), QueryError>,
    ) -> Result<Entity, QueryError> {
        let named = self.iam_entity(call, kind).await?;
        let key = entity_key(kind, call.account(), &named.name);
        for _ in 0..TRIES_MAX {
            let found = self.rows.get::<Entity>(&key).await.map_err(fault)?;
            let Some((mut entity, revision)) = found else {
                return Err(missing(kind, &named.name));
            };
            change(&mut entity)?;
            let written = self.rows.put(&key, &entity, Expect::Revision(revision));
            if written.await.map_err(fault)?.is_some() {
                return Ok(entity);
            }
        }
        Err(fault(Failure::Contended { key }))
    }
}
