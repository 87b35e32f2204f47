//! Functions, versions and aliases as rows of the metadata table.
//!
//! Every write is a compare-and-set by row revision. A change that loses the race is decided again on
//! the new row, up to [`TRIES_MAX`] times.

use std::sync::Arc;

use records::functions::{
    ATTACHED, Alias, Configuration, Function, alias_key, aliases_prefix, attached_key,
    attached_prefix, function_key, functions_prefix, version_key, versions_prefix,
};
use serde::de::DeserializeOwned;
use storage::{Expect, Revision, Row};
use tables::{Rows, TRIES_MAX, decode};
use types::{AliasName, FunctionArn, FunctionName, Scope};
use wire::ApiError;

use crate::failure::Failure;

mod publishing;

/// See the module.
#[derive(Clone)]
pub(crate) struct FunctionRows {
    rows: Arc<Rows>,
}

impl FunctionRows {
    pub(crate) fn new(rows: Arc<Rows>) -> Self {
        Self { rows }
    }

    /// The function, if there is one.
    pub(crate) async fn function(
        &self,
        scope: &Scope,
        name: &FunctionName,
    ) -> Result<Option<(Function, Revision)>, Failure> {
        Ok(self.rows.get(&function_key(scope, name)).await?)
    }

    /// The function; if it is not found, the refusal names it as the caller did.
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
        Ok(self.rows.put(&key, function, Expect::Absent).await?)
    }

    /// Changes a function: `change` decides on the current row, and may be called again.
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
        Err(Failure::contended(function_key(&arn.scope, &arn.name)))
    }

    /// Writes a function that was read at `revision`; `false` if it has changed since.
    pub(crate) async fn replace(
        &self,
        function: &Function,
        revision: Revision,
    ) -> Result<bool, Failure> {
        let key = function_key(&function.scope, &function.name);
        let written = self
            .rows
            .put(&key, function, Expect::Revision(revision))
            .await?;
        Ok(written.is_some())
    }

    /// Deletes a function, then its versions, aliases and what is attached to them. What a crash leaves
    /// of the latter means nothing without the function, and is swept when the name is used again.
    pub(crate) async fn delete_function(&self, arn: &FunctionArn) -> Result<(), Failure> {
        for _ in 0..TRIES_MAX {
            let (function, revision) = self.existing(arn).await?;
            let key = function_key(&function.scope, &function.name);
            // Written once more first: every existing version and alias is older than that write, and
            // those of a new function of this name will be newer.
            let touched = self
                .rows
                .put(&key, &function, Expect::Revision(revision))
                .await?;
            let Some(revision) = touched else { continue };
            if self.rows.delete(&key, Expect::Revision(revision)).await? {
                return self.sweep(&arn.scope, &arn.name, revision).await;
            }
        }
        Err(Failure::contended(function_key(&arn.scope, &arn.name)))
    }

    /// Removes versions, aliases and what is attached, as far as it is not newer than `revision`: those
    /// of an earlier function with that name.
    pub(crate) async fn sweep(
        &self,
        scope: &Scope,
        name: &FunctionName,
        revision: Revision,
    ) -> Result<(), Failure> {
        let attached = ATTACHED.map(|kind| attached_prefix(kind, scope, name));
        let own = [versions_prefix(scope, name), aliases_prefix(scope, name)];
        for prefix in own.iter().chain(&attached) {
            for row in self.rows.all(prefix).await? {
                if row.revision <= revision {
                    self.rows
                        .delete(&row.key, Expect::Revision(row.revision))
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Removes what is attached to a qualifier that was deleted.
    pub(crate) async fn detach(&self, arn: &FunctionArn) -> Result<(), Failure> {
        for kind in ATTACHED {
            self.rows
                .delete(&attached_key(kind, arn), Expect::Any)
                .await?;
        }
        Ok(())
    }

    /// At most `limit` functions of a scope by name, after that name.
    pub(crate) async fn functions(
        &self,
        scope: &Scope,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Function>, Failure> {
        let prefix = functions_prefix(scope);
        let after = after.map(|name| format!("{prefix}{name}"));
        let rows = self.rows.page(&prefix, after.as_deref(), limit).await?;
        decoded(&rows)
    }

    /// All functions under a prefix of keys.
    pub(crate) async fn all_functions(&self, prefix: &str) -> Result<Vec<Function>, Failure> {
        decoded(&self.rows.all(prefix).await?)
    }

    /// A published version's row. It counts only if its number is at most `Function::published`.
    pub(crate) async fn version(
        &self,
        scope: &Scope,
        name: &FunctionName,
        number: u64,
    ) -> Result<Option<(Configuration, Revision)>, Failure> {
        Ok(self.rows.get(&version_key(scope, name, number)).await?)
    }

    /// At most `limit` published versions by number, after that number.
    pub(crate) async fn versions(
        &self,
        function: &Function,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Configuration>, Failure> {
        let (scope, name) = (&function.scope, &function.name);
        let prefix = versions_prefix(scope, name);
        let after = version_key(scope, name, after);
        let rows = self.rows.page(&prefix, Some(&after), limit).await?;
        let versions: Vec<Configuration> = decoded(&rows)?;
        let counts = |configuration: &Configuration| match configuration.version {
            types::Version::Published(number) => number <= function.published,
            types::Version::Latest => false,
        };
        Ok(versions.into_iter().filter(counts).collect())
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
        Ok(self.rows.put(&key, version, expect).await?.is_some())
    }

    /// Deletes a version's row; `false` if it is not as expected.
    pub(crate) async fn delete_version(
        &self,
        scope: &Scope,
        name: &FunctionName,
        number: u64,
        expect: Expect,
    ) -> Result<bool, Failure> {
        Ok(self
            .rows
            .delete(&version_key(scope, name, number), expect)
            .await?)
    }

    /// An alias.
    pub(crate) async fn alias(
        &self,
        scope: &Scope,
        name: &FunctionName,
        alias: &AliasName,
    ) -> Result<Option<(Alias, Revision)>, Failure> {
        Ok(self.rows.get(&alias_key(scope, name, alias)).await?)
    }

    /// All aliases of a function by name.
    pub(crate) async fn aliases(
        &self,
        scope: &Scope,
        name: &FunctionName,
    ) -> Result<Vec<Alias>, Failure> {
        decoded(&self.rows.all(&aliases_prefix(scope, name)).await?)
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
        Ok(self.rows.put(&key, alias, expect).await?)
    }

    /// Deletes an alias if it is as expected; harmless if it does not exist.
    pub(crate) async fn delete_alias(
        &self,
        scope: &Scope,
        name: &FunctionName,
        alias: &AliasName,
        expect: Expect,
    ) -> Result<(), Failure> {
        self.rows
            .delete(&alias_key(scope, name, alias), expect)
            .await?;
        Ok(())
    }
}

/// The refusal for a missing function, version or alias.
pub(crate) fn not_found(arn: &FunctionArn) -> ApiError {
    ApiError::not_found(format!("Function not found: {arn}"))
}

fn decoded<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, Failure> {
    let read: Result<Vec<T>, _> = rows.iter().map(decode).collect();
    Ok(read?)
}
