//! Reading one stream, forwards and backwards.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use serde::{Deserialize, Serialize};
use wire::json_rpc::{JsonError, answer};

use super::constraints::Check;
use super::{Ask, CloudWatch, Error, tokens};
use crate::search::{Direction, Found, Page, Place, Search, Streams};

/// Events of one page (AWS).
pub(super) const EVENTS_MAX: usize = 10_000;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Get {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<i64>,
    start_from_head: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Got {
    events: Vec<Event>,
    next_forward_token: String,
    next_backward_token: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    timestamp: u64,
    message: String,
    ingestion_time: u64,
}

impl CloudWatch {
    pub(super) async fn get_events(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Get = ask.members()?;
        wanted.check()?;
        let stream: Arc<str> = wanted.log_stream_name.unwrap_or_default().into();
        let from = wanted.next_token.as_deref();
        let from = from.map(|token| tokens::in_stream(token, &stream));
        let from = from.transpose()?;
        let (name, identifier) = (wanted.log_group_name, wanted.log_group_identifier);
        let group = self.identified_group(ask, name, identifier).await?;
        let kept_since = self.kept_since(&self.group(&ask.scope, &group).await?);
        let start = millis(wanted.start_time).unwrap_or(0);
        let end = millis(wanted.end_time).unwrap_or(u64::MAX);
        let direction = match (&from, wanted.start_from_head) {
            (Some((direction, _)), _) => *direction,
            (None, Some(true)) => Direction::Forward,
            (None, _) => Direction::Backward,
        };
        let from = from.map(|(_, place)| place);
        let times = (start.max(kept_since.as_millis()), end);
        let limit = limit(wanted.limit);
        let search = Search {
            direction,
            streams: Streams::one(&stream),
            times,
            from: from.clone(),
            limit,
            matches: None,
        };
        let page = self.store.search(&ask.scope, &group, search).await?;
        if page.events.is_empty() {
            let named = BTreeSet::from([stream.to_string()]);
            self.check_streams(&ask.scope, &group, named).await?;
        }
        let (forward, backward) = borders(direction, &page, from, times.0, &stream);
        Ok(answer(&Got {
            events: page.events.into_iter().map(Event::from).collect(),
            next_forward_token: tokens::of_stream(Direction::Forward, &forward),
            next_backward_token: tokens::of_stream(Direction::Backward, &backward),
        }))
    }
}

/// The tokens for the next page forwards and backwards. At an end, the page's own position, so that its
/// token is repeated.
fn borders(
    direction: Direction,
    page: &Page,
    from: Option<Place>,
    start: u64,
    stream: &Arc<str>,
) -> (Place, Place) {
    if let (Some(first), Some(last)) = (page.events.first(), page.events.last()) {
        return (last.place.clone().next(), first.place.clone());
    }
    let nothing = Place {
        time: start,
        stream: Arc::clone(stream),
        position: 0,
    };
    let here = from.unwrap_or(nothing);
    // A page may be empty because too much was read for it; then the same direction continues.
    match (&page.rest, direction) {
        (Some(rest), Direction::Forward) => (rest.clone(), here),
        (Some(rest), Direction::Backward) => (here, rest.clone()),
        (None, _) => (here.clone(), here),
    }
}

impl Get {
    fn check(&self) -> Result<(), JsonError> {
        let mut check = Check::default();
        check
            .group("logGroupName", self.log_group_name.as_ref())
            .identifier("logGroupIdentifier", self.log_group_identifier.as_ref())
            .required("logStreamName", self.log_stream_name.as_ref())
            .stream("logStreamName", self.log_stream_name.as_ref())
            .range("startTime", self.start_time, (0, None))
            .range("endTime", self.end_time, (0, None))
            .token(self.next_token.as_ref())
            .range("limit", self.limit, (1, Some(EVENTS_MAX as i64)));
        check.finish()
    }
}

impl From<Found> for Event {
    fn from(found: Found) -> Self {
        Self {
            timestamp: found.place.time,
            message: found.message,
            ingestion_time: found.ingested,
        }
    }
}

/// A time that has been checked.
pub(super) fn millis(time: Option<i64>) -> Option<u64> {
    time.and_then(|time| u64::try_from(time).ok())
}

/// A limit that has been checked.
pub(super) fn limit(given: Option<i64>) -> usize {
    let given = given.and_then(|limit| usize::try_from(limit).ok());
    given.unwrap_or(EVENTS_MAX)
}
