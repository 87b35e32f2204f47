//! Settings for data on the disk: logs, and the system's reserve.

use serde::{Deserialize, Serialize};

/// The disk that everything is kept on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Disk {
    /// MB that are kept for the system itself: with less room nothing new is taken of anybody. 0 for a
    /// twentieth of the disk, at most 1 GB.
    pub(crate) reserve_mb: u64,
}

/// What functions print.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Logs {
    /// Days that log groups keep what they have, unless one's own policy says otherwise; 0 for ever.
    pub(crate) retention_days: u32,
    /// MB that one log group may take on disk. What was written longest ago goes first.
    pub(crate) group_mb_max: u64,
    /// MB that the log groups of one account may take; 0 for half of what all may.
    pub(crate) account_mb_max: u64,
    /// MB that the functions of one account may print in a second; one that prints more waits. 0 for four
    /// for each processor.
    pub(crate) account_mb_per_second: u64,
    /// MB that all log groups together may take.
    pub(crate) total_mb_max: u64,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            retention_days: 0,
            group_mb_max: 1_024,
            account_mb_max: 0,
            account_mb_per_second: 0,
            total_mb_max: 10_240,
        }
    }
}
