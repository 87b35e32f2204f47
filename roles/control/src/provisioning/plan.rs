//! Which environments a setting of provisioned concurrency needs, and its status, from those that
//! exist. Pure.

use api::assignment::{Error, Standing};
use records::functions::Alias;
use records::provisioned::{Allocation, Provisioned, Status};
use types::{ForCallers as _, Version};

/// The number of environments wanted of a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Target {
    pub(super) version: Version,
    pub(super) wanted: u32,
}

/// For a version itself.
pub(super) fn of_version(version: Version, requested: u32) -> Vec<Target> {
    vec![Target {
        version,
        wanted: requested,
    }]
}

/// For an alias: by weight, if it has two versions. A share is rounded down in favour of the version it
/// points at; `$LATEST` has none.
pub(super) fn of_alias(alias: &Alias, requested: u32) -> Vec<Target> {
    let second = alias.additional.map(|(version, weight)| {
        // A fraction of a u32 is one.
        let wanted = (f64::from(requested) * weight).floor() as u32;
        Target { version, wanted }
    });
    let rest = requested - second.map_or(0, |second| second.wanted.min(requested));
    let first = Target {
        version: alias.version,
        wanted: rest,
    };
    let targets = std::iter::once(first).chain(second);
    let exists = |target: &Target| target.wanted > 0 && target.version != Version::Latest;
    targets.filter(exists).collect()
}

/// The allocations for these targets. One whose version is no longer a target stays until the others
/// are complete.
pub(super) fn allocations(before: &[Allocation], targets: &[Target]) -> Vec<Allocation> {
    let known = |version| before.iter().find(move |known| known.version == version);
    let staying = targets.iter().map(|target| Allocation {
        version: target.version,
        wanted: target.wanted,
        allocated: known(target.version).map_or(0, |known| known.allocated),
        in_service: known(target.version).is_some_and(|known| known.in_service),
        leaving: false,
    });
    let is_target = |version| targets.iter().any(|target| target.version == version);
    let leaving = before
        .iter()
        .filter(|known| !is_target(known.version))
        .map(|known| Allocation {
            leaving: true,
            ..known.clone()
        });
    staying.chain(leaving).collect()
}

/// The status of a setting, from those of its allocations.
pub(super) fn settled(
    row: &Provisioned,
    mut allocations: Vec<Allocation>,
    standing: impl Fn(Version) -> Standing,
) -> Provisioned {
    let mut failure = None;
    for allocation in &mut allocations {
        let standing = standing(allocation.version);
        allocation.allocated = standing.ready.min(allocation.wanted);
        if !allocation.leaving && !is_complete(allocation) {
            failure = failure.or(standing.failure.and_then(|error| reason(&error)));
        }
    }
    let staying = || allocations.iter().filter(|allocation| !allocation.leaving);
    let status = match failure {
        _ if staying().next().is_some() && staying().all(is_complete) => Status::Ready,
        Some(reason) => Status::Failed { reason },
        None => Status::InProgress,
    };
    if status != Status::InProgress {
        // Either it is no longer needed, or its room may be what is missing.
        allocations.retain(|allocation| !allocation.leaving);
    }
    for allocation in &mut allocations {
        allocation.in_service |= is_complete(allocation) || matches!(status, Status::Failed { .. });
    }
    Provisioned {
        status,
        allocations,
        ..row.clone()
    }
}

fn is_complete(allocation: &Allocation) -> bool {
    allocation.allocated >= allocation.wanted
}

