//! What is written down about packages of code: only that one is not used any more.
//!
//! ```text
//!   key                                value (JSON)
//!   unused-package/<hex SHA-256>       UnusedPackage
//! ```
//!
//! That one is used is said by the rows of functions, versions and layers, which name it.

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// A package that no row names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UnusedPackage {
    /// When that was first seen.
    pub since: Timestamp,
    /// It is being removed: nobody may begin to use it before this row is gone.
    #[serde(default)]
    pub going: bool,
}

/// Key of an [`UnusedPackage`] row.
pub fn unused_package_key(image: &str) -> String {
    format!("{UNUSED_PACKAGES}{image}")
}

/// Where all [`UnusedPackage`] rows begin.
pub const UNUSED_PACKAGES: &str = "unused-package/";
