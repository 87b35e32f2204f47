//! What is read of queues, by their writer and by others.

use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use storage::queue::{Depth, Kept, RECEIVE_BYTES_MAX, RECEIVE_MAX};
use types::Timestamp;

use crate::sqlite::query::{signed, unsigned};

/// See [`storage::Queue::depth`].
pub(super) fn depth(
    connection: &Connection,
    queue: &str,
    now: Timestamp,
) -> rusqlite::Result<Depth> {
    let Some(queue) = find(connection, queue)? else {
        return Ok(Depth::default());
    };
    let count = |count: &'static str| {
        let mut count = connection.prepare_cached(count)?;
        count.query_row(params![queue, millis(now)], |row| row.get(0).map(unsigned))
    };
    // Each walks its part of the index and no more, and the first is found at once.
    let visible = count("SELECT count(*) FROM messages WHERE queue = ?1 AND visible_from <= ?2")?;
    let hidden = count("SELECT count(*) FROM messages WHERE queue = ?1 AND visible_from > ?2")?;
    let oldest = first_time(connection, queue)?;
    let oldest = oldest.map_or(Duration::ZERO, |from| now.since(from));
    Ok(Depth {
        visible,
        hidden,
        oldest,
    })
}

/// See [`storage::Queue::peek`].
pub(super) fn peek(
    connection: &Connection,
    queue: &str,
    limit: usize,
    bytes: usize,
) -> rusqlite::Result<Vec<Bytes>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT substr(body, 1, ?3) FROM messages WHERE queue = (SELECT id FROM queues WHERE name = ?1) \
             ORDER BY id LIMIT ?2",
        )?
        .query_map(params![queue, limit, bytes], |row| {
            Ok(row.get::<_, Vec<u8>>(0)?.into())
        })?
        .collect()
}

/// See [`storage::Queue::browse`].
pub(super) fn browse(
    connection: &Connection,
    queue: &str,
    (after, limit): (Option<u64>, usize),
    now: Timestamp,
) -> rusqlite::Result<Vec<Kept>> {
    // By their numbers, not by the index of times, which would be sorted for every page.
    let mut statement = connection.prepare_cached(
        "SELECT messages.id, owners.name, body, visible_from FROM messages JOIN owners ON owners.id = owner \
         WHERE +queue = (SELECT id FROM queues WHERE name = ?1) AND messages.id > ?2 ORDER BY messages.id",
    )?;
    let mut found = statement.query(params![queue, after.map_or(-1, signed)])?;
    let (mut page, mut bytes) = (Vec::new(), 0);
    while page.len() < limit.min(RECEIVE_MAX)
        && let Some(row) = found.next()?
    {
        let body: Vec<u8> = row.get(2)?;
        bytes += body.len();
        if bytes > RECEIVE_BYTES_MAX && !page.is_empty() {
            break;
        }
        page.push(Kept {
            message: unsigned(row.get(0)?),
            owner: row.get(1)?,
            body: body.into(),
            delay: timestamp(row.get(3)?).since(now),
        });
    }
    Ok(page)
}

/// See [`storage::Queue::queues`].
pub(super) fn queues(connection: &Connection, prefix: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement =
        connection.prepare_cached("SELECT name FROM queues WHERE name >= ?1 ORDER BY name")?;
    let names = statement.query_map([prefix], |row| row.get::<_, String>(0))?;
    let mut found = Vec::new();
    for name in names {
        let name = name?;
        if !name.starts_with(prefix) {
            break;
        }
        found.push(name);
    }
    Ok(found)
}

/// A queue's number.
pub(super) fn find(connection: &Connection, queue: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT id FROM queues WHERE name = ?1")?
        .query_row([queue], |row| row.get(0))
        .optional()
}

/// When the first of a queue's messages is visible.
pub(super) fn first_time(
    connection: &Connection,
    queue: i64,
) -> rusqlite::Result<Option<Timestamp>> {
    let first: Option<i64> = connection
        .prepare_cached("SELECT min(visible_from) FROM messages WHERE queue = ?1")?
        .query_row([queue], |row| row.get(0))?;
    Ok(first.map(timestamp))
}

pub(super) fn millis(time: Timestamp) -> i64 {
    signed(time.as_millis())
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millis(unsigned(millis))
}
