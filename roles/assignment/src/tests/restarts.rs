//! The service and its journal: what a restart knows, who leads, and what an unknown append comes to.

use std::sync::Arc;

use api::assignment::{Assignment, Error};
use async_trait::async_trait;
use bytes::Bytes;
use storage::{Appended, Journal, Position, Record};

use super::parts::World;
use super::serving::{assign, is_idle, until};
use crate::{Counts, Dependencies};

#[tokio::test]
async fn a_restart_knows_what_lives_and_what_is_busy() {
    let world = World::new();
    let service = world.start().await.unwrap();
    let mut leases = Vec::new();
    for _ in 0..3 {
        leases.push(assign(&service).await.unwrap().environment);
    }
    // Killed: no shutdown. Meanwhile one ends its invoke, one continues, one dies without a report.
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
    service.report(None, is_idle(id)).await.unwrap();
    world.worker(1).set_deaf(true);
    let next = world.start().await.unwrap();
    until("the next leader holds it", || next.counts().busy == 1).await;
    world.worker(1).set_deaf(false);
    next.report(None, is_idle(id)).await.unwrap();
    let again = assign(&next).await.unwrap();
    assert_eq!((again.environment, again.cold), (id, false));
}
