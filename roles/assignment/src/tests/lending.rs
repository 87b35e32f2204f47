//! The rules of lending, one by one, on the pure state.

use std::collections::BTreeMap;
use std::time::Duration;

use api::assignment::{Error, Lease, LeaseNumber};
use types::{EnvironmentId, Inner, Timestamp};

use super::parts::{created, environment, function, worker};
use crate::command::{Command, Created, Reason};
use crate::state::{Assigned, Effect, State, Then, WaiterId};
use crate::{Config, Counts};

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn later(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

fn lease(number: u64, cold: bool) -> Lease {
    Lease {
        environment: environment(number),
        worker: worker(1),
        number: LeaseNumber::default(),
        cold,
    }
}

fn serve(waiter: WaiterId, number: u64, cold: bool) -> Effect {
    Effect::Serve {
        waiter,
        lease: lease(number, cold),
    }
}

fn destroy(number: u64) -> Effect {
    Effect::Destroy {
        environment: environment(number),
        worker: worker(1),
    }
}

fn retired(number: u64, reason: Reason) -> Effect {
    Effect::Append(Command::Retired {
        environment: environment(number),
        reason,
    })
}

/// An assign of `f` at generation 1 that must wait, and what its caller does.
fn wait(state: &mut State) -> (WaiterId, Then) {
    match state.assign(START, function("f", 1), None, true) {
        (Assigned::Waits { waiter, then }, effects) if effects.is_empty() => (waiter, then),
        other => panic!("{other:?}"),
    }
}

fn assign(state: &mut State, zone: Option<&str>) -> Assigned {
    match state.assign(START, function("f", 1), zone, true).0 {
        Assigned::Lent(lease) => Assigned::Lent(unnumbered(lease)),
        other => other,
    }
}

fn unnumbered(lease: Lease) -> Lease {
    let number = LeaseNumber::default();
    Lease { number, ..lease }
}

/// Effects without the numbers of leases.
fn plain(effects: Vec<Effect>) -> Vec<Effect> {
    let plain = |effect| match effect {
        Effect::Serve { waiter, lease } => Effect::Serve {
            waiter,
            lease: unnumbered(lease),
        },
        other => other,
    };
    effects.into_iter().map(plain).collect()
}

/// The worker has seen whatever lease there is, and the environment is idle.
fn returned(state: &mut State, now: Timestamp, number: u64) -> Vec<Effect> {
    let latest = LeaseNumber {
        term: u64::MAX,
        count: u64::MAX,
    };
    plain(state.returned(now, environment(number), latest))
}

fn lent(state: &mut State) -> Option<EnvironmentId> {
    match assign(state, None) {
        Assigned::Lent(lease) => Some(lease.environment),
        _ => None,
    }
}

fn make(state: &mut State, created: Created) -> Vec<Effect> {
    let (id, function) = (created.environment, created.function.clone());
    state.apply(&Command::Created(created));
    plain(state.made(START, &function, id))
}

/// These environments, idle, the last one most recently used.
fn with_idle(environments: &[Created]) -> State {
    let mut state = State::default();
    let waiters: Vec<WaiterId> = environments.iter().map(|_| wait(&mut state).0).collect();
    for waiter in waiters {
        state.abandon(&function("f", 1), waiter);
    }
    for created in environments {
        make(&mut state, created.clone());
    }
    assert_eq!(state.counts().idle, environments.len());
    state
}

#[test]
fn the_most_recently_used_is_lent_first() {
    let mut state = with_idle(&[created(1), created(2), created(3)]);
    assert_eq!(lent(&mut state), Some(environment(3)));
    assert_eq!(lent(&mut state), Some(environment(2)));
    returned(&mut state, START, 3);
    assert_eq!(lent(&mut state), Some(environment(3)));
}

/// One environment, lent, of a function whose environments are lent for so long.
fn with_one_lent(lent_for: Duration) -> State {
    let mut state = with_idle(&[created(1)]);
    let mut now = START;
    for _ in 0..20 {
        assert!(matches!(
            state.assign(now, function("f", 1), None, true).0,
            Assigned::Lent(_)
        ));
        now = now.after(lent_for);
        returned(&mut state, now, 1);
    }
    assert_eq!(lent(&mut state), Some(environment(1)));
    state
}

#[test]
fn who_is_likely_served_at_once_waits_first_and_is_served_by_what_is_given_back() {
    let mut state = with_one_lent(Duration::from_millis(1));
    let (first, then) = wait(&mut state);
    assert_eq!(then, Then::WaitFirst);
    // The second in line would wait for two invokes.
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
    // A second word changes nothing.
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
fn an_environment_near_its_leases_end_is_not_lent_and_soon_retired() {
    let mut state = with_idle(&[Created {
        lends_until: later(5),
        ..created(1)
    }]);
    assert!(matches!(
        state.assign(later(5), function("f", 1), None, true).0,
        Assigned::Waits {
            then: Then::Create,
            ..
        }
    ));
    assert_eq!(state.tick(later(5), &Config::default()), [destroy(1)]);
    assert_eq!(state.gone(environment(1)), [retired(1, Reason::Lease)]);
}

#[test]
fn one_that_comes_back_near_its_leases_end_is_retired_even_if_somebody_waits() {
    let mut state = with_idle(&[Created {
        lends_until: later(5),
        ..created(1)
    }]);
    lent(&mut state).unwrap();
    wait(&mut state);
    assert_eq!(returned(&mut state, later(5), 1), [destroy(1)]);
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
fn a_busy_environment_may_end() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    assert_eq!(state.gone(environment(1)), [retired(1, Reason::Gone)]);
    assert_eq!(state.counts(), Counts::default());
}

#[test]
fn a_newer_generation_retires_what_is_idle_and_then_what_becomes_idle() {
    let mut state = with_idle(&[created(1), created(2)]);
    lent(&mut state).unwrap();
    let (assigned, effects) = state.assign(START, function("f", 2), None, true);
    assert!(matches!(
        assigned,
        Assigned::Waits {
            then: Then::Create,
            ..
        }
    ));
    assert_eq!(effects, [destroy(1)]);
    assert_eq!(returned(&mut state, START, 2), [destroy(2)]);
    assert_eq!(state.gone(environment(2)), [retired(2, Reason::Superseded)]);
}

#[test]
fn a_late_request_for_an_older_generation_does_not_retire_the_newer() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    state.assign(START, function("f", 2), None, true);
    make(
        &mut state,
        Created {
            function: function("f", 2),
            ..created(2)
        },
    );
    assert_eq!(returned(&mut state, START, 2), []);
    assert!(matches!(assign(&mut state, None), Assigned::Waits { .. }));
    assert_eq!(state.counts().idle, 1);
    make(&mut state, created(3));
    assert_eq!(returned(&mut state, START, 3), [destroy(3)]);
}

#[test]
fn a_function_made_anew_may_count_from_lower() {
    let mut state = with_idle(&[created(1), created(2)]);
    lent(&mut state).unwrap();
    let (_, effects) = state.assign(later(1), function("f", 0), None, true);
    assert_eq!(effects, [destroy(1)]);
    make(
        &mut state,
        Created {
            function: function("f", 0),
            ..created(3)
        },
    );
    assert_eq!(returned(&mut state, later(1), 3), [], "it is kept");
    assert_eq!(returned(&mut state, later(1), 2), [destroy(2)]);
}

#[test]
fn after_a_replay_the_generation_made_last_counts() {
    let mut state = State::default();
    for (number, generation) in [(1, 7), (2, 3)] {
        let function = function("f", generation);
        state.apply(&Command::Created(Created {
            function,
            ..created(number)
        }));
        state.apply(&Command::Ready {
            environment: environment(number),
        });
    }
    let living = [1, 2].map(|number| (environment(number), true)).into();
    state.recover(START, &living);
    assert_eq!(returned(&mut state, START, 1), [destroy(1)]);
    assert_eq!(returned(&mut state, START, 2), []);
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

#[test]
fn what_is_idle_for_ten_minutes_is_retired_and_what_is_used_is_not() {
    let mut state = with_idle(&[created(1), created(2)]);
    lent(&mut state).unwrap();
    returned(&mut state, later(599), 2);
    assert_eq!(state.tick(later(599), &Config::default()), []);
    assert_eq!(state.tick(later(600), &Config::default()), [destroy(1)]);
    assert_eq!(state.tick(later(600), &Config::default()), [], "once");
    assert_eq!(lent(&mut state), Some(environment(2)));
    assert_eq!(
        state.tick(later(999), &Config::default()),
        [],
        "what is busy is left alone"
    );
}

#[test]
fn what_is_busy_for_longer_than_any_invoke_was_lost() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    assert_eq!(state.tick(later(999), &Config::default()), []);
    assert_eq!(state.tick(later(1_000), &Config::default()), [destroy(1)]);
    assert_eq!(state.gone(environment(1)), [retired(1, Reason::Lost)]);
}

#[test]
fn one_that_was_not_reached_is_lent_again() {
    let mut state = with_idle(&[created(1)]);
    lent(&mut state).unwrap();
    assert_eq!(returned(&mut state, START, 1), []);
    assert_eq!(lent(&mut state), Some(environment(1)));
}

#[test]
fn draining_refuses_all_and_retires_what_is_or_becomes_idle() {
    let mut state = with_idle(&[created(1), created(2)]);
    lent(&mut state).unwrap();
    // Somebody waits for another function meanwhile.
    let waiter = match state.assign(START, function("g", 1), None, true).0 {
        Assigned::Waits { waiter, .. } => waiter,
        other => panic!("{other:?}"),
    };
    let refused = Effect::Refuse {
        waiter,
        error: Error::Unavailable,
    };
    assert_eq!(state.drain(), [refused, destroy(1)]);
    assert_eq!(assign(&mut state, None), Assigned::Draining);
    assert_eq!(returned(&mut state, START, 2), [destroy(2)]);
    let made = Created {
        function: function("g", 1),
        ..created(3)
    };
    assert_eq!(make(&mut state, made).last(), Some(&destroy(3)));
}

#[test]
fn an_environment_given_up_is_destroyed_and_then_forgotten() {
    let mut state = State::default();
    wait(&mut state);
    state.apply(&Command::Created(created(1)));
    assert_eq!(state.give_up(environment(1)), [destroy(1)]);
    assert_eq!(state.give_up(environment(1)), []);
    assert_eq!(state.gone(environment(1)), [retired(1, Reason::NotMade)]);
}

#[test]
fn nothing_is_left_of_a_function_nobody_uses() {
    let mut state = with_idle(&[created(1)]);
    state.gone(environment(1));
    state.tick(START, &Config::default());
    assert!(state.remembers_nothing());
}

#[test]
fn after_a_replay_the_workers_say_what_is_idle_busy_or_lost() {
    let mut state = State::default();
    for number in 1..=5 {
        state.apply(&Command::Created(created(number)));
    }
    for number in 1..=3 {
        state.apply(&Command::Ready {
            environment: environment(number),
        });
    }
    // 3 is not known to its worker; 4 was being made, 5 as well but has begun an invoke.
    let living = [(1, false), (2, true), (4, false), (5, true)];
    let living: BTreeMap<_, _> = living
        .map(|(number, busy)| (environment(number), busy))
        .into();
    let effects = state.recover(START, &living);
    assert_eq!(effects, [retired(3, Reason::Lost), destroy(4)]);
    assert_eq!(
        state.counts(),
        Counts {
            idle: 1,
            busy: 2,
            draining: 1,
            ..Counts::default()
        }
    );
    assert_eq!(lent(&mut state), Some(environment(1)));
    assert_eq!(lent(&mut state), None);
}
