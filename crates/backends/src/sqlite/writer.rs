//! The one thread that writes: all commands that wait go in one transaction and share its fsync.
//!
//! A command that finds its row or journal not as expected writes nothing and is answered so; the
//! others are not touched by it. If SQLite itself fails, the whole transaction is undone and
//! everybody in it is told that the outcome is not known.

use std::sync::Arc;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use storage::table::WATCH_BACKLOG;
use storage::{Appended, Change, Error, Expect, Position, Revision, Row, Watch};
use tokio::sync::{mpsc, oneshot};

use super::COMMANDS_WAITING_MAX;
use super::query::{self, signed, unsigned};
use crate::error::unavailable;

/// The bytes of values and records after which a transaction takes no further command: beyond
/// some megabytes, writing takes longer than the fsync that is shared.
const TRANSACTION_BYTES_MAX: usize = 8 * 1024 * 1024;

type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What the writer is asked for.
pub(super) enum Command {
    Put {
        key: String,
        value: Bytes,
        expect: Expect,
        reply: Reply<Revision>,
    },
    Delete {
        key: String,
        expect: Expect,
        reply: Reply<()>,
    },
    Append {
        partition: String,
        expected: Position,
        records: Vec<Bytes>,
        reply: Reply<Appended>,
    },
    Trim {
        partition: String,
        before: Position,
        reply: Reply<()>,
    },
    Watch {
        prefix: String,
        reply: Reply<Watch>,
    },
}

/// What became of a command, to be told once the transaction is on disk.
enum Outcome {
    Written(Revision),
    Done,
    Conflict,
    Appended(Appended),
}

