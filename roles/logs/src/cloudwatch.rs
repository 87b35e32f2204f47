//! CloudWatch Logs, as far as functions' users need it: groups, streams, events, retention, tags.
//!
//! ```text
//!   request ─▶ action ─▶ groups | streams | put | get | filter | tags
//!                          │ rows (metadata table)     │ crate::store::Store
//! ```
//!
//! A group is a row; its streams and events are in the store. A function's group comes into being with the
//! first line: the next request that names it writes its row ([`groups`]).

mod constraints;
mod filter;
mod get;
mod groups;
mod keeper;
mod pattern;
mod put;
mod streams;
mod tags;
mod tokens;

use std::io;
use std::sync::Arc;

use authn::authorisation::resource_tags;
use authn::authorisation::{self, Requester};
use bytes::Bytes;
use http::Response;
use http::request::Parts;
use policy::{Context, Denied};
use records::log_groups::{LogGroup, log_group_key};
use serde::de::DeserializeOwned;
use tables::Rows;
use tables::{Failure, log};
use tokio::sync::Notify;
use types::{Clock, ForCallers as _, Region, Scope};
use wire::json_rpc::{self, JsonError};

use crate::store::Store;

pub use keeper::Keeper;

/// The prefix of every action's name.
const TARGET: &str = "Logs_20140328";
/// The largest request (AWS: 1 MB of events, which JSON may write six times as long).
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Actions of the public model that are not implemented.
const OTHERS: &str = include_str!("cloudwatch/others.txt");

/// See the module.
pub(crate) struct CloudWatch {
    rows: Arc<Rows>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    retention_days: Option<u32>,
    /// Notified when a group's retention has changed.
    changed: Arc<Notify>,
}

/// One verified request.
struct Ask<'r> {
    requester: &'r Requester,
    /// The caller's account, and the region they signed for.
    scope: Scope,
    action: &'r str,
    body: &'r Bytes,
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
enum Error {
    /// The caller is told why.
    #[error("the request is refused")]
    Refused(#[from] JsonError),
    /// The table is not available or does not work.
    #[error("the metadata table does not work")]
    Table(#[from] Failure),
    /// The store of events does not.
    #[error("the store of log events does not work")]
    Events(#[from] io::Error),
}

impl From<wire::ApiError> for Error {
    fn from(error: wire::ApiError) -> Self {
        Self::Refused(error.into())
    }
}

impl CloudWatch {
    /// The service, and the part of it that removes what is too old: run that for as long as this
    /// serves.
    pub(crate) fn new(
        rows: Arc<Rows>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        retention_days: Option<u32>,
    ) -> (Self, Keeper) {
        let changed = Arc::new(Notify::new());
        let keeper = Keeper::new(
            Arc::clone(&rows),
            Arc::clone(&store),
            Arc::clone(&clock),
            retention_days,
            Arc::clone(&changed),
        );
        let service = Self {
            rows,
            store,
            clock,
            retention_days,
            changed,
        };
        (service, keeper)
    }

    /// Answers a verified request.
    pub(crate) async fn answer(
        &self,
        parts: &Parts,
        body: &Bytes,
        requester: &Requester,
        region: Region,
    ) -> Result<Response<Bytes>, JsonError> {
        let action = json_rpc::action(parts, TARGET).ok_or_else(JsonError::unknown_action)?;
        if body.len() > BODY_BYTES_MAX {
            let message = format!("Request must be smaller than {BODY_BYTES_MAX} bytes");
            return Err(wire::ApiError::too_large(message).into());
        }
        let ask = Ask {
            scope: Scope {
                account: requester.account().clone(),
                region,
            },
            requester,
            action,
            body,
        };
        self.dispatch(&ask).await.map_err(told)
    }

    async fn dispatch(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        match ask.action {
            "CreateLogGroup" => self.create_group(ask).await,
            "DeleteLogGroup" => self.delete_group(ask).await,
            "DescribeLogGroups" => self.describe_groups(ask).await,
            "PutRetentionPolicy" => self.put_retention(ask).await,
            "DeleteRetentionPolicy" => self.delete_retention(ask).await,
            "CreateLogStream" => self.create_stream(ask).await,
            "DeleteLogStream" => self.delete_stream(ask).await,
            "DescribeLogStreams" => self.describe_streams(ask).await,
            "PutLogEvents" => self.put_events(ask).await,
            "GetLogEvents" => self.get_events(ask).await,
            "FilterLogEvents" => self.filter_events(ask).await,
            "TagLogGroup" => self.tag_group(ask).await,
            "UntagLogGroup" => self.untag_group(ask).await,
            "ListTagsLogGroup" => self.list_group_tags(ask).await,
            "TagResource" => self.tag_resource(ask).await,
            "UntagResource" => self.untag_resource(ask).await,
            "ListTagsForResource" => self.list_resource_tags(ask).await,
            other if OTHERS.lines().any(|name| name == other) => {
                ask.may("*")?;
                Err(wire::ApiError::not_implemented(other).into())
            }
            _ => Err(JsonError::unknown_action().into()),
        }
    }

    /// Refuses if the caller may not do this to that resource, which is or belongs to the group of that
    /// name. An account itself needs no policy, so nothing is looked up for it.
    async fn may(
        &self,
        ask: &Ask<'_>,
        group: &str,
        resource: &str,
        mut context: Context,
    ) -> Result<(), Error> {
        if !ask.requester.is_root()
            && let Some((group, _)) = self
                .rows
                .get::<LogGroup>(&log_group_key(&ask.scope, group))
                .await?
        {
            context.extend(resource_tags(&group.tags));
        }
        Ok(ask.may_with(resource, context)?)
    }
}

impl Ask<'_> {
    /// The request's members.
    fn members<T: DeserializeOwned>(&self) -> Result<T, JsonError> {
        let body: &[u8] = if self.body.is_empty() {
            b"{}"
        } else {
            self.body
        };
        types::json::from_slice(body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            JsonError::serialization(format!(
                "Could not read the request at line {line} column {column}"
            ))
        })
    }

    /// Refuses if the caller may not do this to that resource, an ARN or `*`.
    fn may(&self, resource: &str) -> Result<(), JsonError> {
        self.may_with(resource, Context::new())
    }

    /// The same with condition keys that the operation has.
    fn may_with(&self, resource: &str, context: Context) -> Result<(), JsonError> {
        let action = format!("logs:{}", self.action);
        let checked = self.requester.authorise(authorisation::Ask {
            action: &action,
            resource,
            owner: &self.scope.account,
            policy: None,
            context,
        });
        let denied = |denied: Denied| wire::ApiError::access_denied(denied.told());
        Ok(checked.map_err(denied)?)
    }
}

/// The refusal of one more where an account has as many as it may (AWS's words).
fn too_many() -> JsonError {
    JsonError::refused("LimitExceededException", "Resource limit exceeded.")
}

/// The caller's error. What the caller has not caused is logged here, once.
fn told(error: Error) -> JsonError {
    match error {
        Error::Refused(error) => error,
        Error::Table(Failure::Quota(_)) => too_many(),
        Error::Table(failure) => failure.answer().into(),
        Error::Events(error) if error.kind() == io::ErrorKind::QuotaExceeded => too_many(),
        Error::Events(error) => {
            log(
                &error,
                "a request failed because log events could not be read or stored",
            );
            wire::ApiError::unavailable().into()
        }
    }
}
