//! The control plane: Lambda's REST API except for invokes, and the background work behind it.
//!
//! ```text
//!   request ─▶ service ─▶ operations ─▶ authorise ─▶ functions | versions | aliases | … ─▶ rows ─▶ Table
//!                                                          └─▶ Images          ▲
//!                                          settle (in the background) ─────────┘
//! ```
//!
//! A write that is acknowledged to the caller is durable. Work that takes longer continues in
//! [`Settler`]: a function stays `Pending`, or its update `InProgress`, until its code is ready to run,
//! and a control plane that was killed in between resumes when it starts.

mod account;
mod aliases;
mod answer;
mod attached;
mod authorise;
mod body;
mod call;
mod code_location;
mod code_signing;
mod code_storage;
mod concurrency;
mod config;
mod destinations;
mod event_invoke_config;
mod event_source_mappings;
mod failure;
mod function_rows;
mod functions;
mod layers;
mod metrics;
mod operations;
mod package_words;
mod page;
mod permissions;
mod provisioned;
mod provisioning;
mod recursion;
mod role_rights;
mod runtime_management;
mod service;
mod settle;
mod shares;
mod source;
mod stacks;
mod tags;
#[cfg(test)]
mod tests;
mod throttle;
mod unused_packages;
mod uploads;
mod urls;
mod versions;
mod workers;

pub use config::{Config, Rates, Urls};
pub use metrics::register_metrics;
pub use provisioning::Provisioner;
pub use service::{Control, Dependencies, REQUEST_BYTES_MAX, is_own};
pub use settings::functions::RuntimesHere;
pub use settle::Settler;
pub use shares::Shares;
pub use source::{NoPackages, Object, PACKAGE_BYTES_MAX, PackageSource, SourceError};
pub use unused_packages::UnusedPackages;
