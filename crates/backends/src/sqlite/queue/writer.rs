//! The thread that writes queues.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use storage::Error;
use storage::queue::{Charge, Message, RECEIVE_BYTES_MAX, Receipt};
use tokio::sync::oneshot;
use types::{Clock, Timestamp};

use super::acks::Acks;
use super::owners::Owners;
use super::read::{find, first_time, millis};
use super::waiting::Waiting;
use crate::sqlite::commit::{Failed, Reply, Writes};
use crate::sqlite::query::{signed, unsigned};

/// What the writer is asked for.
pub(super) enum Command {
    Send {
        queue: String,
        body: Bytes,
        visible_from: Timestamp,
        charge: Charge,
        reply: Reply<()>,
    },
    /// Shows messages now that are seen only then.
    Show {
        messages: Vec<i64>,
        late: Timestamp,
        reply: Reply<u64>,
    },
    Receive {
        queue: String,
        max: usize,
        visibility: Duration,
        /// Whether it waits if there is nothing.
        waits: bool,
        reply: Reply<Taken>,
    },
    Extend {
        queue: String,
        receipt: Receipt,
        now: Timestamp,
        visible_from: Timestamp,
        reply: Reply<bool>,
    },
    Replace {
        queue: String,
        receipt: Receipt,
        now: Timestamp,
        body: Bytes,
        visible_from: Timestamp,
        reply: Reply<bool>,
    },
    Ack {
        queue: String,
        message: u64,
        reply: Reply<()>,
    },
    /// Nothing by itself, but acks go along.
    TakeAcks,
    DeleteIfEmpty {
        queue: String,
        reply: Reply<bool>,
    },
}

/// What a receive found.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) messages: Vec<Message>,
    /// If there were none: when the first one is visible.
    pub(super) next: Option<Timestamp>,
    /// If it waits: where it is told.
    pub(super) later: Option<oneshot::Receiver<Vec<Message>>>,
}

