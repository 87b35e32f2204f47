//! Applies a request's settings to a configuration: everything that the request names replaces the
//! previous value, and an empty value removes it, as on Lambda.

use records::functions::{Configuration, FileSystem, Layer, LogFormat, Logging, SnapStart, Vpc};
use wire::ApiError;

use super::Settings;
use super::members::{LoggingConfig, VpcConfig};

/// The level of a function's lines and of the platform's where JSON is asked for without one.
const LEVEL_DEFAULT: &str = "INFO";

/// What settings refer to, looked up before they are applied.
#[derive(Default)]
pub struct Resolved<'r> {
    /// The layers that `Layers` names, if it does.
    pub layers: Option<Vec<Layer>>,
    /// The installation's name for its network.
    pub vpc_id: &'r str,
}

impl Settings {
    /// Applies the settings to a configuration. The model's constraints have been checked.
    pub fn apply(&self, next: &mut Configuration, resolved: &Resolved<'_>) -> Result<(), ApiError> {
        put(&mut next.timeout_seconds, number(self.timeout));
        put(&mut next.memory_mb, number(self.memory_size));
        let size = self.ephemeral_storage.as_ref().and_then(|s| s.size);
        put(&mut next.ephemeral_mb, number(size));
        put(&mut next.runtime, self.runtime.clone().map(Some));
        put(&mut next.handler, self.handler.clone().map(Some));
        put(&mut next.role, self.role.clone());
        put(&mut next.description, self.description.clone());
        if let Some(environment) = &self.environment {
            let given = environment.variables.as_ref();
            next.environment = Some(given.map(|given| given.values.clone()).unwrap_or_default());
        }
        let mode = self.tracing_config.as_ref().and_then(|t| t.mode.clone());
        put(&mut next.tracing_mode, mode);
        if let Some(logging) = &self.logging_config {
            logging.apply(&mut next.logging)?;
        }
        put(&mut next.layers, resolved.layers.clone());
        if let Some(vpc) = &self.vpc_config {
            next.vpc = Some(vpc.resolve(resolved.vpc_id)?);
        }
        if let Some(systems) = &self.file_system_configs {
            next.file_systems = systems
                .iter()
                .map(|system| FileSystem {
                    arn: system.arn.clone().unwrap_or_default(),
                    mount_path: system.local_mount_path.clone().unwrap_or_default(),
                })
                .collect();
        }
        if let Some(dead_letter) = &self.dead_letter_config {
            next.dead_letter_target = given(dead_letter.target_arn.as_deref());
        }
        if let Some(key) = &self.kms_key_arn {
            next.kms_key = given(Some(key));
        }
        match self.snap_start.as_ref().and_then(|s| s.apply_on.as_deref()) {
            Some("PublishedVersions") => next.snap_start = SnapStart::PublishedVersions,
            Some(_) => next.snap_start = SnapStart::None,
            None => {}
        }
        Ok(())
    }
}

impl LoggingConfig {
    fn apply(&self, logging: &mut Logging) -> Result<(), ApiError> {
        put(&mut logging.group, self.log_group.clone());
        match self.log_format.as_deref() {
            Some("JSON") => logging.format = LogFormat::Json,
            Some(_) => logging.format = LogFormat::Text,
            None => {}
        }
        let levels = [&self.application_log_level, &self.system_log_level];
        if logging.format == LogFormat::Text {
            if levels.iter().any(|level| level.is_some()) {
                return Err(ApiError::invalid_parameter(
                    "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel \
                     from your request or change the LogFormat to \"JSON\" and try again.",
                ));
            }
            logging.application_level = None;
            logging.system_level = None;
            return Ok(());
        }
        let present = [&mut logging.application_level, &mut logging.system_level];
        for (present, level) in present.into_iter().zip(levels) {
            let level = level.clone().or_else(|| present.take());
            *present = Some(level.unwrap_or_else(|| LEVEL_DEFAULT.to_owned()));
        }
        Ok(())
    }
}

impl VpcConfig {
    fn resolve(&self, vpc_id: &str) -> Result<Vpc, ApiError> {
        let subnets = self.subnet_ids.clone().unwrap_or_default();
        let security_groups = self.security_group_ids.clone().unwrap_or_default();
        if subnets.is_empty() != security_groups.is_empty() {
            return Err(ApiError::invalid_parameter(
                "SubnetIds and SecurityIds must coexist or be both empty list.",
            ));
        }
        let id = match subnets.is_empty() {
            true => String::new(),
            false => vpc_id.to_owned(),
        };
        Ok(Vpc {
            subnets,
            security_groups,
            ipv6: self.ipv6_allowed_for_dual_stack.unwrap_or(false),
            id,
        })
    }
}

fn put<T>(place: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *place = given;
    }
}

fn number(given: Option<i64>) -> Option<u32> {
    given.and_then(|given| u32::try_from(given).ok())
}

/// A text that was given as a new value: an empty one stands for none.
fn given(text: Option<&str>) -> Option<String> {
    text.filter(|text| !text.is_empty()).map(str::to_owned)
}
