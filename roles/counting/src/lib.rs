//! The counting role: may this function run once more right now?
//!
//! ```text
//!   acquire ──▶ concurrency ──▶ requests a second ──▶ scaling rate ──▶ Permit
//!   release ──▶ given back        (or it lapses, a minute after the invoke should have ended)
//! ```
//!
//! [`state`] decides and knows no clock; [`Service`] puts a lock, a clock and a timer around it.
//!
//! Architecture invariant: soft state only. Nothing is stored; a restart forgets every permit, and
//! callers tell the limits with every request, so counting reads no metadata.

mod config;
mod metrics;
mod service;
mod state;

#[cfg(test)]
mod tests;

pub use config::Config;
pub use metrics::Metrics;
pub use service::Service;
pub use state::{Count, ProvisionedCount};
