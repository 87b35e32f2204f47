//! What functions print: kept in files, and read and written by CloudWatch Logs' API.
//!
//! ```text
//!   worker ─▶ api::logs::Logs ─▶ LogStore (files) | Shipper (blobs of a cluster)
//!                                    ▲                 ▲
//!   request ─▶ service ─▶ authn ─▶ cloudwatch ─▶ store::Store, and rows (groups) ─▶ Table
//!                                    ▲
//!                     Keeper, in the background: what is too old goes
//! ```

mod cloudwatch;
mod files;
mod metrics;
mod search;
mod service;
mod shared;
mod store;
#[cfg(test)]
mod tests;

pub use cloudwatch::Keeper;
pub use files::{Bounds, LogStore};
pub use metrics::{Counted, register_metrics};
pub use service::{Config, Dependencies, Service};
pub use shared::{SharedDependencies, SharedStore, Shipper, Shipping, Workers};
pub use store::Store;
