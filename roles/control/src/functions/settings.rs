//! The members that CreateFunction and UpdateFunctionConfiguration share, as a request gives
//! them, and the constraints that the public model puts on each.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use types::limits::{
    EPHEMERAL_MB_MAX, EPHEMERAL_MB_MIN, MEMORY_MB_MAX, MEMORY_MB_MIN, TIMEOUT_SECONDS_MAX,
};
use wire::ApiError;
use wire::validation::{Pattern, Violations};

use crate::role::ROLE_ARN;

const HANDLER: Pattern = Pattern {
    text: r"[^\s]+",
    matches: |text| !text.is_empty() && !text.contains(char::is_whitespace),
};
const VARIABLE_NAME: Pattern = Pattern {
    text: "[a-zA-Z]([a-zA-Z0-9_])+",
    matches: |text| {
        text.len() > 1
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    },
};
const LOG_GROUP: Pattern = Pattern {
    text: r"[\.\-_/#A-Za-z0-9]+",
    matches: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b".-_/#".contains(&b))
    },
};
/// Longest description (the public model).
pub(crate) const DESCRIPTION_CHARACTERS_MAX: usize = 256;
/// Longest handler (the public model).
const HANDLER_CHARACTERS_MAX: usize = 128;
/// Longest log group (the public model).
const LOG_GROUP_CHARACTERS_MAX: usize = 512;
/// `Architectures` may hold.
pub(crate) const ARCHITECTURES: [&str; 2] = ["x86_64", "arm64"];

/// See the module.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Settings {
    pub(crate) runtime: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) handler: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) timeout: Option<i64>,
    pub(crate) memory_size: Option<i64>,
    pub(crate) environment: Option<Environment>,
    pub(crate) tracing_config: Option<TracingConfig>,
    pub(crate) ephemeral_storage: Option<EphemeralStorage>,
    pub(crate) logging_config: Option<LoggingConfig>,
    vpc_config: Option<VpcConfig>,
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    layers: Option<Vec<Value>>,
    file_system_configs: Option<Vec<Value>>,
    image_config: Option<serde_json::Map<String, Value>>,
    snap_start: Option<SnapStart>,
    capacity_provider_config: Option<Value>,
    durable_config: Option<Value>,
}

/// `Environment`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Environment {
    pub(crate) variables: Option<BTreeMap<String, String>>,
}

/// `TracingConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct TracingConfig {
    pub(crate) mode: Option<String>,
}

/// `EphemeralStorage`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct EphemeralStorage {
    pub(crate) size: Option<i64>,
}

