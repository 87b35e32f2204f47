//! The thread that writes rows and journals, and tells watchers.
//!
//! A command that finds its row or journal not as expected writes nothing and is answered so.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use storage::table::WATCH_BACKLOG;
use storage::{Appended, Change, Error, Expect, Position, Revision, Row, Watch};
use tokio::sync::mpsc;

use super::commit::{Failed, Reply, Writes};
use super::query::{self, signed, unsigned};
use crate::error::unavailable;

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

/// A command's result, to be sent once the transaction is on disk.
pub(super) enum Outcome {
    Written(Revision),
    Done,
    Conflict,
    Appended(Appended),
}

/// See the module.
pub(super) struct Writer {
    connection: Connection,
    /// The last revision given. After a failure it is left where it was: a gap does no harm.
    revision: u64,
    /// `revision` as the file has it.
    written: u64,
    /// What this transaction changes.
    changes: Vec<Change>,
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
            written: revision,
            changes: Vec::new(),
            watchers: Vec::new(),
        })
    }

    fn put(&mut self, key: &str, value: &Bytes, expect: Expect) -> rusqlite::Result<Outcome> {
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
        self.changes.push(Change::Put(Row {
            key: key.to_owned(),
            value: value.clone(),
            revision,
        }));
        Ok(Outcome::Written(revision))
    }

    fn delete(&mut self, key: &str, expect: Expect) -> rusqlite::Result<Outcome> {
        let found = self.revision_of(key)?;
        if !is_as_expected(expect, found) {
            return Ok(Outcome::Conflict);
        }
        if found.is_some() {
            self.connection
                .prepare_cached("DELETE FROM rows WHERE key = ?1")?
                .execute([key])?;
            self.changes.push(Change::Delete {
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

    /// A watcher whose channel is full or closed is dropped: it starts over.
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

impl Writes for Writer {
    type Command = Command;
    type Outcome = Outcome;

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn writes(&self) -> u64 {
        self.written
    }

    fn bytes(command: &Command) -> usize {
        match command {
            Command::Put { value, .. } => value.len(),
            Command::Append { records, .. } => records.iter().map(Bytes::len).sum(),
            Command::Delete { .. } | Command::Trim { .. } | Command::Watch { .. } => 0,
        }
    }

    fn execute(&mut self, command: &Command) -> rusqlite::Result<Outcome> {
        match command {
            Command::Put {
                key, value, expect, ..
            } => self.put(key, value, *expect),
            Command::Delete { key, expect, .. } => self.delete(key, *expect),
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
            // Begins after the commit, so that it reads this transaction and is notified of the next.
            Command::Watch { .. } => Ok(Outcome::Done),
        }
    }

    fn finish(&mut self) -> rusqlite::Result<()> {
        if self.revision != self.written {
            self.connection
                .prepare_cached("UPDATE counters SET value = ?1 WHERE name = 'revision'")?
                .execute([signed(self.revision)])?;
        }
        Ok(())
    }

    fn committed(&mut self, batch: Vec<(Command, Outcome)>) {
        self.written = self.revision;
        for change in std::mem::take(&mut self.changes) {
            self.tell(&change);
        }
        for (command, outcome) in batch {
            self.answer(command, outcome);
        }
    }

    fn failed(&mut self, batch: Vec<Command>, why: &Failed) {
        self.changes.clear();
        for command in batch {
            command.fail(why.error());
        }
    }
}

impl Command {
    fn fail(self, error: Error) {
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
