//! Settings for asynchronous invokes.

use std::time::Duration;

use crate::charges::Kept;

/// See the fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// This process, as leases name it; no other may have that name.
    pub holder: String,
    /// Invokes at a time, of all functions. One function gets half of it at most, two a third each,
    /// so that slow ones do not hold up the others.
    pub concurrency: u32,
    /// Bytes of events that are held in memory to be worked on; beyond it they wait in their queues.
    /// Each poller may go beyond it by one receive, [`storage::queue::RECEIVE_BYTES_MAX`].
    pub working_bytes_max: usize,
    /// Bytes of events that are being taken at a time; beyond it they are refused.
    pub accepting_bytes_max: usize,
    /// How much is kept of a function, an account and all; beyond it events are refused.
    pub kept: Kept,
    /// A poller whose process is silent for this long loses its queues.
    pub lease_term: Duration,
    /// A poller that shows no life for this long, in a process that does, is told to stop and replaced.
    pub silence_max: Duration,
    /// For how long a received event is hidden from other pollers. Renewed while it is worked on, so
    /// it bounds how late one is tried again whose process died.
    pub visibility: Duration,
    /// Failed events that are kept for each function.
    pub failed_max: u64,
    /// For how long they are kept.
    pub failed_age_max: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            holder: "local".to_owned(),
            concurrency: 64,
            // Twice as much as that many of the largest events.
            working_bytes_max: 256 * 1024 * 1024,
            accepting_bytes_max: 64 * 1024 * 1024,
            kept: Kept::default(),
            lease_term: Duration::from_secs(10),
            silence_max: Duration::from_secs(20),
            visibility: Duration::from_secs(15),
            failed_max: 1_000,
            // Two weeks, as queues of AWS keep messages at most.
            failed_age_max: Duration::from_secs(14 * 24 * 3_600),
        }
    }
}
