//! The control plane: Lambda's REST API but for its invokes, a slice of STS, who has which key,
//! and where log lines are kept.
//!
//! ```text
//!   request ─▶ service ─▶ identity, authorisation ─▶ functions | versions | aliases | … ─▶ rows ─▶ Table
//!                                                          └─▶ Images          ▲
//!                                          settle (in the background) ─────────┘
//! ```
//!
//! What a caller is told has been written is durable. What takes longer goes on in [`Settler`]:
//! a function stays `Pending`, or its update `InProgress`, until its code is ready to run, and a
//! control plane that was killed in between takes it up again when it starts.

mod absent;
mod account;
mod aliases;
mod answer;
mod attached;
mod authorise;
mod body;
mod cloudwatch;
mod code_location;
mod code_signing;
mod code_storage;
mod concurrency;
mod config;
mod destinations;
mod event_invoke_config;
mod event_source_mappings;
mod failure;
mod functions;
mod iam;
mod identity;
mod layers;
mod logs;
mod metrics;
mod package_words;
mod page;
mod permissions;
mod protocol;
mod provisioned;
mod provisioning;
mod recursion;
mod role;
mod role_rights;
mod rows;
mod runtime_management;
mod service;
mod settle;
mod source;
mod stacks;
mod sts;
mod tags;
#[cfg(test)]
mod tests;
mod throttle;
mod unused_packages;
mod uploads;
mod urls;
mod versions;

pub use cloudwatch::Keeper as LogKeeper;
pub use config::{Config, Rates, Urls};
pub use functions::RuntimesHere;
pub use iam::KeyUses;
pub use identity::{Keys, MasterSecret, RootKey, UnknownRoles};
pub use logs::{Bounds as LogBounds, LogStore};
pub use metrics::Metrics;
pub use provisioning::Provisioner;
pub use service::{Control, Dependencies, REQUEST_BYTES_MAX};
pub use settle::Settler;
pub use source::{NoPackages, Object, PACKAGE_BYTES_MAX, PackageSource, SourceError};
pub use unused_packages::UnusedPackages;
