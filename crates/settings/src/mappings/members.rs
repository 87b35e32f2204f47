//! The members of CreateEventSourceMapping and UpdateEventSourceMapping, as a request gives them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::destinations::DestinationConfig;

/// See the module. An update ignores what only creation accepts.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Members {
    pub(crate) event_source_arn: Option<String>,
    /// The function that it is for.
    pub function_name: Option<String>,
    pub(crate) enabled: Option<bool>,
    pub(crate) batch_size: Option<u32>,
    pub(crate) filter_criteria: Option<FilterCriteria>,
    pub(crate) maximum_batching_window_in_seconds: Option<u32>,
    pub(crate) parallelization_factor: Option<u32>,
    pub(crate) starting_position: Option<String>,
    pub(crate) starting_position_timestamp: Option<f64>,
    /// Where records go that are given up.
    pub destination_config: Option<DestinationConfig>,
    pub(crate) maximum_record_age_in_seconds: Option<i64>,
    pub(crate) bisect_batch_on_function_error: Option<bool>,
    pub(crate) maximum_retry_attempts: Option<i64>,
    /// What a new one is tagged with.
    pub tags: Option<BTreeMap<String, String>>,
    pub(crate) tumbling_window_in_seconds: Option<u32>,
    pub(crate) topics: Option<Vec<String>>,
    pub(crate) queues: Option<Vec<String>>,
    pub(crate) source_access_configurations: Option<Vec<SourceAccess>>,
    pub(crate) self_managed_event_source: Option<SelfManaged>,
    pub(crate) function_response_types: Option<Vec<String>>,
    pub(crate) amazon_managed_kafka_event_source_config: Option<KafkaConfig>,
    pub(crate) self_managed_kafka_event_source_config: Option<KafkaConfig>,
    pub(crate) scaling_config: Option<ScalingConfig>,
    #[serde(rename = "DocumentDBEventSourceConfig")]
    pub(crate) document_db_event_source_config: Option<DocumentDbConfig>,
    #[serde(rename = "KMSKeyArn")]
    pub(crate) kms_key_arn: Option<String>,
    pub(crate) metrics_config: Option<MetricsConfig>,
    pub(crate) logging_config: Option<LoggingConfig>,
    pub(crate) provisioned_poller_config: Option<PollerConfig>,
}

/// `FilterCriteria`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct FilterCriteria {
    pub(crate) filters: Vec<Filter>,
}

/// `Filter`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Filter {
    pub(crate) pattern: Option<String>,
}

/// `SourceAccessConfiguration`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SourceAccess {
    pub(crate) r#type: Option<String>,
    #[serde(rename = "URI")]
    pub(crate) uri: Option<String>,
}

/// `SelfManagedEventSource`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct SelfManaged {
    pub(crate) endpoints: BTreeMap<String, Vec<String>>,
}

/// `AmazonManagedKafkaEventSourceConfig` and `SelfManagedKafkaEventSourceConfig`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct KafkaConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) consumer_group_id: Option<String>,
    #[serde(skip_serializing)]
    pub(crate) schema_registry_config: Option<serde_json::Value>,
}

/// `ScalingConfig`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct ScalingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_concurrency: Option<u32>,
}

/// `DocumentDBEventSourceConfig`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct DocumentDbConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) database_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) collection_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) full_document: Option<String>,
}

/// `MetricsConfig`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct MetricsConfig {
    pub(crate) metrics: Vec<String>,
}

/// `LoggingConfig`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LoggingConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) system_log_level: Option<String>,
}

/// `ProvisionedPollerConfig`.
#[derive(Deserialize, Serialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct PollerConfig {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) minimum_pollers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maximum_pollers: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) poller_group_name: Option<String>,
}

impl Members {
    /// The parameters that not every source accepts, by the model's names, as far as they ask for
    /// something: an empty list or object does not.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let destinations = self.destination_config.as_ref();
        let pollers = self.provisioned_poller_config.as_ref();
        let access = self.source_access_configurations.as_ref();
        let metrics = self.metrics_config.as_ref();
        let logging = self.logging_config.as_ref();
        let scaling = self.scaling_config.as_ref();
        let managed = self.amazon_managed_kafka_event_source_config.as_ref();
        let own = self.self_managed_kafka_event_source_config.as_ref();
        let window = self.maximum_batching_window_in_seconds;
        let all = [
            (
                "MaximumBatchingWindowInSeconds",
                window.is_some_and(|window| window > 0),
            ),
            (
                "ParallelizationFactor",
                self.parallelization_factor.is_some(),
            ),
            ("StartingPosition", self.starting_position.is_some()),
            (
                "StartingPositionTimestamp",
                self.starting_position_timestamp.is_some(),
            ),
            (
                "DestinationConfig",
                destinations.is_some_and(|d| d.on_success().or(d.on_failure()).is_some()),
            ),
            (
                "MaximumRecordAgeInSeconds",
                self.maximum_record_age_in_seconds.is_some(),
            ),
            (
                "BisectBatchOnFunctionError",
                self.bisect_batch_on_function_error.is_some(),
            ),
            (
                "MaximumRetryAttempts",
                self.maximum_retry_attempts.is_some(),
            ),
            (
                "TumblingWindowInSeconds",
                self.tumbling_window_in_seconds.is_some(),
            ),
            ("Topics", some(&self.topics)),
            ("Queues", some(&self.queues)),
            (
                "SourceAccessConfigurations",
                access.is_some_and(|list| !list.is_empty()),
            ),
            (
                "SelfManagedEventSource",
                self.self_managed_event_source.is_some(),
            ),
            ("FunctionResponseTypes", some(&self.function_response_types)),
            (
                "AmazonManagedKafkaEventSourceConfig",
                managed.is_some_and(KafkaConfig::asks),
            ),
            (
                "SelfManagedKafkaEventSourceConfig",
                own.is_some_and(KafkaConfig::asks),
            ),
            (
                "ScalingConfig",
                scaling.is_some_and(|scaling| scaling.maximum_concurrency.is_some()),
            ),
            (
                "DocumentDBEventSourceConfig",
                self.document_db_event_source_config.is_some(),
            ),
            (
                "MetricsConfig",
                metrics.is_some_and(|config| !config.metrics.is_empty()),
            ),
            (
                "LoggingConfig",
                logging.is_some_and(|config| config.system_log_level.is_some()),
            ),
            (
                "ProvisionedPollerConfig",
                pollers.is_some_and(PollerConfig::asks),
            ),
        ];
        let given = all.into_iter().filter(|(_, given)| *given);
        given.map(|(name, _)| name).collect()
    }

    /// Schema registries, which either Kafka configuration can name.
    pub fn has_schema_registry(&self) -> bool {
        let configs = [
            &self.amazon_managed_kafka_event_source_config,
            &self.self_managed_kafka_event_source_config,
        ];
        configs.into_iter().flatten().any(|config| {
            config
                .schema_registry_config
                .as_ref()
                .and_then(serde_json::Value::as_object)
                .is_some_and(|registry| !registry.is_empty())
        })
    }
}

impl KafkaConfig {
    fn asks(&self) -> bool {
        self.consumer_group_id.is_some() || self.schema_registry_config.is_some()
    }
}

impl PollerConfig {
    /// Whether it asks for pollers at all.
    pub(crate) fn asks(&self) -> bool {
        self.minimum_pollers.is_some() || self.maximum_pollers.is_some()
    }
}
