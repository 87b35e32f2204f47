//! A mapping as the API returns it: `EventSourceMappingConfiguration`.

use std::collections::BTreeMap;

use records::event_sources::{Mapping, Source, StartingPosition};
use serde::Serialize;

use super::members::{
    DocumentDbConfig, Filter, FilterCriteria, KafkaConfig, LoggingConfig, MetricsConfig,
    PollerConfig, ScalingConfig, SelfManaged, SourceAccess,
};
use super::source::Kind;
use crate::destinations::DestinationConfig;

/// What is happening to a mapping, as `State`. Changes are complete when they are answered, as nothing
/// polls yet; one answer reports them as in progress, because clients expect to see that before
/// `Enabled`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// It is new.
    Creating,
    /// Something other than its being enabled has changed.
    Updating,
    /// It has been enabled.
    Enabling,
    /// It has been disabled.
    Disabling,
    /// It has been deleted.
    Deleting,
    /// `Enabled` or `Disabled`, as its owner set it.
    Settled,
}

/// See the module.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
pub struct Answer {
    #[serde(rename = "UUID")]
    uuid: String,
    event_source_mapping_arn: String,
    function_arn: String,
    state: &'static str,
    state_transition_reason: &'static str,
    last_modified: f64,
    batch_size: u32,
    #[serde(flatten)]
    source: SourceAnswer,
    #[serde(flatten)]
    reading: Reading,
    #[serde(flatten)]
    failures: FailureAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter_criteria: Option<FilterCriteria>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scaling_config: Option<ScalingConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_poller_config: Option<PollerConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metrics_config: Option<MetricsConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logging_config: Option<LoggingConfig>,
}

/// What identifies the source of records.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct SourceAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    event_source_arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topics: Option<[String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<[String; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_managed_event_source: Option<SelfManaged>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_managed_kafka_event_source_config: Option<KafkaConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    self_managed_kafka_event_source_config: Option<KafkaConfig>,
    #[serde(
        rename = "DocumentDBEventSourceConfig",
        skip_serializing_if = "Option::is_none"
    )]
    document_db_event_source_config: Option<DocumentDbConfig>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_access_configurations: Vec<SourceAccess>,
}

/// How records are read.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Reading {
    #[serde(skip_serializing_if = "Option::is_none")]
    last_processing_result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_batching_window_in_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_position: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    starting_position_timestamp: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallelization_factor: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tumbling_window_in_seconds: Option<u32>,
}

/// What happens to batches that fail.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct FailureAnswer {
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_config: Option<DestinationConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_record_age_in_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    maximum_retry_attempts: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bisect_batch_on_function_error: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_response_types: Option<Vec<&'static str>>,
}

impl Answer {
    /// A mapping, and what is happening to it.
    pub fn new(mapping: Mapping, state: State) -> Self {
        let kind = Kind::of(&mapping.source);
        let filters: Vec<Filter> = mapping
            .filters
            .iter()
            .map(|pattern| Filter {
                pattern: Some(pattern.clone()),
            })
            .collect();
        Self {
            event_source_mapping_arn: mapping.arn(),
            function_arn: mapping.function.to_string(),
            state: state.text(mapping.enabled),
            // Lambda returns the same thing in two forms.
            state_transition_reason: match kind.is_queue() {
                true => "USER_INITIATED",
                false => "User action",
            },
            last_modified: mapping.last_modified.as_millis() as f64 / 1000.0,
            batch_size: mapping.batch_size,
            reading: Reading::new(kind, &mapping),
            failures: FailureAnswer::new(kind, &mapping),
            filter_criteria: (!filters.is_empty()).then_some(FilterCriteria { filters }),
            kms_key_arn: mapping.kms_key,
            scaling_config: mapping.concurrency_max.map(|maximum| ScalingConfig {
                maximum_concurrency: Some(maximum),
            }),
            provisioned_poller_config: mapping.pollers.map(|pollers| PollerConfig {
                minimum_pollers: pollers.min,
                maximum_pollers: pollers.max,
                poller_group_name: pollers.group,
            }),
            metrics_config: (!mapping.metrics.is_empty()).then_some(MetricsConfig {
                metrics: mapping.metrics,
            }),
            logging_config: mapping.system_log_level.map(|level| LoggingConfig {
                system_log_level: Some(level),
            }),
            source: SourceAnswer {
                source_access_configurations: mapping
                    .access
                    .into_iter()
                    .map(|access| SourceAccess {
                        r#type: Some(access.kind),
                        uri: Some(access.uri),
                    })
                    .collect(),
                ..SourceAnswer::new(mapping.source)
            },
            uuid: mapping.id,
        }
    }
}

