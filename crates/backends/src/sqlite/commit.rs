//! Group commit: all commands that wait go in one transaction and share its fsync.
//!
//! If SQLite itself fails, the whole transaction is undone and everybody in it is told that the
//! outcome is not known.

use std::sync::Arc;

use rusqlite::Connection;
use storage::Error;
use tokio::sync::{mpsc, oneshot};

use crate::error::unavailable;

/// Commands that may wait for a writer. It takes them all at once, so this also bounds a
/// transaction; callers beyond it wait for a place.
pub(super) const COMMANDS_WAITING_MAX: usize = 1_024;
/// The bytes of what is written after which a transaction takes no further command: beyond some
/// megabytes, writing takes longer than the fsync that is shared.
const TRANSACTION_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where a command's answer goes. Whoever does not listen any more has lost interest, not the write.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What failed for everybody in a transaction.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the transaction failed")]
pub(super) struct Failed(#[source] Arc<rusqlite::Error>);

impl Failed {
    /// As callers are told.
    pub(super) fn error(&self) -> Error {
        unavailable(self.clone())
    }
}

/// What a writer thread does with its commands.
pub(super) trait Writes {
    type Command;
    /// What became of a command, to be told once the transaction is on disk.
    type Outcome;

    fn connection(&self) -> &Connection;

    /// Bytes that a command writes.
    fn bytes(command: &Self::Command) -> usize;

    /// Carries out a command within the transaction. A command that finds things not as expected
    /// writes nothing and says so in its outcome; the others are not touched by it.
    fn execute(&mut self, command: &Self::Command) -> rusqlite::Result<Self::Outcome>;

    /// Commands that did not ask for a transaction of their own and go along with the next.
    fn join(&mut self) -> Vec<Self::Command> {
        Vec::new()
    }

    /// The last words before the commit.
    fn finish(&mut self) -> rusqlite::Result<()>;

    /// The transaction is on disk: answers everybody.
    fn committed(&mut self, batch: Vec<(Self::Command, Self::Outcome)>);

    /// Nothing of the transaction was written, as far as is known.
    fn failed(&mut self, batch: Vec<Self::Command>, why: &Failed);
}

/// Works until everybody who could ask is gone.
pub(super) fn run<W: Writes>(mut writes: W, mut commands: mpsc::Receiver<W::Command>) {
    loop {
        // None when all of them are gone. What goes along may be left even then.
        let first = commands.blocking_recv();
        let mut bytes = first.as_ref().map_or(0, W::bytes);
        let mut batch = Vec::from_iter(first);
        while batch.len() < COMMANDS_WAITING_MAX
            && bytes < TRANSACTION_BYTES_MAX
            && let Ok(next) = commands.try_recv()
        {
            bytes += W::bytes(&next);
            batch.push(next);
        }
        batch.extend(writes.join());
        if batch.is_empty() {
            return;
        }
        match transact(&mut writes, &batch) {
            Ok(outcomes) => writes.committed(batch.into_iter().zip(outcomes).collect()),
            Err(error) => {
                // If SQLite has undone it by itself already, there is nothing to undo.
                let _ = writes.connection().execute_batch("ROLLBACK");
                let failed = Failed(Arc::new(error));
                tracing::error!(
                    error = &failed as &dyn std::error::Error,
                    commands = batch.len(),
                    "a transaction failed"
                );
                writes.failed(batch, &failed);
            }
        }
    }
}

/// All of the batch, on disk when this returns.
fn transact<W: Writes>(writes: &mut W, batch: &[W::Command]) -> rusqlite::Result<Vec<W::Outcome>> {
    let begin = "BEGIN IMMEDIATE";
    writes.connection().prepare_cached(begin)?.execute([])?;
    let outcomes = batch
        .iter()
        .map(|command| writes.execute(command))
        .collect::<Result<Vec<_>, _>>()?;
    writes.finish()?;
    writes.connection().prepare_cached("COMMIT")?.execute([])?;
    Ok(outcomes)
}
