//! The members of a request that have members of their own.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

/// `Environment`.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub struct Environment {
    /// `Variables`; an environment without them removes all.
    pub variables: Option<Variables>,
}

/// Variables, and the order in which the caller named them, in which refusals show them.
pub struct Variables {
    /// By name.
    pub values: BTreeMap<String, String>,
    named: Vec<String>,
}

impl Variables {
    /// As compact JSON, in the caller's order.
    pub(crate) fn as_given(&self) -> String {
        let text = |text: &str| serde_json::to_string(text).expect("a text has a JSON form");
        let members = self.named.iter().map(|name| {
            let value = self.values.get(name).map_or("", String::as_str);
            format!("{}:{}", text(name), text(value))
        });
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Variables, A::Error> {
        let (mut values, mut named) = (BTreeMap::new(), Vec::new());
        while let Some((name, value)) = members.next_entry::<String, String>()? {
            // Of two with the same name the last counts.
            if values.insert(name.clone(), value).is_none() {
                named.push(name);
            }
        }
        Ok(Variables { values, named })
    }
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

impl ImageConfig {
    /// Whether it asks for nothing, as some tools do for functions from packages.
    pub(super) fn is_empty(&self) -> bool {
        let none = |words: &Option<Vec<String>>| words.as_ref().is_none_or(Vec::is_empty);
        none(&self.entry_point) && none(&self.command) && self.working_directory.is_none()
    }
}
