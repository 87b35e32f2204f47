//! The members that CreateFunction and UpdateFunctionConfiguration share, as a request gives them. The
//! model's constraints have been checked; this module checks what ordinary functions require beyond
//! them, and [`apply`] applies settings to a configuration.

mod apply;
mod members;

use policy::Context;
use serde::Deserialize;
use serde_json::Value;
use types::limits::{MEMORY_MB_MAX, TIMEOUT_SECONDS_MAX};
use wire::ApiError;
use wire::validation::Violations;

pub use apply::Resolved;
use members::{
    DeadLetterConfig, EphemeralStorage, FileSystemConfig, ImageConfig, LoggingConfig, SnapStart,
    TracingConfig, VpcConfig,
};
pub use members::{Environment, Variables};

/// See the module.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    /// `Runtime`.
    pub runtime: Option<String>,
    /// `Role`: the execution role.
    pub role: Option<String>,
    /// `Handler`.
    pub handler: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    /// `Environment`.
    pub environment: Option<Environment>,
    tracing_config: Option<TracingConfig>,
    ephemeral_storage: Option<EphemeralStorage>,
    logging_config: Option<LoggingConfig>,
    vpc_config: Option<VpcConfig>,
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    /// `Layers`: ARNs of their versions, in the order in which they are laid.
    pub layers: Option<Vec<String>>,
    file_system_configs: Option<Vec<FileSystemConfig>>,
    image_config: Option<ImageConfig>,
    snap_start: Option<SnapStart>,
    capacity_provider_config: Option<Value>,
    durable_config: Option<Value>,
}

impl Settings {
    /// Whether another role is to send to the dead-letter target, or the same role to another target.
    pub fn concerns_dead_letters(&self) -> bool {
        self.role.is_some() || self.dead_letter_config.is_some()
    }

    /// Adds violations of constraints that the model does not have, or has wider.
    pub fn violations(&self, violations: &mut Violations) {
        let most = |max: u32| Some(i64::from(max));
        violations.range("timeout", self.timeout, None, most(TIMEOUT_SECONDS_MAX));
        violations.range("memorySize", self.memory_size, None, most(MEMORY_MB_MAX));
    }

    /// The condition keys that operations with settings have. `vpc_id` is the network there is.
    pub fn context(&self, vpc_id: &str) -> Context {
        let mut context = Context::new();
        let layers = self.layers.iter().flatten();
        context.set_all("lambda:Layer", layers.cloned());
        if let Some(vpc) = &self.vpc_config {
            let subnets = vpc.subnet_ids.iter().flatten();
            let groups = vpc.security_group_ids.iter().flatten();
            if subnets.clone().next().is_some() {
                context.set("lambda:VpcIds", vpc_id);
            }
            context.set_all("lambda:SubnetIds", subnets.cloned());
            context.set_all("lambda:SecurityGroupIds", groups.cloned());
        }
        context
    }

    /// Refuses what no function from a package can have, and what belongs to parts of the system that
    /// do not exist yet.
    pub fn refuse_what_is_not_for_packages(&self) -> Result<(), ApiError> {
        if self.image_config.as_ref().is_some_and(|i| !i.is_empty()) {
            return Err(ApiError::invalid_parameter(
                "Please don't provide ImageConfig when the intended function PackageType is Zip.",
            ));
        }
        let present = |value: &Option<Value>| value.as_ref().is_some_and(|v| !v.is_null());
        if present(&self.capacity_provider_config) {
            return Err(ApiError::not_implemented(
                "capacity providers (CapacityProviderConfig)",
            ));
        }
        if present(&self.durable_config) {
            return Err(ApiError::not_implemented(
                "durable functions (DurableConfig)",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
