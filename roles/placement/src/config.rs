//! Placement's settings.

use std::time::Duration;

/// Settings of the placement role.
#[derive(Clone, Debug)]
pub struct Config {
    /// A worker silent for longer is not given environments. It speaks every second: five misses
    /// in a row are not an accident. Default: 5 s.
    pub silence_max: Duration,
    /// How many times its memory a worker may promise. Functions ask for the most they will ever
    /// need, and buy processor time with memory, so that environments use a fraction of what they
    /// are entitled to; and most are frozen, waiting. Must be at least 1. Default: 4.
    pub overcommit: f64,
    /// The least an environment may live: they are recycled every few hours. Default: 2 h.
    pub lease_min: Duration,
    /// The most it may live. Each gets a random time between the two, so that those made together
    /// in one burst do not end together in another. Default: 4 h.
    pub lease_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            silence_max: Duration::from_secs(5),
            overcommit: 5.0,
            lease_min: Duration::from_secs(2 * 3_600),
            lease_max: Duration::from_secs(4 * 3_600),
        }
    }
}
