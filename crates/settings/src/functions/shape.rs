//! A function's configuration as the API returns it.

use std::collections::BTreeMap;

use records::functions::{
    Configuration, FileSystem, Function, LastUpdate, Layer, LogFormat, SnapStart, State, Vpc,
};
use serde::Serialize;
use types::{FunctionArn, Version, runtime_version_arn};

use crate::reasons;

const CREATING: &str = "Creating";
const BEING_CREATED: &str = "The function is being created.";

/// `FunctionConfiguration`.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionConfiguration<'c> {
    function_name: String,
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<&'c str>,
    role: &'c str,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<&'c str>,
    code_size: u64,
    description: &'c str,
    timeout: u32,
    memory_size: u32,
    last_modified: String,
    code_sha256: &'c str,
    version: Version,
    #[serde(skip_serializing_if = "Option::is_none")]
    vpc_config: Option<VpcConfig<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter_config: Option<DeadLetterConfig<'c>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<Environment<'c>>,
    #[serde(rename = "KMSKeyArn", skip_serializing_if = "Option::is_none")]
    kms_key_arn: Option<&'c str>,
    tracing_config: TracingConfig<'c>,
    revision_id: &'c str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    layers: Vec<LayerReference<'c>>,
    #[serde(flatten)]
    status: Option<Status<'c>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    file_system_configs: Vec<FileSystemConfig<'c>>,
    package_type: &'static str,
    architectures: [&'c str; 1],
    ephemeral_storage: EphemeralStorage,
    snap_start: SnapStartAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_config: Option<RuntimeVersionConfig>,
    logging_config: LoggingConfig<'c>,
}

