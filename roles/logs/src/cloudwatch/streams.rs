//! Log streams.

use std::collections::BTreeSet;

use api::logs::StreamName;
use bytes::Bytes;
use http::Response;
use policy::Context;
use serde::{Deserialize, Serialize};
use types::Scope;
use wire::json_rpc::{JsonError, answer, nothing};

use super::constraints::Check;
use super::groups::{group_arn, invalid};
use super::{Ask, CloudWatch, Error, tokens};
use crate::search::{Place, Streams};
use crate::store::StreamFacts;

/// Streams of one page.
const PAGE: usize = 50;
/// What streams can be ordered by.
const ORDERS: [&str; 2] = ["LogStreamName", "LastEventTime"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Named {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Describe {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    log_streams: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    log_stream_name: String,
    creation_time: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_event_timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event_timestamp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_ingestion_time: Option<u64>,
    arn: String,
    /// Always zero since 2019 (AWS).
    stored_bytes: u64,
}

/// The refusal for a missing stream.
fn no_stream() -> JsonError {
    JsonError::refused(
        "ResourceNotFoundException",
        "The specified log stream does not exist.",
    )
}

impl CloudWatch {
    pub(super) async fn create_stream(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let stream = self.named_stream(ask).await?;
        if !self.store.create_stream(stream, self.clock.now()).await? {
            return Err(JsonError::refused(
                "ResourceAlreadyExistsException",
                "The specified log stream already exists",
            )
            .into());
        }
        Ok(nothing())
    }

    pub(super) async fn delete_stream(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let stream = self.named_stream(ask).await?;
        if !self.store.delete_stream(stream, self.clock.now()).await? {
            return Err(no_stream().into());
        }
        Ok(nothing())
    }

    pub(super) async fn describe_streams(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Describe = ask.members()?;
        let (by_time, limit) = wanted.check()?;
        let (name, identifier) = (wanted.log_group_name, wanted.log_group_identifier);
        let group = self.identified_group(ask, name, identifier).await?;
        self.group(&ask.scope, &group).await?;
        let after = wanted
            .next_token
            .as_deref()
            .map(tokens::place)
            .transpose()?;
        let after = after.map(|place| (place.time, place.stream.to_string()));
        let prefix = wanted.log_stream_name_prefix.unwrap_or_default();
        let wanted_streams = Streams::Prefixed(prefix);
        let mut streams = self
            .store
            .describe(&ask.scope, &group, wanted_streams)
            .await?;
        let key = |stream: &StreamFacts| {
            let time = stream.times.filter(|_| by_time).map_or(0, |(_, last)| last);
            (time, stream.name.clone())
        };
        streams.sort_by_key(key);
        let descending = wanted.descending.unwrap_or_default();
        if descending {
            streams.reverse();
        }
        if let Some(after) = after {
            streams.retain(|stream| match descending {
                true => key(stream) < after,
                false => key(stream) > after,
            });
        }
        let more = streams.len() > limit;
        streams.truncate(limit);
        let next_token = streams.last().filter(|_| more).map(|stream| {
            let (time, name) = key(stream);
            tokens::of_place(&Place {
                time,
                stream: name.into(),
                position: 0,
            })
        });
        let shown = streams.into_iter();
        Ok(answer(&Described {
            log_streams: shown
                .map(|stream| show(&ask.scope, &group, stream))
                .collect(),
            next_token,
        }))
    }

    /// Refuses if one of these streams does not exist.
    pub(super) async fn check_streams(
        &self,
        scope: &Scope,
        group: &str,
        names: BTreeSet<String>,
    ) -> Result<(), Error> {
        match names.is_empty() || self.store.has_streams(scope, group, &names).await? {
            true => Ok(()),
            false => Err(no_stream().into()),
        }
    }

    /// The stream that a request names, of an existing group. The stream may not exist.
    async fn named_stream(&self, ask: &Ask<'_>) -> Result<StreamName, Error> {
        let named: Named = ask.members()?;
        let mut check = Check::default();
        check
            .required("logGroupName", named.log_group_name.as_ref())
            .group("logGroupName", named.log_group_name.as_ref())
            .required("logStreamName", named.log_stream_name.as_ref())
            .stream("logStreamName", named.log_stream_name.as_ref());
        check.finish()?;
        let group = named.log_group_name.unwrap_or_default();
        let stream = named.log_stream_name.unwrap_or_default();
        let arn = stream_arn(&ask.scope, &group, &stream);
        self.may(ask, &group, &arn, Context::new()).await?;
        self.group(&ask.scope, &group).await?;
        Ok(StreamName {
            scope: ask.scope.clone(),
            group,
            stream,
        })
    }
}

impl Describe {
    /// Checks the request; returns whether to order by time, and how many are wanted.
    fn check(&self) -> Result<(bool, usize), JsonError> {
        let mut check = Check::default();
        check
            .group("logGroupName", self.log_group_name.as_ref())
            .identifier("logGroupIdentifier", self.log_group_identifier.as_ref())
            .stream("logStreamNamePrefix", self.log_stream_name_prefix.as_ref())
            .one_of("orderBy", self.order_by.as_ref(), &ORDERS)
            .token(self.next_token.as_ref())
            .range("limit", self.limit, (1, Some(PAGE as i64)));
        check.finish()?;
        let by_time = self.order_by.as_deref() == Some(ORDERS[1]);
        if by_time && self.log_stream_name_prefix.is_some() {
            return Err(invalid(
                "Cannot order by LastEventTime with a logStreamNamePrefix.",
            ));
        }
        let limit = self.limit.and_then(|limit| limit.try_into().ok());
        Ok((by_time, limit.unwrap_or(PAGE)))
    }
}

/// ARN of a stream.
pub(super) fn stream_arn(scope: &Scope, group: &str, stream: &str) -> String {
    format!("{}:log-stream:{stream}", group_arn(scope, group))
}

fn show(scope: &Scope, group: &str, stream: StreamFacts) -> Shown {
    Shown {
        arn: stream_arn(scope, group, &stream.name),
        creation_time: stream.created,
        first_event_timestamp: stream.times.map(|(first, _)| first),
        last_event_timestamp: stream.times.map(|(_, last)| last),
        last_ingestion_time: stream.ingested,
        log_stream_name: stream.name,
        stored_bytes: 0,
    }
}
