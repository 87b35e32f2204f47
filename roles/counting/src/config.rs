//! Counting's settings.

use std::time::Duration;

/// Settings of the counting role.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long a permit outlives the time its execution may last. It covers the way to the worker
    /// and back and a first init; a permit that lapses too early would let a function exceed its
    /// limit, one that lapses late only withholds what a dead frontend held. Default: a minute.
    pub grace: Duration,
    /// How long a level of concurrency stays reached without being reached again. Environments
    /// that served it stay idle about that long before they are ended: within that time the same level
    /// needs no new ones, so it costs nothing of the scaling rate. Default: ten minutes.
    pub level_memory: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(60),
            level_memory: Duration::from_secs(600),
        }
    }
}
