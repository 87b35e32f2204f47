//! The members of a request that have members of their own.

use serde::Deserialize;
use std::collections::BTreeMap;
use wire::validation::Violations;

/// Longest id of a subnet or a security group (the service's own words).
const ID_CHARACTERS_MAX: usize = 1_024;

/// `Environment`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Environment {
    pub(crate) variables: Option<BTreeMap<String, String>>,
}

/// `TracingConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TracingConfig {
    pub(super) mode: Option<String>,
}

/// `EphemeralStorage`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct EphemeralStorage {
    pub(super) size: Option<i64>,
}

/// `LoggingConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct LoggingConfig {
    pub(super) log_group: Option<String>,
    pub(super) log_format: Option<String>,
    pub(super) application_log_level: Option<String>,
    pub(super) system_log_level: Option<String>,
}

/// `VpcConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct VpcConfig {
    pub(super) subnet_ids: Option<Vec<String>>,
    pub(super) security_group_ids: Option<Vec<String>>,
    pub(super) ipv6_allowed_for_dual_stack: Option<bool>,
}

/// `DeadLetterConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DeadLetterConfig {
    pub(super) target_arn: Option<String>,
}

/// One of `FileSystemConfigs`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct FileSystemConfig {
    pub(super) arn: Option<String>,
    pub(super) local_mount_path: Option<String>,
}

/// `ImageConfig`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ImageConfig {
    entry_point: Option<Vec<String>>,
    command: Option<Vec<String>>,
    working_directory: Option<String>,
}

/// `SnapStart`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SnapStart {
    pub(super) apply_on: Option<String>,
}

impl VpcConfig {
    /// The model takes any text for an id, the service does not.
    pub(super) fn violations(&self, violations: &mut Violations) {
        let mut check = |at: &str, ids: Option<&Vec<String>>, kind: &str| {
            let good = |id: &String| {
                id.len() <= ID_CHARACTERS_MAX
                    && id
                        .strip_prefix(kind)
                        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_alphanumeric()))
            };
            let Some(ids) = ids.filter(|ids| !ids.iter().all(good)) else {
                return;
            };
            let rule = format!(
                "Member must satisfy constraint: [Member must have length less than or equal to \
                 {ID_CHARACTERS_MAX}, Member must have length greater than or equal to 0, Member \
                 must satisfy regular expression pattern: ^{kind}[0-9a-zA-Z]*$]"
            );
            violations.broken(format!("[{}]", ids.join(", ")), at, &rule);
        };
        let subnets = self.subnet_ids.as_ref();
        check("vpcConfig.subnetIds", subnets, "subnet-");
        let groups = self.security_group_ids.as_ref();
        check("vpcConfig.securityGroupIds", groups, "sg-");
    }
}

impl ImageConfig {
    /// Whether it asks for nothing, as some tools do for functions from packages.
    pub(super) fn is_empty(&self) -> bool {
        let none = |words: &Option<Vec<String>>| words.as_ref().is_none_or(Vec::is_empty);
        none(&self.entry_point) && none(&self.command) && self.working_directory.is_none()
    }
}
