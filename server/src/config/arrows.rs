//! How roles reach each other.

use serde::{Deserialize, Serialize};

/// See the module.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Arrows {
    /// How long each call between roles is on its way there, and its answer on its way back: as if each role were on a
    /// machine of its own.
    pub(crate) delay_ms: u64,
}
