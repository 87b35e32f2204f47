//! Partitions that move from process to process: nothing is lost, and nothing stays that nobody knows.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use api::assignment::{Assignment, Error, Standing};
use async_trait::async_trait;
use bytes::Bytes;
use storage::{Appended, Journal, Position, Record};
use tokio::sync::watch;

use super::parts::{World, environment, function, version, worker};
use super::serving::{assign, is_idle, until};
use crate::{Counts, Dependencies, Leads, Service, partition_names};

/// A process, and what it is told to lead.
struct Process {
    service: Arc<Service>,
    held: watch::Sender<BTreeSet<String>>,
    led: watch::Sender<BTreeSet<String>>,
}

impl Process {
    async fn start(world: &World, all: bool) -> Self {
        Self::start_with(world, world.dependencies(), all).await
    }

    async fn start_with(world: &World, dependencies: Dependencies, all: bool) -> Self {
        let held = match all {
            true => partition_names(8),
            false => BTreeSet::new(),
        };
        let (held, led) = (watch::Sender::new(held), watch::Sender::default());
        let leads = Leads::of(held.subscribe(), led.clone());
        let service = world.start_of(dependencies, leads).await.unwrap();
        Self {
            service: Arc::new(service),
            held,
            led,
        }
    }

    fn lead(&self, all: bool) {
        self.held.send_replace(match all {
            true => partition_names(8),
            false => BTreeSet::new(),
        });
    }

    /// Waits until it leads all, or none.
    async fn leads(&self, all: bool) {
        let count = if all { 8 } else { 0 };
        until("it leads what it is told to", || {
            self.service.led_count() == count
        })
        .await;
        assert!(all || self.led.borrow().is_empty());
    }
}

/// What is idle in a process that leads.
fn idle(count: usize) -> Counts {
    Counts {
        idle: count,
        ..Counts::default()
    }
}

#[tokio::test]
async fn what_moves_is_lent_by_the_next_leader() {
    let world = World::new();
    let first = Process::start(&world, true).await;
    let second = Process::start(&world, false).await;
    let lease = assign(&first.service).await.unwrap();
    let id = lease.environment;
    assert_eq!(assign(&second.service).await, Err(Error::Unavailable));
    world.worker(1).set_busy(id, true);
    first.lead(false);
    first.leads(false).await;
    assert_eq!(assign(&first.service).await, Err(Error::Unavailable));
    let report = first.service.report(None, is_idle(id)).await;
    assert_eq!(report, Err(Error::Unavailable));
    second.lead(true);
    second.leads(true).await;
    assert_eq!(second.service.counts().busy, 1);
    second.service.report(None, is_idle(id)).await.unwrap();
    let again = assign(&second.service).await.unwrap();
    assert_eq!((again.environment, again.cold), (id, false));
    assert!(again.number > lease.number);
    // And back.
    second.service.hand_over().await;
    first.lead(true);
    first.leads(true).await;
    assert_eq!(first.service.counts().idle + first.service.counts().busy, 1);
    assert!(world.worker(1).destroyed().is_empty());
}

#[tokio::test]
async fn who_waits_is_sent_elsewhere_and_what_is_being_made_is_the_next_leaders() {
    let world = World::new();
    let first = Process::start(&world, true).await;
    world.worker(1).hold(true);
    let service = Arc::clone(&first.service);
    let waiting = tokio::spawn(async move { assign(&service).await });
    until("it is being made", || first.service.counts().creating == 1).await;
    first.service.hand_over().await;
    assert_eq!(waiting.await.unwrap(), Err(Error::Unavailable));
    // The worker keeps making what it was asked for.
    let made = environment_of(&world).await;
    world.worker(1).set_busy(made, true);
    let second = Process::start(&world, true).await;
    assert_eq!(second.service.counts().busy, 1);
    second.service.report(None, is_idle(made)).await.unwrap();
    assert_eq!(second.service.counts(), idle(1));
    assert_eq!(assign(&second.service).await.unwrap().environment, made);
}

/// The one environment that was recorded.
async fn environment_of(world: &World) -> types::EnvironmentId {
    for name in partition_names(8) {
        for record in world.journal.read(&name, Position(0), 100).await.unwrap() {
            if let crate::command::Command::Created(created) =
                crate::command::Command::decode(&record.bytes).unwrap()
            {
                return created.environment;
            }
        }
    }
    panic!("none is recorded")
}

#[tokio::test]
async fn what_lives_without_a_record_is_ended() {
    let world = World::new();
    world.worker(2).set_busy(environment(99), false);
    let process = Process::start(&world, true).await;
    until("it is ended", || world.worker(2).living().is_empty()).await;
    assert_eq!(process.service.counts(), Counts::default());
    // As an order to create one that arrives late.
    let lease = assign(&process.service).await.unwrap();
    world.worker(2).set_busy(environment(98), true);
    process.service.sweep().await;
    until("it is ended as well", || {
        world.worker(2).living().is_empty()
    })
    .await;
    assert_eq!(world.worker(1).living(), [lease.environment]);
}

#[tokio::test]
async fn who_does_not_lead_ends_nothing_that_it_does_not_know() {
    let world = World::new();
    let stuck = Process::start(&world, true).await;
    let leader = Process::start(&world, true).await;
    let lease = assign(&leader.service).await.unwrap();
    // It believes that it leads, and does not know that environment.
    stuck.service.sweep().await;
    until("it is fenced", || stuck.service.led_count() < 8).await;
    assert_eq!(world.worker(1).living(), [lease.environment]);
    assert!(world.worker(1).destroyed().is_empty());
}

