//! How a request changes a mapping.

use records::event_sources::{Access, Failures, Mapping, Pollers, Source};
use wire::ApiError;

use super::members::{Members, PollerConfig};
use super::source::Kind;

/// A new mapping's defaults: the source's own.
pub fn defaults(mapping: &mut Mapping) {
    let kind = Kind::of(&mapping.source);
    mapping.batch_size = kind.batch_size_default();
    mapping.window_seconds = (kind.is_queue() || kind.is_stream()).then_some(0);
    mapping.parallelization = kind.is_stream().then_some(1);
    mapping.tumbling_window_seconds = kind.is_stream().then_some(0);
    mapping.failures = Failures::default();
}

/// Replaces the previous values by what a request gives.
pub fn apply(members: &Members, mapping: &mut Mapping) {
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
    // Below zero means no limit.
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

/// Replaces the parts of the source that a change gives. Topics, queues and consumer groups cannot be
/// changed.
pub fn apply_to_source(members: &Members, source: &mut Source) -> Result<(), ApiError> {
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
