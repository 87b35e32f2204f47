//! What placement promises: named rules one by one, then random histories.

use std::sync::Arc;
use std::time::Duration;

use api::placement::{Error, Heartbeat, Place, Placement, WorkerView};
use prometheus_client::registry::Registry;
use proptest::prelude::*;
use records::functions::FunctionKey;
use types::{FunctionName, ManualClock, SystemRandom, Timestamp, Version, WorkerId};

use crate::state::State;
use crate::{Config, Metrics, Service};

const START: Timestamp = Timestamp::from_millis(1_000_000);

fn worker(number: u64) -> WorkerId {
    format!("worker-00000000-0000-0000-0000-{number:012}")
        .parse()
        .unwrap()
}

fn heartbeat(number: u64, zone: &str, memory_mb: u64) -> Heartbeat {
    Heartbeat {
        worker: worker(number),
        host: format!("h{number}"),
        zone: zone.to_owned(),
        version: String::new(),
        memory_mb,
        committed_mb: 0,
        used_mb: 0,
        draining: false,
        idle: 0,
        busy: 0,
    }
}

fn ask(memory_mb: u32) -> Place {
    let scope = records::examples::scope();
    Place {
        function: FunctionKey {
            scope,
            name: FunctionName::new("f").unwrap(),
            version: Version::Latest,
            generation: 1,
        },
        memory_mb,
        zone: None,
        avoid: Vec::new(),
    }
}

/// Who gets it, given these workers a second ago.
fn check(workers: &[Heartbeat], request: &Place, expected: Option<u64>) {
    let mut state = State::default();
    for heartbeat in workers {
        state.heartbeat(START, heartbeat.clone());
    }
    let config = Config {
        overcommit: 1.0,
        ..Config::default()
    };
    let placed = state.place(START.after(Duration::from_secs(1)), request, &config);
    assert_eq!(placed.map(|(id, _)| id), expected.map(worker));
}

#[test]
fn nobody_gets_it_where_there_is_nobody() {
    check(&[], &ask(128), None);
}

#[test]
fn the_worker_with_the_least_room_that_fits_gets_it() {
    let workers = [
        heartbeat(1, "a", 4_000),
        heartbeat(2, "a", 1_000),
        heartbeat(3, "a", 2_000),
    ];
    check(&workers, &ask(1_500), Some(3));
    check(&workers, &ask(1_000), Some(2));
    check(&workers, &ask(4_001), None);
}

#[test]
fn the_wanted_zone_goes_before_the_best_fit() {
    let workers = [heartbeat(1, "a", 1_000), heartbeat(2, "b", 4_000)];
    check(
        &workers,
        &Place {
            zone: Some("b".to_owned()),
            ..ask(128)
        },
        Some(2),
    );
    check(
        &workers,
        &Place {
            zone: Some("c".to_owned()),
            ..ask(128)
        },
        Some(1),
    );
}

#[test]
fn a_worker_short_of_real_memory_is_filled_last() {
    let hot = Heartbeat {
        used_mb: 860,
        ..heartbeat(1, "a", 1_000)
    };
    check(&[hot.clone(), heartbeat(2, "a", 4_000)], &ask(128), Some(2));
    check(&[hot], &ask(128), Some(1));
}

#[test]
fn a_worker_whose_memory_is_used_gets_nothing_whatever_it_promised() {
    // Little is promised, but the environments' /tmp is full.
    let using = |used_mb| Heartbeat {
        committed_mb: 128,
        used_mb,
        ..heartbeat(1, "a", 1_000)
    };
    check(&[using(870)], &ask(128), Some(1));
    check(&[using(871)], &ask(128), None);
    check(&[using(871), heartbeat(2, "b", 4_000)], &ask(128), Some(2));
}

#[test]
fn a_draining_worker_and_one_that_refused_get_nothing() {
    let draining = Heartbeat {
        draining: true,
        ..heartbeat(1, "a", 1_000)
    };
    check(&[draining, heartbeat(2, "a", 4_000)], &ask(128), Some(2));
    let request = Place {
        avoid: vec![worker(1)],
        ..ask(128)
    };
    check(
        &[heartbeat(1, "a", 1_000), heartbeat(2, "a", 4_000)],
        &request,
        Some(2),
    );
    check(&[heartbeat(1, "a", 1_000)], &request, None);
}

#[test]
fn a_worker_silent_for_over_five_seconds_gets_nothing() {
    let config = Config::default();
    let mut state = State::default();
    state.heartbeat(START, heartbeat(1, "a", 1_000));
    assert!(
        state
            .place(START.after(Duration::from_secs(5)), &ask(1), &config)
            .is_some()
    );
    assert!(
        state
            .place(START.after(Duration::from_millis(5_001)), &ask(1), &config)
            .is_none()
    );
    state.heartbeat(
        START.after(Duration::from_secs(6)),
        heartbeat(1, "a", 1_000),
    );
    assert!(
        state
            .place(START.after(Duration::from_secs(7)), &ask(1), &config)
            .is_some()
    );
}

