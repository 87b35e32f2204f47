//! Random histories of the whole synchronous path.

use std::time::Duration;

use faulty::Rates;
use sim::engine::Habits;
use sim::trial::{Trouble, run};

const MS: Duration = Duration::from_millis(1);

/// No faults at all.
const NONE: Trouble = Trouble {
    network: Rates::fixed(MS),
    journal: Rates::fixed(MS),
    habits: Habits {
        making: (Duration::ZERO, Duration::from_millis(20)),
        not_made: 0.0,
        init: (Duration::ZERO, Duration::from_millis(50)),
        init_fails: 0.0,
    },
    machines: 0,
    leaders: 1,
    moves: 0,
    quiet_within: Duration::from_secs(10),
};

#[test]
fn without_faults_all_is_soon_at_rest() {
    run("no faults", 0..30, &NONE);
}

/// A permit that was requested once more after it had been given back expires: a timeout of three
/// seconds, ten for an init, and a minute.
const QUIET_WITHIN: Duration = Duration::from_secs(80);

/// A network that loses and repeats.
const NETWORK: Rates = Rates {
    delay: (Duration::ZERO, Duration::from_millis(5)),
    lost_before: 0.1,
    lost_after: 0.1,
    duplicated: 0.1,
    late: Duration::from_secs(2),
};

/// Sandboxes that cannot be made or fail.
const HABITS: Habits = Habits {
    not_made: 0.2,
    init_fails: 0.2,
    ..NONE.habits
};

#[test]
fn a_network_that_loses_and_repeats_harms_nobody() {
    let trouble = Trouble {
        network: NETWORK,
        quiet_within: QUIET_WITHIN,
        ..NONE
    };
    run("network", 0..200, &trouble);
}

#[test]
fn sandboxes_that_fail_harm_nobody() {
    let trouble = Trouble {
        habits: HABITS,
        ..NONE
    };
    run("sandboxes", 0..200, &trouble);
}

#[test]
fn machines_that_fail_harm_nobody() {
    let trouble = Trouble {
        machines: 4,
        quiet_within: QUIET_WITHIN,
        ..NONE
    };
    run("machines", 0..200, &trouble);
}

#[test]
fn a_journal_that_is_not_reached_harms_nobody() {
    let journal = Rates {
        lost_before: 0.2,
        lost_after: 0.2,
        ..NETWORK
    };
    let trouble = Trouble {
        journal,
        quiet_within: QUIET_WITHIN,
        ..NONE
    };
    run("journal", 0..100, &trouble);
}

#[test]
fn all_of_it_at_once_harms_nobody() {
    let trouble = Trouble {
        network: NETWORK,
        journal: NETWORK,
        habits: HABITS,
        machines: 4,
        quiet_within: QUIET_WITHIN,
        ..NONE
    };
    run("all at once", 0..200, &trouble);
}

/// What no leader knows is looked for every minute, and what may not be in use every ten seconds.
const MOVED_WITHIN: Duration = Duration::from_secs(150);

#[test]
fn partitions_that_move_harm_nobody() {
    let trouble = Trouble {
        leaders: 3,
        moves: 12,
        quiet_within: MOVED_WITHIN,
        ..NONE
    };
    let facts = run("moves", 0..60, &trouble);
    assert_eq!(facts.unavailable, 0, "a move costs time and no error");
}

#[test]
fn partitions_that_move_while_all_else_fails_harm_nobody() {
    let trouble = Trouble {
        network: NETWORK,
        journal: NETWORK,
        habits: HABITS,
        machines: 4,
        leaders: 2,
        moves: 12,
        quiet_within: MOVED_WITHIN,
    };
    run("moves and all else", 0..60, &trouble);
}
