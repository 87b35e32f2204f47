//! What a mapping becomes by a request, and what it may be. Pure.

use filters::Pattern;
use records::event_sources::{Access, Failures, Mapping, Pollers, Source, StartingPosition};
use types::Timestamp;
use wire::ApiError;

use super::members::{Members, PollerConfig};
use super::source::{Kind, unsupported_destinations};
use crate::destinations::{Target, target};

/// Filters of one mapping (AWS's quota where none has been raised).
const FILTERS_MAX: usize = 5;
/// Records of a queue's batch without a window at most (AWS).
const UNWINDOWED_BATCH_MAX: u32 = 10;
/// The smallest age at which a record may be given up, seconds (AWS).
const RECORD_AGE_SECONDS_MIN: u32 = 60;
/// Functions of brokers and of Kafka have time for so long at most, seconds (AWS).
pub(super) const TIMEOUT_SECONDS_MAX: u32 = 840;

/// A new mapping's defaults: the source's own.
pub(super) fn defaults(mapping: &mut Mapping) {
    let kind = Kind::of(&mapping.source);
    mapping.batch_size = kind.batch_size_default();
    mapping.window_seconds = (kind.is_queue() || kind.is_stream()).then_some(0);
    mapping.parallelization = kind.is_stream().then_some(1);
    mapping.tumbling_window_seconds = kind.is_stream().then_some(0);
    mapping.failures = Failures::default();
}

/// Puts what a request gives in place of what there was.
pub(super) fn apply(members: &Members, mapping: &mut Mapping) {
    fn set<T: Clone>(place: &mut T, given: &Option<T>) {
        if let Some(given) = given {
            place.clone_from(given);
        }
    }
    set(&mut mapping.enabled, &members.enabled);
    set(&mut mapping.batch_size, &members.batch_size);
    set(
        &mut mapping.failures.bisects,
        &members.bisect_batch_on_function_error,
    );
    if let Some(window) = members.maximum_batching_window_in_seconds {
        mapping.window_seconds = Some(window);
    }
    if let Some(criteria) = &members.filter_criteria {
        let patterns = criteria.filters.iter();
        mapping.filters = patterns
            .filter_map(|filter| filter.pattern.clone())
            .collect();
    }
    if let Some(key) = &members.kms_key_arn {
        mapping.kms_key = Some(key.clone()).filter(|key| !key.is_empty());
    }
    if let Some(config) = &members.destination_config {
        mapping.failures.destination = config.on_failure().map(str::to_owned);
    }
    // Below zero is for ever.
    if let Some(retries) = members.maximum_retry_attempts {
        mapping.failures.retries_max = u32::try_from(retries).ok();
    }
    if let Some(age) = members.maximum_record_age_in_seconds {
        mapping.failures.record_age_seconds_max = u32::try_from(age).ok();
    }
    if let Some(factor) = members.parallelization_factor {
        mapping.parallelization = Some(factor);
    }
    if let Some(window) = members.tumbling_window_in_seconds {
        mapping.tumbling_window_seconds = Some(window);
    }
    if let Some(types) = &members.function_response_types {
        mapping.reports_item_failures = !types.is_empty();
    }
    if let Some(scaling) = &members.scaling_config {
        mapping.concurrency_max = scaling.maximum_concurrency;
    }
    if let Some(config) = &members.provisioned_poller_config {
        mapping.pollers = config.asks().then(|| pollers(config));
    }
    if let Some(list) = &members.source_access_configurations {
        let access = list.iter().map(|access| Access {
            kind: access.r#type.clone().unwrap_or_default(),
            uri: access.uri.clone().unwrap_or_default(),
        });
        mapping.access = access.collect();
    }
    if let Some(config) = &members.metrics_config {
        mapping.metrics.clone_from(&config.metrics);
    }
    if let Some(config) = &members.logging_config {
        mapping
            .system_log_level
            .clone_from(&config.system_log_level);
    }
}

