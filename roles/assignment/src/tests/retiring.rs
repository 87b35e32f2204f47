//! The rules of retiring, one by one, on the pure state: what ends an environment, and which ones a replay treats as ended.

use std::collections::BTreeMap;

use api::assignment::Error;

use super::moves::*;
use super::parts::{created, environment, function};
use crate::command::{Command, Created, Reason};
use crate::state::{Assigned, Effect, State, Then};
use crate::{Config, Counts};

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
    // 3 is not known to its worker; 4 has been made since the former leader wrote, 5 is being made.
    let living = [(1, false), (2, true), (4, false), (5, true)];
    let living: BTreeMap<_, _> = living
        .map(|(number, busy)| (environment(number), busy))
        .into();
    let effects = state.recover(START, &living);
    let is_ready = |number| {
        let environment = environment(number);
        Effect::Append(Command::Ready { environment })
    };
    let found = [retired(3, Reason::Lost), is_ready(4), is_ready(5)];
    assert_eq!(effects, found);
    assert_eq!(
        state.counts(),
        Counts {
            idle: 2,
            busy: 2,
            ..Counts::default()
        }
    );
    assert_eq!(lent(&mut state), Some(environment(4)));
    assert_eq!(lent(&mut state), Some(environment(1)));
    assert_eq!(lent(&mut state), None);
}

#[test]
fn what_is_asked_for_is_not_superseded_by_what_another_generation_has_provisioned() {
    let mut state = State::default();
    state.apply(&Command::Created(created(1)));
    state.recover(START, &[(environment(1), false)].into());
    // Before anybody has asked a new leader for anything, a newer generation is provisioned.
    state.apply(&Command::Created(Created {
        function: function("f", 2),
        ahead: true,
        ..created(2)
    }));
    assert_eq!(lent(&mut state), Some(environment(1)));
}
