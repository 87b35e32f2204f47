//! How much code an account keeps in a region: packages of `$LATEST`, of versions and of layers, each
//! counted as often as it is kept, as Lambda does. A package that takes more than [`UNPACKED`] times
//! its own size once it is unpacked counts for more than its size: the limit on what an account keeps
//! also bounds the disk that its packages take.
//!
//! Counting reads every row of the account, so it is not done for every package: the last count is
//! remembered, and each new package is added to it. Deletions are noticed when the limit seems to be
//! reached: then it is counted again.
//!
//! Where there are several control planes, what the others accept is noticed when it is counted again, which is then done
//! after [`TRUSTED`] at the latest: together they may accept as much more than the limit as they take in that time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use records::functions::{Code, functions_prefix};
use records::layers::{LayerVersion, all_layer_versions_prefix};
use tables::decode;
use types::{Scope, Timestamp, Version};
use wire::ApiError;
use wire::error::Fault;

use crate::failure::Failure;
use crate::service::Control;

/// How many times its size a package may take unpacked before that counts. Code is usually three or
/// four times as large as its zip.
const UNPACKED: u64 = 4;
/// Versions read per function at once.
const BATCH: usize = 256;
/// For how long a count is good where others accept packages, too.
const TRUSTED: Duration = Duration::from_secs(5);

/// Bytes that each account and region keeps at most, as far as it has been counted.
#[derive(Default)]
pub(crate) struct CodeStorage(Mutex<BTreeMap<Scope, Kept>>);

struct Kept {
    bytes: u64,
    counted: Timestamp,
}

impl CodeStorage {
    /// Reserves room for `bytes`, if there surely is enough by a count that is no older than
    /// `age_max`.
    fn take(
        &self,
        scope: &Scope,
        (now, age_max): (Timestamp, Duration),
        (bytes, limit): (u64, u64),
    ) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = known.get_mut(scope) else {
            return false;
        };
        let fits = now.since(kept.counted) <= age_max && kept.bytes.saturating_add(bytes) <= limit;
        if fits {
            kept.bytes += bytes;
        }
        fits
    }

    fn learn(&self, scope: &Scope, counted: Timestamp, bytes: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(scope.clone(), Kept { bytes, counted });
    }
}

/// What a package counts for.
pub(crate) fn counted(bytes: u64, unpacked_bytes: u64) -> u64 {
    bytes.max(unpacked_bytes / UNPACKED)
}

impl Control {
    /// Refuses a package of `bytes` if there is no room for it.
    pub(crate) async fn check_code_storage(
        &self,
        scope: &Scope,
        bytes: u64,
    ) -> Result<(), Failure> {
        let limit = self.config.code_bytes_max;
        let now = self.clock.now();
        let age_max = match self.config.shares.are_several() {
            true => TRUSTED,
            false => Duration::MAX,
        };
        let wanted = (bytes, limit);
        if self.code_storage.take(scope, (now, age_max), wanted) {
            return Ok(());
        }
        let kept = self.code_kept(scope, counted).await?;
        self.code_storage.learn(scope, now, kept);
        match self.code_storage.take(scope, (now, age_max), wanted) {
            true => Ok(()),
            false => Err(ApiError::new(
                StatusCode::BAD_REQUEST,
                "CodeStorageExceededException",
                Fault::User,
                "Code storage limit exceeded.",
            )
            .into()),
        }
    }

    /// Bytes of all packages that an account keeps in a region.
    pub(crate) async fn code_bytes(&self, scope: &Scope) -> Result<u64, Failure> {
        self.code_kept(scope, |bytes, _| bytes).await
    }

    /// What all packages that an account keeps in a region count for, each by its bytes, packed and
    /// unpacked.
    async fn code_kept(
        &self,
        scope: &Scope,
        counts: impl Fn(u64, u64) -> u64,
    ) -> Result<u64, Failure> {
        let of = |code: &Code| counts(code.bytes, code.unpacked_bytes);
        let mut total = 0;
        for function in self
            .functions
            .all_functions(&functions_prefix(scope))
            .await?
        {
            total += of(&function.latest.code);
            let mut after = 0;
            while after < function.published {
                let versions = self.functions.versions(&function, after, BATCH).await?;
                let bytes = versions.iter().map(|version| of(&version.code));
                total += bytes.sum::<u64>();
                match versions.last().map(|version| version.version) {
                    Some(Version::Published(number)) => after = number,
                    _ => break,
                }
            }
        }
        for row in self.rows.all(&all_layer_versions_prefix(scope)).await? {
            let layer = decode::<LayerVersion>(&row)?;
            total += counts(layer.bytes, layer.unpacked_bytes);
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_package_that_is_large_unpacked_counts_for_more() {
        assert_eq!(counted(1_000, 3_999), 1_000);
        assert_eq!(counted(600_000, 262_144_000), 65_536_000);
        assert_eq!(counted(50_000_000, 0), 50_000_000);
    }

    #[test]
    fn room_is_taken_only_where_it_has_been_counted_and_is() {
        let scope = crate::tests::function("f").scope;
        let storage = CodeStorage::default();
        let at = Timestamp::from_millis;
        let take = |now, bytes| storage.take(&scope, (at(now), TRUSTED), (bytes, 10));
        assert!(!take(0, 1));
        storage.learn(&scope, at(0), 4);
        assert!(take(0, 6));
        assert!(!take(0, 1));
        storage.learn(&scope, at(0), 0);
        assert!(take(5_000, 1));
        assert!(!take(5_000, u64::MAX));
        assert!(!take(5_001, 1), "others may have taken it since");
        assert!(storage.take(&scope, (at(9_000), Duration::MAX), (1, 10)));
    }
}
