//! The service with a faked world around it: creations, waiters, restarts, fences.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assign, Assignment, Error, Event, Lease, LeaseNumber, Report};
use api::worker::Error as WorkerError;
use async_trait::async_trait;
use bytes::Bytes;
use records::functions::FunctionVersion;
use storage::{Appended, Journal, Position, Record};
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
async fn until(what: &str, condition: impl Fn() -> bool) {
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
    service.report(is_idle(first.environment)).await.unwrap();
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
    service.report(is_idle(first.environment)).await.unwrap();
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
    until("the place in line is given up", || {
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
    service.report(is_idle(first.environment)).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    service.report(is_idle(second.environment)).await.unwrap();
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
async fn a_restart_knows_what_lives_and_what_is_busy() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(assign(&service).await.unwrap().environment);
    }
    // Killed: no shutdown. Meanwhile one ends its invoke, one goes on, one dies with nobody told.
    // The last one's `Created` is written, and with it all that came before.
    drop(service);
    world.worker(1).set_busy(leases[1], true);
    api::worker::Worker::destroy(world.worker(1), leases[2])
        .await
        .unwrap();
    let service = world.start().await.unwrap();
    assert_eq!(
        service.counts(),
        Counts {
            idle: 1,
            busy: 1,
            ..Counts::default()
        }
    );
    assert_eq!(assign(&service).await.unwrap().environment, leases[0]);
}

#[tokio::test]
async fn workers_of_the_run_before_are_gone_and_their_environments_with_them() {
    let world = World::new();
    let service = world.start().await.unwrap();
    assign(&service).await.unwrap();
    drop(service);
    let later = World {
        workers: Arc::default(),
        ..world
    };
    let service = later.start().await.unwrap();
    assert_eq!(service.counts(), Counts::default());
}

#[tokio::test]
async fn idle_environments_are_reaped_and_the_journal_is_trimmed() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let lease = assign(&service).await.unwrap();
    service.report(is_idle(lease.environment)).await.unwrap();
    world.clock.advance(Duration::from_secs(600));
    service.tick();
    until("it is destroyed", || {
        world.worker(1).destroyed() == [lease.environment]
    })
    .await;
    until("it is forgotten", || service.counts() == Counts::default()).await;
    service.shutdown().await;
    service.trim().await;
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
    let again = world.start().await.unwrap();
    assert!(assign(&again).await.unwrap().cold);
}

#[tokio::test]
async fn a_newer_generation_retires_the_older_ones_environments() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let idle = assign(&service).await.unwrap();
    let busy = assign(&service).await.unwrap();
    service.report(is_idle(idle.environment)).await.unwrap();
    let newer = service.assign(ask(&version("f", 2))).await.unwrap();
    assert!(newer.cold);
    until("the idle one is destroyed", || {
        world.worker(1).destroyed() == [idle.environment]
    })
    .await;
    service.report(is_idle(busy.environment)).await.unwrap();
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
    service.report(is_idle(idle.environment)).await.unwrap();
    service.drain();
    assert_eq!(assign(&service).await, Err(Error::Unavailable));
    service.report(is_idle(busy.environment)).await.unwrap();
    service.shutdown().await;
    assert_eq!(world.worker(1).living(), []);
}

#[tokio::test]
async fn a_second_leader_fences_the_first() {
    let world = World::new();
    let first = world.start().await.unwrap();
    assign(&first).await.unwrap();
    let second = world.start().await.unwrap();
    assert_eq!(assign(&first).await, Err(Error::Unavailable));
    assert_eq!(
        assign(&first).await,
        Err(Error::Unavailable),
        "and does not recover"
    );
    assert!(assign(&second).await.is_ok());
    // What the first made for nothing is destroyed; two live, one of each leader's time.
    until("it is destroyed", || world.worker(1).destroyed().len() == 1).await;
}

/// A journal that loses answers: every second append is done and answered `Unknown`.
struct Forgetful(Arc<dyn Journal>, std::sync::atomic::AtomicUsize);

#[async_trait]
impl Journal for Forgetful {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        let turn = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match turn % 3 {
            0 => Appended::Unknown,
            1 => {
                self.0.append(partition, expected, records).await;
                Appended::Unknown
            }
            _ => self.0.append(partition, expected, records).await,
        }
    }

    async fn read(
        &self,
        partition: &str,
        from: Position,
        limit: usize,
    ) -> Result<Vec<Record>, storage::Error> {
        self.0.read(partition, from, limit).await
    }

    async fn tail(&self, partition: &str) -> Result<Position, storage::Error> {
        self.0.tail(partition).await
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), storage::Error> {
        self.0.trim(partition, before).await
    }
}

#[tokio::test]
async fn an_unknown_append_is_looked_up_and_written_once() {
    let world = World::new();
    let journal = Arc::new(Forgetful(world.journal.clone(), 0.into()));
    let dependencies = Dependencies {
        journal,
        ..world.dependencies()
    };
    let service = world.start_with(dependencies).await.unwrap();
    let first = assign(&service).await.unwrap();
    let second = assign(&service).await.unwrap();
    service.shutdown().await;
    let mut created = Vec::new();
    for number in 0..8 {
        let name = format!("assignment-{number}");
        for record in world.journal.read(&name, Position(0), 100).await.unwrap() {
            let text = String::from_utf8(record.bytes.to_vec()).unwrap();
            if text.contains("created") {
                created.push(text);
            }
        }
    }
    assert_eq!(created.len(), 2);
    assert!(created[0].contains(&first.environment.as_uuid().to_string()));
    assert!(created[1].contains(&second.environment.as_uuid().to_string()));
}

#[tokio::test]
async fn a_foreign_record_stops_the_start() {
    let world = World::new();
    let record = vec![Bytes::from_static(b"{\"v\":9}")];
    world
        .journal
        .append("assignment-3", Position(0), record)
        .await;
    let refused = world.start().await.err().unwrap();
    assert!(
        matches!(refused, crate::Error::Record { position: 0, .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn what_a_worker_has_that_cannot_be_reached_is_not_taken_for_gone() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let lease = assign(&service).await.unwrap();
    let id = lease.environment;
    service.report(is_idle(id)).await.unwrap();
    world.worker(1).set_deaf(true);
    let next = world.start().await.unwrap();
    until("the next leader holds it", || next.counts().busy == 1).await;
    world.worker(1).set_deaf(false);
    next.report(is_idle(id)).await.unwrap();
    let again = assign(&next).await.unwrap();
    assert_eq!((again.environment, again.cold), (id, false));
}

#[tokio::test]
async fn a_worker_is_told_to_end_an_environment_until_it_hears() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let old = assign(&service).await.unwrap().environment;
    service.report(is_idle(old)).await.unwrap();
    world.worker(1).set_deaf(true);
    // A newer generation ends it; the new environment cannot be made there either.
    let newer = service.assign(ask(&version("f", 2))).await.unwrap();
    assert_ne!(newer.worker, worker(1));
    assert_eq!(world.worker(1).destroyed(), []);
    world.worker(1).set_deaf(false);
    until("it is heard", || world.worker(1).destroyed().contains(&old)).await;
}
