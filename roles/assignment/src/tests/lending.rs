//! The rules of lending, one by one, on the pure state.

use super::moves::*;
use super::parts::{created, environment, function};
use crate::command::{Created, Reason};
use crate::state::{Assigned, State};

#[test]
fn the_most_recently_used_is_lent_first() {
    let mut state = with_idle(&[created(1), created(2), created(3)]);
    assert_eq!(lent(&mut state), Some(environment(3)));
    assert_eq!(lent(&mut state), Some(environment(2)));
    returned(&mut state, START, 3);
    assert_eq!(lent(&mut state), Some(environment(3)));
}

#[test]
fn one_in_the_callers_zone_is_lent_before_others() {
    let there = Created {
        zone: "b".to_owned(),
        ..created(1)
    };
    let mut state = with_idle(&[there, created(2)]);
    let found = |state: &mut State, zone| match assign(state, Some(zone)) {
        Assigned::Lent(lease) => lease.environment,
        other => panic!("{other:?}"),
    };
    assert_eq!(found(&mut state, "b"), environment(1));
    assert_eq!(
        found(&mut state, "b"),
        environment(2),
        "another zone is better than a cold start"
    );
}

#[test]
fn an_environment_is_lent_to_exactly_its_version_and_generation() {
    let mut state = with_idle(&[created(1)]);
    let mut other = function("f", 1);
    other.version = types::Version::Published(1);
    for other in [other, function("g", 1), function("f", 0)] {
        assert!(matches!(
            state.assign(START, other, None, true).0,
            Assigned::Waits { .. }
        ));
    }
    assert_eq!(lent(&mut state), Some(environment(1)));
}

#[test]
fn a_lent_environment_is_not_lent_twice() {
    let mut state = with_idle(&[created(1)]);
    assert_eq!(lent(&mut state), Some(environment(1)));
    assert_eq!(lent(&mut state), None);
}

#[test]
fn reports_that_come_late_or_twice_change_nothing() {
    let mut state = with_idle(&[created(1), created(2)]);
    assert_eq!(returned(&mut state, START, 1), [], "what is idle is idle");
    assert_eq!(state.gone(environment(1)), [retired(1, Reason::Gone)]);
    assert_eq!(state.gone(environment(1)), []);
    assert_eq!(
        returned(&mut state, START, 1),
        [],
        "what is gone stays gone"
    );
    assert_eq!(lent(&mut state), Some(environment(2)));
    assert_eq!(lent(&mut state), None);
}

#[test]
fn one_that_was_not_reached_is_lent_again() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    assert_eq!(returned(&mut state, START, 1), []);
    assert_eq!(lent(&mut state), Some(environment(1)));
}
