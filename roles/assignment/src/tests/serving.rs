//! The service with a faked world around it: who is served, creations, and what is retired.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assign, Assignment, Error, Event, Lease, LeaseNumber, Report};
use api::worker::Error as WorkerError;
use records::functions::FunctionVersion;
use storage::{Journal, Position};
use types::{EnvironmentId, Inner};

use super::parts::{Room, World, function, version, worker};
use crate::{Counts, Dependencies, Service};

fn ask(function: &Arc<FunctionVersion>) -> Assign {
    Assign {
        function: function.clone(),
        zone: None,
    }
}

/// Its worker has seen whatever lease there is, and it is idle.
pub(super) fn is_idle(environment: EnvironmentId) -> Vec<Report> {
    let seen = LeaseNumber {
        term: u64::MAX,
        count: u64::MAX,
    };
    vec![Report {
        environment,
        function: function("f", 1),
        event: Event::Idle { seen },
    }]
}

/// Waits for a condition, with a deadline far beyond what it takes.
pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never came true that {what}");
}

pub(super) async fn assign(service: &Service) -> Result<Lease, Error> {
    service.assign(ask(&version("f", 1))).await
}

/// An assign that is under way when this returns.
async fn assign_later(
    service: &Arc<Service>,
    waiting: usize,
) -> tokio::task::JoinHandle<Result<Lease, Error>> {
    let task = tokio::spawn({
        let service = service.clone();
        async move { assign(&service).await }
    });
    until("it waits", || service.counts().waiting == waiting).await;
    task
}

#[tokio::test]
async fn the_first_is_cold_and_the_next_is_warm() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let first = assign(&service).await.unwrap();
    assert!(first.cold);
    assert_eq!(first.worker, worker(1));
    service
        .report(None, is_idle(first.environment))
        .await
        .unwrap();
    let second = assign(&service).await.unwrap();
    assert_eq!(
        second,
        Lease {
            cold: false,
            number: second.number,
            ..first.clone()
        }
    );
    let third = assign(&service).await.unwrap();
    assert!(third.cold && third.environment != first.environment);
    assert_eq!(service.counts().busy, 2);
}

#[tokio::test]
async fn whoever_waits_gets_what_comes_free_first() {
    let world = World::new();
    let service = Arc::new(world.start().await.unwrap());
    let first = assign(&service).await.unwrap();
    world.worker(1).hold(true);
    let waiter = assign_later(&service, 1).await;
    service
        .report(None, is_idle(first.environment))
        .await
        .unwrap();
    let served = waiter.await.unwrap().unwrap();
    assert_eq!(
        served,
        Lease {
            cold: false,
            number: served.number,
            ..first
        }
    );
    world.worker(1).hold(false);
    until("the new one is idle", || service.counts().idle == 1).await;
}

#[tokio::test]
async fn who_goes_away_leaves_a_warm_environment_behind() {
    let world = World::new();
    let service = Arc::new(world.start().await.unwrap());
    world.worker(1).hold(true);
    let waiter = assign_later(&service, 1).await;
    waiter.abort();
    until("the place in the queue is given up", || {
        service.counts().waiting == 0
    })
    .await;
    world.worker(1).hold(false);
    until("the new one is idle", || service.counts().idle == 1).await;
    assert!(!assign(&service).await.unwrap().cold);
}

#[tokio::test]
async fn a_failed_creation_is_told_to_the_first_in_line() {
    let world = World::new();
    let service = world.start().await.unwrap();
    world.worker(1).fail_next(WorkerError::Sandbox {
        reason: Inner::new("no pids"),
    });
    let refusal = assign(&service).await.unwrap_err();
    assert!(matches!(&refusal, Error::Create { reason } if reason.for_log() == "no pids"));
    assert!(assign(&service).await.unwrap().cold);
}

