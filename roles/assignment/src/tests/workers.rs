//! Workers that are gone or drain: what becomes of the environments on them, rule by rule.

use std::collections::BTreeSet;

use types::{Timestamp, WorkerId};

use super::moves::*;
use super::parts::{created, environment, function, version, worker};
use crate::command::{Command, Created, Reason};
use crate::state::{Assigned, Effect, State, Then, Wish};

fn on(number: u64, host: u64) -> Created {
    Created {
        worker: worker(host),
        ..created(number)
    }
}

fn gone(state: &mut State, host: u64) -> Vec<Effect> {
    state.workers_are(&[worker(host)].into(), BTreeSet::new())
}

fn drain(state: &mut State, hosts: &[u64]) -> Vec<Effect> {
    let hosts: BTreeSet<WorkerId> = hosts.iter().copied().map(worker).collect();
    state.workers_are(&BTreeSet::new(), hosts)
}

#[test]
fn what_was_on_a_worker_that_is_gone_is_gone() {
    let mut state = with_idle(&[on(1, 1), on(2, 2), on(3, 2)]);
    assert_eq!(lent(&mut state), Some(environment(3)));
    let lost = [2, 3].map(|number| retired(number, Reason::Gone));
    assert_eq!(gone(&mut state, 2), lost);
    assert_eq!(gone(&mut state, 2), []);
    assert_eq!(lent(&mut state), Some(environment(1)));
}

#[test]
fn what_is_being_made_on_a_worker_that_is_gone_is_left_to_its_making() {
    let mut state = State::default();
    let (waiter, _) = wait(&mut state);
    state.apply(&Command::Created(on(1, 2)));
    assert_eq!(gone(&mut state, 2), []);
    let given_up = state.give_up(environment(1));
    assert!(matches!(given_up.as_slice(), [Effect::Destroy { .. }]));
    assert_eq!(make(&mut state, on(2, 1))[1], serve(waiter, 2, true));
}

#[test]
fn a_worker_that_drains_loses_what_is_idle_at_once_and_the_rest_when_it_comes_back() {
    let mut state = with_idle(&[created(1), created(2)]);
    assert_eq!(lent(&mut state), Some(environment(2)));
    assert_eq!(drain(&mut state, &[1]), [destroy(1)]);
    // A waiter is not served by it: its worker would never be empty.
    let (waiter, then) = wait(&mut state);
    assert_eq!(then, Then::Create);
    assert_eq!(returned(&mut state, START, 2), [destroy(2)]);
    let made = make(&mut state, on(3, 2));
    let serves = |effect: &Effect| match effect {
        Effect::Serve { waiter, lease } => Some((*waiter, lease.environment)),
        _ => None,
    };
    let served = made.iter().find_map(serves);
    assert_eq!(served, Some((waiter, environment(3))));
}

#[test]
fn a_worker_that_drains_no_more_keeps_what_it_has() {
    let mut state = with_idle(&[created(1)]);
    assert_eq!(lent(&mut state), Some(environment(1)));
    drain(&mut state, &[1]);
    drain(&mut state, &[]);
    assert_eq!(returned(&mut state, START, 1), []);
    assert_eq!(lent(&mut state), Some(environment(1)));
}

#[test]
fn a_new_leader_ends_what_is_idle_on_a_worker_that_drains() {
    let mut state = State::default();
    state.apply(&Command::Created(created(1)));
    state.apply(&Command::Ready {
        environment: environment(1),
    });
    drain(&mut state, &[1]);
    let living = [(environment(1), false)].into();
    assert_eq!(state.recover(START, &living), [destroy(1)]);
}

fn wish() -> Vec<Wish> {
    vec![Wish {
        function: version("f", 1),
        count: 1,
        held: false,
        asked: Timestamp::from_millis(1),
    }]
}

fn make_ahead(state: &mut State, record: Created) -> Vec<Effect> {
    let id = record.environment;
    let record = Created {
        ahead: true,
        ..record
    };
    state.apply(&Command::Created(record));
    state.made_ahead(START, &function("f", 1), id)
}

#[test]
fn a_provisioned_environment_leaves_when_its_successor_is_there() {
    let mut state = State::default();
    state.provision(START, wish(), 10);
    make_ahead(&mut state, created(1));
    assert_eq!(drain(&mut state, &[1]), []);
    let begun = state.provision(later(1), wish(), 10);
    assert!(matches!(begun.as_slice(), [Effect::MakeAhead { .. }]));
    // Until then it is lent.
    assert_eq!(lent(&mut state), Some(environment(1)));
    assert_eq!(returned(&mut state, later(1), 1), []);
    make_ahead(&mut state, on(2, 2));
    assert_eq!(state.provision(later(2), wish(), 10), [destroy(1)]);
    assert_eq!(lent(&mut state), Some(environment(2)));
}

#[test]
fn a_provisioned_environment_that_is_always_lent_leaves_when_it_comes_back() {
    let mut state = State::default();
    state.provision(START, wish(), 10);
    make_ahead(&mut state, created(1));
    assert_eq!(lent(&mut state), Some(environment(1)));
    drain(&mut state, &[1]);
    state.provision(later(1), wish(), 10);
    make_ahead(&mut state, on(2, 2));
    assert_eq!(returned(&mut state, later(1), 1), [destroy(1)]);
    assert!(matches!(assign(&mut state, None), Assigned::Lent(_)));
}