/// What lists leave out.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct Status<'c> {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason_code: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason_code: Option<&'c str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Environment<'c> {
    variables: &'c BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TracingConfig<'c> {
    mode: &'c str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct EphemeralStorage {
    size: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VpcConfig<'c> {
    subnet_ids: &'c [String],
    security_group_ids: &'c [String],
    vpc_id: &'c str,
    ipv6_allowed_for_dual_stack: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterConfig<'c> {
    target_arn: &'c str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LayerReference<'c> {
    arn: &'c str,
    code_size: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct FileSystemConfig<'c> {
    arn: &'c str,
    local_mount_path: &'c str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStartAnswer {
    apply_on: &'static str,
    optimization_status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuntimeVersionConfig {
    runtime_version_arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig<'c> {
    log_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_log_level: Option<&'c str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_log_level: Option<&'c str>,
    log_group: &'c str,
}

impl<'c> FunctionConfiguration<'c> {
    /// As most operations return it. `arn` is the function's ARN to return, with or without a
    /// qualifier.
    pub fn new(arn: &FunctionArn, configuration: &'c Configuration) -> Self {
        Self {
            status: Some(Status::new(configuration)),
            ..Self::listed(arn, configuration)
        }
    }

    /// As lists return it: without state and update status.
    pub fn listed(arn: &FunctionArn, configuration: &'c Configuration) -> Self {
        let variables = configuration.environment.as_ref();
        Self {
            function_name: arn.name.to_string(),
            function_arn: arn.to_string(),
            runtime: configuration.runtime.as_deref(),
            role: &configuration.role,
            handler: configuration.handler.as_deref(),
            code_size: configuration.code.bytes,
            description: &configuration.description,
            timeout: configuration.timeout_seconds,
            memory_size: configuration.memory_mb,
            last_modified: configuration.last_modified.to_lambda_text(),
            code_sha256: &configuration.code.sha256,
            version: configuration.version,
            vpc_config: configuration.vpc.as_ref().map(VpcConfig::new),
            dead_letter_config: configuration
                .dead_letter_target
                .as_deref()
                .map(|target_arn| DeadLetterConfig { target_arn }),
            environment: variables.map(|variables| Environment { variables }),
            kms_key_arn: configuration.kms_key.as_deref(),
            tracing_config: TracingConfig {
                mode: &configuration.tracing_mode,
            },
            revision_id: &configuration.revision_id,
            layers: configuration
                .layers
                .iter()
                .map(LayerReference::new)
                .collect(),
            status: None,
            file_system_configs: configuration
                .file_systems
                .iter()
                .map(FileSystemConfig::new)
                .collect(),
            package_type: "Zip",
            architectures: [&configuration.architecture],
            ephemeral_storage: EphemeralStorage {
                size: configuration.ephemeral_mb,
            },
            snap_start: SnapStartAnswer::new(configuration.snap_start),
            runtime_version_config: configuration.runtime.as_deref().map(|runtime| {
                RuntimeVersionConfig {
                    runtime_version_arn: runtime_version_arn(runtime, &arn.scope.region),
                }
            }),
            logging_config: LoggingConfig::new(configuration),
        }
    }
}

impl<'c> VpcConfig<'c> {
    fn new(vpc: &'c Vpc) -> Self {
        Self {
            subnet_ids: &vpc.subnets,
            security_group_ids: &vpc.security_groups,
            vpc_id: &vpc.id,
            ipv6_allowed_for_dual_stack: vpc.ipv6,
        }
    }
}

impl<'c> LayerReference<'c> {
    fn new(layer: &'c Layer) -> Self {
        Self {
            arn: &layer.arn,
            code_size: layer.bytes,
        }
    }
}

impl<'c> FileSystemConfig<'c> {
    fn new(system: &'c FileSystem) -> Self {
        Self {
            arn: &system.arn,
            local_mount_path: &system.mount_path,
        }
    }
}

impl SnapStartAnswer {
    /// No environment starts from a snapshot yet, so the optimisation is off for every version.
    fn new(snap_start: SnapStart) -> Self {
        Self {
            apply_on: match snap_start {
                SnapStart::None => "None",
                SnapStart::PublishedVersions => "PublishedVersions",
            },
            optimization_status: "Off",
        }
    }
}

impl<'c> LoggingConfig<'c> {
    fn new(configuration: &'c Configuration) -> Self {
        let logging = &configuration.logging;
        Self {
            log_format: match logging.format {
                LogFormat::Text => "Text",
                LogFormat::Json => "JSON",
            },
            application_log_level: logging.application_level.as_deref(),
            system_log_level: logging.system_level.as_deref(),
            log_group: &logging.group,
        }
    }
}

impl<'c> Status<'c> {
    fn new(configuration: &'c Configuration) -> Self {
        let mut status = match &configuration.state {
            State::Pending => {
                return Self {
                    state: "Pending",
                    state_reason: Some(BEING_CREATED),
                    state_reason_code: Some(CREATING),
                    ..Self::default()
                };
            }
            State::Active => Self {
                state: "Active",
                ..Self::default()
            },
            State::Failed { code, reason } => Self {
                state: "Failed",
                state_reason: Some(reasons::shown(code, reason)),
                state_reason_code: Some(code),
                ..Self::default()
            },
        };
        let (name, reason, code) = match &configuration.last_update {
            LastUpdate::Successful => ("Successful", None, None),
            // Lambda words an update like a creation, though its own model has no such code for updates.
            LastUpdate::InProgress => ("InProgress", Some(BEING_CREATED), Some(CREATING)),
            LastUpdate::Failed { code, reason } => {
                let reason = reasons::shown(code, reason);
                ("Failed", Some(reason), Some(code.as_str()))
            }
        };
        status.last_update_status = Some(name);
        status.last_update_status_reason = reason;
        status.last_update_status_reason_code = code;
        status
    }
}

/// A function's ARN without a qualifier.
pub fn arn_of(function: &Function) -> FunctionArn {
    FunctionArn {
        scope: function.scope.clone(),
        name: function.name.clone(),
        qualifier: None,
    }
}

/// The ARN that names exactly this version.
pub fn version_arn(arn: &FunctionArn, configuration: &Configuration) -> FunctionArn {
    arn.qualified(types::Qualifier::Version(configuration.version))
}

#[cfg(test)]
mod tests {
    use records::functions::FunctionVersion;

    use super::*;

    #[test]
    fn a_version_has_one_name_in_answers_and_in_invokes() {
        let function = records::examples::function("f");
        let version = FunctionVersion {
            scope: function.scope.clone(),
            name: function.name.clone(),
            configuration: function.latest.clone().into(),
        };
        let arn = FunctionArn {
            qualifier: None,
            ..version.arn()
        };
        assert_eq!(version_arn(&arn, &function.latest), version.arn());
    }

    #[test]
    fn a_pending_function_has_no_update_status_yet() {
        let function = records::examples::function("f");
        let arn = FunctionArn {
            scope: function.scope.clone(),
            name: function.name.clone(),
            qualifier: None,
        };
        let pending = Configuration {
            state: State::Pending,
            ..function.latest.clone()
        };
        let json = serde_json::to_value(FunctionConfiguration::new(&arn, &pending)).unwrap();
        assert_eq!(json["State"], "Pending");
        assert_eq!(json["StateReasonCode"], "Creating");
        assert!(json.get("LastUpdateStatus").is_none());
        let json =
            serde_json::to_value(FunctionConfiguration::new(&arn, &function.latest)).unwrap();
        assert_eq!(json["LastUpdateStatus"], "Successful");
        assert_eq!(json["CodeSha256"], function.latest.code.sha256.as_str());
        let json = serde_json::to_value(FunctionConfiguration::listed(&arn, &pending)).unwrap();
        assert!(json.get("State").is_none());
    }
}
