//! Provisioned environments: rule by rule, and the service that creates them.

use std::time::Duration;

use api::assignment::{Assign, Assignment as _, Error, Provision, Standing};
use api::worker::Error as WorkerError;
use types::Timestamp;

use super::parts::{World, created, environment, function, version};
use crate::command::{Command, Created};
use crate::state::{Assigned, Effect, State, Then, Wish};

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn wish(count: usize, held: bool) -> Vec<Wish> {
    vec![Wish {
        function: version("f", 1),
        count,
        held,
        asked: Timestamp::from_millis(1),
    }]
}

fn begun(effects: &[Effect]) -> usize {
    let makes = |effect: &&Effect| matches!(effect, Effect::MakeAhead { .. });
    effects.iter().filter(makes).count()
}

/// Ends a creation that was begun, well, with the environment of that number.
fn make(state: &mut State, number: u64, lends_until: Timestamp) -> Vec<Effect> {
    let record = Created {
        ahead: true,
        lends_until,
        ..created(number)
    };
    state.apply(&Command::Created(record));
    state.made_ahead(NOW, &function("f", 1), environment(number))
}

fn later(seconds: u64) -> Timestamp {
    NOW.after(Duration::from_secs(seconds))
}

fn ready(state: &State) -> u32 {
    state.standings()[&function("f", 1)].ready
}

#[test]
fn what_is_wished_for_is_made_so_many_a_second() {
    let mut state = State::default();
    assert_eq!(begun(&state.provision(NOW, wish(25, false), 10)), 10);
    assert_eq!(begun(&state.provision(NOW, wish(25, false), 10)), 0);
    assert_eq!(begun(&state.provision(later(1), wish(25, false), 10)), 10);
    assert_eq!(begun(&state.provision(later(2), wish(25, false), 10)), 5);
    assert_eq!(begun(&state.provision(later(3), wish(25, false), 10)), 0);
}

#[test]
fn what_is_held_is_lent_when_it_is_let_loose() {
    let mut state = State::default();
    state.provision(NOW, wish(1, true), 10);
    make(&mut state, 1, later(7_000));
    let (assigned, _) = state.assign(NOW, function("f", 1), None, true);
    assert!(matches!(
        assigned,
        Assigned::Waits {
            then: Then::Create,
            ..
        }
    ));
    let effects = state.provision(NOW, wish(1, false), 10);
    let [Effect::Serve { lease, .. }] = effects.as_slice() else {
        panic!("{effects:?}")
    };
    assert_eq!((lease.environment, lease.cold), (environment(1), false));
}

#[test]
fn a_failure_is_tried_again_once_after_pauses_that_double() {
    let mut state = State::default();
    let error = || Error::Unavailable;
    assert_eq!(begun(&state.provision(NOW, wish(3, false), 10)), 3);
    for _ in 0..3 {
        state.not_made_ahead(NOW, &function("f", 1), error());
    }
    assert_eq!(begun(&state.provision(NOW, wish(3, false), 10)), 0);
    assert_eq!(begun(&state.provision(later(1), wish(3, false), 10)), 1);
    state.not_made_ahead(later(1), &function("f", 1), error());
    assert_eq!(begun(&state.provision(later(2), wish(3, false), 10)), 0);
    assert_eq!(begun(&state.provision(later(3), wish(3, false), 10)), 1);
    let standing = &state.standings()[&function("f", 1)];
    assert_eq!(standing.failure, Some(Error::Unavailable));
    // One success, and the rest follows at full speed.
    make(&mut state, 1, later(7_000));
    assert_eq!(begun(&state.provision(later(3), wish(3, false), 10)), 2);
}

#[test]
fn a_new_wish_forgets_failures() {
    let mut state = State::default();
    state.provision(NOW, wish(1, false), 10);
    state.not_made_ahead(NOW, &function("f", 1), Error::Unavailable);
    let again = wish(1, false).into_iter().map(|wish| Wish {
        asked: Timestamp::from_millis(2),
        ..wish
    });
    assert_eq!(begun(&state.provision(NOW, again.collect(), 10)), 1);
}

