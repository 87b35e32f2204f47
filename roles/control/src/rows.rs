//! The metadata table in its own words: functions, versions, aliases.
//!
//! Every write is a compare-and-set by row revision. A change that loses the race is decided anew
//! on what the row has become, [`TRIES_MAX`] times.

use std::sync::Arc;

use bytes::Bytes;
use records::functions::{
    ATTACHED, Alias, Configuration, Function, alias_key, aliases_prefix, attached_key,
    attached_prefix, function_key, functions_prefix, version_key, versions_prefix,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use storage::{Consistency, Error, Expect, Revision, Row, Table};
use types::{AliasName, FunctionArn, FunctionName, Scope};
use wire::ApiError;

use crate::failure::Failure;

mod publishing;
mod quotas;

pub(crate) use quotas::Quota;
use quotas::{Counted, Room};

/// Lost races before a change gives up. Each loss means that another writer succeeded.
pub(crate) const TRIES_MAX: usize = 16;
/// Rows read at once when all under a prefix are wanted.
const BATCH: usize = 256;

/// See the module.
pub(crate) struct Rows {
    table: Arc<dyn Table>,
    counted: Counted,
}

impl Rows {
    pub(crate) fn new(table: Arc<dyn Table>) -> Self {
        Self {
            table,
            counted: Counted::default(),
        }
    }

    /// The function, if there is one.
    pub(crate) async fn function(
        &self,
        scope: &Scope,
        name: &FunctionName,
    ) -> Result<Option<(Function, Revision)>, Failure> {
        self.get(&function_key(scope, name)).await
    }

    /// The function; not found is a refusal that names it as the caller did.
    pub(crate) async fn existing(
        &self,
        arn: &FunctionArn,
    ) -> Result<(Function, Revision), Failure> {
        let found = self.function(&arn.scope, &arn.name).await?;
        found.ok_or_else(|| not_found(arn).into())
    }

    /// A new function. `None` if the name is taken.
    pub(crate) async fn create(&self, function: &Function) -> Result<Option<Revision>, Failure> {
        let key = function_key(&function.scope, &function.name);
        self.put(&key, function, Expect::Absent).await
    }

    /// Changes a function: `change` decides on the row as it is, and may be asked again.
    pub(crate) async fn change<T>(
        &self,
        arn: &FunctionArn,
        mut change: impl FnMut(&mut Function) -> Result<T, ApiError>,
    ) -> Result<(Function, T), Failure> {
        for _ in 0..TRIES_MAX {
            let (mut function, revision) = self.existing(arn).await?;
            let result = change(&mut function)?;
            if self.replace(&function, revision).await? {
                return Ok((function, result));
            }
        }
        Err(Failure::Contended {
            key: function_key(&arn.scope, &arn.name),
        })
    }

    /// Writes a function that was read at `revision`; `false` if it has changed since.
    pub(crate) async fn replace(
        &self,
        function: &Function,
        revision: Revision,
    ) -> Result<bool, Failure> {
        let key = function_key(&function.scope, &function.name);
        let written = self.put(&key, function, Expect::Revision(revision)).await?;
        Ok(written.is_some())
    }

    /// Deletes a function, then its versions, aliases and what is attached to them. What a crash leaves of the latter means
    /// nothing without the function, and is swept when the name is used again.
    pub(crate) async fn delete_function(&self, arn: &FunctionArn) -> Result<(), Failure> {
        for _ in 0..TRIES_MAX {
            let (function, revision) = self.existing(arn).await?;
            let key = function_key(&function.scope, &function.name);
            // Written once more first: every version and alias there is now is older than that
            // write, and what a new function of this name will have is younger.
            let touched = self
                .put(&key, &function, Expect::Revision(revision))
                .await?;
            let Some(revision) = touched else { continue };
            if self.delete(&key, Expect::Revision(revision)).await? {
                return self.sweep(&arn.scope, &arn.name, revision).await;
            }
        }
        Err(Failure::Contended {
            key: function_key(&arn.scope, &arn.name),
        })
    }

    /// Removes versions, aliases and what is attached, as far as it is not newer than `revision`:
    /// that of a function that had the name before.
    pub(crate) async fn sweep(
        &self,
        scope: &Scope,
        name: &FunctionName,
        revision: Revision,
    ) -> Result<(), Failure> {
        let attached = ATTACHED.map(|kind| attached_prefix(kind, scope, name));
        let own = [versions_prefix(scope, name), aliases_prefix(scope, name)];
        for prefix in own.iter().chain(&attached) {
            for row in self.all(prefix).await? {
                if row.revision <= revision {
                    self.delete(&row.key, Expect::Revision(row.revision))
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Removes what is attached to a qualifier that is no more.
    pub(crate) async fn detach(&self, arn: &FunctionArn) -> Result<(), Failure> {
        for kind in ATTACHED {
            self.delete(&attached_key(kind, arn), Expect::Any).await?;
        }
        Ok(())
    }

    /// Functions of a scope by name, after that name, so many at most.
    pub(crate) async fn functions(
        &self,
        scope: &Scope,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Function>, Failure> {
        let prefix = functions_prefix(scope);
        let after = after.map(|name| format!("{prefix}{name}"));
        let rows = self.table.list(&prefix, after.as_deref(), limit).await;
        rows.map_err(Failure::Table)?.iter().map(decode).collect()
    }

    /// All functions under a prefix of keys.
    pub(crate) async fn all_functions(&self, prefix: &str) -> Result<Vec<Function>, Failure> {
        self.all(prefix).await?.iter().map(decode).collect()
    }

    /// A published version's row. It counts only if its number is at most `Function::published`.
    pub(crate) async fn version(
        &self,
        scope: &Scope,
        name: &FunctionName,
        number: u64,
    ) -> Result<Option<(Configuration, Revision)>, Failure> {
        self.get(&version_key(scope, name, number)).await
    }

    /// Published versions by number, after that number, so many at most.
    pub(crate) async fn versions(
        &self,
        function: &Function,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Configuration>, Failure> {
        let (scope, name) = (&function.scope, &function.name);
        let prefix = versions_prefix(scope, name);
        let after = version_key(scope, name, after);
        let rows = self
            .table
            .list(&prefix, Some(&after), limit)
            .await
            .map_err(Failure::Table)?;
        let versions: Result<Vec<Configuration>, Failure> = rows.iter().map(decode).collect();
        let counts = |configuration: &Configuration| match configuration.version {
            types::Version::Published(number) => number <= function.published,
            types::Version::Latest => false,
        };
        Ok(versions?.into_iter().filter(counts).collect())
    }

    /// Writes a version's row; `false` if it is not as expected.
    pub(crate) async fn put_version(
        &self,
        scope: &Scope,
        name: &FunctionName,
        number: u64,
        version: &Configuration,
        expect: Expect,
    ) -> Result<bool, Failure> {
        let key = version_key(scope, name, number);
        Ok(self.put(&key, version, expect).await?.is_some())
    }

    /// Deletes a version's row; `false` if it is not as expected.
    pub(crate) async fn delete_version(
        &self,
        scope: &Scope,
        name: &FunctionName,
        number: u64,
        expect: Expect,
    ) -> Result<bool, Failure> {
        self.delete(&version_key(scope, name, number), expect).await
    }

    /// An alias.
    pub(crate) async fn alias(
        &self,
        scope: &Scope,
        name: &FunctionName,
        alias: &AliasName,
    ) -> Result<Option<(Alias, Revision)>, Failure> {
        self.get(&alias_key(scope, name, alias)).await
    }

    /// All aliases of a function by name.
    pub(crate) async fn aliases(
        &self,
        scope: &Scope,
        name: &FunctionName,
    ) -> Result<Vec<Alias>, Failure> {
        self.all(&aliases_prefix(scope, name))
            .await?
            .iter()
            .map(decode)
            .collect()
    }

    /// Writes an alias; `None` if it is not as expected.
    pub(crate) async fn put_alias(
        &self,
        scope: &Scope,
        name: &FunctionName,
        alias: &Alias,
        expect: Expect,
    ) -> Result<Option<Revision>, Failure> {
        let key = alias_key(scope, name, &alias.name);
        self.put(&key, alias, expect).await
    }

    /// Deletes an alias if it is as expected; harmless if it is not there.
    pub(crate) async fn delete_alias(
        &self,
        scope: &Scope,
        name: &FunctionName,
        alias: &AliasName,
        expect: Expect,
    ) -> Result<(), Failure> {
        self.delete(&alias_key(scope, name, alias), expect)
            .await
            .map(|_| ())
    }

    /// The row with that key, if there is one.
    pub(crate) async fn get<T: DeserializeOwned>(
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

    /// Changes a row: `change` decides on it as it is, and may be asked again. `missing` is the
    /// refusal if there is none.
    pub(crate) async fn alter<T: Serialize + DeserializeOwned>(
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
    pub(crate) async fn put(
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
    pub(crate) async fn delete(&self, key: &str, expect: Expect) -> Result<bool, Failure> {
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

    /// Every row under a prefix, by key.
    pub(crate) async fn all(&self, prefix: &str) -> Result<Vec<Row>, Failure> {
        let mut rows: Vec<Row> = Vec::new();
        let each = self.each(prefix, |row| {
            rows.push(row);
            Ok(())
        });
        each.await?;
        Ok(rows)
    }

    /// Shows every row under a prefix, by key, without keeping them all in memory.
    pub(crate) async fn each(
        &self,
        prefix: &str,
        mut show: impl FnMut(Row) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut after: Option<String> = None;
        loop {
            let batch = self.table.list(prefix, after.as_deref(), BATCH).await;
            let batch = batch.map_err(Failure::Table)?;
            let last = batch.len() < BATCH;
            after = batch.last().map(|row| row.key.clone());
            batch.into_iter().try_for_each(&mut show)?;
            if last {
                return Ok(());
            }
        }
    }
}

/// The refusal that says there is no such function, version or alias.
pub(crate) fn not_found(arn: &FunctionArn) -> ApiError {
    ApiError::not_found(format!("Function not found: {arn}"))
}

/// What a row says.
pub(crate) fn decode<T: DeserializeOwned>(row: &Row) -> Result<T, Failure> {
    serde_json::from_slice(&row.value).map_err(|source| Failure::Row {
        key: row.key.clone(),
        source,
    })
}
