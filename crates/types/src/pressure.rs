//! How short a machine's processors are.

use std::time::Duration;

/// The part of the time in which something waited for a processor, beyond which processors are short.
pub const SHORT: f64 = 0.5;
/// And below which they are free again. In between all stays as it was.
pub const FREE: f64 = 0.3;

/// Tells how short the processors are that this process runs on.
pub trait Pressure: Send + Sync {
    /// For how long, in all, anything that could run has waited for a processor; `None` if that is not known
    /// here.
    fn stalled(&self) -> Option<Duration>;

    /// How many processors there are; at least one.
    fn processors(&self) -> u32;
}