#[tokio::test]
async fn what_has_been_idle_longest_makes_room_for_what_has_work() {
    let world = World::new();
    let room = Room(world.clock.clone(), world.workers[&worker(1)].clone(), 2);
    let dependencies = Dependencies {
        placement: Arc::new(room),
        ..world.dependencies()
    };
    let service = world.start_with(dependencies).await.unwrap();
    let first = assign(&service).await.unwrap();
    let second = assign(&service).await.unwrap();
    let other = ask(&version("g", 1));
    // Nobody idles: there is no room.
    let refused = service.assign(other.clone()).await;
    assert!(matches!(refused, Err(Error::NoCapacity { .. })));
    service
        .report(None, is_idle(first.environment))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(1));
    service
        .report(None, is_idle(second.environment))
        .await
        .unwrap();
    service.assign(other).await.unwrap();
    assert_eq!(world.worker(1).destroyed(), [first.environment]);
    assert_eq!(service.counts().idle, 1);
}

#[tokio::test]
async fn a_full_worker_is_passed_over_and_a_full_fleet_is_no_capacity() {
    let world = World::new();
    let service = world.start().await.unwrap();
    world.worker(1).fail_next(WorkerError::Full);
    assert_eq!(assign(&service).await.unwrap().worker, worker(2));
    world.worker(1).fail_next(WorkerError::Full);
    world.worker(2).fail_next(WorkerError::Full);
    assert!(matches!(
        assign(&service).await,
        Err(Error::NoCapacity { .. })
    ));
}

#[tokio::test]
async fn fifty_at_once_get_fifty_environments() {
    let world = World::new();
    let service = Arc::new(world.start().await.unwrap());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let service = service.clone();
            tokio::spawn(async move { assign(&service).await })
        })
        .collect();
    let mut environments = std::collections::BTreeSet::new();
    for task in tasks {
        environments.insert(task.await.unwrap().unwrap().environment);
    }
    assert_eq!(environments.len(), 50);
}

#[tokio::test]
async fn idle_environments_are_reaped_and_the_journal_is_trimmed() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let lease = assign(&service).await.unwrap();
    service
        .report(None, is_idle(lease.environment))
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(600));
    service.tick();
    until("it is destroyed", || {
        world.worker(1).destroyed() == [lease.environment]
    })
    .await;
    until("it is forgotten", || service.counts() == Counts::default()).await;
    service.shutdown().await;
    let again = world.start().await.unwrap();
    again.trim().await;
    for number in 0..8 {
        let partition = format!("assignment-{number}");
        assert_eq!(
            world
                .journal
                .read(&partition, Position(0), 10)
                .await
                .unwrap(),
            vec![]
        );
    }
    assert!(assign(&again).await.unwrap().cold);
}

#[tokio::test]
async fn a_newer_generation_retires_the_older_ones_environments() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let idle = assign(&service).await.unwrap();
    let busy = assign(&service).await.unwrap();
    service
        .report(None, is_idle(idle.environment))
        .await
        .unwrap();
    let newer = service.assign(ask(&version("f", 2))).await.unwrap();
    assert!(newer.cold);
    until("the idle one is destroyed", || {
        world.worker(1).destroyed() == [idle.environment]
    })
    .await;
    service
        .report(None, is_idle(busy.environment))
        .await
        .unwrap();
    until("the busy one as well", || {
        world.worker(1).destroyed().len() == 2
    })
    .await;
    assert_eq!(world.worker(1).living(), [newer.environment]);
}

#[tokio::test]
async fn who_drains_lends_nothing_and_leaves_nothing() {
    let world = World::new();
    let service = Arc::new(world.start().await.unwrap());
    let idle = assign(&service).await.unwrap();
    let busy = assign(&service).await.unwrap();
    service
        .report(None, is_idle(idle.environment))
        .await
        .unwrap();
    service.drain();
    assert_eq!(assign(&service).await, Err(Error::Unavailable));
    service
        .report(None, is_idle(busy.environment))
        .await
        .unwrap();
    service.shutdown().await;
    assert_eq!(world.worker(1).living(), []);
}

#[tokio::test]
async fn a_worker_is_told_to_end_an_environment_until_it_hears() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let old = assign(&service).await.unwrap().environment;
    service.report(None, is_idle(old)).await.unwrap();
    world.worker(1).set_deaf(true);
    // A newer generation ends it; the new environment cannot be made there either.
    let newer = service.assign(ask(&version("f", 2))).await.unwrap();
    assert_ne!(newer.worker, worker(1));
    assert_eq!(world.worker(1).destroyed(), []);
    world.worker(1).set_deaf(false);
    until("it is heard", || world.worker(1).destroyed().contains(&old)).await;
}
