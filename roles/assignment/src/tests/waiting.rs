//! The rules of waiting, one by one, on the pure state: who waits for a warm environment, and who has one made.

use std::time::Duration;

use api::assignment::Error;
use types::Inner;

use super::moves::*;
use super::parts::{created, environment, function};
use crate::command::{Command, Created, Reason};
use crate::state::{Effect, State, Then};

#[test]
fn who_is_likely_served_at_once_waits_first_and_is_served_by_what_is_given_back() {
    let mut state = with_one_lent(Duration::from_millis(1));
    let (first, then) = wait(&mut state);
    assert_eq!(then, Then::WaitFirst);
    // The second waiter would wait for two invokes.
    let (second, then) = wait(&mut state);
    assert_eq!(then, Then::Create);
    let served = returned(&mut state, START, 1);
    assert_eq!(served, [serve(first, 1, false)]);
    assert_eq!(state.lose_patience(&function("f", 1), first), Then::Wait);
    let served = make(&mut state, created(2));
    assert!(served.contains(&serve(second, 2, true)));
}

#[test]
fn what_takes_longer_has_environments_of_its_own() {
    let mut state = with_one_lent(Duration::from_millis(5));
    assert_eq!(wait(&mut state).1, Then::Create);
}

#[test]
fn patience_ends_in_a_creation() {
    let mut state = with_one_lent(Duration::ZERO);
    let (waiter, _) = wait(&mut state);
    let key = function("f", 1);
    assert_eq!(state.lose_patience(&key, waiter), Then::Create);
    // A second call changes nothing.
    assert_eq!(state.lose_patience(&key, waiter), Then::Wait);
    assert!(make(&mut state, created(2)).contains(&serve(waiter, 2, true)));
}

#[test]
fn a_new_environment_serves_who_has_nothing_else_to_hope_for() {
    let mut state = with_one_lent(Duration::ZERO);
    let ((patient, _), (other, _)) = (wait(&mut state), wait(&mut state));
    state.lose_patience(&function("f", 1), other);
    assert!(make(&mut state, created(2)).contains(&serve(other, 2, true)));
    let served = returned(&mut state, START, 1);
    assert_eq!(served, [serve(patient, 1, false)]);
}

#[test]
fn a_failed_creation_refuses_none_who_is_patient() {
    let mut state = with_one_lent(Duration::ZERO);
    let ((patient, _), (other, _)) = (wait(&mut state), wait(&mut state));
    let key = function("f", 1);
    assert_eq!(state.lose_patience(&key, other), Then::Create);
    let error = Error::Unavailable;
    let refused = state.not_made(&key, error.clone());
    let waiter = other;
    assert_eq!(refused, [Effect::Refuse { waiter, error }]);
    let served = returned(&mut state, START, 1);
    assert_eq!(served, [serve(patient, 1, false)]);
}

#[test]
fn a_new_one_serves_at_least_one_invoke_however_short_its_lease() {
    let mut state = State::default();
    let (waiter, then) = wait(&mut state);
    assert_eq!(then, Then::Create);
    let effects = make(
        &mut state,
        Created {
            lends_until: START,
            ..created(1)
        },
    );
    let ready = Effect::Append(Command::Ready {
        environment: environment(1),
    });
    assert_eq!(effects, [ready, serve(waiter, 1, true)]);
}

#[test]
fn every_waiter_has_a_creation_and_none_has_two() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    let (first, then) = wait(&mut state);
    assert_eq!(then, Then::Create);
    assert_eq!(returned(&mut state, later(1), 1), [serve(first, 1, false)]);
    // The creation begun for the first is there for the second.
    let (second, then) = wait(&mut state);
    assert_eq!(then, Then::Wait);
    let (third, then) = wait(&mut state);
    assert_eq!(then, Then::Create);
    assert!(make(&mut state, created(2)).contains(&serve(second, 2, true)));
    assert!(make(&mut state, created(3)).contains(&serve(third, 3, true)));
}

#[test]
fn who_comes_first_is_served_first() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    let (first, _) = wait(&mut state);
    let (second, _) = wait(&mut state);
    assert_eq!(returned(&mut state, START, 1), [serve(first, 1, false)]);
    assert_eq!(returned(&mut state, START, 1), [serve(second, 1, false)]);
}

#[test]
fn a_failed_creation_is_told_only_to_one_who_has_no_other_to_hope_for() {
    let mut state = with_idle(&[created(1)]);
    let error = Error::Create {
        reason: Inner::new("no"),
    };
    lent(&mut state).unwrap();
    let (first, _) = wait(&mut state);
    let (second, _) = wait(&mut state);
    returned(&mut state, START, 1);
    assert_eq!(
        state.not_made(&function("f", 1), error.clone()),
        [],
        "one more is under way"
    );
    let refused = state.not_made(&function("f", 1), error.clone());
    assert_eq!(
        refused,
        [Effect::Refuse {
            waiter: second,
            error
        }]
    );
    assert_ne!(first, second);
}

#[test]
fn an_environment_that_ends_during_its_creation_is_a_failed_creation() {
    let mut state = State::default();
    let (waiter, _) = wait(&mut state);
    state.apply(&Command::Created(created(1)));
    assert_eq!(state.gone(environment(1)), [retired(1, Reason::Gone)]);
    let effects = state.made(START, &function("f", 1), environment(1));
    assert!(
        matches!(&effects[..], [Effect::Refuse { waiter: told, .. }] if *told == waiter),
        "{effects:?}"
    );
}

#[test]
fn who_waits_for_an_older_generation_is_still_served_by_it() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    let (waiter, _) = wait(&mut state);
    state.assign(START, function("f", 2), None, true);
    assert_eq!(returned(&mut state, START, 1), [serve(waiter, 1, false)]);
    assert_eq!(returned(&mut state, START, 1), [destroy(1)]);
}
