//! Where environments are put.

use serde::{Deserialize, Serialize};

/// Placement.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Placement {
    /// Shortest life of an environment, seconds.
    pub(crate) lease_seconds_min: u64,
    /// Longest life of an environment, seconds.
    pub(crate) lease_seconds_max: u64,
    /// How often the worker's memory may be promised.
    pub(crate) overcommit: f64,
}

impl Default for Placement {
    fn default() -> Self {
        Self {
            lease_seconds_min: 7_200,
            lease_seconds_max: 14_400,
            overcommit: 5.0,
        }
    }
}
