//! Packages that no function, version or layer names any more are removed, in the background.
//!
//! ```text
//!   sweep:  nothing names it ─▶ marked with the time ─▶ … a while ─▶ going ─▶ removed ─▶ mark gone
//!                                       └── named again: mark gone     └── checked once more
//!   publish:  mark gone (waits for one that is going) ─▶ package kept ─▶ row that names it
//! ```
//!
//! A package is kept before the row that names it is written, and what has been acknowledged must never
//! be removed. So a request that publishes removes the mark first, by compare-and-set: the package then
//! has the whole time again, and the row only has to be written within it, which is a matter of
//! seconds. The time also serves what still runs: environments of a deleted function, links to its
//! package. One control plane sweeps, by a lease.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use image::Packages;
use records::functions::{Configuration, FUNCTIONS, Function, VERSIONS};
use records::layers::{LAYER_VERSIONS, LayerVersion};
use records::packages::{UNUSED_PACKAGES, UnusedPackage, unused_package_key};
use storage::{Expect, Revision};
use tables::{Rows, TRIES_MAX, decode};
use tokio::time::MissedTickBehavior;
use types::{Clock, Timestamp};

use crate::failure::Failure;

/// A sweep for every quarter of the time that packages are kept, within these bounds: a sweep reads all
/// rows of functions.
const EVERY_MIN: Duration = Duration::from_secs(1);
const EVERY_MAX: Duration = Duration::from_secs(15 * 60);
/// Names of packages read at once.
const NAMES_BATCH: usize = 4_096;
/// The most packages that are being removed at once: a request that publishes one of them waits for
/// all.
const GOING_MAX: usize = 32;
/// A request that publishes a package that is just being removed checks again after this time; removing
/// one file takes less.
const GOING: Duration = Duration::from_millis(100);

type Marks = BTreeMap<String, (UnusedPackage, Revision)>;

/// See the module. Dropping its future stops it, which loses nothing.
pub struct UnusedPackages {
    rows: Arc<Rows>,
    code: Arc<Packages>,
    clock: Arc<dyn Clock>,
    kept: Duration,
    /// Packages that no row names and that are used nevertheless.
    operators: BTreeSet<String>,
}

impl UnusedPackages {
    pub(crate) fn new(
        rows: Arc<Rows>,
        code: Arc<Packages>,
        clock: Arc<dyn Clock>,
        kept: Duration,
        operators: BTreeSet<String>,
    ) -> Self {
        Self {
            rows,
            code,
            clock,
            kept,
            operators,
        }
    }

