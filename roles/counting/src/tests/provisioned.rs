//! Provisioned concurrency: used first, spilled over from, taken out of reservations.

use super::*;

fn provisioned(available: u32, version: u64) -> Acquire {
    Acquire {
        version: Version::Published(version),
        provisioned: available,
        provisioned_total: available,
        ..ask("f", None)
    }
}

#[test]
fn what_is_provisioned_is_used_first_and_then_invokes_spill_over() {
    let mut counter = Counter::new();
    let permits = counter.acquire_many(5, &provisioned(3, 1));
    let used: Vec<bool> = permits.iter().map(|permit| permit.provisioned).collect();
    assert_eq!(used, [true, true, true, false, false]);
    assert!(counter.state.release(permits[1].id));
    assert!(counter.acquire(provisioned(3, 1)).unwrap().provisioned);
    // Of another version there is none.
    let other = Acquire {
        provisioned: 0,
        ..provisioned(3, 2)
    };
    assert!(!counter.acquire(other).unwrap().provisioned);
    assert_eq!(counter.concurrent(), 6);
    assert_eq!(counter.state.counts()[0].unreserved, 3);
}

#[test]
fn a_reservation_that_is_all_provisioned_leaves_nothing_to_other_versions() {
    let mut counter = Counter::new();
    let latest = Acquire {
        reserved: Some(3),
        provisioned_total: 3,
        ..ask("f", None)
    };
    let refusal = counter.acquire(latest).unwrap_err();
    assert!(matches!(
        refusal,
        Error::FunctionConcurrency { limit: 3, .. }
    ));
    let ready = Acquire {
        reserved: Some(3),
        ..provisioned(3, 1)
    };
    assert_eq!(counter.acquire_many(5, &ready).len(), 3);
}

#[test]
fn what_runs_on_demand_already_counts_against_a_reservation_that_is_then_provisioned() {
    let mut counter = Counter::new();
    let before = counter.acquire_many(4, &ask("f", Some(4)));
    let ready = Acquire {
        reserved: Some(4),
        ..provisioned(2, 1)
    };
    assert!(counter.acquire(ready.clone()).is_err());
    counter.state.release(before[0].id);
    assert!(counter.acquire(ready).unwrap().provisioned);
    assert_eq!(counter.concurrent(), 4);
}

#[test]
fn ten_requests_a_second_for_each_that_is_provisioned_and_then_invokes_spill_over() {
    let mut counter = Counter::new();
    let mut used = 0;
    for _ in 0..15 {
        let permit = counter.acquire(provisioned(1, 1)).unwrap();
        used += u32::from(permit.provisioned);
        counter.state.release(permit.id);
    }
    assert_eq!(used, 10);
    counter.pass(Duration::from_millis(100));
    assert!(counter.acquire(provisioned(1, 1)).unwrap().provisioned);
}

#[test]
fn what_is_provisioned_does_not_count_as_growth() {
    let mut counter = Counter::new();
    let limits = |acquire| Acquire {
        account_limit: 10_000,
        ..acquire
    };
    assert_eq!(
        counter
            .acquire_many(1_500, &limits(provisioned(1_500, 1)))
            .len(),
        1_500
    );
    assert_eq!(
        counter
            .acquire_many(1_500, &limits(provisioned(1_500, 1)))
            .len(),
        1_000
    );
}

#[test]
fn utilisation_is_forgotten_with_what_is_provisioned() {
    let mut counter = Counter::new();
    let permit = counter.acquire(provisioned(2, 1)).unwrap();
    let count = &counter.state.provisioned()[0];
    assert_eq!((count.in_use, count.available), (1, 2));
    counter.acquire(provisioned(0, 1)).unwrap();
    let count = &counter.state.provisioned()[0];
    assert_eq!((count.in_use, count.available), (1, 0));
    counter.state.release(permit.id);
    counter.acquire(provisioned(0, 1)).unwrap();
    assert_eq!(counter.state.provisioned(), []);
}
