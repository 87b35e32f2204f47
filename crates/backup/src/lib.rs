//! Copies what a system keeps from one set of stores to another: to back it up, and to restore it.
//!
//! ```text
//!   save      messages, twice ─▶ rows, all of one moment ─▶ blobs that the rows name ─▶ are all there?
//!   restore   is nothing there? ─▶ blobs ─▶ rows ─▶ messages ─▶ is as much there as was copied?
//! ```
//!
//! Both sides are traits of `storage`; what keys, bodies and blobs mean is told by a [`Meaning`].
//!
//! Why a copy of a system that runs is consistent:
//!
//! - **Rows** are those of one moment: a watch begins with all rows as they are then.
//! - **Blobs** never change under their name. One that a row of that moment names was there at that moment, and the system
//!   removes one only an hour after the last row that named it. Should it be gone nevertheless, the copy fails.
//! - **Messages** are delivered at least once, and may be copied in a state before their last. None is left out: one
//!   that moves to another queue is put in there before it leaves the first, so the second reading of all queues finds
//!   what the first has missed. They are read before the rows: what a message is about is in the rows, or was deleted
//!   since.
//! - A copy is **restored** in the other order: who takes a message finds its row, who reads a row finds its blobs.
//!
//! Read in this order: `meaning.rs`, `rows.rs`, `blobs.rs`, `messages.rs`, `copies.rs`.

mod blobs;
mod copies;
mod error;
mod meaning;
mod messages;
mod rows;

use std::sync::Arc;

use storage::{Blobs, Queue, Table};

pub use copies::{clear, found, restore, save};
pub use error::Error;
pub use meaning::{Counts, Meaning, Message, Progress};

/// What a system keeps, but for journals: those are about what runs, and nothing of that is restored.
#[derive(Clone)]
pub struct Stores {
    /// Rows.
    pub table: Arc<dyn Table>,
    /// Queues.
    pub queue: Arc<dyn Queue>,
    /// Blobs.
    pub blobs: Arc<dyn Blobs>,
}