/// Puts what a change gives of the source itself in place of what there was: topics, queues and
/// consumer groups are for good.
pub(super) fn apply_to_source(members: &Members, source: &mut Source) -> Result<(), ApiError> {
    let groups = [
        &members.amazon_managed_kafka_event_source_config,
        &members.self_managed_kafka_event_source_config,
    ];
    let mut groups = groups.into_iter().flatten();
    let given = groups.find_map(|config| config.consumer_group_id.as_deref());
    match source {
        Source::ManagedKafka { group, .. } | Source::SelfManagedKafka { group, .. }
            if given.is_some_and(|given| given != group.as_str()) =>
        {
            return Err(ApiError::invalid_parameter(
                "The ConsumerGroupId of an event source mapping cannot be changed.",
            ));
        }
        Source::DocumentDb {
            database,
            collection,
            full_document,
            ..
        } => {
            if let Some(config) = &members.document_db_event_source_config {
                if let Some(name) = &config.database_name {
                    database.clone_from(name);
                }
                collection.clone_from(&config.collection_name);
                if let Some(full) = &config.full_document {
                    full_document.clone_from(full);
                }
            }
        }
        _ => {}
    }
    Ok(())
}

fn pollers(config: &PollerConfig) -> Pollers {
    Pollers {
        min: config.minimum_pollers,
        max: config.maximum_pollers,
        group: config.poller_group_name.clone(),
    }
}

/// How brokers of one's own are reached must be said.
pub(super) fn check_access_is_given(members: &Members, source: &Source) -> Result<(), ApiError> {
    let missing = members.source_access_configurations.is_none();
    match source {
        Source::SelfManagedKafka { .. } if missing => Err(ApiError::invalid_parameter(
            "Required 'sourceAccessConfigurations' parameter is missing.",
        )),
        _ => Ok(()),
    }
}

/// Where a new mapping begins to read.
pub(super) fn starting_position(
    members: &Members,
    source: &Source,
    now: Timestamp,
) -> Result<Option<StartingPosition>, ApiError> {
    let kind = Kind::of(source);
    if !kind.has_position() {
        return Ok(None);
    }
    let position = match members.starting_position.as_deref() {
        Some("TRIM_HORIZON") => StartingPosition::TrimHorizon,
        Some("LATEST") => StartingPosition::Latest,
        Some("AT_TIMESTAMP") if matches!(kind, Kind::DynamoDb | Kind::DocumentDb) => {
            return Err(ApiError::invalid_parameter(format!(
                "Unsupported starting position for arn type: {}",
                source.arn().unwrap_or_default()
            )));
        }
        Some("AT_TIMESTAMP") => StartingPosition::AtTimestamp(timestamp(members, now)?),
        // AWS says so of brokers that it does not keep itself.
        _ if matches!(source, Source::SelfManagedKafka { .. }) => StartingPosition::TrimHorizon,
        _ => return Err(null("startingPosition")),
    };
    let at = matches!(position, StartingPosition::AtTimestamp(_));
    if members.starting_position_timestamp.is_some() && !at {
        return Err(ApiError::invalid_parameter(
            "StartingPositionTimestamp is only valid with StartingPosition AT_TIMESTAMP.",
        ));
    }
    Ok(Some(position))
}

fn timestamp(members: &Members, now: Timestamp) -> Result<Timestamp, ApiError> {
    let seconds = members.starting_position_timestamp;
    let seconds = seconds.ok_or_else(|| null("startingPositionTimestamp"))?;
    // Saturating: what lies before 1970 is 1970.
    let at = Timestamp::from_millis((seconds * 1000.0) as u64);
    if at > now {
        return Err(ApiError::invalid_parameter(
            "StartingPositionTimestamp must not be in the future.",
        ));
    }
    Ok(at)
}

/// Lambda words this like a constraint of the model, and calls it otherwise.
fn null(at: &str) -> ApiError {
    ApiError::invalid_parameter(format!(
        "1 validation error detected: Value null at '{at}' failed to satisfy constraint: Member must \
         not be null."
    ))
}

