//! Rows: read all of one moment, written where none are.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use storage::{Change, Expect, Row, Table};

use crate::error::at;
use crate::{Error, Meaning, Progress};

/// Writes that share a commit.
const AT_ONCE: usize = 64;
/// Rows between two reports of the progress.
const TELL_EVERY: u64 = 100;

/// All rows that are copied, as they are at one moment.
pub(crate) async fn read(table: &dyn Table, meaning: &dyn Meaning) -> Result<Vec<Row>, Error> {
    let mut watch = table.watch("").await.map_err(at("reading rows"))?;
    let mut rows = Vec::new();
    while let Some(change) = watch.recv().await {
        match change {
            Change::Put(row) if meaning.row(&row.key).is_some() => rows.push(row),
            Change::Put(_) | Change::Delete { .. } => {}
            Change::Current => return Ok(rows),
        }
    }
    Err(Error::Cut)
}

/// Writes rows that do not exist yet.
pub(crate) async fn write(
    rows: Vec<Row>,
    table: &dyn Table,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), Error> {
    let put = |row: Row| async move { table.put(&row.key, row.value, Expect::Absent).await };
    let mut written = stream::iter(rows).map(put).buffer_unordered(AT_ONCE);
    let mut count = 0;
    while let Some(row) = written.next().await {
        row.map_err(at("writing rows"))?;
        count += 1;
        if count % TELL_EVERY == 0 {
            progress(Progress::Rows(count));
        }
    }
    Ok(())
}

/// Deletes all rows that would be copied.
pub(crate) async fn clear(table: &dyn Table, meaning: &dyn Meaning) -> Result<(), Error> {
    let rows = read(table, meaning).await?;
    let delete = |row: Row| async move { table.delete(&row.key, Expect::Any).await };
    let deleted = stream::iter(rows).map(delete).buffer_unordered(AT_ONCE);
    let deleted: Result<Vec<()>, _> = deleted.try_collect().await;
    deleted.map(drop).map_err(at("deleting rows"))
}

/// How many there are of each kind.
pub(crate) fn count(rows: &[Row], meaning: &dyn Meaning) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for kind in rows.iter().filter_map(|row| meaning.row(&row.key)) {
        *counts.entry(kind.to_owned()).or_default() += 1;
    }
    counts
}