/// What became of a command.
pub(super) enum Outcome {
    Done,
    /// Nothing was written: there is no room.
    Full,
    /// So many were changed.
    Count(u64),
    /// Whether it was as the command expects.
    Held(bool),
    Taken(Taken),
}

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
/// So many free pages may stay in the file: it is about to be filled again.
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

    fn send(
        &mut self,
        queue: &str,
        body: &Bytes,
        visible_from: Timestamp,
        charge: &Charge,
    ) -> rusqlite::Result<Outcome> {
        if !self.owners.has_room(charge, body.len() as u64) {
            return Ok(Outcome::Full);
        }
        let owner = self.owners.find(&self.connection, &charge.owner)?;
        self.put(queue, owner, body, visible_from)?;
        Ok(Outcome::Done)
    }

    fn put(
        &mut self,
        queue: &str,
        owner: i64,
        body: &Bytes,
        visible_from: Timestamp,
    ) -> rusqlite::Result<()> {
        self.owners.more(owner, body.len() as u64);
        let id = match find(&self.connection, queue)? {
            Some(id) => id,
            None => self.connection.query_row(
                "INSERT INTO queues (name) VALUES (?1) RETURNING id",
                [queue],
                |row| row.get(0),
            )?,
        };
        let now = self.clock.now();
        let taker = match visible_from <= now {
            true => self.waiting.taker(queue, body.len()),
            false => None,
        };
        let hidden_until = taker.map(|visibility| now.after(visibility));
        self.connection
            .prepare_cached(
                "INSERT INTO messages (queue, visible_from, receives, owner, body) \
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                id,
                millis(hidden_until.unwrap_or(visible_from)),
                u32::from(taker.is_some()),
                owner,
                &body[..]
            ])?;
        let message = unsigned(self.connection.last_insert_rowid());
        self.last.1 = self.last.1.max(message);
        if taker.is_some() {
            let receipt = Receipt {
                message,
                receives: 1,
            };
            let body = body.clone();
            self.waiting.give(queue, Message { receipt, body });
        } else {
            // It is visible some other time than those who wait for it were told.
            self.waiting.stir(queue);
        }
        Ok(())
    }

    /// Takes what is visible; if that is nothing and it `waits`, it is told later.
    fn receive(
        &mut self,
        queue: &str,
        (max, visibility): (usize, Duration),
        waits: bool,
    ) -> rusqlite::Result<Taken> {
        let mut taken = self.take(queue, max, visibility)?;
        if taken.messages.is_empty() && waits {
            taken.later = Some(self.waiting.add(queue, max, visibility));
        }
        Ok(taken)
    }

    fn take(&self, queue: &str, max: usize, visibility: Duration) -> rusqlite::Result<Taken> {
        let Some(queue) = find(&self.connection, queue)? else {
            return Ok(Taken::default());
        };
        let now = self.clock.now();
        let visible_from = now.after(visibility);
        let mut hide = self.connection.prepare_cached(
            "UPDATE messages SET visible_from = ?2, receives = receives + 1 WHERE id = ?1",
        )?;
        let mut select = self.connection.prepare_cached(
            "SELECT id, receives, body FROM messages WHERE queue = ?1 AND visible_from <= ?2 \
             ORDER BY visible_from, id LIMIT ?3",
        )?;
        let limit = i64::try_from(max).unwrap_or(i64::MAX);
        // All are read before the first is changed: what is read must not move meanwhile.
        let found = select.query_map(params![queue, millis(now), limit], |row| {
            let body: Vec<u8> = row.get(2)?;
            let receives: u32 = row.get(1)?;
            let receipt = Receipt {
                message: unsigned(row.get(0)?),
                receives: receives.saturating_add(1),
            };
            Ok(Message {
                receipt,
                body: body.into(),
            })
        })?;
        let (mut messages, mut bytes) = (Vec::new(), 0);
        for message in found {
            let message = message?;
            bytes += message.body.len();
            if bytes > RECEIVE_BYTES_MAX && !messages.is_empty() {
                break;
            }
            messages.push(message);
        }
        for message in &messages {
            hide.execute(params![
                signed(message.receipt.message),
                millis(visible_from)
            ])?;
        }
        let next = match messages.is_empty() {
            true => first_time(&self.connection, queue)?,
            false => None,
        };
        Ok(Taken {
            messages,
            next,
            later: None,
        })
    }

    fn extend(
        &mut self,
        queue: &str,
        receipt: Receipt,
        (now, visible_from): (Timestamp, Timestamp),
    ) -> rusqlite::Result<bool> {
        self.waiting.stir(queue);
        let changed = self
            .connection
            .prepare_cached(
                "UPDATE messages SET visible_from = ?5 WHERE id = ?2 AND receives = ?3 \
                 AND visible_from > ?4 AND queue = (SELECT id FROM queues WHERE name = ?1)",
            )?
            .execute(params![
                queue,
                signed(receipt.message),
                receipt.receives,
                millis(now),
                millis(visible_from)
            ])?;
        Ok(changed > 0)
    }

    fn replace(
        &mut self,
        queue: &str,
        receipt: Receipt,
        now: Timestamp,
        (body, visible_from): (&Bytes, Timestamp),
    ) -> rusqlite::Result<bool> {
        let removed = self
            .connection
            .prepare_cached(
                "DELETE FROM messages WHERE id = ?2 AND receives = ?3 AND visible_from > ?4 \
                 AND queue = (SELECT id FROM queues WHERE name = ?1) \
                 RETURNING owner, length(body)",
            )?
            .query_row(
                params![
                    queue,
                    signed(receipt.message),
                    receipt.receives,
                    millis(now)
                ],
                |row| Ok((row.get(0)?, unsigned(row.get(1)?))),
            )
            .optional()?;
        if let Some((owner, bytes)) = removed {
            self.owners.less(owner, bytes);
            self.put(queue, owner, body, visible_from)?;
        }
        Ok(removed.is_some())
    }

    fn ack(&mut self, queue: &str, message: u64) -> rusqlite::Result<()> {
        let removed = self
            .connection
            .prepare_cached(
                "DELETE FROM messages WHERE id = ?2 \
                 AND queue = (SELECT id FROM queues WHERE name = ?1) \
                 RETURNING owner, length(body)",
            )?
            .query_row(params![queue, signed(message)], |row| {
                Ok((row.get(0)?, unsigned(row.get(1)?)))
            })
            .optional()?;
        if let Some((owner, bytes)) = removed {
            self.owners.less(owner, bytes);
        }
        Ok(())
    }

    fn show(&mut self, messages: &[i64], late: Timestamp) -> rusqlite::Result<u64> {
        let now = self.clock.now();
        let mut shown = 0;
        let mut queues = BTreeSet::new();
        {
            // Somebody may hold it by now: then it is seen sooner than it was.
            let mut show = self.connection.prepare_cached(
                "UPDATE messages SET visible_from = ?3 WHERE id = ?1 AND visible_from > ?2 \
                 RETURNING (SELECT name FROM queues WHERE id = queue)",
            )?;
            for message in messages {
                let queue = show
                    .query_row(params![message, millis(late), millis(now)], |row| {
                        row.get::<_, String>(0)
                    })
                    .optional()?;
                shown += u64::from(queue.is_some());
                queues.extend(queue);
            }
        }
        for queue in queues {
            self.waiting.stir(&queue);
        }
        Ok(shown)
    }

    fn delete_if_empty(&mut self, queue: &str) -> rusqlite::Result<bool> {
        let Some(id) = find(&self.connection, queue)? else {
            return Ok(true);
        };
        if first_time(&self.connection, id)?.is_some() {
            return Ok(false);
        }
        self.connection
            .execute("DELETE FROM queues WHERE id = ?1", [id])?;
        self.waiting.stir(queue);
        Ok(true)
    }

    /// Shows messages again that were taken for somebody who is gone.
    fn put_back(&mut self, queue: &str, messages: &[Message]) {
        let now = self.clock.now();
        for message in messages {
            if let Err(error) = self.extend(queue, message.receipt, (now, now)) {
                tracing::warn!(%error, "an undelivered message reappears only when its visibility expires");
            }
        }
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
        // Those who look anew because of what was put back.
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

/// Tells what became of a command. Gives back what a receive took for somebody who has left meanwhile.
fn answer(command: Command, outcome: Outcome) -> Option<(String, Vec<Message>)> {
    match (command, outcome) {
        (Command::Receive { reply, queue, .. }, Outcome::Taken(taken)) => {
            let left = reply.send(Ok(taken)).err()?.ok()?;
            return (!left.messages.is_empty()).then_some((queue, left.messages));
        }
        (Command::Receive { reply, .. }, _) => drop(reply.send(Ok(Taken::default()))),
        (Command::TakeAcks, _) => {}
        (Command::Send { reply, .. }, Outcome::Full) => {
            drop(reply.send(Err(Error::Full { what: "a queue" })));
        }
        (Command::Show { reply, .. }, Outcome::Count(count)) => drop(reply.send(Ok(count))),
        (Command::Show { reply, .. }, _) => drop(reply.send(Ok(0))),
        (Command::Send { reply, .. } | Command::Ack { reply, .. }, _) => drop(reply.send(Ok(()))),
        (
            Command::Extend { reply, .. }
            | Command::Replace { reply, .. }
            | Command::DeleteIfEmpty { reply, .. },
            outcome,
        ) => drop(reply.send(Ok(matches!(outcome, Outcome::Held(true))))),
    }
    None
}

impl Command {
    fn fail(self, error: Error) {
        match self {
            Self::Send { reply, .. } | Self::Ack { reply, .. } => drop(reply.send(Err(error))),
            Self::Receive { reply, .. } => drop(reply.send(Err(error))),
            Self::TakeAcks => {}
            Self::Show { reply, .. } => drop(reply.send(Err(error))),
            Self::Extend { reply, .. }
            | Self::Replace { reply, .. }
            | Self::DeleteIfEmpty { reply, .. } => drop(reply.send(Err(error))),
        }
    }
}
