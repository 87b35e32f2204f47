//! One of three servers is ended with SIGKILL in the middle of everything, and started again: what was acknowledged
//! is there, what was refused is not, and of those who write at the same place one is not fenced.
//!
//! `LAMBENT_NATS_KILLS` says how often; each takes some ten seconds.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "test code outside the functions marked as tests"
)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join, join_all};
use jetstream::{Cluster, Journals, Queues, Rows};
use storage::memory::MemoryBlobs;
use storage::{
    Appended, Consistency, Error, Expect, Journal as _, Position, Queue as _, Table as _,
};
use support::Servers;
use tokio::time::{Instant, sleep};

const NOW: Duration = Duration::ZERO;
const WRITERS: u64 = 3;

/// Whether to go on, and the longest that one call took.
#[derive(Default)]
struct Course {
    over: AtomicBool,
    longest_ms: AtomicU64,
}

impl Course {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    async fn time<T>(&self, work: impl Future<Output = T>) -> T {
        let began = Instant::now();
        let done = work.await;
        let took = began.elapsed().as_millis() as u64;
        self.longest_ms.fetch_max(took, Ordering::Relaxed);
        done
    }
}

fn text(number: u64) -> Bytes {
    Bytes::from(number.to_string())
}

fn number(bytes: &Bytes) -> u64 {
    std::str::from_utf8(bytes).unwrap().parse().unwrap()
}

/// Adds one to a row that all add to. Answers how many additions were acknowledged, and how many are unknown.
async fn add(rows: &Rows, course: &Course) -> (u64, u64) {
    let (mut acknowledged, mut unknown) = (0, 0);
    while course.goes_on() {
        let Ok(row) = rows.get("sum", Consistency::Strong).await else {
            continue;
        };
        let (sum, expect) = match &row {
            Some(row) => (number(&row.value), Expect::Revision(row.revision)),
            None => (0, Expect::Absent),
        };
        match course.time(rows.put("sum", text(sum + 1), expect)).await {
            Ok(_) => acknowledged += 1,
            Err(Error::Conflict { .. }) => {}
            Err(_) => unknown += 1,
        }
    }
    (acknowledged, unknown)
}

/// Appends at the tail, as others do. Answers what was acknowledged, and what was refused.
async fn append(
    journals: &Journals,
    writer: u64,
    course: &Course,
) -> (BTreeMap<u64, u64>, BTreeSet<u64>) {
    let (mut done, mut fenced) = (BTreeMap::new(), BTreeSet::new());
    let mut at = Position(0);
    for turn in 0.. {
        if !course.goes_on() {
            break;
        }
        let id = turn * WRITERS + writer;
        let records = vec![text(id), text(id)];
        match course.time(journals.append("p", at, records)).await {
            Appended::Done { next } => {
                done.insert(at.0, id);
                at = next;
            }
            Appended::Fenced { next } => {
                fenced.insert(id);
                at = next;
            }
            Appended::Unknown => {
                if let Ok(tail) = journals.tail("p").await {
                    at = tail;
                }
            }
        }
        if turn % 50 == 49 {
            // Somebody else's turn.
            sleep(Duration::from_millis(5)).await;
        }
    }
    (done, fenced)
}

async fn send(queues: &Queues, course: &Course) -> BTreeSet<u64> {
    let mut sent = BTreeSet::new();
    for number in 0.. {
        if !course.goes_on() {
            break;
        }
        let delay = match number % 20 {
            0 => Duration::from_secs(1),
            _ => NOW,
        };
        if course
            .time(queues.send("q", text(number), delay))
            .await
            .is_ok()
        {
            sent.insert(number);
        }
    }
    sent
}

/// Receives and acknowledges until all that was sent has come. Answers how often each came after it was acknowledged.
async fn receive(queues: &Queues, sent: &tokio::sync::OnceCell<BTreeSet<u64>>) -> (usize, usize) {
    let (mut seen, mut acknowledged) = (BTreeSet::new(), BTreeSet::new());
    let (mut again, mut after) = (0, 0);
    let minute = Duration::from_secs(60);
    let mut give_up = None;
    loop {
        if let Some(sent) = sent.get() {
            let end = *give_up.get_or_insert(Instant::now() + 2 * minute);
            let missing: Vec<_> = sent.difference(&seen).collect();
            if missing.is_empty() {
                return (again, after);
            }
            assert!(Instant::now() < end, "acknowledged and lost: {missing:?}");
        }
        let held = queues
            .receive("q", 20, minute, Duration::from_millis(500))
            .await;
        for message in held.unwrap_or_default() {
            let number = number(&message.body);
            again += usize::from(!seen.insert(number));
            after += usize::from(acknowledged.contains(&number));
            if queues.ack("q", message.receipt).await.is_ok() {
                acknowledged.insert(number);
            }
        }
    }
}

