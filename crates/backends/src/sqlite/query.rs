//! What is read, by readers and by the writer alike.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};
use storage::{Position, Record, Revision, Row};

pub(super) fn get(connection: &Connection, key: &str) -> rusqlite::Result<Option<Row>> {
    connection
        .prepare_cached("SELECT key, value, revision FROM rows WHERE key = ?1")?
        .query_row([key], row)
        .optional()
}

pub(super) fn list(
    connection: &Connection,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> rusqlite::Result<Vec<Row>> {
    // There is no greatest text with a given prefix, so the end is seen in passing.
    let mut statement = connection.prepare_cached(
        "SELECT key, value, revision FROM rows WHERE key >= ?1 AND (?2 IS NULL OR key > ?2) \
         ORDER BY key",
    )?;
    let from = after.filter(|after| *after > prefix).unwrap_or(prefix);
    let mut found = statement.query(params![from, after])?;
    let mut rows = Vec::new();
    while rows.len() < limit
        && let Some(next) = found.next()?
    {
        // The key first: of a row beyond the prefix, the value is not copied.
        if !next.get_ref(0)?.as_str()?.starts_with(prefix) {
            break;
        }
        rows.push(row(next)?);
    }
    Ok(rows)
}

pub(super) fn tail(connection: &Connection, journal: &str) -> rusqlite::Result<Position> {
    Ok(find_journal(connection, journal)?
        .map(|(_, next)| next)
        .unwrap_or_default())
}

/// A journal's number and tail.
pub(super) fn find_journal(
    connection: &Connection,
    name: &str,
) -> rusqlite::Result<Option<(i64, Position)>> {
    connection
        .prepare_cached("SELECT id, next FROM journals WHERE name = ?1")?
        .query_row([name], |row| {
            Ok((row.get(0)?, Position(unsigned(row.get(1)?))))
        })
        .optional()
}

pub(super) fn read(
    connection: &Connection,
    journal: &str,
    from: Position,
    limit: usize,
) -> rusqlite::Result<Vec<Record>> {
    connection
        .prepare_cached(
            "SELECT position, bytes FROM records \
             WHERE journal = (SELECT id FROM journals WHERE name = ?1) AND position >= ?2 \
             ORDER BY position LIMIT ?3",
        )?
        .query_map(
            params![
                journal,
                signed(from.0),
                i64::try_from(limit).unwrap_or(i64::MAX)
            ],
            |row| {
                let bytes: Vec<u8> = row.get(1)?;
                Ok(Record {
                    position: Position(unsigned(row.get(0)?)),
                    bytes: bytes.into(),
                })
            },
        )?
        .collect()
}

fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let value: Vec<u8> = row.get(1)?;
    let revision = Revision(unsigned(row.get(2)?));
    Ok(Row {
        key: row.get(0)?,
        value: Bytes::from(value),
        revision,
    })
}

/// SQLite's numbers are signed. Ours count writes from zero and do not reach the sign; a position
/// a caller makes up may, and is then beyond all there are.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// See [`signed`]; only a damaged file has a negative one.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