#[test]
fn workers_are_shown_as_they_said_last_and_a_silent_one_as_silent() {
    let config = Config::default();
    let mut state = State::default();
    let busy = Heartbeat {
        busy: 2,
        ..heartbeat(1, "a", 1_000)
    };
    let leaving = Heartbeat {
        draining: true,
        ..heartbeat(2, "a", 1_000)
    };
    state.heartbeat(START, busy.clone());
    state.heartbeat(START, leaving.clone());
    let view = |last: &Heartbeat, silent_ms, silent| WorkerView {
        last: last.clone(),
        silent_ms,
        silent,
    };
    let later = START.after(Duration::from_millis(700));
    let both = [view(&busy, 700, false), view(&leaving, 700, false)];
    assert_eq!(state.views(later, &config), both);
    // The one that drained has ended as it was told to.
    let later = START.after(Duration::from_secs(6));
    let one = [view(&busy, 6_000, true)];
    assert_eq!(state.views(later, &config), one);
}

#[test]
fn room_is_promised_until_the_next_heartbeat_tells_better() {
    let config = Config {
        overcommit: 1.0,
        ..Config::default()
    };
    let mut state = State::default();
    state.heartbeat(START, heartbeat(1, "a", 1_000));
    assert!(state.place(START, &ask(600), &config).is_some());
    assert!(state.place(START, &ask(600), &config).is_none());
    state.heartbeat(
        START,
        Heartbeat {
            committed_mb: 400,
            ..heartbeat(1, "a", 1_000)
        },
    );
    assert!(state.place(START, &ask(600), &config).is_some());
    assert!(state.place(START, &ask(1), &config).is_none());
}

#[test]
fn a_worker_promises_more_than_it_has_up_to_the_overcommit() {
    let mut state = State::default();
    state.heartbeat(START, heartbeat(1, "a", 1_000));
    let config = Config {
        overcommit: 4.0,
        ..Config::default()
    };
    let placed = (0..100)
        .filter(|_| state.place(START, &ask(128), &config).is_some())
        .count();
    assert_eq!(placed, 4_000 / 128);
}

#[tokio::test]
async fn leases_end_between_two_and_four_hours_from_now_and_not_together() {
    let clock = Arc::new(ManualClock::at(START));
    let metrics = Metrics::new(&mut Registry::default());
    let service = Service::new(
        Config::default(),
        clock.clone(),
        Arc::new(SystemRandom),
        metrics,
    );
    service
        .heartbeat(heartbeat(1, "a", 1_000_000))
        .await
        .unwrap();
    let mut ends = std::collections::BTreeSet::new();
    for _ in 0..50 {
        let placed = service.place(ask(128)).await.unwrap();
        let lasts = placed.lease_end.since(START).as_secs();
        assert!((7_200..=14_400).contains(&lasts), "{lasts}");
        ends.insert(placed.lease_end);
    }
    assert!(ends.len() > 40);
    clock.advance(Duration::from_secs(301));
    service.sweep();
    assert_eq!(
        service.place(ask(1)).await,
        Err(Error::NoCapacity { memory_mb: 1 })
    );
}

proptest! {
    #[test]
    fn nobody_promises_more_than_they_may(
        workers in proptest::collection::vec(
            (0..4u64, 0..5_000u64, 0..5_000u64, 0..5_000u64, any::<bool>()), 1..6
        ),
        requests in proptest::collection::vec(1..3_000u32, 1..60),
    ) {
        let config = Config { overcommit: 1.5, ..Config::default() };
        let mut state = State::default();
        let mut room = std::collections::BTreeMap::new();
        for (number, memory_mb, committed_mb, used_mb, draining) in workers {
            let heartbeat =
                Heartbeat { committed_mb, used_mb, draining, ..heartbeat(number, "a", memory_mb) };
            let mb = (memory_mb * 3 / 2).saturating_sub(committed_mb);
            let mb = if used_mb * 100 > memory_mb * 87 { 0 } else { mb };
            room.insert(heartbeat.worker, if draining { 0 } else { mb });
            state.heartbeat(START, heartbeat);
        }
        for memory_mb in requests {
            let largest = room.values().copied().max().unwrap_or(0);
            match state.place(START, &ask(memory_mb), &config) {
                Some((id, _)) => {
                    let left = room.get_mut(&id).unwrap();
                    prop_assert!(*left >= u64::from(memory_mb));
                    *left -= u64::from(memory_mb);
                }
                None => prop_assert!(largest < u64::from(memory_mb)),
            }
        }
    }
}