#[test]
fn a_successor_is_ready_before_an_environment_ends() {
    let mut state = State::default();
    state.provision(NOW, wish(1, false), 10);
    make(&mut state, 1, later(7_000));
    assert_eq!(begun(&state.provision(later(6_600), wish(1, false), 10)), 0);
    assert_eq!(begun(&state.provision(later(6_800), wish(1, false), 10)), 1);
    assert_eq!(ready(&state), 1);
    make(&mut state, 2, later(14_000));
    assert_eq!(ready(&state), 2);
    let effects = state.provision(later(6_801), wish(1, false), 10);
    let first = environment(1);
    let destroyed = effects.iter().filter_map(|effect| match effect {
        Effect::Destroy { environment, .. } => Some(*environment),
        _ => None,
    });
    assert!(destroyed.into_iter().any(|id| id == first), "{effects:?}");
    assert_eq!(ready(&state), 1);
}

#[test]
fn a_life_too_short_for_the_function_is_a_failure_and_no_churn() {
    let mut state = State::default();
    state.provision(NOW, wish(1, false), 10);
    make(&mut state, 1, NOW);
    assert_eq!(begun(&state.provision(NOW, wish(1, false), 10)), 0);
    assert!(state.standings()[&function("f", 1)].failure.is_some());
}

#[test]
fn what_is_made_ahead_is_neither_reaped_nor_makes_room() {
    let mut state = State::default();
    state.provision(NOW, wish(1, false), 10);
    make(&mut state, 1, later(7_000));
    assert_eq!(state.oldest_idle(), None);
    assert_eq!(state.tick(later(3_600), &crate::Config::default()), []);
}

#[test]
fn after_a_replay_nothing_is_let_go_before_wishes_are_told() {
    let mut state = State::default();
    let record = Created {
        ahead: true,
        ..created(1)
    };
    state.apply(&Command::Created(record));
    state.apply(&Command::Ready {
        environment: environment(1),
    });
    let living = [(environment(1), false)].into();
    assert_eq!(state.recover(NOW, &living), []);
    assert_eq!(state.tick(NOW, &crate::Config::default()), []);
    assert_eq!(begun(&state.provision(NOW, wish(1, false), 10)), 0);
    let effects = state.provision(NOW, Vec::new(), 10);
    assert!(matches!(effects.as_slice(), [Effect::Destroy { .. }]));
}

fn provision(count: u32) -> Vec<Provision> {
    vec![Provision {
        function: version("f", 1),
        count,
        held: false,
        asked: Timestamp::from_millis(1),
    }]
}

#[tokio::test]
async fn the_service_makes_lends_and_lets_go() {
    let world = World::new();
    let service = world.start().await.unwrap();
    assert_eq!(
        service.provision(provision(2)).await.unwrap(),
        [Some(Standing::default())]
    );
    let ready = async || {
        let standings = service.provision(provision(2)).await.unwrap();
        standings[0].clone().unwrap().ready
    };
    while ready().await < 2 {
        tokio::task::yield_now().await;
    }
    let assign = Assign {
        function: version("f", 1),
        zone: None,
    };
    assert!(!service.assign(assign).await.unwrap().cold);
    assert_eq!(service.provision(Vec::new()).await.unwrap(), []);
    while world.worker(1).living().len() > 1 {
        tokio::task::yield_now().await;
    }
    service.shutdown().await;
}

#[tokio::test]
async fn the_service_says_that_an_init_fails() {
    let world = World::new();
    let error_type = "Runtime.ExitError".to_owned();
    world.worker(1).fail_next(WorkerError::Init {
        error_type: error_type.clone(),
    });
    let service = world.start().await.unwrap();
    loop {
        let standing = service.provision(provision(1)).await.unwrap().remove(0);
        let standing = standing.unwrap();
        if let Some(failure) = standing.failure {
            assert_eq!(failure, Error::Init { error_type });
            break;
        }
        tokio::task::yield_now().await;
    }
    service.shutdown().await;
}
