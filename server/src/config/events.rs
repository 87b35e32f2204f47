//! What can be set about the asynchronous plane.

use serde::{Deserialize, Serialize};

/// Asynchronous invokes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Events {
    /// A second address, for balancers that send them there; empty for none. Both answer all requests.
    pub(crate) listen: String,
    /// Threads that work on them and on nothing else; 0 for half of the processors.
    pub(crate) threads: usize,
    /// Events that are invoked at a time; of one function half of it at most.
    pub(crate) concurrency: u32,
    /// MB of events that are on their way into the queues at a time; beyond it they are refused.
    pub(crate) accepting_mb: usize,
    /// Failed events that nobody is told of are kept, so many of each function.
    pub(crate) failed_max: u64,
    /// For so many hours.
    pub(crate) failed_hours: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            listen: String::new(),
            threads: 0,
            concurrency: 64,
            accepting_mb: 64,
            failed_max: 1_000,
            failed_hours: 336,
        }
    }
}
