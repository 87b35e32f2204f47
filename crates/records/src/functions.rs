//! What the control plane writes about functions and the frontend reads: the rows of the
//! metadata table and their keys.
//!
//! ```text
//!   key                                              value (JSON)
//!   function/<account>/<region>/<name>               Function        $LATEST and what is common
//!   version/<account>/<region>/<name>/<%012d>        Configuration   a published version
//!   alias/<account>/<region>/<name>/<alias>          Alias
//!   <kind>/<account>/<region>/<name>/<qualifier>     what is attached to one way of naming the
//!                                                    function: see [`ATTACHED`]
//! ```
//!
//! There is no transaction over several rows. A version that is being published waits in
//! `Function::publishing`, so that every writer of its row writes the same; it counts only once
//! `Function::published` reaches its number, which is after its row is written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::{AliasName, FunctionArn, FunctionName, Qualifier, Scope, Timestamp, Version};

mod settings;

pub use settings::{FileSystem, Layer, LogFormat, Logging, SnapStart, Vpc};

/// A function: `$LATEST` and everything that is not per version.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Function {
    /// Whose, and where.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
    /// Made at random when the function is created: tells it from one of the same name that was
    /// there before, whose rows a crash may have left.
    #[serde(default)]
    pub instance: String,
    /// `$LATEST` as its owner last described it.
    pub latest: Configuration,
    /// What `$LATEST` still runs while `latest` is being updated, or after that update failed.
    pub serving: Option<Arc<Configuration>>,
    /// The highest version number ever published; numbers are never used again.
    pub published: u64,
    /// A version on its way to its own row. Only the control plane looks at it: to everybody else it
    /// does not exist yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publishing: Option<Arc<Configuration>>,
    /// `latest.generation` at the last publish: publishing again without a change answers that version.
    pub published_generation: u64,
    /// Reserved concurrency: a guarantee and a cap, over all versions together.
    pub reserved_concurrency: Option<u32>,
    /// Tags of the function.
    pub tags: BTreeMap<String, String>,
}

/// What one version runs and how.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Configuration {
    /// `$LATEST` or the published number.
    pub version: Version,
    /// Goes up with every change to code or configuration of this function: environments made for
    /// an older generation are not used for a newer one. Begins at random, so that a function re-created
    /// under an old name shares none with it.
    pub generation: u64,
    /// Changes with every write, for callers' compare-and-set (`RevisionId`).
    pub revision_id: String,
    /// `python3.12`, `provided.al2023` …; `None` only for container images.
    pub runtime: Option<String>,
    /// Handler, as given.
    pub handler: Option<String>,
    /// ARN of the execution role.
    pub role: String,
    /// Free text.
    pub description: String,
    /// Seconds, 1 to 900.
    pub timeout_seconds: u32,
    /// MB of 1024 x 1024 bytes.
    pub memory_mb: u32,
    /// Size of `/tmp`, MB.
    pub ephemeral_mb: u32,
    /// The user's variables; `None` where the function has no `Environment` at all.
    pub environment: Option<BTreeMap<String, String>>,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// `Active` or `PassThrough`.
    pub tracing_mode: String,
    /// Where its logs go, and how they are written.
    pub logging: Logging,
    /// Unpacked to `/opt` in this order.
    #[serde(default)]
    pub layers: Vec<Layer>,
    /// The network it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Vpc>,
    /// The file systems it asks for.
    #[serde(default)]
    pub file_systems: Vec<FileSystem>,
    /// ARN of the queue or topic for events that could not be processed (`DeadLetterConfig`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letter_target: Option<String>,
    /// ARN of the key that encrypts its variables (`KMSKeyArn`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Where environments of published versions come from.
    #[serde(default)]
    pub snap_start: SnapStart,
    /// The code.
    pub code: Code,
    /// When it last changed.
    pub last_modified: Timestamp,
    /// Whether it can be invoked.
    pub state: State,
    /// How the last update went.
    pub last_update: LastUpdate,
}

impl Function {
    /// The packages that it names, some perhaps twice.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        let others = [&self.serving, &self.publishing].into_iter().flatten();
        let all = std::iter::once(&self.latest).chain(others.map(AsRef::as_ref));
        all.flat_map(Configuration::packages)
    }
}

impl Configuration {
    /// The packages that it names: its code and its layers.
    pub fn packages(&self) -> impl Iterator<Item = &str> {
        let layers = self.layers.iter().map(|layer| layer.image.as_str());
        std::iter::once(self.code.image.as_str()).chain(layers)
    }
}

/// The code of a version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Code {
    /// Names the package in the image store: hex SHA-256 of the zip.
    pub image: String,
    /// Base64 SHA-256 of the zip, as `CodeSha256` tells it.
    pub sha256: String,
    /// Bytes of the zip.
    pub bytes: u64,
    /// Bytes of its files, unpacked.
    #[serde(default)]
    pub unpacked_bytes: u64,
}

/// `State` with its reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum State {
    /// Its resources are being made; it cannot be invoked.
    Pending,
    /// It can be invoked.
    Active,
    /// It could not be made.
    Failed {
        /// AWS's `StateReasonCode`.
        code: String,
        /// For people.
        reason: String,
    },
}

