//! How a published version gets its row.
//!
//! ```text
//!   1. function row: publishing = version n          decided, by compare-and-set
//!   2. version row n                                  the same, whichever request writes it
//!   3. function row: published = n, publishing gone   now it counts
//! ```
//!
//! Steps 2 and 3 may be done by any request and more than once: by the request that decided, by the
//! next request that finds them unfinished, or by the settler after a crash.

use records::functions::{Configuration, Function};
use storage::Expect;
use types::{FunctionArn, Version};

use super::{FunctionRows, TRIES_MAX};
use crate::failure::Failure;

impl FunctionRows {
    /// Finishes the publishing that is in progress, if there is one.
    pub(crate) async fn finish_publishing(&self, arn: &FunctionArn) -> Result<(), Failure> {
        for _ in 0..TRIES_MAX {
            let Some((mut function, revision)) = self.function(&arn.scope, &arn.name).await? else {
                return Ok(());
            };
            let Some(version) = function.publishing.take() else {
                return Ok(());
            };
            let number = match version.version {
                Version::Published(number) => number,
                Version::Latest => return Ok(()),
            };
            self.write_version(&function, number, &version).await?;
            function.published = number;
            if self.replace(&function, revision).await? {
                return Ok(());
            }
        }
        Err(Failure::contended(arn.to_string()))
    }

    /// Writes a version's row unless it has been written. A row of the same number with another
    /// revision id is what a crash left of an earlier function with that name.
    async fn write_version(
        &self,
        function: &Function,
        number: u64,
        version: &Configuration,
    ) -> Result<(), Failure> {
        let (scope, name) = (&function.scope, &function.name);
        for _ in 0..TRIES_MAX {
            let expect = match self.version(scope, name, number).await? {
                None => Expect::Absent,
                Some((found, _)) if found.revision_id == version.revision_id => return Ok(()),
                Some((_, revision)) => Expect::Revision(revision),
            };
            if self
                .put_version(scope, name, number, version, expect)
                .await?
            {
                return Ok(());
            }
        }
        Err(Failure::contended(format!("{name}:{number}")))
    }
}