    /// Works until it is dropped.
    pub async fn run(self) {
        let every = (self.kept / 4).clamp(EVERY_MIN, EVERY_MAX);
        let mut again = tokio::time::interval(every);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            again.tick().await;
            if let Err(error) = self.sweep().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "unused packages cannot be looked for"
                );
            }
        }
    }

    /// One sweep. If a row cannot be read, nothing is removed: it may name any package.
    pub(crate) async fn sweep(&self) -> Result<(), Failure> {
        let used = self.used().await?;
        let marks = self.marks().await?;
        self.mark(&used, &marks).await?;
        let now = self.clock.now();
        let mut old = Vec::new();
        for (image, (mark, revision)) in marks {
            match next(mark, used.contains(&image), now, self.kept) {
                Next::Wait => {}
                Next::Keep => {
                    let key = unused_package_key(&image);
                    // If it is not as expected, somebody else has removed it.
                    let expect = Expect::Revision(revision);
                    self.rows.delete(&key, expect).await?;
                }
                Next::Remove => old.push((image, mark, revision)),
            }
        }
        for some in old.chunks(GOING_MAX) {
            self.remove(some).await?;
        }
        Ok(())
    }

    /// Makes sure that nobody can begin to use these any more, then removes them unless somebody has: a
    /// version whose deletion was undone was not named by any row for a moment.
    async fn remove(&self, old: &[(String, UnusedPackage, Revision)]) -> Result<(), Failure> {
        let mut going = Vec::new();
        for (image, mark, revision) in old {
            let key = unused_package_key(image);
            let gone = UnusedPackage {
                going: true,
                ..*mark
            };
            let expect = Expect::Revision(*revision);
            if mark.going || self.rows.put(&key, &gone, expect).await?.is_some() {
                going.push(image);
            }
        }
        let used = self.used().await?;
        let mut removed = 0_usize;
        for image in going {
            if !used.contains(image) {
                if let Err(error) = self.code.remove(image).await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "a package cannot be removed; it is tried again");
                    continue;
                }
                removed += 1;
            }
            let key = unused_package_key(image);
            self.rows.delete(&key, Expect::Any).await?;
        }
        if removed > 0 {
            tracing::info!(packages = removed, "unused packages were removed");
        }
        Ok(())
    }

    /// Marks the packages that have become unused.
    async fn mark(&self, used: &BTreeSet<String>, marks: &Marks) -> Result<(), Failure> {
        let mark = UnusedPackage {
            since: self.clock.now(),
            going: false,
        };
        let mut after: Option<String> = None;
        loop {
            let names = self.code.list(after.as_deref(), NAMES_BATCH).await;
            let names = names.map_err(Failure::Images)?;
            for image in &names {
                if !used.contains(image) && !marks.contains_key(image) {
                    let key = unused_package_key(image);
                    self.rows.put(&key, &mark, Expect::Absent).await?;
                }
            }
            match names.into_iter().next_back() {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    async fn marks(&self) -> Result<Marks, Failure> {
        let rows = self.rows.all(UNUSED_PACKAGES).await?;
        let marks = rows.iter().map(|row| {
            let image = row.key.strip_prefix(UNUSED_PACKAGES).unwrap_or_default();
            Ok((image.to_owned(), (decode(row)?, row.revision)))
        });
        marks.collect()
    }

    /// The packages that are named. Functions are read first: a version is in its function's row before
    /// it has one of its own.
    async fn used(&self) -> Result<BTreeSet<String>, Failure> {
        let mut used = self.operators.clone();
        let each = self.rows.each(FUNCTIONS, |row| {
            let function: Function = decode(&row)?;
            used.extend(function.packages().map(str::to_owned));
            Ok(())
        });
        each.await?;
        let each = self.rows.each(VERSIONS, |row| {
            let version: Configuration = decode(&row)?;
            used.extend(version.packages().map(str::to_owned));
            Ok(())
        });
        each.await?;
        let each = self.rows.each(LAYER_VERSIONS, |row| {
            used.insert(decode::<LayerVersion>(&row)?.image);
            Ok(())
        });
        each.await?;
        Ok(used)
    }
}

/// What to do about a package with a mark.
#[derive(PartialEq, Eq, Debug)]
enum Next {
    Wait,
    /// The mark is wrong.
    Keep,
    Remove,
}

/// One that is being removed already does not go back: a removal may be in progress.
fn next(mark: UnusedPackage, used: bool, now: Timestamp, kept: Duration) -> Next {
    if mark.going {
        Next::Remove
    } else if used {
        Next::Keep
    } else if now.since(mark.since) >= kept {
        Next::Remove
    } else {
        Next::Wait
    }
}

/// Announces that a package is about to be used. It stays from now on for as long as unused packages
/// are kept; a row must name it by then.
pub(crate) async fn claim_package(rows: &Rows, image: &str) -> Result<(), Failure> {
    let key = unused_package_key(image);
    for _ in 0..TRIES_MAX {
        match rows.get::<UnusedPackage>(&key).await? {
            None => return Ok(()),
            Some((mark, _)) if mark.going => tokio::time::sleep(GOING).await,
            Some((_, revision)) => {
                if rows.delete(&key, Expect::Revision(revision)).await? {
                    return Ok(());
                }
            }
        }
    }
    Err(Failure::contended(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_goes_when_it_was_unused_for_long_enough() {
        let since = Timestamp::from_millis(1_000);
        let check = |going, used, now, expected| {
            let mark = UnusedPackage { since, going };
            let now = Timestamp::from_millis(now);
            let found = next(mark, used, now, Duration::from_secs(1));
            assert_eq!(found, expected, "{going} {used} {now:?}");
        };
        check(false, false, 1_999, Next::Wait);
        check(false, false, 2_000, Next::Remove);
        // The clock was set back: then it takes longer.
        check(false, false, 0, Next::Wait);
        check(false, true, 9_000, Next::Keep);
        // What was begun is finished; whether it is used is checked again then.
        check(true, false, 0, Next::Remove);
        check(true, true, 0, Next::Remove);
    }
}
