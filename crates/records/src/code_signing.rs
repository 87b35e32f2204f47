//! Code signing configs: whose signatures a function's code must have.
//!
//! ```text
//!   code-signing/<account>/<region>/<id>                        CodeSigningConfig
//!   code-signing-of/<account>/<region>/<name>/$LATEST           Signed      the config of a function
//! ```
//!
//! The second key is [`attached_key`](crate::functions::attached_key) with
//! [`CODE_SIGNINGS`](crate::functions::CODE_SIGNINGS).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{FunctionArn, Scope, Timestamp};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeSigningConfig {
    /// `csc-` and 17 hex digits.
    pub id: String,
    /// Whose, and where.
    pub scope: Scope,
    /// Free text.
    pub description: String,
    /// ARNs of the signing profiles' versions that are trusted.
    pub publishers: Vec<String>,
    /// What becomes of code that nobody trusted has signed.
    pub untrusted: Untrusted,
    /// When it was last written.
    pub last_modified: Timestamp,
    /// Tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

/// `UntrustedArtifactOnDeployment`.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub enum Untrusted {
    /// It is deployed, and that is logged.
    #[default]
    Warn,
    /// It is refused.
    Enforce,
}

/// Which config a function has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// The function, without a qualifier.
    pub function: FunctionArn,
    /// [`CodeSigningConfig::id`].
    pub config: String,
}

impl CodeSigningConfig {
    /// Its ARN.
    pub fn arn(&self) -> String {
        config_arn(&self.scope, &self.id)
    }
}

/// The ARN of a config.
pub fn config_arn(scope: &Scope, id: &str) -> String {
    let Scope { account, region } = scope;
    format!("arn:aws:lambda:{region}:{account}:code-signing-config:{id}")
}

/// Key of a [`CodeSigningConfig`] row.
pub fn config_key(scope: &Scope, id: &str) -> String {
    format!("{}{id}", configs_prefix(scope))
}

/// Where a scope's [`CodeSigningConfig`] rows begin.
pub fn configs_prefix(scope: &Scope) -> String {
    format!("{CONFIGS}{}/{}/", scope.account, scope.region)
}

/// Where all [`CodeSigningConfig`] rows begin.
pub const CONFIGS: &str = "code-signing/";
