//! What each command does to the messages in the table.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};
use storage::queue::{Charge, Message, RECEIVE_BYTES_MAX, Receipt};
use types::Timestamp;

use super::Writer;
use crate::sqlite::query::{signed, unsigned};
use crate::sqlite::queue::command::{Outcome, Taken};
use crate::sqlite::queue::read::{find, first_time, millis};

impl Writer {
    pub(super) fn send(
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
            // It becomes visible at another time than its receivers expect.
            self.waiting.stir(queue);
        }
        Ok(())
    }

    /// Takes what is visible; if that is nothing and it `waits`, the answer comes later.
    pub(super) fn receive(
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

    pub(super) fn extend(
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

    pub(super) fn replace(
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

    pub(super) fn ack(&mut self, queue: &str, message: u64) -> rusqlite::Result<()> {
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

    pub(super) fn show(&mut self, messages: &[i64], late: Timestamp) -> rusqlite::Result<u64> {
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

    pub(super) fn delete_if_empty(&mut self, queue: &str) -> rusqlite::Result<bool> {
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

    /// Makes messages visible again whose receiver has gone.
    pub(super) fn put_back(&mut self, queue: &str, messages: &[Message]) {
        let now = self.clock.now();
        for message in messages {
            if let Err(error) = self.extend(queue, message.receipt, (now, now)) {
                tracing::warn!(%error, "an undelivered message reappears only when its visibility expires");
            }
        }
    }
}
