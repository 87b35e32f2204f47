//! Putting events into a stream.

use std::collections::BTreeSet;
use std::time::Duration;

use api::logs::StreamName;
use bytes::Bytes;
use http::Response;
use policy::Context;
use serde::{Deserialize, Serialize};
use types::Timestamp;
use wire::json_rpc::{JsonError, answer};

use super::constraints::Check;
use super::groups::invalid;
use super::streams::stream_arn;
use super::{Ask, CloudWatch, Error};
use crate::store::Line;

/// Events of one request (the public model).
const EVENTS_MAX: usize = 10_000;
/// Bytes of one request's events (AWS).
const BYTES_MAX: usize = 1_048_576;
/// What an event counts in addition to its message (AWS).
const EVENT_BYTES: usize = 26;
/// How far the events of one request may be apart (AWS).
const SPAN_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Older ones are not accepted (AWS: 14 days).
const AGE_MAX: Duration = Duration::from_secs(14 * 24 * 60 * 60);
/// Later ones are not accepted (AWS: 2 hours).
const AHEAD_MAX: Duration = Duration::from_secs(2 * 60 * 60);

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Put {
    log_group_name: Option<String>,
    log_stream_name: Option<String>,
    log_events: Option<Vec<Event>>,
    sequence_token: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Event {
    timestamp: Option<i64>,
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    /// Nobody needs it any more, but old programs read it.
    next_sequence_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected_log_events_info: Option<Rejected>,
}

/// What was not accepted.
#[derive(Serialize, PartialEq, Eq, Debug, Default)]
#[serde(rename_all = "camelCase")]
struct Rejected {
    /// From this one on they are too new.
    #[serde(skip_serializing_if = "Option::is_none")]
    too_new_log_event_start_index: Option<usize>,
    /// Those before this one are too old.
    #[serde(skip_serializing_if = "Option::is_none")]
    too_old_log_event_end_index: Option<usize>,
    /// Those before this one are older than the group keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_log_event_end_index: Option<usize>,
}

impl CloudWatch {
    pub(super) async fn put_events(&self, ask: &Ask<'_>) -> Result<Response<Bytes>, Error> {
        let put: Put = ask.members()?;
        put.check()?;
        let events = put.events();
        check_batch(&events)?;
        let stream = StreamName {
            scope: ask.scope.clone(),
            group: put.log_group_name.unwrap_or_default(),
            stream: put.log_stream_name.unwrap_or_default(),
        };
        let arn = stream_arn(&ask.scope, &stream.group, &stream.stream);
        self.may(ask, &stream.group, &arn, Context::new()).await?;
        let group = self.group(&ask.scope, &stream.group).await?;
        let named = BTreeSet::from([stream.stream.clone()]);
        self.check_streams(&ask.scope, &stream.group, named).await?;
        let now = self.clock.now();
        let (taken, rejected) = sort_out(&events, now, self.kept_since(&group));
        let lines = events.into_iter().enumerate();
        let lines = lines.filter(|(index, _)| taken.contains(index));
        let lines = lines.map(|(_, (time, message))| Line {
            time,
            ingested: (time != now).then_some(now),
            message,
        });
        self.store.put(stream, lines.collect()).await?;
        Ok(answer(&Taken {
            next_sequence_token: format!("{:056}", now.as_millis()),
            rejected_log_events_info: rejected,
        }))
    }
}

impl Put {
    fn check(&self) -> Result<(), JsonError> {
        let mut check = Check::default();
        check
            .required("logGroupName", self.log_group_name.as_ref())
            .group("logGroupName", self.log_group_name.as_ref())
            .required("logStreamName", self.log_stream_name.as_ref())
            .stream("logStreamName", self.log_stream_name.as_ref())
            .required("logEvents", self.log_events.as_ref())
            .length(
                "sequenceToken",
                self.sequence_token.as_ref(),
                (1, usize::MAX),
            );
        if let Some(events) = &self.log_events {
            let shown = vec!["…"; events.len()];
            check.count("logEvents", Some(&shown), (1, EVENTS_MAX));
            for (number, event) in (1..).zip(events) {
                let at = |member: &str| format!("logEvents.{number}.member.{member}");
                check
                    .required(&at("timestamp"), event.timestamp.as_ref())
                    .range(&at("timestamp"), event.timestamp, (0, None))
                    .required(&at("message"), event.message.as_ref())
                    .length(&at("message"), event.message.as_ref(), (1, usize::MAX));
            }
        }
        check.finish()
    }

    /// The events of a request that has passed [`Put::check`].
    fn events(&self) -> Vec<(Timestamp, String)> {
        let events = self.log_events.iter().flatten();
        let events = events.map(|event| {
            let millis = event.timestamp.and_then(|time| u64::try_from(time).ok());
            let time = Timestamp::from_millis(millis.unwrap_or_default());
            (time, event.message.clone().unwrap_or_default())
        });
        events.collect()
    }
}

/// What must hold for all events of a request together.
fn check_batch(events: &[(Timestamp, String)]) -> Result<(), JsonError> {
    let bytes: usize = events
        .iter()
        .map(|(_, message)| message.len() + EVENT_BYTES)
        .sum();
    if bytes > BYTES_MAX {
        return Err(invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {BYTES_MAX}"
        )));
    }
    if !events.is_sorted_by_key(|(time, _)| *time) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    if let (Some((first, _)), Some((last, _))) = (events.first(), events.last())
        && last.since(*first) > SPAN_MAX
    {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.",
        ));
    }
    Ok(())
}

