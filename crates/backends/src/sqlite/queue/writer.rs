//! The thread that writes queues: what a transaction changes in memory, and how free pages are returned to the disk.

mod messages;

use std::sync::Arc;

use rusqlite::Connection;
use types::Clock;

use super::acks::Acks;
use super::command::{Command, Outcome, answer};
use super::owners::Owners;
use super::waiting::Waiting;
use crate::sqlite::commit::{Failed, Writes};
use crate::sqlite::query::unsigned;

/// See the module.
pub(super) struct Writer {
    connection: Connection,
    clock: Arc<dyn Clock>,
    acks: Arc<Acks>,
    waiting: Waiting,
    owners: Owners,
    /// The last message's number, once it is on disk, and in the transaction.
    last: (u64, u64),
}

/// Pages that are given back to the disk at a time: some megabytes, some milliseconds.
const PAGES_TOGETHER: i64 = 512;
/// Free pages that may stay in the file: it is about to be filled again.
const PAGES_KEPT: i64 = 4_096;

impl Writer {
    pub(super) fn new(
        connection: Connection,
        clock: Arc<dyn Clock>,
        acks: Arc<Acks>,
    ) -> rusqlite::Result<Self> {
        let select = "SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'messages'";
        let last = unsigned(connection.query_row(select, [], |row| row.get(0))?);
        Ok(Self {
            owners: Owners::of(&connection)?,
            connection,
            clock,
            acks,
            waiting: Waiting::default(),
            last: (last, last),
        })
    }
}

impl Writes for Writer {
    type Command = Command;
    type Outcome = Outcome;

    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn bytes(command: &Command) -> usize {
        match command {
            Command::Send { body, .. } | Command::Replace { body, .. } => body.len(),
            _ => 0,
        }
    }

    fn execute(&mut self, command: &Command) -> rusqlite::Result<Outcome> {
        Ok(match command {
            Command::Send {
                queue,
                body,
                visible_from,
                charge,
                ..
            } => self.send(queue, body, *visible_from, charge)?,
            Command::Show { messages, late, .. } => Outcome::Count(self.show(messages, *late)?),
            Command::Receive {
                queue,
                max,
                visibility,
                waits,
                ..
            } => Outcome::Taken(self.receive(queue, (*max, *visibility), *waits)?),
            Command::Extend {
                queue,
                receipt,
                now,
                visible_from,
                ..
            } => Outcome::Held(self.extend(queue, *receipt, (*now, *visible_from))?),
            Command::Replace {
                queue,
                receipt,
                now,
                body,
                visible_from,
                ..
            } => Outcome::Held(self.replace(queue, *receipt, *now, (body, *visible_from))?),
            Command::Ack { queue, message, .. } => {
                self.ack(queue, *message)?;
                Outcome::Done
            }
            Command::TakeAcks => Outcome::Done,
            Command::DeleteIfEmpty { queue, .. } => Outcome::Held(self.delete_if_empty(queue)?),
        })
    }

    fn join(&mut self) -> Vec<Command> {
        self.acks.take()
    }

    fn finish(&mut self) -> rusqlite::Result<()> {
        self.waiting.finish();
        self.owners.write(&self.connection)
    }

    fn writes(&self) -> u64 {
        self.last.0
    }

    fn tidy(&mut self) -> rusqlite::Result<bool> {
        let free = || -> rusqlite::Result<i64> {
            self.connection
                .pragma_query_value(None, "freelist_count", |row| row.get(0))
        };
        let before = free()?;
        if before <= PAGES_KEPT {
            return Ok(false);
        }
        // It answers a row for each page, which has to be taken.
        let give = format!("PRAGMA incremental_vacuum({PAGES_TOGETHER})");
        let mut give = self.connection.prepare(&give)?;
        let mut pages = give.query([])?;
        while pages.next()?.is_some() {}
        // A file that cannot give anything back stays as it is.
        Ok(free()? < before)
    }

    fn committed(&mut self, batch: Vec<(Command, Outcome)>) {
        self.owners.committed();
        self.last.0 = self.last.1;
        let mut left = self.waiting.tell();
        for (command, outcome) in batch {
            left.extend(answer(command, outcome));
        }
        for (queue, messages) in left {
            self.put_back(&queue, &messages);
        }
        // Those that look again because of what was put back.
        self.waiting.tell();
    }

    fn failed(&mut self, batch: Vec<Command>, why: &Failed) {
        self.waiting.forget();
        self.owners.forget();
        self.last.1 = self.last.0;
        for command in batch {
            command.fail(why.error());
        }
    }
}