impl State {
    fn text(self, enabled: bool) -> &'static str {
        match (self, enabled) {
            (Self::Creating, _) => "Creating",
            (Self::Updating, _) => "Updating",
            (Self::Enabling, _) => "Enabling",
            (Self::Disabling, _) => "Disabling",
            (Self::Deleting, _) => "Deleting",
            (Self::Settled, true) => "Enabled",
            (Self::Settled, false) => "Disabled",
        }
    }
}

impl SourceAnswer {
    fn new(source: Source) -> Self {
        let mut answer = Self {
            event_source_arn: source.arn().map(str::to_owned),
            ..Self::default()
        };
        let kafka = |group| {
            Some(KafkaConfig {
                consumer_group_id: Some(group),
                ..KafkaConfig::default()
            })
        };
        match source {
            Source::Queue { .. } | Source::Kinesis { .. } | Source::DynamoDb { .. } => {}
            Source::ManagedKafka { topic, group, .. } => {
                answer.topics = Some([topic]);
                answer.amazon_managed_kafka_event_source_config = kafka(group);
            }
            Source::SelfManagedKafka {
                bootstrap_servers,
                topic,
                group,
            } => {
                answer.topics = Some([topic]);
                answer.self_managed_kafka_event_source_config = kafka(group);
                let servers = ("KAFKA_BOOTSTRAP_SERVERS".to_owned(), bootstrap_servers);
                answer.self_managed_event_source = Some(SelfManaged {
                    endpoints: BTreeMap::from([servers]),
                });
            }
            Source::Broker { queue, .. } => answer.queues = Some([queue]),
            Source::DocumentDb {
                database,
                collection,
                full_document,
                ..
            } => {
                answer.document_db_event_source_config = Some(DocumentDbConfig {
                    database_name: Some(database),
                    collection_name: collection,
                    full_document: Some(full_document),
                });
            }
        }
        answer
    }
}

impl Reading {
    fn new(kind: Kind, mapping: &Mapping) -> Self {
        let (position, at) = match mapping.starting_position {
            None => (None, None),
            Some(StartingPosition::TrimHorizon) => (Some("TRIM_HORIZON"), None),
            Some(StartingPosition::Latest) => (Some("LATEST"), None),
            Some(StartingPosition::AtTimestamp(at)) => {
                (Some("AT_TIMESTAMP"), Some(at.as_millis() as f64 / 1000.0))
            }
        };
        Self {
            // True of every mapping as long as nothing polls.
            last_processing_result: (!kind.is_queue()).then_some("No records processed"),
            maximum_batching_window_in_seconds: mapping.window_seconds,
            starting_position: position,
            starting_position_timestamp: at,
            parallelization_factor: mapping.parallelization,
            tumbling_window_in_seconds: mapping.tumbling_window_seconds,
        }
    }
}

impl FailureAnswer {
    fn new(kind: Kind, mapping: &Mapping) -> Self {
        let failures = &mapping.failures;
        let counted = kind.is_stream() || kind.is_kafka() && mapping.pollers.is_some();
        let or_for_ever = |bound: Option<u32>| bound.map_or(-1, i64::from);
        let reports = ["ReportBatchItemFailures"];
        let reports = reports
            .iter()
            .take(usize::from(mapping.reports_item_failures));
        Self {
            destination_config: (kind.is_stream() || kind.is_kafka())
                .then(|| DestinationConfig::of_batches(failures.destination.clone())),
            maximum_record_age_in_seconds: counted
                .then(|| or_for_ever(failures.record_age_seconds_max)),
            maximum_retry_attempts: counted.then(|| or_for_ever(failures.retries_max)),
            bisect_batch_on_function_error: counted.then_some(failures.bisects),
            function_response_types: (kind.is_queue() || counted)
                .then(|| reports.copied().collect()),
        }
    }
}
