//! Several members over one table, by a clock that is moved.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use leasing::{Config, Held, Member};
use storage::memory::MemoryTable;
use storage::{Consistency, Error, Expect, Revision, Row, Table, Watch};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

const TERM: Duration = Duration::from_secs(6);

struct Running {
    held: Held,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// A way to a table that can be broken.
#[derive(Default)]
struct Breaking {
    table: Arc<MemoryTable>,
    watches: Mutex<JoinSet<()>>,
    /// Whether writes get lost silently.
    silent: AtomicBool,
}

impl Breaking {
    /// As a watch is that falls behind.
    fn break_off(&self) {
        let watches = self.watches.lock();
        watches.expect("nobody panics who has it").abort_all();
    }
}

#[async_trait]
impl Table for Breaking {
    async fn get(&self, key: &str, consistency: Consistency) -> Result<Option<Row>, Error> {
        self.table.get(key, consistency).await
    }

    async fn put(&self, key: &str, value: Bytes, expect: Expect) -> Result<Revision, Error> {
        if self.silent.load(Ordering::Relaxed) {
            return std::future::pending().await;
        }
        self.table.put(key, value, expect).await
    }

    async fn delete(&self, key: &str, expect: Expect) -> Result<(), Error> {
        self.table.delete(key, expect).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Row>, Error> {
        self.table.list(prefix, after, limit).await
    }

    async fn watch(&self, prefix: &str) -> Result<Watch, Error> {
        let mut changes = self.table.watch(prefix).await?;
        let (sender, receiver) = mpsc::channel(1);
        let mut watches = self.watches.lock().expect("nobody panics who has it");
        watches.spawn(async move {
            while let Some(change) = changes.recv().await {
                let _ = sender.send(change).await;
            }
        });
        Ok(receiver)
    }
}

fn start<T: Table + 'static>(
    name: &str,
    table: &Arc<T>,
    wanted: &watch::Sender<BTreeSet<String>>,
) -> Running {
    start_with(name, table, wanted, &watch::Sender::default(), false)
}

/// A member whose work is fenced where it is done.
fn start_fenced<T: Table + 'static>(
    name: &str,
    table: &Arc<T>,
    wanted: &watch::Sender<BTreeSet<String>>,
) -> Running {
    start_with(name, table, wanted, &watch::Sender::default(), true)
}

/// A member whose work is used for as long as `used` says.
fn start_using<T: Table + 'static>(
    name: &str,
    table: &Arc<T>,
    wanted: &watch::Sender<BTreeSet<String>>,
    used: &watch::Sender<BTreeSet<String>>,
) -> Running {
    start_with(name, table, wanted, used, false)
}

fn start_with<T: Table + 'static>(
    name: &str,
    table: &Arc<T>,
    wanted: &watch::Sender<BTreeSet<String>>,
    used: &watch::Sender<BTreeSet<String>>,
    fenced: bool,
) -> Running {
    let config = Config {
        group: "g".to_owned(),
        holder: name.to_owned(),
        term: TERM,
        fenced,
    };
    let table: Arc<dyn Table> = table.clone();
    let (member, held) = Member::new(config, table, wanted.subscribe());
    let member = member.until_let_go(used.subscribe());
    let stop = CancellationToken::new();
    let task = tokio::spawn(member.run(stop.clone()));
    Running { held, stop, task }
}

fn works(count: usize) -> watch::Sender<BTreeSet<String>> {
    watch::Sender::new((0..count).map(|n| format!("q{n}")).collect())
}

fn count(member: &Running) -> usize {
    member.held.borrow().len()
}

/// Every work held once.
fn assert_shared(members: &[&Running], total: usize) {
    let mut all = BTreeSet::new();
    for member in members {
        for work in member.held.borrow().iter() {
            assert!(all.insert(work.clone()), "{work} is held twice");
        }
    }
    assert_eq!(all.len(), total);
}