/// Which events are accepted, and why the others aren't. They are in chronological order.
fn sort_out(
    events: &[(Timestamp, String)],
    now: Timestamp,
    kept_since: Timestamp,
) -> (std::ops::Range<usize>, Option<Rejected>) {
    let before = |limit: Timestamp| events.partition_point(|(time, _)| *time < limit);
    let age_max = u64::try_from(AGE_MAX.as_millis()).unwrap_or(u64::MAX);
    let old = before(Timestamp::from_millis(
        now.as_millis().saturating_sub(age_max),
    ));
    let expired = before(kept_since);
    let ahead = now.after(AHEAD_MAX);
    let new = events.partition_point(|(time, _)| *time <= ahead);
    let some = |index: usize| (index > 0).then_some(index);
    let rejected = Rejected {
        too_new_log_event_start_index: (new < events.len()).then_some(new),
        too_old_log_event_end_index: some(old),
        expired_log_event_end_index: some(expired),
    };
    let first = old.max(expired);
    let rejected = Some(rejected).filter(|rejected| *rejected != Rejected::default());
    (first..new.max(first), rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(times: &[u64]) -> Vec<(Timestamp, String)> {
        let event = |time: &u64| (Timestamp::from_millis(*time), "x".to_owned());
        times.iter().map(event).collect()
    }

    #[test]
    fn what_is_too_old_or_too_new_is_told_by_its_index() {
        let day = 24 * 60 * 60 * 1000;
        let now = Timestamp::from_millis(100 * day);
        let given = events(&[80 * day, 90 * day, 100 * day, 100 * day + 2 * 3_600_000 + 1]);
        let (taken, rejected) = sort_out(&given, now, Timestamp::default());
        assert_eq!(taken, 1..3);
        let rejected = rejected.unwrap();
        assert_eq!(rejected.too_old_log_event_end_index, Some(1));
        assert_eq!(rejected.too_new_log_event_start_index, Some(3));
        assert_eq!(rejected.expired_log_event_end_index, None);
        let (taken, rejected) = sort_out(&given, now, Timestamp::from_millis(95 * day));
        assert_eq!(taken, 2..3);
        assert_eq!(rejected.unwrap().expired_log_event_end_index, Some(2));
        assert_eq!(
            sort_out(&given[1..3], now, Timestamp::default()),
            (0..2, None)
        );
        assert_eq!(sort_out(&given[..1], now, now).0, 1..1);
    }

    #[test]
    fn a_batch_is_in_order_within_a_day_and_a_megabyte() {
        let day = 24 * 60 * 60 * 1000;
        assert!(check_batch(&events(&[1, 1, day])).is_ok());
        let code = |given: &[(Timestamp, String)]| check_batch(given).unwrap_err().message;
        assert!(code(&events(&[2, 1])).contains("chronological order"));
        assert!(code(&events(&[0, day + 1])).contains("24 hours"));
        let large = vec![(
            Timestamp::default(),
            "x".repeat(BYTES_MAX - EVENT_BYTES + 1),
        )];
        assert_eq!(
            code(&large),
            "Upload too large: 1048577 bytes exceeds limit of 1048576"
        );
    }
}