/// `LoggingConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct LoggingConfig {
    pub(crate) log_group: Option<String>,
    log_format: Option<String>,
    application_log_level: Option<String>,
    system_log_level: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct VpcConfig {
    subnet_ids: Option<Vec<String>>,
    security_group_ids: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct DeadLetterConfig {
    target_arn: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct SnapStart {
    apply_on: Option<String>,
}

impl Settings {
    /// Adds what breaks the model's constraints.
    pub(crate) fn violations(&self, violations: &mut Violations) {
        violations.pattern("role", self.role.as_deref(), ROLE_ARN);
        violations.pattern("handler", self.handler.as_deref(), HANDLER);
        violations.length(
            "handler",
            self.handler.as_deref(),
            0,
            HANDLER_CHARACTERS_MAX,
        );
        let description = self.description.as_deref();
        violations.length("description", description, 0, DESCRIPTION_CHARACTERS_MAX);
        let bounds = |min: u32, max: u32| (Some(i64::from(min)), Some(i64::from(max)));
        let (min, max) = bounds(1, TIMEOUT_SECONDS_MAX);
        violations.range("timeout", self.timeout, min, max);
        let (min, max) = bounds(MEMORY_MB_MIN, MEMORY_MB_MAX);
        violations.range("memorySize", self.memory_size, min, max);
        if let Some(variables) = self.environment.as_ref().and_then(|e| e.variables.as_ref()) {
            violations.secret_keys("environment.variables", variables.keys(), VARIABLE_NAME);
        }
        if let Some(tracing) = &self.tracing_config {
            let modes = ["Active", "PassThrough"];
            violations.one_of("tracingConfig.mode", tracing.mode.as_deref(), &modes);
        }
        if let Some(storage) = &self.ephemeral_storage {
            violations.required("ephemeralStorage.size", storage.size.as_ref());
            let (min, max) = bounds(EPHEMERAL_MB_MIN, EPHEMERAL_MB_MAX);
            violations.range("ephemeralStorage.size", storage.size, min, max);
        }
        if let Some(logging) = &self.logging_config {
            logging.violations(violations);
        }
        if let Some(snap_start) = &self.snap_start {
            let set = ["PublishedVersions", "None"];
            violations.one_of("snapStart.applyOn", snap_start.apply_on.as_deref(), &set);
        }
    }

    /// Refuses what belongs to parts of the system that are not there yet. Values that ask for
    /// nothing (no subnets, no layers) are taken.
    pub(crate) fn refuse_later_features(&self) -> Result<(), ApiError> {
        let some = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let vpc = self.vpc_config.as_ref();
        let vpc = vpc.is_some_and(|vpc| some(&vpc.subnet_ids) || some(&vpc.security_group_ids));
        let dead_letter = self
            .dead_letter_config
            .as_ref()
            .and_then(|d| d.target_arn.as_ref());
        let snap_start = self.snap_start.as_ref().and_then(|s| s.apply_on.as_deref());
        let logging = self.logging_config.as_ref();
        let listed = |list: &Option<Vec<Value>>| list.as_ref().is_some_and(|list| !list.is_empty());
        let asked = [
            (vpc, "functions in a VPC (VpcConfig)"),
            (
                dead_letter.is_some_and(|arn| !arn.is_empty()),
                "dead-letter queues (DeadLetterConfig)",
            ),
            (
                self.kms_key_arn.as_ref().is_some_and(|arn| !arn.is_empty()),
                "keys of KMS (KMSKeyArn)",
            ),
            (listed(&self.layers), "layers (Layers)"),
            (
                listed(&self.file_system_configs),
                "file systems (FileSystemConfigs)",
            ),
            (
                self.image_config.as_ref().is_some_and(|c| !c.is_empty()),
                "container images (ImageConfig)",
            ),
            (
                snap_start == Some("PublishedVersions"),
                "SnapStart on PublishedVersions",
            ),
            (
                logging.is_some_and(LoggingConfig::asks_for_json),
                "JSON logs (LoggingConfig)",
            ),
            (
                present(&self.capacity_provider_config),
                "capacity providers (CapacityProviderConfig)",
            ),
            (
                present(&self.durable_config),
                "durable functions (DurableConfig)",
            ),
        ];
        match asked.iter().find(|(asked, _)| *asked) {
            Some((_, what)) => Err(ApiError::not_implemented(what)),
            None => Ok(()),
        }
    }
}

impl LoggingConfig {
    fn violations(&self, violations: &mut Violations) {
        let group = self.log_group.as_deref();
        violations.pattern("loggingConfig.logGroup", group, LOG_GROUP);
        violations.length("loggingConfig.logGroup", group, 1, LOG_GROUP_CHARACTERS_MAX);
        let format = self.log_format.as_deref();
        violations.one_of("loggingConfig.logFormat", format, &["JSON", "Text"]);
        let levels = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
        let level = self.application_log_level.as_deref();
        violations.one_of("loggingConfig.applicationLogLevel", level, &levels);
        let level = self.system_log_level.as_deref();
        violations.one_of(
            "loggingConfig.systemLogLevel",
            level,
            &["DEBUG", "INFO", "WARN"],
        );
    }

    /// Levels exist for JSON only.
    fn asks_for_json(&self) -> bool {
        self.log_format.as_deref() == Some("JSON")
            || self.application_log_level.is_some()
            || self.system_log_level.is_some()
    }
}

fn present(value: &Option<Value>) -> bool {
    value.as_ref().is_some_and(|value| !value.is_null())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Settings {
        serde_json::from_str(json).unwrap()
    }

    fn check(json: &str, expected: &str) {
        let mut violations = Violations::new();
        settings(json).violations(&mut violations);
        assert_eq!(
            violations.finish().unwrap_err().message,
            format!("1 validation error detected: {expected}")
        );
    }

    #[test]
    fn each_constraint_has_the_services_words() {
        check(
            r#"{"Role":"x"}"#,
            r"Value 'x' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+",
        );
        check(
            r#"{"Timeout":901}"#,
            "Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900",
        );
        check(
            r#"{"MemorySize":64}"#,
            "Value '64' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128",
        );
        check(
            r#"{"EphemeralStorage":{}}"#,
            "Value null at 'ephemeralStorage.size' failed to satisfy constraint: Member must not be null",
        );
        check(
            r#"{"TracingConfig":{"Mode":"On"}}"#,
            "Value 'On' at 'tracingConfig.mode' failed to satisfy constraint: Member must satisfy enum value set: [Active, PassThrough]",
        );
        check(
            r#"{"Environment":{"Variables":{"1x":"hush"}}}"#,
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]",
        );
        check(
            r#"{"Handler":"a b"}"#,
            r"Value 'a b' at 'handler' failed to satisfy constraint: Member must satisfy regular expression pattern: [^\s]+",
        );
    }

    #[test]
    fn values_that_ask_for_nothing_are_taken() {
        let harmless = settings(
            r#"{"VpcConfig":{"SubnetIds":[],"SecurityGroupIds":[]},"Layers":[],"KMSKeyArn":"",
                "DeadLetterConfig":{},"SnapStart":{"ApplyOn":"None"},"FileSystemConfigs":[],
                "LoggingConfig":{"LogFormat":"Text"},"ImageConfig":{},"Unheard":1}"#,
        );
        assert!(harmless.refuse_later_features().is_ok());
    }

    #[test]
    fn what_is_not_there_yet_is_named() {
        for (json, named) in [
            (r#"{"VpcConfig":{"SubnetIds":["s"]}}"#, "VpcConfig"),
            (r#"{"Layers":["a"]}"#, "Layers"),
            (r#"{"KMSKeyArn":"arn:x"}"#, "KMSKeyArn"),
            (
                r#"{"DeadLetterConfig":{"TargetArn":"a"}}"#,
                "DeadLetterConfig",
            ),
            (
                r#"{"SnapStart":{"ApplyOn":"PublishedVersions"}}"#,
                "PublishedVersions",
            ),
            (r#"{"FileSystemConfigs":[{}]}"#, "FileSystemConfigs"),
            (r#"{"LoggingConfig":{"LogFormat":"JSON"}}"#, "LoggingConfig"),
        ] {
            let error = settings(json).refuse_later_features().unwrap_err();
            assert_eq!(
                (error.status.as_u16(), error.code.as_ref()),
                (501, "NotImplementedException")
            );
            assert!(error.message.contains(named), "{}", error.message);
        }
    }
}