/// `LastUpdateStatus` with its reason.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum LastUpdate {
    /// What is described is what runs.
    Successful,
    /// `Function::serving` still runs.
    InProgress,
    /// `Function::serving` still runs.
    Failed {
        /// AWS's `LastUpdateStatusReasonCode`.
        code: String,
        /// For people.
        reason: String,
    },
}

/// A name that points at one version, or at two by weight.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Alias {
    /// Its name.
    pub name: AliasName,
    /// As [`Function::instance`].
    #[serde(default)]
    pub instance: String,
    /// The version it points at.
    pub version: Version,
    /// Another version and the fraction of invokes it gets, 0 to 1; the rest goes to `version`.
    pub additional: Option<(Version, f64)>,
    /// Free text.
    pub description: String,
    /// Changes with every write.
    pub revision_id: String,
}

/// One version of one function, as handed from role to role on an invoke's path.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FunctionVersion {
    /// Whose, and where.
    pub scope: Scope,
    /// Its name.
    pub name: FunctionName,
    /// What it runs.
    pub configuration: Arc<Configuration>,
}

impl FunctionVersion {
    /// What tells its environments from all others.
    pub fn key(&self) -> FunctionKey {
        FunctionKey {
            scope: self.scope.clone(),
            name: self.name.clone(),
            version: self.configuration.version,
            generation: self.configuration.generation,
        }
    }

    /// The ARN with its version.
    pub fn arn(&self) -> FunctionArn {
        FunctionArn {
            scope: self.scope.clone(),
            name: self.name.clone(),
            qualifier: Some(Qualifier::Version(self.configuration.version)),
        }
    }
}

/// Names a function version at one generation. Environments of equal keys are interchangeable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct FunctionKey {
    /// Whose, and where.
    pub scope: Scope,
    /// The function.
    pub name: FunctionName,
    /// The version.
    pub version: Version,
    /// See [`Configuration::generation`].
    pub generation: u64,
}

/// Key of a [`Function`] row.
pub fn function_key(scope: &Scope, name: &FunctionName) -> String {
    format!("{}{name}", functions_prefix(scope))
}

/// Where a scope's [`Function`] rows begin.
pub fn functions_prefix(scope: &Scope) -> String {
    format!("{FUNCTIONS}{}/{}/", scope.account, scope.region)
}

/// Key of a published version's [`Configuration`] row. Padded, so that rows sort by number.
pub fn version_key(scope: &Scope, name: &FunctionName, number: u64) -> String {
    format!("{}{number:012}", versions_prefix(scope, name))
}

/// Where a function's version rows begin.
pub fn versions_prefix(scope: &Scope, name: &FunctionName) -> String {
    format!("{VERSIONS}{}/{}/{name}/", scope.account, scope.region)
}

/// Key of an [`Alias`] row.
pub fn alias_key(scope: &Scope, name: &FunctionName, alias: &AliasName) -> String {
    format!("{}{alias}", aliases_prefix(scope, name))
}

/// Where a function's alias rows begin.
pub fn aliases_prefix(scope: &Scope, name: &FunctionName) -> String {
    format!("{ALIASES}{}/{}/{name}/", scope.account, scope.region)
}

/// Key of what is attached to a function under a qualifier; `kind` is one of [`ATTACHED`]. No
/// qualifier is the same as `$LATEST`.
pub fn attached_key(kind: &str, arn: &FunctionArn) -> String {
    let prefix = attached_prefix(kind, &arn.scope, &arn.name);
    match &arn.qualifier {
        Some(qualifier) => format!("{prefix}{qualifier}"),
        None => format!("{prefix}{}", Version::Latest),
    }
}

/// Where the rows of one kind begin that are attached to a function.
pub fn attached_prefix(kind: &str, scope: &Scope, name: &FunctionName) -> String {
    format!("{kind}{}/{}/{name}/", scope.account, scope.region)
}

/// Kinds of rows that belong to one qualifier of a function, and go with it.
pub const ATTACHED: [&str; 7] = [
    POLICIES,
    URLS,
    PROVISIONED,
    EVENT_INVOKES,
    RECURSIONS,
    RUNTIME_MANAGEMENT,
    CODE_SIGNINGS,
];
/// Where all resource policies begin.
pub const POLICIES: &str = "policy/";
/// Where all function URLs begin.
pub const URLS: &str = "url/";
/// Where all settings of provisioned concurrency begin.
pub const PROVISIONED: &str = "provisioned/";
/// Where all settings of asynchronous invokes begin.
pub const EVENT_INVOKES: &str = "event-invoke/";
/// Prefix of the recursion settings; keyed by `$LATEST`.
pub const RECURSIONS: &str = "recursion/";
/// Prefix of the runtime update settings.
pub const RUNTIME_MANAGEMENT: &str = "runtime-management/";
/// Prefix of the rows that bind a function to its code signing config; keyed by `$LATEST`.
pub const CODE_SIGNINGS: &str = "code-signing-of/";
/// Prefix of all [`Function`] rows.
pub const FUNCTIONS: &str = "function/";
/// Prefix of all version rows.
pub const VERSIONS: &str = "version/";
/// Where all [`Alias`] rows begin.
pub const ALIASES: &str = "alias/";
