//! Acks wait a moment for a transaction that is made anyhow: they are most of the writes, and nobody
//! is in a hurry for one.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::command::Command;

/// How long an ack waits for others. A crash meanwhile delivers its message again, as a crash before it
/// would have.
pub(super) const PATIENCE: Duration = Duration::from_millis(5);
/// With this many, acks no longer wait for others.
const MANY: usize = 32;

/// Acks that wait, for the writer to take along.
#[derive(Default)]
pub(super) struct Acks(Mutex<Vec<Command>>);

impl Acks {
    /// One more. Tells whether that makes them enough for a transaction of their own.
    pub(super) fn add(&self, ack: Command) -> bool {
        let mut acks = self.lock();
        acks.push(ack);
        acks.len().is_multiple_of(MANY)
    }

    /// All of them.
    pub(super) fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Command>> {
        // Nothing can panic within.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
