//! Which mappings are valid.

use filters::Pattern;
use records::event_sources::{Failures, Mapping, Source};
use wire::ApiError;

use super::members::Members;
use super::source::{Kind, unsupported_destinations};
use crate::destinations::{Target, target};

/// Filters of one mapping (AWS's quota where none has been raised).
const FILTERS_MAX: usize = 5;
/// The most records in a batch of a queue without a window (AWS).
const UNWINDOWED_BATCH_MAX: u32 = 10;
/// The smallest age at which a record may be given up, seconds (AWS).
const RECORD_AGE_SECONDS_MIN: u32 = 60;
/// The longest timeout that functions may have whose source is a broker or Kafka, seconds (AWS).
pub const TIMEOUT_SECONDS_MAX: u32 = 840;

/// A mapping to one's own brokers must say how to reach them.
pub fn check_access_is_given(members: &Members, source: &Source) -> Result<(), ApiError> {
    let missing = members.source_access_configurations.is_none();
    match source {
        Source::SelfManagedKafka { .. } if missing => Err(ApiError::invalid_parameter(
            "Required 'sourceAccessConfigurations' parameter is missing.",
        )),
        _ => Ok(()),
    }
}

/// What must hold for a mapping as a whole.
pub fn check(mapping: &Mapping) -> Result<(), ApiError> {
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
    // Records of streams are JSON, and a pattern for plain text would match none.
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
