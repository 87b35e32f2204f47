//! How many rows of each kind an account may have, in all regions together: nothing that callers create
//! grows without a bound.
//!
//! Counting reads all rows of the kind, so it is not done for every new one: the last count is
//! remembered, and each new row is added to it. Deletions are noticed when the bound seems to be
//! reached: then the rows are counted again, if any has been deleted since. Several writers at once may
//! together create a few more.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use wire::ApiError;
use wire::error::Fault;

/// A kind of row with a maximum.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// What the keys of its rows begin with, before the account.
    kind: &'static str,
    /// IAM's name of the quota; elsewhere what there are too many of.
    pub name: &'static str,
    /// Rows.
    pub max: usize,
}

const fn quota(kind: &'static str, name: &'static str, max: usize) -> Quota {
    Quota { kind, name, max }
}

/// IAM's are AWS's own, as are those of code signing. For the others AWS has none, or limits the bytes
/// of code instead; these are far beyond what people create.
const QUOTAS: [Quota; 21] = [
    quota("iam/user/", "UsersPerAccount", 5_000),
    quota("iam/group/", "GroupsPerAccount", 300),
    quota("iam/role/", "RolesPerAccount", 1_000),
    quota("iam/policy/", "PoliciesPerAccount", 1_500),
    quota("function/", "functions", 10_000),
    quota("version/", "versions of functions", 50_000),
    quota("alias/", "aliases", 20_000),
    quota("policy/", "policies of functions", 10_000),
    quota("url/", "function URLs", 10_000),
    quota(
        "provisioned/",
        "provisioned concurrency configurations",
        10_000,
    ),
    quota("event-invoke/", "event invoke configurations", 20_000),
    quota("recursion/", "recursion configurations", 10_000),
    quota(
        "runtime-management/",
        "runtime management configurations",
        10_000,
    ),
    quota("code-signing-of/", "functions with code signing", 10_000),
    quota("code-signing/", "code signing configurations", 1_000),
    quota("event-source/", "event source mappings", 10_000),
    quota("event-source-index/", "event source mappings", 10_000),
    quota("layer/", "layers", 5_000),
    quota("layer-version/", "versions of layers", 10_000),
    quota("log-group/", "log groups", 10_000),
    quota("stack/", "stacks", 200),
];

/// The quota that a new row counts against, and what the keys of all those rows begin with.
pub(crate) fn of(key: &str) -> Option<(Quota, &str)> {
    let quota = QUOTAS.iter().find(|quota| key.starts_with(quota.kind))?;
    let account = key[quota.kind.len()..].find('/')?;
    Some((*quota, &key[..=quota.kind.len() + account]))
}

/// What has been counted.
#[derive(Default)]
pub(crate) struct Counted(Mutex<BTreeMap<String, Count>>);

struct Count {
    rows: usize,
    /// Whether rows may have been deleted since they were counted.
    fewer: bool,
}

/// Whether there is room for one more row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Room {
    Yes,
    No,
    /// They must be counted first.
    Unknown,
}

impl Counted {
    /// Whether there is room under this prefix.
    pub(crate) fn room(&self, prefix: &str, max: usize) -> Room {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counted.get(prefix) {
            Some(count) if count.rows < max => Room::Yes,
            Some(Count { fewer: false, .. }) => Room::No,
            _ => Room::Unknown,
        }
    }

    /// Sets the number of rows under this prefix.
    pub(crate) fn learn(&self, prefix: &str, rows: usize) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = Count { rows, fewer: false };
        counted.insert(prefix.to_owned(), count);
    }

    /// One was added.
    pub(crate) fn add(&self, prefix: &str) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counted.get_mut(prefix) {
            count.rows += 1;
        }
    }

    /// One may have been deleted.
    pub(crate) fn note_gone(&self, prefix: &str) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counted.get_mut(prefix) {
            count.fewer = true;
        }
    }
}

impl Quota {
    /// The caller's error, where the service has no words of its own.
    pub fn refusal(self) -> ApiError {
        let Self { name, max, .. } = self;
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "ServiceQuotaExceededException",
            Fault::User,
            format!("The account has {max} {name}, which is as many as it may have."),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_counts_against_its_accounts_quota_in_all_regions() {
        for (key, expected) in [
            (
                "iam/user/000000000000/ann",
                Some(("iam/user/000000000000/", 5_000)),
            ),
            (
                "function/000000000000/us-east-1/f",
                Some(("function/000000000000/", 10_000)),
            ),
            (
                "function/000000000000/eu-west-9/g",
                Some(("function/000000000000/", 10_000)),
            ),
            ("version/1/r/f/000000000001", Some(("version/1/", 50_000))),
            (
                "code-signing-of/1/r/f/$LATEST",
                Some(("code-signing-of/1/", 10_000)),
            ),
            ("code-signing/1/r/csc-1", Some(("code-signing/1/", 1_000))),
            ("iam-use/AKIA", None),
            ("function/", None),
        ] {
            let found = of(key).map(|(quota, prefix)| (prefix, quota.max));
            assert_eq!(found, expected, "{key}");
        }
    }

    #[test]
    fn rows_are_counted_once_and_again_only_if_some_have_gone() {
        let counted = Counted::default();
        assert_eq!(counted.room("p/", 2), Room::Unknown);
        counted.learn("p/", 1);
        assert_eq!(counted.room("p/", 2), Room::Yes);
        counted.add("p/");
        for _ in 0..2 {
            assert_eq!(counted.room("p/", 2), Room::No);
        }
        counted.note_gone("p/");
        assert_eq!(counted.room("p/", 2), Room::Unknown);
        counted.learn("p/", 2);
        assert_eq!(counted.room("p/", 2), Room::No);
    }
}
