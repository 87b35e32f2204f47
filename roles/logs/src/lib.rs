//! What functions print: kept in files, and read and written by CloudWatch Logs' API.
//!
//! ```text
//!   worker ─▶ api::logs::Logs ─▶ store ─▶ files
//!                                  ▲
//!   request ─▶ service ─▶ authn ─▶ cloudwatch ─▶ rows (groups) ─▶ Table
//!                                  ▲
//!                     Keeper, in the background: what is too old goes
//! ```

mod cloudwatch;
mod metrics;
mod service;
mod store;
#[cfg(test)]
mod tests;

pub use cloudwatch::Keeper;
pub use metrics::register_metrics;
pub use service::{Config, Dependencies, Service};
pub use store::{Bounds, LogStore};
