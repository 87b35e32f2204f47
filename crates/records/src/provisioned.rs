//! Provisioned concurrency of an alias or a version: the control plane's row about it, which the
//! frontend reads too.
//!
//! ```text
//!   provisioned/<account>/<region>/<name>/<alias or version>      Provisioned
//!
//!   IN_PROGRESS ─▶ READY          all requested environments are ready; those that end are replaced
//!        └───────▶ FAILED         not all can be created; it is retried, ever less often
//! ```
//!
//! An alias that has two versions, or has just been moved, has an allocation for each. One that is
//! leaving is ended once the others are complete.

use serde::{Deserialize, Serialize};
use types::{Timestamp, Version};

/// The row.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Provisioned {
    /// How many its owner asked for.
    pub requested: u32,
    /// When.
    pub last_modified: Timestamp,
    /// How it stands.
    pub status: Status,
    /// What is there for it, by version.
    pub allocations: Vec<Allocation>,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Status {
    /// Environments are being made.
    InProgress,
    /// All are there.
    Ready,
    /// Not all can be made.
    Failed {
        /// AWS's word for it, or a sentence.
        reason: String,
    },
}

/// Environments of one version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Allocation {
    /// The version.
    pub version: Version,
    /// How many of them there should be.
    pub wanted: u32,
    /// How many there are.
    pub allocated: u32,
    /// Whether invokes use them: not before they were complete once, or it is known that they will not be.
    pub in_service: bool,
    /// Whether the alias no longer points there.
    pub leaving: bool,
}

impl Provisioned {
    /// How many there are, of versions it is for now.
    pub fn allocated(&self) -> u32 {
        self.staying()
            .map(|allocation| allocation.allocated)
            .sum::<u32>()
            .min(self.requested)
    }

    /// How many of these invokes may use.
    pub fn available(&self) -> u32 {
        self.staying()
            .map(Allocation::available)
            .sum::<u32>()
            .min(self.requested)
    }

    fn staying(&self) -> impl Iterator<Item = &Allocation> {
        self.allocations
            .iter()
            .filter(|allocation| !allocation.leaving)
    }
}

impl Allocation {
    /// How many invokes of the version may use at once.
    pub fn available(&self) -> u32 {
        if self.in_service { self.allocated } else { 0 }
    }
}
