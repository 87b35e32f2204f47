//! Reading and changing rows by their keys.

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::{Consistency, Error, Expect, Revision, Row, Table};
use wire::ApiError;

use crate::failure::Failure;
use crate::quotas::{self, Counted, Quota, Room};

/// Lost races before a change gives up. Each loss means that another writer succeeded.
pub const TRIES_MAX: usize = 16;
/// Rows read at once when all under a prefix are wanted.
const BATCH: usize = 256;

/// The rows of a table, as JSON.
pub struct Rows {
    table: Arc<dyn Table>,
    counted: Counted,
}

impl Rows {
    /// The rows of that table.
    pub fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            counted: Counted::default(),
        }
    }

    /// The row with that key, if there is one.
    pub async fn get<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> Result<Option<(T, Revision)>, Failure> {
        let row = self
            .table
            .get(key, Consistency::Strong)
            .await
            .map_err(Failure::Table)?;
        row.map(|row| Ok((decode(&row)?, row.revision))).transpose()
    }

    /// Changes a row: `change` decides on the current row, and may be called again. `missing` is the
    /// refusal if there is none.
    pub async fn alter<T: Serialize + DeserializeOwned>(
        &self,
        key: &str,
        missing: impl Fn() -> ApiError,
        mut change: impl FnMut(&mut T) -> Result<(), ApiError>,
    ) -> Result<T, Failure> {
        for _ in 0..TRIES_MAX {
            let (mut row, revision) = self.get(key).await?.ok_or_else(&missing)?;
            change(&mut row)?;
            let written = self.put(key, &row, Expect::Revision(revision)).await?;
            if written.is_some() {
                return Ok(row);
            }
        }
        Err(Failure::Contended {
            key: key.to_owned(),
        })
    }

    /// Writes a row; `None` if it is not as expected. A new one must find room in its account's quota.
    pub async fn put(
        &self,
        key: &str,
        value: &impl Serialize,
        expect: Expect,
    ) -> Result<Option<Revision>, Failure> {
        let value = serde_json::to_vec(value).expect("rows are structs of texts and numbers");
        let quota = (expect == Expect::Absent)
            .then(|| quotas::of(key))
            .flatten();
        if let Some((quota, prefix)) = quota {
            self.find_room(quota, prefix).await?;
        }
        match self.table.put(key, Bytes::from(value), expect).await {
            Ok(revision) => {
                if let Some((_, prefix)) = quota {
                    self.counted.add(prefix);
                }
                Ok(Some(revision))
            }
            Err(Error::Conflict { .. }) => Ok(None),
            Err(error) => Err(Failure::Table(error)),
        }
    }

    async fn find_room(&self, quota: Quota, prefix: &str) -> Result<(), Failure> {
        let mut room = self.counted.room(prefix, quota.max);
        if room == Room::Unknown {
            let mut rows = 0;
            let count = self.each(prefix, |_| {
                rows += 1;
                Ok(())
            });
            count.await?;
            self.counted.learn(prefix, rows);
            room = self.counted.room(prefix, quota.max);
        }
        match room {
            Room::Yes => Ok(()),
            Room::No | Room::Unknown => Err(Failure::Quota(quota)),
        }
    }

    /// Deletes a row; `false` if it is not as expected.
    pub async fn delete(&self, key: &str, expect: Expect) -> Result<bool, Failure> {
        match self.table.delete(key, expect).await {
            Ok(()) => {
                if let Some((_, prefix)) = quotas::of(key) {
                    self.counted.note_gone(prefix);
                }
                Ok(true)
            }
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(Failure::Table(error)),
        }
    }

    /// At most `limit` rows under a prefix by key, after that key.
    pub async fn page(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Failure> {
        let rows = self.table.list(prefix, after, limit).await;
        rows.map_err(Failure::Table)
    }

    /// Every row under a prefix, by key.
    pub async fn all(&self, prefix: &str) -> Result<Vec<Row>, Failure> {
        let mut rows: Vec<Row> = Vec::new();
        let each = self.each(prefix, |row| {
            rows.push(row);
            Ok(())
        });
        each.await?;
        Ok(rows)
    }

    /// Passes every row under a prefix on, by key, without keeping them all in memory.
    pub async fn each(
        &self,
        prefix: &str,
        mut show: impl FnMut(Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut after: Option<String> = None;
        loop {
            let batch = self.page(prefix, after.as_deref(), BATCH).await?;
            let last = batch.len() < BATCH;
            after = batch.last().map(|row| row.key.clone());
            batch.into_iter().try_for_each(&mut show)?;
            if last {
                return Ok(());
            }
        }
    }
}

/// What a row says.
pub fn decode<T: DeserializeOwned>(row: &Row) -> Result<T, Failure> {
    serde_json::from_slice(&row.value).map_err(|source| Failure::Row {
        key: row.key.clone(),
        source,
    })
}