async fn kill(servers: &Arc<Servers>, kills: usize, course: &Course) {
    for turn in 0..kills {
        sleep(Duration::from_secs(3)).await;
        let servers = Arc::clone(servers);
        let one = turn % 3;
        let order = |kill: bool| {
            let servers = Arc::clone(&servers);
            tokio::task::spawn_blocking(move || match kill {
                true => servers.kill(one),
                false => servers.restart(one),
            })
        };
        order(true).await.unwrap();
        sleep(Duration::from_secs(3)).await;
        order(false).await.unwrap();
        sleep(Duration::from_secs(4)).await;
    }
    course.over.store(true, Ordering::Relaxed);
}

async fn open(cluster: &Cluster) -> (Rows, Journals, Queues) {
    let blobs = Arc::new(MemoryBlobs::default());
    let rows = cluster.rows("killed").await.unwrap();
    let journals = cluster.journals().await.unwrap();
    (rows, journals, cluster.queues(blobs).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_and_no_fence_breaks_when_a_server_is_killed() {
    let kills = std::env::var("LAMBENT_NATS_KILLS").map_or(1, |text| text.parse().unwrap());
    let servers = Arc::new(Servers::start(3, "always"));
    let settings = servers.settings();
    let (rows, journals, queues) = open(&support::connect(settings.clone()).await).await;
    // Others, with connections of their own.
    let (others_rows, others_journals, others_queues) =
        open(&support::connect(settings).await).await;
    let course = Course::default();

    let adding = join_all([&rows, &others_rows, &rows].map(|rows| add(rows, &course)));
    let writers = [&journals, &others_journals, &journals];
    let appending = (0..).zip(writers);
    let appending = join_all(appending.map(|(writer, of)| append(of, writer, &course)));
    let sent = tokio::sync::OnceCell::new();
    let sending = async {
        let all = send(&queues, &course).await;
        sent.set(all).unwrap();
    };
    let working =
        async { tokio::join!(adding, appending, sending, receive(&others_queues, &sent)) };
    let (done, ()) = join(working, kill(&servers, kills, &course)).await;
    let (added, appended, (), (again, after)) = done;

    let sum = rows.get("sum", Consistency::Strong).await.unwrap().unwrap();
    let sum = number(&sum.value);
    let acknowledged: u64 = added.iter().map(|(acknowledged, _)| acknowledged).sum();
    let unknown: u64 = added.iter().map(|(_, unknown)| unknown).sum();
    assert!((acknowledged..=acknowledged + unknown).contains(&sum));

    let records = journals.read("p", Position(0), usize::MAX).await.unwrap();
    let found: BTreeMap<u64, u64> = records
        .iter()
        .map(|record| (record.position.0, number(&record.bytes)))
        .collect();
    assert_eq!(found.len(), records.len());
    assert!((0..).zip(&found).all(|(at, (position, _))| at == *position));
    let mut ids = BTreeSet::new();
    for pair in records.chunks(2) {
        assert_eq!(pair[0].bytes, pair[1].bytes, "an append is whole");
        assert!(ids.insert(number(&pair[0].bytes)), "written twice");
    }
    for (done, fenced) in &appended {
        assert!(
            done.iter().all(|(at, id)| found.get(at) == Some(id)),
            "lost"
        );
        assert!(fenced.is_disjoint(&ids), "refused and written");
    }
    let done: usize = appended.iter().map(|(done, _)| done.len()).sum();
    assert_eq!(after, 0, "acknowledged and received again");
    println!(
        "{kills} kills: {acknowledged} additions ({unknown} unknown), {done} of {} appends known, {} messages \
         ({again} again), longest call {} ms",
        ids.len(),
        sent.get().unwrap().len(),
        course.longest_ms.load(Ordering::Relaxed),
    );
}
