//! The assignment role: which environment runs this invoke?
//!
//! ```text
//!   assign ──▶ partition, by hash of the function version
//!                ├─ an idle environment ─────────────────────────────▶ Lease   (memory only)
//!                └─ none: queued ◀── whichever comes first ─────────▶ Lease
//!                     ├─ an invoke ends, the worker reports Idle
//!                     └─ creation: place ─▶ credentials ─▶ worker.create ∥ journal append
//! ```
//!
//! A partition is a pure machine ([`state`]) behind a lock, and a writer that appends what is to
//! survive ([`command`]) to its journal. What is idle or busy is only in memory, and reported again by the workers
//! after a restart; a warm invoke writes nothing and switches no task.
//!
//! Architecture invariants: **the worker is the arbiter of lending**: an environment refuses a
//! second invoke, so a leader that is wrong costs a retry and never a double run. Nothing is lent
//! whose `Created` is not in the journal, so no environment is ever orphaned.

mod command;
mod config;
mod hash;
mod leads;
mod metrics;
mod service;
mod state;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use hash::partition;
pub use leads::{Leads, LiveWorkers, partition_name, partition_names};
pub use metrics::Metrics;
pub use service::{Dependencies, Error, Service};
pub use state::Counts;
