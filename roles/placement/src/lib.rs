//! The placement role: which worker gets a new environment, and for how long?
//!
//! ```text
//!   worker ──heartbeat, every second──▶ State ──place──▶ a worker, its zone, a lease's end
//! ```
//!
//! [`state`] decides; [`Service`] puts a lock, a clock and chance around it.
//!
//! Architecture invariant: soft state only. All that placement knows, workers tell it again within
//! a second, so a restart loses nothing.

mod config;
mod metrics;
mod service;
mod state;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use metrics::Metrics;
pub use service::Service;