/// What must hold of a mapping as a whole.
pub(super) fn check(mapping: &Mapping) -> Result<(), ApiError> {
    let kind = Kind::of(&mapping.source);
    let refuse = |message: String| Err(ApiError::invalid_parameter(message));
    if mapping.batch_size > kind.batch_size_max() {
        return refuse(format!(
            "BatchSize must be less than or equal to {} for this event source.",
            kind.batch_size_max()
        ));
    }
    let windowed = mapping.window_seconds.is_some_and(|seconds| seconds > 0);
    if kind == Kind::Queue && mapping.batch_size > UNWINDOWED_BATCH_MAX && !windowed {
        return refuse(
            "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater \
             than 10"
                .to_owned(),
        );
    }
    let age = mapping.failures.record_age_seconds_max;
    if age.is_some_and(|age| age < RECORD_AGE_SECONDS_MIN) {
        return refuse(format!(
            "MaximumRecordAgeInSeconds must be -1 or at least {RECORD_AGE_SECONDS_MIN}."
        ));
    }
    if kind.is_kafka() && mapping.pollers.is_none() && has_failure_rules(mapping) {
        return refuse(
            "MaximumRetryAttempts, MaximumRecordAgeInSeconds, BisectBatchOnFunctionError and \
             FunctionResponseTypes need ProvisionedPollerConfig for Kafka event sources."
                .to_owned(),
        );
    }
    check_pollers(kind, mapping)?;
    check_access(kind, mapping)?;
    check_filters(kind, &mapping.filters)?;
    check_destination(kind, mapping)
}

fn has_failure_rules(mapping: &Mapping) -> bool {
    let Failures {
        retries_max,
        record_age_seconds_max,
        bisects,
        ..
    } = &mapping.failures;
    let bounded = retries_max.is_some() || record_age_seconds_max.is_some();
    bounded || *bisects || mapping.reports_item_failures
}

/// AWS: a queue has at least two pollers of its own, and then no concurrency of its own.
fn check_pollers(kind: Kind, mapping: &Mapping) -> Result<(), ApiError> {
    let Some(pollers) = &mapping.pollers else {
        return Ok(());
    };
    let least = if kind.is_queue() { 2 } else { 1 };
    let few = [pollers.min, pollers.max].into_iter().flatten();
    let message = if few.into_iter().any(|count| count < least) {
        format!("MinimumPollers and MaximumPollers must be at least {least} for this event source.")
    } else if matches!((pollers.min, pollers.max), (Some(min), Some(max)) if min > max) {
        "MaximumPollers must be greater than or equal to MinimumPollers.".to_owned()
    } else if mapping.concurrency_max.is_some() {
        "ScalingConfig and ProvisionedPollerConfig cannot both be specified.".to_owned()
    } else {
        return Ok(());
    };
    Err(ApiError::invalid_parameter(message))
}

/// A broker and DocumentDB are reached with a secret.
fn check_access(kind: Kind, mapping: &Mapping) -> Result<(), ApiError> {
    if mapping
        .access
        .iter()
        .any(|access| access.kind.is_empty() || access.uri.is_empty())
    {
        return Err(ApiError::invalid_parameter(
            "SourceAccessConfigurations needs both Type and URI.",
        ));
    }
    let needed = matches!(kind, Kind::Broker | Kind::DocumentDb);
    let secret = mapping
        .access
        .iter()
        .any(|access| access.kind == "BASIC_AUTH");
    if needed && !secret {
        return Err(ApiError::invalid_parameter(
            "SourceAccessConfigurations must contain BASIC_AUTH for this event source.",
        ));
    }
    Ok(())
}

fn check_filters(kind: Kind, filters: &[String]) -> Result<(), ApiError> {
    if filters.len() > FILTERS_MAX {
        return Err(ApiError::invalid_parameter(format!(
            "The number of filters must be less than or equal to {FILTERS_MAX}."
        )));
    }
    // Records of streams are JSON, and a pattern for a text would let none pass.
    let data = match kind {
        Kind::Kinesis => Some("data"),
        Kind::DynamoDb => Some("dynamodb"),
        _ => None,
    };
    let wrong = |text: &String| match Pattern::parse(text) {
        Ok(pattern) => data.is_some_and(|field| pattern.takes_as_text(field)),
        Err(_) => true,
    };
    if filters.iter().any(wrong) {
        let message = "Invalid filter pattern definition.";
        return Err(ApiError::invalid_parameter(message));
    }
    Ok(())
}

