//! What the system keeps, behind traits: rows, journals, queues, blobs.
//!
//! Two families of implementations: in memory ([`memory`], for tests and simulation) and those of
//! the `backends` crate, which only `server` knows. [`conformance`] is the one suite that each
//! must pass; a promise in a trait's doc has a test there.
//!
//! Acknowledged means durable: a write that returned survives a crash of the process and the machine.

pub mod blobs;
pub mod conformance;
pub mod journal;
pub mod memory;
pub mod queue;
pub mod room;
pub mod table;
mod timely;
mod watched;

pub use blobs::Blobs;
pub use journal::{Appended, Journal, Position, Record};
pub use queue::Queue;
pub use room::{Boundless, Reserving, Room};
pub use table::{Change, Consistency, Expect, Revision, Row, Table, Watch};
pub use timely::Timely;
pub use watched::WatchedRows;

/// Why a store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The row is not as the writer expected it. Nothing was written.
    #[error("row {key} is not as expected")]
    Conflict {
        /// The row.
        key: String,
    },
    /// A key, name or value breaks the rule of its trait. Nothing was written; a retry cannot succeed.
    #[error("the store takes no {what} like this: {rule}")]
    Invalid {
        /// `key`, `value`, `name`.
        what: &'static str,
        /// The rule.
        rule: &'static str,
    },
    /// There is no room for it: its owner has as much as it may have, or the disk has no more than its
    /// reserve. Nothing was written.
    #[error("there is no room for this: {what}")]
    Full {
        /// What is full.
        what: &'static str,
    },
    /// The store cannot be reached or does not work; a write may or may not have happened.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}
