//! The parts of a [`Configuration`](super::Configuration) that have members of their own, as the
//! public model groups them.

use serde::{Deserialize, Serialize};

/// `LoggingConfig`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Logging {
    /// Where its lines go: `/aws/lambda/<function>` unless its owner says otherwise.
    pub group: String,
    /// How its lines are written.
    #[serde(default)]
    pub format: LogFormat,
    /// The least important lines of the function that are kept: `TRACE` to `FATAL`. JSON only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_level: Option<String>,
    /// The least important lines of the platform that are kept: `DEBUG`, `INFO`, `WARN`. JSON only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_level: Option<String>,
}

/// `LogFormat`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum LogFormat {
    /// Lines as they are printed.
    #[default]
    Text,
    /// Every line a JSON object.
    Json,
}

/// A layer of a function, found when the function was configured: layer versions never change.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// ARN with its version.
    pub arn: String,
    /// Names the package in the image store: hex SHA-256 of the zip.
    pub image: String,
    /// Bytes of the zip.
    pub bytes: u64,
    /// Bytes of its files, unpacked.
    #[serde(default)]
    pub unpacked_bytes: u64,
}

/// `VpcConfig`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Vpc {
    /// `subnet-…`.
    pub subnets: Vec<String>,
    /// `sg-…`.
    pub security_groups: Vec<String>,
    /// `Ipv6AllowedForDualStack`.
    pub ipv6: bool,
    /// `vpc-…`, as the installation called its network when this was set; empty without subnets.
    #[serde(default)]
    pub id: String,
}

/// One of `FileSystemConfigs`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FileSystem {
    /// ARN of the access point.
    pub arn: String,
    /// Where the function sees it: `/mnt/…`.
    pub mount_path: String,
}

/// `SnapStart.ApplyOn`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum SnapStart {
    /// Every environment runs its init phase.
    #[default]
    None,
    /// Environments of published versions come from a snapshot.
    PublishedVersions,
}