/// What failed for everybody in a transaction.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the transaction failed")]
struct Failed(#[source] Arc<rusqlite::Error>);

/// See the module.
pub(super) struct Writer {
    connection: Connection,
    /// The last revision given. After a failure it is left where it was: a gap does no harm.
    revision: u64,
    watchers: Vec<Watcher>,
}

struct Watcher {
    prefix: String,
    changes: mpsc::Sender<Change>,
}

impl Writer {
    pub(super) fn new(connection: Connection) -> rusqlite::Result<Self> {
        let select = "SELECT value FROM counters WHERE name = 'revision'";
        let revision = unsigned(connection.query_row(select, [], |row| row.get(0))?);
        Ok(Self {
            connection,
            revision,
            watchers: Vec::new(),
        })
    }

    /// Works until everybody who could ask is gone.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let mut bytes = first.bytes();
            let mut batch = vec![first];
            while batch.len() < COMMANDS_WAITING_MAX
                && bytes < TRANSACTION_BYTES_MAX
                && let Ok(next) = commands.try_recv()
            {
                bytes += next.bytes();
                batch.push(next);
            }
            self.carry_out(batch);
        }
    }

    fn carry_out(&mut self, batch: Vec<Command>) {
        match self.transact(&batch) {
            Ok((outcomes, changes)) => {
                for change in &changes {
                    self.tell(change);
                }
                for (command, outcome) in batch.into_iter().zip(outcomes) {
                    self.answer(command, outcome);
                }
            }
            Err(error) => {
                // If SQLite has undone it by itself already, there is nothing to undo.
                let _ = self.connection.execute_batch("ROLLBACK");
                let failed = Failed(Arc::new(error));
                tracing::error!(
                    error = &failed as &dyn std::error::Error,
                    commands = batch.len(),
                    "a transaction failed"
                );
                for command in batch {
                    command.fail(&failed);
                }
            }
        }
    }

    /// All of the batch, on disk when this returns.
    fn transact(&mut self, batch: &[Command]) -> rusqlite::Result<(Vec<Outcome>, Vec<Change>)> {
        let before = self.revision;
        let mut changes = Vec::new();
        self.connection
            .prepare_cached("BEGIN IMMEDIATE")?
            .execute([])?;
        let outcomes = batch
            .iter()
            .map(|command| self.execute(command, &mut changes))
            .collect::<Result<Vec<_>, _>>()?;
        if self.revision != before {
            self.connection
                .prepare_cached("UPDATE counters SET value = ?1 WHERE name = 'revision'")?
                .execute([signed(self.revision)])?;
        }
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        Ok((outcomes, changes))
    }

    fn execute(
        &mut self,
        command: &Command,
        changes: &mut Vec<Change>,
    ) -> rusqlite::Result<Outcome> {
        match command {
            Command::Put {
                key, value, expect, ..
            } => self.put(key, value, *expect, changes),
            Command::Delete { key, expect, .. } => self.delete(key, *expect, changes),
            Command::Append {
                partition,
                expected,
                records,
                ..
            } => self
                .append(partition, *expected, records)
                .map(Outcome::Appended),
            Command::Trim {
                partition, before, ..
            } => self.trim(partition, *before),
            // Begins after the commit, so that it sees this transaction and is told of the next.
            Command::Watch { .. } => Ok(Outcome::Done),
        }
    }

    fn put(
        &mut self,
        key: &str,
        value: &Bytes,
        expect: Expect,
        changes: &mut Vec<Change>,
    ) -> rusqlite::Result<Outcome> {
        if !is_as_expected(expect, self.revision_of(key)?) {
            return Ok(Outcome::Conflict);
        }
        self.revision += 1;
        self.connection
            .prepare_cached(
                "INSERT INTO rows (key, value, revision) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (key) DO UPDATE SET value = ?2, revision = ?3",
            )?
            .execute(params![key, &value[..], signed(self.revision)])?;
        let revision = Revision(self.revision);
        changes.push(Change::Put(Row {
            key: key.to_owned(),
            value: value.clone(),
            revision,
        }));
        Ok(Outcome::Written(revision))
    }

    fn delete(
        &mut self,
        key: &str,
        expect: Expect,
        changes: &mut Vec<Change>,
    ) -> rusqlite::Result<Outcome> {
        let found = self.revision_of(key)?;
        if !is_as_expected(expect, found) {
            return Ok(Outcome::Conflict);
        }
        if found.is_some() {
            self.connection
                .prepare_cached("DELETE FROM rows WHERE key = ?1")?
                .execute([key])?;
            changes.push(Change::Delete {
                key: key.to_owned(),
            });
        }
        Ok(Outcome::Done)
    }

    fn append(
        &mut self,
        journal: &str,
        expected: Position,
        records: &[Bytes],
    ) -> rusqlite::Result<Appended> {
        let found = query::find_journal(&self.connection, journal)?;
        let next = found.map(|(_, next)| next).unwrap_or_default();
        if next != expected {
            return Ok(Appended::Fenced { next });
        }
        let id = match found {
            Some((id, _)) => id,
            None => self.connection.query_row(
                "INSERT INTO journals (name, next) VALUES (?1, 0) RETURNING id",
                [journal],
                |row| row.get(0),
            )?,
        };
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO records (journal, position, bytes) VALUES (?1, ?2, ?3)")?;
        let mut next = expected;
        for record in records {
            insert.execute(params![id, signed(next.0), &record[..]])?;
            next = Position(next.0 + 1);
        }
        self.connection
            .prepare_cached("UPDATE journals SET next = ?2 WHERE id = ?1")?
            .execute([id, signed(next.0)])?;
        Ok(Appended::Done { next })
    }

    fn trim(&mut self, journal: &str, before: Position) -> rusqlite::Result<Outcome> {
        self.connection
            .prepare_cached(
                "DELETE FROM records \
                 WHERE journal = (SELECT id FROM journals WHERE name = ?1) AND position < ?2",
            )?
            .execute(params![journal, signed(before.0)])?;
        Ok(Outcome::Done)
    }

    fn revision_of(&self, key: &str) -> rusqlite::Result<Option<Revision>> {
        self.connection
            .prepare_cached("SELECT revision FROM rows WHERE key = ?1")?
            .query_row([key], |row| Ok(Revision(unsigned(row.get(0)?))))
            .optional()
    }

    /// A watcher whose channel is full or closed is dropped: it begins anew.
    fn tell(&mut self, change: &Change) {
        let key = match change {
            Change::Put(row) => &row.key,
            Change::Delete { key } => key,
            Change::Current => return,
        };
        self.watchers.retain(|watcher| {
            !key.starts_with(&watcher.prefix) || watcher.changes.try_send(change.clone()).is_ok()
        });
    }

    /// Whoever does not listen any more has lost interest, not the write.
    fn answer(&mut self, command: Command, outcome: Outcome) {
        match (command, outcome) {
            (Command::Put { reply, .. }, Outcome::Written(revision)) => {
                let _ = reply.send(Ok(revision));
            }
            (Command::Put { key, reply, .. }, _) => {
                let _ = reply.send(Err(Error::Conflict { key }));
            }
            (Command::Delete { key, reply, .. }, Outcome::Conflict) => {
                let _ = reply.send(Err(Error::Conflict { key }));
            }
            (Command::Append { reply, .. }, Outcome::Appended(appended)) => {
                let _ = reply.send(Ok(appended));
            }
            (Command::Append { reply, .. }, _) => {
                let _ = reply.send(Ok(Appended::Unknown));
            }
            (Command::Delete { reply, .. } | Command::Trim { reply, .. }, _) => {
                let _ = reply.send(Ok(()));
            }
            (Command::Watch { prefix, reply }, _) => {
                let _ = reply.send(self.watch(prefix).map_err(unavailable));
            }
        }
    }

    /// Rows as they are, and from here on every change.
    fn watch(&mut self, prefix: String) -> rusqlite::Result<Watch> {
        let rows = query::list(&self.connection, &prefix, None, usize::MAX)?;
        // The rows there are, the mark after them, and the backlog.
        let (changes, receiver) = mpsc::channel(rows.len() + 1 + WATCH_BACKLOG);
        for change in rows.into_iter().map(Change::Put).chain([Change::Current]) {
            changes
                .try_send(change)
                .expect("the channel was made for all of them");
        }
        // Those who left while nothing changed under their prefix are not noticed otherwise.
        self.watchers.retain(|watcher| !watcher.changes.is_closed());
        self.watchers.push(Watcher { prefix, changes });
        Ok(receiver)
    }
}

impl Command {
    fn bytes(&self) -> usize {
        match self {
            Self::Put { value, .. } => value.len(),
            Self::Append { records, .. } => records.iter().map(Bytes::len).sum(),
            Self::Delete { .. } | Self::Trim { .. } | Self::Watch { .. } => 0,
        }
    }

    fn fail(self, failed: &Failed) {
        let error = unavailable(failed.clone());
        // As in `answer`.
        match self {
            Self::Put { reply, .. } => drop(reply.send(Err(error))),
            Self::Delete { reply, .. } | Self::Trim { reply, .. } => drop(reply.send(Err(error))),
            Self::Append { reply, .. } => drop(reply.send(Err(error))),
            Self::Watch { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}

fn is_as_expected(expect: Expect, found: Option<Revision>) -> bool {
    match expect {
        Expect::Any => true,
        Expect::Absent => found.is_none(),
        Expect::Revision(revision) => found == Some(revision),
    }
}