/// The name of a failure; `None` for a temporary one.
fn reason(error: &Error) -> Option<String> {
    let reason = match error {
        Error::Init { .. } => "FUNCTION_ERROR_INIT_FAILURE",
        Error::NoCapacity { .. } => "There is no room for all of the requested environments.",
        Error::Unsupported { what, .. } => return Some(what.told()),
        Error::Create { .. } => "The environments could not be created.",
        Error::Role { .. } => "The role defined for the function cannot be assumed by Lambda.",
        Error::FileSystem(error) => return Some(error.told()),
        Error::Unavailable => return None,
    };
    Some(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::{AliasName, Timestamp};

    use super::*;

    const V1: Version = Version::Published(1);
    const V2: Version = Version::Published(2);

    fn row(requested: u32, allocations: Vec<Allocation>) -> Provisioned {
        Provisioned {
            requested,
            last_modified: Timestamp::default(),
            status: Status::InProgress,
            allocations,
        }
    }

    fn ready(ready: u32) -> Standing {
        Standing {
            ready,
            failure: None,
        }
    }

    fn failing(ready: u32, error: Error) -> Standing {
        let failure = Some(error);
        Standing { ready, failure }
    }

    /// One turn for a setting with these targets.
    fn look(
        row: &Provisioned,
        targets: &[Target],
        standing: impl Fn(Version) -> Standing,
    ) -> Provisioned {
        settled(row, allocations(&row.allocations, targets), standing)
    }

    #[test]
    fn it_serves_once_all_of_it_is_there_and_then_stays_in_service() {
        let targets = of_version(V1, 3);
        let begun = look(&row(3, Vec::new()), &targets, |_| ready(2));
        assert_eq!(begun.status, Status::InProgress);
        assert_eq!((begun.allocated(), begun.available()), (2, 0));
        let complete = look(&begun, &targets, |_| ready(3));
        assert_eq!(complete.status, Status::Ready);
        assert_eq!((complete.allocated(), complete.available()), (3, 3));
        let one_lost = look(&complete, &targets, |_| ready(2));
        assert_eq!(one_lost.status, Status::InProgress);
        assert_eq!((one_lost.allocated(), one_lost.available()), (2, 2));
    }

    #[test]
    fn a_moved_alias_keeps_the_old_version_until_the_new_one_is_complete() {
        let before = look(&row(2, Vec::new()), &of_version(V1, 2), |_| ready(2));
        let new = |count| move |version| ready(if version == V1 { 2 } else { count });
        let moving = look(&before, &of_version(V2, 2), new(1));
        assert_eq!(moving.status, Status::InProgress);
        assert_eq!((moving.allocated(), moving.available()), (1, 0));
        let old = moving
            .allocations
            .iter()
            .find(|old| old.version == V1)
            .unwrap();
        assert!(old.leaving && old.in_service && old.wanted == 2);
        let moved = look(&moving, &of_version(V2, 2), new(2));
        assert_eq!(moved.status, Status::Ready);
        assert_eq!(moved.allocations.len(), 1);
        assert_eq!((moved.allocated(), moved.available()), (2, 2));
    }

    #[test]
    fn what_cannot_be_made_fails_with_its_reason_and_the_rest_serves() {
        let full = Error::NoCapacity {
            function: String::new(),
        };
        let targets = of_version(V1, 5);
        let failed = look(&row(5, Vec::new()), &targets, |_| failing(3, full.clone()));
        let reason = "There is no room for all of the requested environments.".to_owned();
        assert_eq!(failed.status, Status::Failed { reason });
        assert_eq!((failed.allocated(), failed.available()), (3, 3));
        let recovered = look(&failed, &targets, |_| ready(5));
        assert_eq!(recovered.status, Status::Ready);
    }

    #[test]
    fn an_init_that_fails_has_lambdas_word() {
        let error = Error::Init {
            error_type: "Runtime.ExitError".to_owned(),
        };
        let failed = look(&row(1, Vec::new()), &of_version(V1, 1), |_| {
            failing(0, error.clone())
        });
        let reason = "FUNCTION_ERROR_INIT_FAILURE".to_owned();
        assert_eq!(failed.status, Status::Failed { reason });
    }

    #[test]
    fn what_passes_is_no_failure() {
        let passing = |_| failing(0, Error::Unavailable);
        let row = look(&row(1, Vec::new()), &of_version(V1, 1), passing);
        assert_eq!(row.status, Status::InProgress);
    }

    #[test]
    fn an_old_version_makes_room_for_one_that_finds_none() {
        let before = look(&row(2, Vec::new()), &of_version(V1, 2), |_| ready(2));
        let full = |version| match version {
            V1 => ready(2),
            _ => failing(
                1,
                Error::NoCapacity {
                    function: String::new(),
                },
            ),
        };
        let failed = look(&before, &of_version(V2, 2), full);
        assert_eq!(failed.allocations.len(), 1);
        assert_eq!(failed.allocations[0].version, V2);
    }

    fn alias(version: Version, additional: Option<(Version, f64)>) -> Alias {
        Alias {
            name: AliasName::new("live").unwrap(),
            instance: String::new(),
            version,
            additional,
            description: String::new(),
            revision_id: String::new(),
        }
    }

    #[test]
    fn two_versions_share_by_weight() {
        let wanted = |requested, additional| -> Vec<u32> {
            let targets = of_alias(&alias(V1, additional), requested);
            targets.iter().map(|target| target.wanted).collect()
        };
        assert_eq!(wanted(10, None), [10]);
        assert_eq!(wanted(10, Some((V2, 0.25))), [8, 2]);
        assert_eq!(wanted(1, Some((V2, 0.5))), [1]);
        assert_eq!(wanted(4, Some((V2, 1.0))), [4]);
        assert_eq!(of_alias(&alias(Version::Latest, None), 4), []);
    }

    proptest! {
        #[test]
        fn shares_are_never_more_than_was_asked_for(
            requested in 0..10_000u32, weight in 0.0..=1.0f64, counts in [0..50u32, 0..50u32]
        ) {
            let targets = of_alias(&alias(V1, Some((V2, weight))), requested);
            let sum: u32 = targets.iter().map(|target| target.wanted).sum();
            prop_assert_eq!(sum, requested);
            let standing = |version| ready(counts[usize::from(version == V2)]);
            let looked = look(&row(requested, Vec::new()), &targets, standing);
            prop_assert!(looked.available() <= looked.allocated());
            prop_assert!(looked.allocated() <= requested);
        }
    }
}
