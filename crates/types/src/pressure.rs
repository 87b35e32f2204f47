//! How short a machine's processors are.

use std::time::Duration;

/// Tells how short the processors are that this process runs on.
pub trait Pressure: Send + Sync {
    /// For how long, in all, anything that could run has waited for a processor; `None` if that is not known
    /// here.
    fn stalled(&self) -> Option<Duration>;

    /// How many processors there are; at least one.
    fn processors(&self) -> u32;
}