/// A journal that can be out of reach.
struct Breaking(Arc<dyn Journal>, AtomicBool);

#[async_trait]
impl Journal for Breaking {
    async fn append(&self, partition: &str, expected: Position, records: Vec<Bytes>) -> Appended {
        match self.1.load(Ordering::SeqCst) {
            true => Appended::Unknown,
            false => self.0.append(partition, expected, records).await,
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
        match self.1.load(Ordering::SeqCst) {
            true => Err(storage::Error::Unavailable("it is out of reach".into())),
            false => self.0.tail(partition).await,
        }
    }

    async fn trim(&self, partition: &str, before: Position) -> Result<(), storage::Error> {
        self.0.trim(partition, before).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_is_out_of_reach_is_tried_again_while_the_lease_is_held() {
    let world = World::new();
    let journal = Arc::new(Breaking(world.journal.clone(), true.into()));
    let dependencies = Dependencies {
        journal: journal.clone(),
        ..world.dependencies()
    };
    let process = Process::start_with(&world, dependencies, false).await;
    process.lead(true);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(process.service.led_count(), 0);
    journal.1.store(false, Ordering::SeqCst);
    process.leads(true).await;
    // Its last records cannot be written: it lets go nevertheless.
    journal.1.store(true, Ordering::SeqCst);
    let made = assign(&process.service).await;
    assert_eq!(made, Err(Error::Unavailable));
    process.lead(false);
    tokio::time::sleep(Duration::from_secs(60)).await;
    process.leads(false).await;
}

#[tokio::test(start_paused = true)]
async fn who_was_fenced_leads_again_if_it_has_the_lease() {
    let world = World::new();
    let first = Process::start(&world, true).await;
    let second = Process::start(&world, true).await;
    assert_eq!(assign(&first.service).await, Err(Error::Unavailable));
    // As a process that dies.
    drop(second);
    tokio::time::sleep(Duration::from_secs(60)).await;
    first.leads(true).await;
    assert!(assign(&first.service).await.is_ok());
}

#[tokio::test]
async fn what_nobody_says_any_more_is_not_held() {
    let world = World::new();
    let process = Process::start(&world, true).await;
    let Process {
        service, held, led, ..
    } = process;
    drop(held);
    until("it lets go", || led.borrow().is_empty()).await;
    assert_eq!(assign(&service).await, Err(Error::Unavailable));
}

#[tokio::test]
async fn what_was_on_a_worker_that_is_gone_is_made_elsewhere() {
    let world = World::new();
    let process = Process::start(&world, true).await;
    let lease = assign(&process.service).await.unwrap();
    assert_eq!(lease.worker, worker(1));
    world.worker(1).set_deaf(true);
    world.live.send_modify(|live| {
        live.alive.remove(&worker(1));
    });
    until("it is forgotten", || {
        process.service.counts() == Counts::default()
    })
    .await;
    let next = assign(&process.service).await.unwrap();
    assert_eq!(next.worker, worker(2));
}

#[tokio::test]
async fn nothing_is_made_on_a_worker_that_drains() {
    let world = World::new();
    let process = Process::start(&world, true).await;
    let lease = assign(&process.service).await.unwrap();
    let report = process.service.report(None, is_idle(lease.environment));
    report.await.unwrap();
    world.live.send_modify(|live| {
        live.draining.insert(worker(1));
    });
    until("it is emptied", || world.worker(1).living().is_empty()).await;
    let next = assign(&process.service).await.unwrap();
    assert_eq!((next.worker, next.cold), (worker(2), true));
}

#[tokio::test]
async fn a_making_ends_when_its_worker_is_gone() {
    let world = World::new();
    let process = Process::start(&world, true).await;
    world.worker(1).hold(true);
    let service = Arc::clone(&process.service);
    let waiting = tokio::spawn(async move { assign(&service).await });
    until("it is being made", || {
        process.service.counts().creating == 1
    })
    .await;
    world.live.send_modify(|live| {
        live.alive.remove(&worker(1));
    });
    assert_eq!(waiting.await.unwrap().unwrap().worker, worker(2));
}

#[tokio::test]
async fn provision_says_what_is_not_led_here() {
    let world = World::new();
    let process = Process::start(&world, false).await;
    let wanted = ["f", "g"].map(|name| api::assignment::Provision {
        function: version(name, 1),
        count: 0,
        held: false,
        asked: types::Timestamp::from_millis(1),
    });
    let led = crate::partition_name(crate::partition(&function("g", 1), 8));
    process.held.send_replace([led].into());
    until("it leads one", || process.service.led_count() == 1).await;
    let standings = process.service.provision(wanted.into()).await.unwrap();
    assert_eq!(standings, [None, Some(Standing::default())]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_not_known_yet_is_waited_for() {
    let world = World::new();
    let first = Process::start(&world, true).await;
    let lease = assign(&first.service).await.unwrap();
    first.service.hand_over().await;
    let knows = |numbers: &[u64]| World {
        workers: Arc::new(
            numbers
                .iter()
                .map(|number| (worker(*number), world.workers[&worker(*number)].clone()))
                .collect(),
        ),
        live: watch::Sender::default(),
        clock: world.clock.clone(),
        journal: world.journal.clone(),
    };
    let joining = knows(&[2]);
    let second = Process::start(&joining, true).await;
    assert_eq!(second.service.counts().busy, 1);
    // If it never comes, it has gone.
    world.clock.advance(Duration::from_secs(20));
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(second.service.counts(), Counts::default());
    assert_eq!(world.worker(1).living(), [lease.environment]);
}