fn check_destination(kind: Kind, mapping: &Mapping) -> Result<(), ApiError> {
    let Some(arn) = &mapping.failures.destination else {
        return Ok(());
    };
    match target(arn, &mapping.scope.region)? {
        Some(Target::Queue | Target::Topic | Target::Bucket) => Ok(()),
        Some(Target::KafkaTopic) if kind.is_kafka() => Ok(()),
        _ => Err(unsupported_destinations()),
    }
}

#[cfg(test)]
mod tests {
    use types::{FunctionArn, FunctionName};

    use super::*;

    fn mapping(arn: &str) -> Mapping {
        let scope = records::examples::scope();
        let mut mapping = Mapping {
            id: "id".to_owned(),
            scope: scope.clone(),
            function: FunctionArn {
                scope,
                name: FunctionName::new("f").unwrap(),
                qualifier: None,
            },
            source: match arn.split(':').nth(2) {
                Some("sqs") => Source::Queue { arn: arn.into() },
                Some("kinesis") => Source::Kinesis { arn: arn.into() },
                _ => Source::ManagedKafka {
                    arn: arn.into(),
                    topic: "t".into(),
                    group: "g".into(),
                },
            },
            enabled: true,
            batch_size: 0,
            window_seconds: None,
            filters: Vec::new(),
            kms_key: None,
            starting_position: None,
            failures: Failures::default(),
            parallelization: None,
            tumbling_window_seconds: None,
            reports_item_failures: false,
            concurrency_max: None,
            pollers: None,
            access: Vec::new(),
            metrics: Vec::new(),
            system_log_level: None,
            tags: Default::default(),
            last_modified: Timestamp::default(),
        };
        defaults(&mut mapping);
        mapping
    }

    fn after(arn: &str, json: &str) -> Result<Mapping, String> {
        let mut mapping = mapping(arn);
        apply(&serde_json::from_str(json).unwrap(), &mut mapping);
        match check(&mapping) {
            Ok(()) => Ok(mapping),
            Err(error) => Err(error.message),
        }
    }

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:q";
    const STREAM: &str = "arn:aws:kinesis:us-east-1:000000000000:stream/s";
    const KAFKA: &str = "arn:aws:kafka:us-east-1:000000000000:cluster/c/1";

    #[test]
    fn each_source_has_its_defaults() {
        let queue = after(QUEUE, "{}").unwrap();
        assert_eq!((queue.batch_size, queue.window_seconds), (10, Some(0)));
        assert_eq!(queue.parallelization, None);
        let stream = after(STREAM, "{}").unwrap();
        assert_eq!((stream.batch_size, stream.parallelization), (100, Some(1)));
        assert_eq!(stream.failures, Failures::default());
        assert_eq!(after(KAFKA, "{}").unwrap().window_seconds, None);
    }

