//! What the control plane writes about layers: the rows of the metadata table and their keys.
//!
//! ```text
//!   key                                                value (JSON)
//!   layer/<account>/<region>/<name>                    Layer          the numbers given out so far
//!   layer-version/<account>/<region>/<name>/<%012d>    LayerVersion   never changes, but for its policy
//! ```
//!
//! A number is taken from the first before the second is written, so that none is ever used twice;
//! one that was taken and whose version was never written is just left out.

use serde::{Deserialize, Serialize};
use types::{LayerName, Scope, Timestamp};

use crate::policies::ResourcePolicy;

/// A layer, apart from its versions.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Layer {
    /// Whose, and where.
    pub scope: Scope,
    /// Its name.
    pub name: LayerName,
    /// The highest number given to a version of it.
    pub published: u64,
}

/// One version of a layer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LayerVersion {
    /// Its number, from 1 upward.
    pub number: u64,
    /// Free text.
    pub description: String,
    /// Free text: a licence's name, its text or where that is.
    pub license: Option<String>,
    /// Runtimes it is meant for, as its owner says, if they say; for lists to choose by.
    pub runtimes: Option<Vec<String>>,
    /// Architectures it is meant for.
    pub architectures: Option<Vec<String>>,
    /// Names the package in the image store: hex SHA-256 of the zip.
    pub image: String,
    /// Base64 SHA-256 of the zip.
    pub sha256: String,
    /// Bytes of the zip.
    pub bytes: u64,
    /// Bytes of its files, unpacked.
    pub unpacked_bytes: u64,
    /// When it was published.
    pub created: Timestamp,
    /// Who may use it, in addition to its own account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<ResourcePolicy>,
}

/// Key of a [`Layer`] row.
pub fn layer_key(scope: &Scope, name: &LayerName) -> String {
    format!("{}{name}", layers_prefix(scope))
}

/// Where a scope's [`Layer`] rows begin.
pub fn layers_prefix(scope: &Scope) -> String {
    format!("{LAYERS}{}/{}/", scope.account, scope.region)
}

/// Key of a [`LayerVersion`] row. Padded, so that rows sort by number.
pub fn layer_version_key(scope: &Scope, name: &LayerName, number: u64) -> String {
    format!("{}{number:012}", layer_versions_prefix(scope, name))
}

/// Where a layer's [`LayerVersion`] rows begin.
pub fn layer_versions_prefix(scope: &Scope, name: &LayerName) -> String {
    format!("{}{name}/", all_layer_versions_prefix(scope))
}

/// Where the [`LayerVersion`] rows of all of a scope's layers begin.
pub fn all_layer_versions_prefix(scope: &Scope) -> String {
    format!("{LAYER_VERSIONS}{}/{}/", scope.account, scope.region)
}

/// Where all [`Layer`] rows begin.
pub(crate) const LAYERS: &str = "layer/";
/// Where all [`LayerVersion`] rows begin.
pub const LAYER_VERSIONS: &str = "layer-version/";
