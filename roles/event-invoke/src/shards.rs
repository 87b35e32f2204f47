//! Which queues there are, and which of them a function's events may go to. Pure.
//!
//! ```text
//!   events/shared/<n>                                shared by functions; each has two of them
//!   events/function/<account>/<region>/<name>        of one function that crowds the others
//!   events/failed/<account>/<region>/<name>          not worked on: finally failed
//!   events/unreadable                                not worked on: bodies that cannot be read
//! ```
//!
//! Two of n, by hash: a function that fills both its queues shares them with few others, and of those
//! almost all have another one that is free. The choice is by highest random weight, so that one
//! queue more or less moves few functions.

use types::{AccountId, FunctionArn, FunctionName, Region, Scope, fnv};

/// Where all queues begin that are worked on, and those that are not.
pub(crate) const ALL: &str = "events/";
/// Where the shared queues begin.
pub(crate) const SHARED: &str = "events/shared/";
/// Where the queues of single functions begin.
pub(crate) const DEDICATED: &str = "events/function/";
/// Where the queues of failed events begin.
pub(crate) const FAILED: &str = "events/failed/";
/// Bodies that cannot be read, kept for an operator.
pub(crate) const UNREADABLE: &str = "events/unreadable";

/// A function, whatever its qualifier.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct FunctionId {
    pub(crate) scope: Scope,
    pub(crate) name: FunctionName,
}

impl FunctionId {
    /// The function that an ARN names.
    pub(crate) fn of(arn: &FunctionArn) -> Self {
        Self {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
        }
    }

    /// Its ARN, without a qualifier.
    pub(crate) fn arn(&self) -> FunctionArn {
        FunctionArn {
            scope: self.scope.clone(),
            name: self.name.clone(),
            qualifier: None,
        }
    }

    /// Account, region and name.
    pub(crate) fn path(&self) -> String {
        let Scope { account, region } = &self.scope;
        format!("{account}/{region}/{}", self.name)
    }

    /// The function of a path.
    pub(crate) fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let scope = Scope {
            account: AccountId::new(parts.next()?).ok()?,
            region: Region::new(parts.next()?).ok()?,
        };
        let name = FunctionName::new(parts.next()?).ok()?;
        parts.next().is_none().then_some(Self { scope, name })
    }

    /// Its own queue.
    pub(crate) fn dedicated(&self) -> String {
        format!("{DEDICATED}{}", self.path())
    }

    /// The queue of its failed events.
    pub(crate) fn failed(&self) -> String {
        format!("{FAILED}{}", self.path())
    }

    /// The two of `shared` queues that its events may go to; twice the same if there is but one.
    pub(crate) fn candidates(&self, shared: u32) -> (u32, u32) {
        let path = self.path();
        let (mut first, mut second) = ((0, 0), (0, 0));
        for queue in 0..shared {
            let weight = (weight(path.as_bytes(), queue), queue);
            if queue == 0 || weight > first {
                (first, second) = (weight, first);
            } else if queue == 1 || weight > second {
                second = weight;
            }
        }
        match shared {
            0 | 1 => (0, 0),
            _ => (first.1, second.1),
        }
    }
}

/// The function in a queue's name, dedicated or failed.
pub(crate) fn function(queue: &str) -> Option<FunctionId> {
    let path = queue
        .strip_prefix(DEDICATED)
        .or_else(|| queue.strip_prefix(FAILED))?;
    FunctionId::of_path(path)
}

/// The name of a shared queue.
pub(crate) fn shared(number: u32) -> String {
    format!("{SHARED}{number}")
}

/// The number of a shared queue.
pub(crate) fn shared_number(queue: &str) -> Option<u32> {
    queue.strip_prefix(SHARED)?.parse().ok()
}

/// A hash of text and number, mixed once more: neighbours must differ in all bits.
fn weight(text: &[u8], number: u32) -> u64 {
    let hash = fnv::hash_64(&[text, &number.to_le_bytes()]);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A function of one account.
    pub(crate) fn id(name: &str) -> FunctionId {
        FunctionId {
            scope: records::examples::scope(),
            name: FunctionName::new(name).unwrap(),
        }
    }

    #[test]
    fn names_lead_back_to_their_function() {
        let f = id("f");
        assert_eq!(f.dedicated(), "events/function/000000000000/us-east-1/f");
        assert_eq!(function(&f.dedicated()), Some(f.clone()));
        assert_eq!(function(&f.failed()), Some(f));
        for other in [
            "events/shared/1",
            "events/function/x",
            "events/function/000000000000/a/b/c",
        ] {
            assert_eq!(function(other), None);
        }
        assert_eq!(shared_number(&shared(7)), Some(7));
    }

    #[test]
    fn candidates_never_move() {
        // What is in a queue was put there by whichever Lambent ran then.
        let found = ["f", "g", "hello", "a-rather-long-name_1"].map(|name| id(name).candidates(8));
        assert_eq!(found, [(0, 7), (5, 6), (7, 3), (5, 0)]);
    }

    #[test]
    fn functions_spread_over_all_pairs() {
        let mut pairs: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for n in 0..5_600 {
            let (a, b) = id(&format!("function-{n}")).candidates(8);
            *pairs.entry((a.min(b), a.max(b))).or_default() += 1;
        }
        // 28 pairs of 8, 200 functions each if all were equal.
        assert_eq!(pairs.len(), 28);
        assert!(
            pairs.values().all(|count| (100..300).contains(count)),
            "{pairs:?}"
        );
    }

    proptest! {
        #[test]
        fn two_different_ones_of_those_there_are(name in "[a-z]{1,20}", shared in 2_u32..100) {
            let (a, b) = id(&name).candidates(shared);
            prop_assert!(a != b && a < shared && b < shared);
        }

        /// One queue more takes its part of the functions and moves no other.
        #[test]
        fn one_more_moves_few(name in "[a-z]{1,20}", shared in 2_u32..50) {
            let (a, b) = id(&name).candidates(shared);
            let (c, d) = id(&name).candidates(shared + 1);
            let kept = [a, b].iter().filter(|old| [c, d].contains(old)).count();
            prop_assert!(kept == 2 || (kept == 1 && [c, d].contains(&shared)));
        }
    }
}