#[tokio::test(start_paused = true)]
async fn work_is_shared_and_moves_when_members_come_and_leave() {
    let (table, wanted) = (Arc::new(MemoryTable::default()), works(10));
    let one = start("one", &table, &wanted);
    tokio::time::sleep(TERM).await;
    assert_eq!(count(&one), 10);
    let two = start("two", &table, &wanted);
    tokio::time::sleep(TERM * 2).await;
    assert_eq!((count(&one), count(&two)), (5, 5));
    assert_shared(&[&one, &two], 10);
    two.stop.cancel();
    two.task.await.unwrap();
    tokio::time::sleep(TERM).await;
    assert_eq!(count(&one), 10);
    wanted.send(BTreeSet::from(["other".to_owned()])).unwrap();
    tokio::time::sleep(TERM).await;
    assert_eq!(*one.held.borrow(), BTreeSet::from(["other".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn the_work_of_a_dead_member_moves_within_two_terms() {
    let (table, wanted) = (Arc::new(MemoryTable::default()), works(8));
    let one = start("one", &table, &wanted);
    let two = start("two", &table, &wanted);
    tokio::time::sleep(TERM * 3).await;
    assert_shared(&[&one, &two], 8);
    two.task.abort();
    tokio::time::sleep(TERM / 3).await;
    assert_eq!(count(&one), 4, "it may still be alive");
    tokio::time::sleep(TERM * 2).await;
    assert_eq!(count(&one), 8);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_taken_is_noticed_by_who_had_it() {
    let (table, wanted) = (Arc::new(MemoryTable::default()), works(1));
    let one = start("one", &table, &wanted);
    tokio::time::sleep(TERM).await;
    assert_eq!(count(&one), 1);
    let claim = r#"{"holder":"thief","beat":1}"#;
    let key = "lease/g/held/q0";
    table.put(key, claim.into(), Expect::Any).await.unwrap();
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(count(&one), 0);
    tokio::time::sleep(TERM * 2).await;
    assert_eq!(count(&one), 1, "the thief is silent");
}

#[tokio::test(start_paused = true)]
async fn leases_outlive_a_watch_that_is_broken_off() {
    let (table, wanted) = (Arc::new(Breaking::default()), works(4));
    let one = start("one", &table, &wanted);
    tokio::time::sleep(TERM).await;
    for _ in 0..6 {
        assert_eq!(count(&one), 4);
        table.break_off();
        tokio::time::sleep(TERM / 2).await;
    }
    assert_eq!(count(&one), 4);
}

#[tokio::test(start_paused = true)]
async fn a_member_whose_renewals_are_not_answered_stops_before_others_take_its_work() {
    let (broken, wanted) = (Arc::new(Breaking::default()), works(4));
    let one = start("one", &broken, &wanted);
    tokio::time::sleep(TERM).await;
    assert_eq!(count(&one), 4);
    broken.silent.store(true, Ordering::Relaxed);
    let two = start("two", &broken.table, &wanted);
    for _ in 0..300 {
        tokio::time::sleep(TERM / 100).await;
        let held = one.held.borrow();
        assert!(two.held.borrow().is_disjoint(&held), "held twice");
    }
    assert_eq!((count(&one), count(&two)), (0, 4));
    broken.silent.store(false, Ordering::Relaxed);
    tokio::time::sleep(TERM * 2).await;
    assert_shared(&[&one, &two], 4);
    assert_eq!(
        (count(&one), count(&two)),
        (2, 2),
        "it is one of them again"
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_fenced_goes_on_while_the_table_is_away_and_stays_with_who_has_it() {
    let (table, wanted) = (Arc::new(Breaking::default()), works(4));
    let one = start_fenced("one", &table, &wanted);
    let two = start_fenced("two", &table, &wanted);
    tokio::time::sleep(TERM * 3).await;
    assert_shared(&[&one, &two], 4);
    let (first, second) = (one.held.borrow().clone(), two.held.borrow().clone());
    let are_kept = || *one.held.borrow() == first && *two.held.borrow() == second;
    table.silent.store(true, Ordering::Relaxed);
    for _ in 0..50 {
        tokio::time::sleep(TERM / 5).await;
        assert!(are_kept());
    }
    table.silent.store(false, Ordering::Relaxed);
    for _ in 0..50 {
        tokio::time::sleep(TERM / 5).await;
        assert!(are_kept(), "nobody was dead");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_used_is_given_when_it_is_let_go() {
    let (table, wanted) = (Arc::new(MemoryTable::default()), works(2));
    let used = watch::Sender::new(works(2).borrow().clone());
    let one = start_using("one", &table, &wanted, &used);
    tokio::time::sleep(TERM).await;
    let two = start("two", &table, &wanted);
    let mut held = one.held.clone();
    held.wait_for(|held| held.len() == 1).await.unwrap();
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(count(&two), 0, "it is still used");
    used.send_replace(one.held.borrow().clone());
    tokio::time::sleep(TERM / 2).await;
    assert_shared(&[&one, &two], 2);
    // And at the end.
    one.stop.cancel();
    held.wait_for(BTreeSet::is_empty).await.unwrap();
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(count(&two), 1);
    used.send_replace(BTreeSet::new());
    one.task.await.unwrap();
    tokio::time::sleep(TERM / 2).await;
    assert_eq!(count(&two), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_let_go_is_taken_after_a_term() {
    let (table, wanted) = (Arc::new(MemoryTable::default()), works(2));
    let used = watch::Sender::new(works(2).borrow().clone());
    let one = start_using("one", &table, &wanted, &used);
    tokio::time::sleep(TERM).await;
    let two = start("two", &table, &wanted);
    tokio::time::sleep(TERM * 3).await;
    assert_shared(&[&one, &two], 2);
    assert_eq!(count(&two), 1);
    one.stop.cancel();
    one.task.await.unwrap();
    tokio::time::sleep(TERM).await;
    assert_eq!(count(&two), 2);
}
