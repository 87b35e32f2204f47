//! Searching a group's streams together.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use types::ForCallers as _;
use wire::json_rpc::{JsonError, answer};

use super::constraints::Check;
use super::get::{EVENTS_MAX, limit, millis};
use super::groups::invalid;
use super::pattern::Pattern;
use super::{Ask, CloudWatch, Error, tokens};
use crate::search::{Direction, Found, Place, Search, Streams};

/// The longest pattern, characters (the public model).
const PATTERN_CHARACTERS_MAX: usize = 1_024;
/// Streams that can be named (the public model).
const STREAMS_MAX: usize = 100;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Filter {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Filtered {
    events: Vec<Event>,
    /// Always empty since 2020 (AWS).
    searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    log_stream_name: String,
    timestamp: u64,
    message: String,
    ingestion_time: u64,
    event_id: String,
}

impl CloudWatch {
    pub(super) async fn filter_events(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let wanted: Filter = ask.members()?;
        wanted.check()?;
        let pattern = wanted.filter_pattern.as_deref().unwrap_or_default();
        let pattern = Pattern::parse(pattern).map_err(|error| invalid(error.told()))?;
        let from = wanted
            .next_token
            .as_deref()
            .map(tokens::place)
            .transpose()?;
        let (name, identifier) = (wanted.log_group_name, wanted.log_group_identifier);
        let group = self.identified_group(ask, name, identifier).await?;
        let kept_since = self.kept_since(&self.group(&ask.scope, &group).await?);
        let start = millis(wanted.start_time).unwrap_or(0);
        // Here the end is included.
        let end = millis(wanted.end_time).map_or(u64::MAX, |end| end.saturating_add(1));
        let times = (start.max(kept_since.as_millis()), end);
        let limit = limit(wanted.limit);
        let names: Option<BTreeSet<String>> = wanted
            .log_stream_names
            .map(|names| names.into_iter().collect());
        let prefix = wanted.log_stream_name_prefix.unwrap_or_default();
        let search = Search {
            direction: Direction::Forward,
            streams: names
                .clone()
                .map_or(Streams::Prefixed(prefix), Streams::Named),
            times,
            from,
            limit,
            matches: Some(Arc::new(move |message: &str| pattern.matches(message))),
        };
        let page = self.store.search(&ask.scope, &group, search).await?;
        if let Some(mut unseen) = names {
            for event in &page.events {
                unseen.remove(&*event.place.stream);
            }
            self.check_streams(&ask.scope, &group, unseen).await?;
        }
        Ok(answer(&Filtered {
            events: page.events.into_iter().map(Event::from).collect(),
            searched_log_streams: [],
            next_token: page.rest.as_ref().map(tokens::of_place),
        }))
    }
}

impl Filter {
    fn check(&self) -> Result<(), JsonError> {
        let mut check = Check::default();
        check
            .group("logGroupName", self.log_group_name.as_ref())
            .identifier("logGroupIdentifier", self.log_group_identifier.as_ref())
            .count(
                "logStreamNames",
                self.log_stream_names.as_deref(),
                (1, STREAMS_MAX),
            )
            .stream("logStreamNamePrefix", self.log_stream_name_prefix.as_ref())
            .range("startTime", self.start_time, (0, None))
            .range("endTime", self.end_time, (0, None))
            .length(
                "filterPattern",
                self.filter_pattern.as_ref(),
                (0, PATTERN_CHARACTERS_MAX),
            )
            .token(self.next_token.as_ref())
            .range("limit", self.limit, (1, Some(EVENTS_MAX as i64)));
        for name in self.log_stream_names.iter().flatten() {
            check.stream("logStreamNames", Some(name));
        }
        check.finish()?;
        if self.log_stream_names.is_some() && self.log_stream_name_prefix.is_some() {
            return Err(invalid(
                "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.",
            ));
        }
        Ok(())
    }
}

impl From<Found> for Event {
    fn from(found: Found) -> Self {
        Self {
            event_id: event_id(&found.place),
            log_stream_name: found.place.stream.to_string(),
            timestamp: found.place.time,
            message: found.message,
            ingestion_time: found.ingested,
        }
    }
}

/// Identifies an event permanently: 56 digits, as AWS's have, that sort by time.
fn event_id(place: &Place) -> String {
    let position = place.position.to_be_bytes();
    let (upper, _) = position.split_at(8);
    let hash = digest(&SHA256, &[place.stream.as_bytes(), upper].concat());
    let hash = hash.as_ref().first_chunk().copied().unwrap_or_default();
    let hash = u64::from_be_bytes(hash) % 10_000_000_000_000_000;
    format!("{:020}{hash:016}{:020}", place.time, place.position as u64)
}
