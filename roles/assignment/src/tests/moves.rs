//! Moves on the pure state and what they have for effects, as the tests of its rules write them.

use std::time::Duration;

use api::assignment::{Lease, LeaseNumber};
use types::{EnvironmentId, Timestamp};

use super::parts::{created, environment, function, worker};
use crate::command::{Command, Created, Reason};
use crate::state::{Assigned, Effect, State, Then, WaiterId};

pub(super) const START: Timestamp = Timestamp::from_millis(1_000_000);

pub(super) fn later(seconds: u64) -> Timestamp {
    START.after(Duration::from_secs(seconds))
}

pub(super) fn lease(number: u64, cold: bool) -> Lease {
    Lease {
        environment: environment(number),
        worker: worker(1),
        number: LeaseNumber::default(),
        cold,
    }
}

pub(super) fn serve(waiter: WaiterId, number: u64, cold: bool) -> Effect {
    Effect::Serve {
        waiter,
        lease: lease(number, cold),
    }
}

pub(super) fn destroy(number: u64) -> Effect {
    Effect::Destroy {
        environment: environment(number),
        worker: worker(1),
    }
}

pub(super) fn retired(number: u64, reason: Reason) -> Effect {
    Effect::Append(Command::Retired {
        environment: environment(number),
        reason,
    })
}

/// An assign of `f` at generation 1 that must wait, and what its caller does.
pub(super) fn wait(state: &mut State) -> (WaiterId, Then) {
    match state.assign(START, function("f", 1), None, true) {
        (Assigned::Waits { waiter, then }, effects) if effects.is_empty() => (waiter, then),
        other => panic!("{other:?}"),
    }
}

pub(super) fn assign(state: &mut State, zone: Option<&str>) -> Assigned {
    match state.assign(START, function("f", 1), zone, true).0 {
        Assigned::Lent(lease) => Assigned::Lent(unnumbered(lease)),
        other => other,
    }
}

pub(super) fn unnumbered(lease: Lease) -> Lease {
    let number = LeaseNumber::default();
    Lease { number, ..lease }
}

/// Effects without the numbers of leases.
pub(super) fn plain(effects: Vec<Effect>) -> Vec<Effect> {
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
pub(super) fn returned(state: &mut State, now: Timestamp, number: u64) -> Vec<Effect> {
    let latest = LeaseNumber {
        term: u64::MAX,
        count: u64::MAX,
    };
    plain(state.returned(now, environment(number), latest))
}

pub(super) fn lent(state: &mut State) -> Option<EnvironmentId> {
    match assign(state, None) {
        Assigned::Lent(lease) => Some(lease.environment),
        _ => None,
    }
}

pub(super) fn make(state: &mut State, created: Created) -> Vec<Effect> {
    let (id, function) = (created.environment, created.function.clone());
    state.apply(&Command::Created(created));
    plain(state.made(START, &function, id))
}

/// These environments, idle, the last one most recently used.
pub(super) fn with_idle(environments: &[Created]) -> State {
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

/// One environment, lent, of a function whose leases take `lent_for`.
pub(super) fn with_one_lent(lent_for: Duration) -> State {
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
