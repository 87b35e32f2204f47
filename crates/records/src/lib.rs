//! What the metadata table holds: the rows, their keys, and how keys are read.
//!
//! One module for each kind of row. Roles that share a row share it by this crate; who may write it is said
//! with it.
//!
//! Architecture invariant: no IO and no state here. A row that was written by an earlier version is read.

pub mod code_signing;
pub mod event_invoke;
pub mod event_sources;
#[cfg(feature = "examples")]
pub mod examples;
pub mod functions;
pub mod iam;
pub mod layers;
pub mod log_groups;
pub mod packages;
pub mod policies;
pub mod provisioned;
pub mod recursion;
pub mod stacks;
pub mod urls;