    #[test]
    fn what_is_given_with_nothing_in_it_takes_away() {
        let mut mapping = after(
            QUEUE,
            r#"{"ScalingConfig":{"MaximumConcurrency":5},"KMSKeyArn":"arn:x","FunctionResponseTypes":["x"],
                "FilterCriteria":{"Filters":[{"Pattern":"{\"body\":[\"x\"]}"}]}}"#,
        )
        .unwrap();
        assert_eq!(mapping.concurrency_max, Some(5));
        assert!(mapping.reports_item_failures && mapping.filters.len() == 1);
        let nothing =
            r#"{"ScalingConfig":{},"KMSKeyArn":"","FunctionResponseTypes":[],"FilterCriteria":{}}"#;
        apply(&serde_json::from_str(nothing).unwrap(), &mut mapping);
        let fresh = after(QUEUE, "{}").unwrap();
        assert_eq!(mapping, fresh);
    }

    #[test]
    fn each_rule_has_its_refusal() {
        let filter = |pattern: &str| {
            format!(r#"{{"FilterCriteria":{{"Filters":[{{"Pattern":{pattern:?}}}]}}}}"#)
        };
        let six = [r#"{"Pattern":"{\"a\":[1]}"}"#; 6].join(",");
        let six = format!(r#"{{"FilterCriteria":{{"Filters":[{six}]}}}}"#);
        let invalid = "Invalid filter pattern definition.";
        for (arn, json, words) in [
            (
                QUEUE,
                r#"{"BatchSize":11}"#,
                "must be greater than 0 if maximum batch size",
            ),
            (
                &format!("{QUEUE}.fifo"),
                r#"{"BatchSize":11}"#,
                "less than or equal to 10",
            ),
            (
                STREAM,
                r#"{"MaximumRecordAgeInSeconds":59}"#,
                "-1 or at least 60",
            ),
            (
                KAFKA,
                r#"{"MaximumRetryAttempts":1}"#,
                "need ProvisionedPollerConfig",
            ),
            (
                QUEUE,
                r#"{"ProvisionedPollerConfig":{"MinimumPollers":1}}"#,
                "at least 2",
            ),
            (
                KAFKA,
                r#"{"ProvisionedPollerConfig":{"MinimumPollers":3,"MaximumPollers":2}}"#,
                "greater than or equal to MinimumPollers",
            ),
            (
                QUEUE,
                r#"{"ProvisionedPollerConfig":{"MinimumPollers":3},"ScalingConfig":{"MaximumConcurrency":2}}"#,
                "cannot both be",
            ),
            (QUEUE, &filter("{"), invalid),
            (QUEUE, &filter(r#"{"body":"x"}"#), invalid),
            (STREAM, &filter(r#"{"data":["x"]}"#), invalid),
            (QUEUE, &six, "number of filters"),
            (
                STREAM,
                r#"{"DestinationConfig":{"OnFailure":{"Destination":"kafka://t"}}}"#,
                "Unsupported DestinationConfig",
            ),
            (
                KAFKA,
                r#"{"SourceAccessConfigurations":[{"Type":"BASIC_AUTH"}]}"#,
                "both Type and URI",
            ),
        ] {
            let refused = after(arn, json).unwrap_err();
            assert!(refused.contains(words), "{json}: {refused}");
        }
        assert!(
            after(
                QUEUE,
                r#"{"BatchSize":11,"MaximumBatchingWindowInSeconds":1}"#
            )
            .is_ok()
        );
        assert!(after(STREAM, &filter(r#"{"data":{"x":["y"]}}"#)).is_ok());
        assert!(
            after(
                STREAM,
                r#"{"MaximumRecordAgeInSeconds":-1,"BatchSize":10000}"#
            )
            .is_ok()
        );
    }

    #[test]
    fn streams_begin_somewhere() {
        let now = Timestamp::from_millis(1_000_000);
        let begin = |arn: &str, json: &str| {
            let members = serde_json::from_str(json).unwrap();
            let found = starting_position(&members, &mapping(arn).source, now);
            found.map_err(|error| error.message)
        };
        assert_eq!(begin(QUEUE, "{}"), Ok(None));
        let latest = r#"{"StartingPosition":"LATEST"}"#;
        assert_eq!(begin(STREAM, latest), Ok(Some(StartingPosition::Latest)));
        let at = |seconds: &str| {
            format!(
                r#"{{"StartingPosition":"AT_TIMESTAMP","StartingPositionTimestamp":{seconds}}}"#
            )
        };
        let then = StartingPosition::AtTimestamp(Timestamp::from_millis(999_500));
        assert_eq!(begin(STREAM, &at("999.5")), Ok(Some(then)));
        assert!(begin(STREAM, &at("1001")).unwrap_err().contains("future"));
        assert!(begin(STREAM, &at("1e308")).unwrap_err().contains("future"));
        assert!(
            begin(STREAM, "{}")
                .unwrap_err()
                .contains("Value null at 'startingPosition'")
        );
        assert!(
            begin(STREAM, &at("null"))
                .unwrap_err()
                .contains("'startingPositionTimestamp'")
        );
    }
}
