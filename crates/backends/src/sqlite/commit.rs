//! Group commit: all commands that wait go in one transaction and share its fsync.
//!
//! If SQLite itself fails, the whole transaction is undone and everybody in it is told that the
//! outcome is not known. So they are if the file has lost its name: what is in it then, no start finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use storage::Error;
use tokio::sync::{mpsc, oneshot};

use super::names::{Moved, Names};
use super::open::Noted;
use crate::error::unavailable;

/// Commands that may wait for a writer. It takes them all at once, so this also bounds a
/// transaction; callers beyond it wait for a place.
pub(super) const COMMANDS_WAITING_MAX: usize = 1_024;
/// The bytes of what is written after which a transaction takes no further command: beyond some
/// megabytes, writing takes longer than the fsync that is shared.
const TRANSACTION_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Where a command's answer goes. A caller that no longer listens loses only the answer, not the write.
pub(super) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// How often the progress of the file is noted in the file next to it.
const NOTE_EVERY: Duration = Duration::from_secs(10);
/// How often room in the file is given back to the disk, if there is some.
const TIDY_EVERY: Duration = Duration::from_millis(500);

/// What a writer thread is given to do.
pub(super) enum Job<C> {
    /// A command, in a transaction with others.
    Do(C),
    /// Bring all that is written into the file itself, out of its log.
    Checkpoint(Reply<()>),
}

/// What failed for everybody in a transaction.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the transaction failed")]
pub(super) struct Failed(#[source] Arc<Cause>);

/// Why.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cause {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Moved(#[from] Moved),
}

impl Failed {
    /// The error for callers.
    pub(super) fn error(&self) -> Error {
        unavailable(self.clone())
    }
}

/// What a writer thread does with its commands.
pub(super) trait Writes {
    type Command;
    /// A command's result, to be sent once the transaction is on disk.
    type Outcome;

    fn connection(&self) -> &Connection;

    /// A number that goes up with what is on disk.
    fn writes(&self) -> u64;

    /// Gives a little of the file's room back to the disk, in a transaction of its own. Answers whether
    /// there is more.
    fn tidy(&mut self) -> rusqlite::Result<bool> {
        Ok(false)
    }

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

/// The file that a writer writes.
pub(super) struct Written {
    /// Its names.
    pub(super) names: Names,
    /// What is noted of it elsewhere.
    pub(super) noted: Noted,
}

/// Works until everybody who could ask is gone; then brings everything into the file itself.
pub(super) fn run<W: Writes>(
    mut writes: W,
    mut file: Written,
    mut jobs: mpsc::Receiver<Job<W::Command>>,
) {
    let mut works = true;
    let (mut noted, mut tidied) = (Instant::now(), Instant::now());
    loop {
        // None when all of them are gone. What goes along may be left even then.
        let first = jobs.blocking_recv();
        let (batch, checkpoint) = gather(&mut writes, &mut jobs, first);
        if batch.is_empty() && checkpoint.is_none() {
            break;
        }
        if !batch.is_empty() {
            works = commit(&mut writes, &file.names, batch, works);
        }
        if let Some(reply) = checkpoint {
            let done = checkpointed(writes.connection());
            file.noted.note(writes.writes());
            // The caller may no longer wait for it.
            let _ = reply.send(done.map_err(unavailable));
        }
        if works && noted.elapsed() >= NOTE_EVERY {
            file.noted.note(writes.writes());
            noted = Instant::now();
        }
        // Each step is short, and ends as soon as somebody waits.
        while works && jobs.is_empty() && tidied.elapsed() >= TIDY_EVERY {
            match writes.tidy() {
                Ok(true) => {}
                Ok(false) => tidied = Instant::now(),
                Err(error) => {
                    tracing::warn!(%error, "could not return a file's free space to the disk");
                    tidied = Instant::now();
                }
            }
        }
    }
    if let Err(error) = checkpointed(writes.connection()) {
        tracing::warn!(%error, "could not checkpoint the write-ahead log; the next start replays it");
    }
    file.noted.note(writes.writes());
}

/// All that waits, as far as it fits in one transaction, up to a checkpoint.
fn gather<W: Writes>(
    writes: &mut W,
    jobs: &mut mpsc::Receiver<Job<W::Command>>,
    first: Option<Job<W::Command>>,
) -> (Vec<W::Command>, Option<Reply<()>>) {
    let (mut batch, mut bytes, mut next) = (Vec::new(), 0, first);
    let mut checkpoint = None;
    loop {
        match next {
            Some(Job::Do(command)) => {
                bytes += W::bytes(&command);
                batch.push(command);
            }
            Some(Job::Checkpoint(reply)) => {
                checkpoint = Some(reply);
                break;
            }
            None => break,
        }
        if batch.len() >= COMMANDS_WAITING_MAX || bytes >= TRANSACTION_BYTES_MAX {
            break;
        }
        next = jobs.try_recv().ok();
    }
    batch.extend(writes.join());
    (batch, checkpoint)
}

/// Writes a batch and answers everybody in it. Tells whether the store works, having been told whether
/// it did before.
fn commit<W: Writes>(writes: &mut W, names: &Names, batch: Vec<W::Command>, worked: bool) -> bool {
    match transact(writes, names, &batch) {
        Ok(outcomes) => {
            if !worked {
                tracing::info!("a store that failed works again");
            }
            writes.committed(batch.into_iter().zip(outcomes).collect());
            true
        }
        Err(error) => {
            // If SQLite has undone it by itself already, there is nothing to undo.
            let _ = writes.connection().execute_batch("ROLLBACK");
            let failed = Failed(Arc::new(error));
            tracing::error!(
                error = &failed as &dyn std::error::Error,
                commands = batch.len(),
                "a store cannot be written"
            );
            writes.failed(batch, &failed);
            false
        }
    }
}

/// All of the batch, on disk when this returns.
fn transact<W: Writes>(
    writes: &mut W,
    names: &Names,
    batch: &[W::Command],
) -> Result<Vec<W::Outcome>, Cause> {
    names.check()?;
    let begin = "BEGIN IMMEDIATE";
    writes.connection().prepare_cached(begin)?.execute([])?;
    let outcomes = batch
        .iter()
        .map(|command| writes.execute(command))
        .collect::<Result<Vec<_>, _>>()?;
    writes.finish()?;
    writes.connection().prepare_cached("COMMIT")?.execute([])?;
    names.check()?;
    Ok(outcomes)
}

/// Brings all that is written into the file itself.
pub(super) fn checkpointed(connection: &Connection) -> rusqlite::Result<()> {
    // One row: whether a reader was in the way, and how much there was to do. What a reader holds back
    // stays in the log, which is as safe.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}
