//! Random histories of the whole synchronous path.

use std::time::Duration;

use faulty::Rates;
use sim::engine::Habits;
use sim::trial::{Trouble, run};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

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
    quiet_within: Duration::from_secs(10),
};

#[test]
fn without_faults_all_is_soon_at_rest() {
    run("no faults", 0..50, &NONE);
}

#[test]
fn a_network_that_loses_and_repeats_harms_nobody() {
    let network = Rates {
        delay: (Duration::ZERO, 5 * MS),
        lost_before: 0.1,
        lost_after: 0.1,
        duplicated: 0.1,
        late: 2 * SECOND,
    };
    let trouble = Trouble {
        network,
        quiet_within: 1_200 * SECOND,
        ..NONE
    };
    run("network", 0..200, &trouble);
}
