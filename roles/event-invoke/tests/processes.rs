//! Processes that share their queues are killed and frozen in the middle of their work: the queues move to
//! others, and every event that was accepted is invoked.
//!
//! A process is a runtime with one thread of its own: killed, the runtime goes as it stands; frozen, its
//! thread stands still, with all that would have shown that it lives. `LAMBENT_KILL_EVENTS` makes it large;
//! the figures are printed.

#![expect(
    clippy::unwrap_used,
    reason = "what goes wrong outside of the test's own function fails it all the same"
)]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use api::credentials::{Credentials, Error as CredentialsError, RoleCredentials};
use api::events::{Accept, Events as _};
use api::invoke::{Error, Invoke, Invoker, Outcome, Target, Why};
use async_trait::async_trait;
use backends::SqliteQueue;
use bytes::Bytes;
use event_invoke::{Config, Dependencies, EventInvoke};
use futures_util::StreamExt as _;
use prometheus_client::registry::Registry;
use records::examples::{self, scope};
use records::functions::{Configuration, FunctionVersion};
use storage::Queue;
use storage::memory::MemoryTable;
use storage::queue::{Charge, Depth, Message, Receipt, Usage};
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use types::{FunctionArn, FunctionName, Pressure, Random, RequestId, SystemClock, SystemRandom};

/// Without a wish: enough that every disruption hits queues that are full.
const EVENTS: usize = 3_000;
const FUNCTIONS: usize = 20;
/// Processes at a time.
const PROCESSES: usize = 3;
/// As many are killed, and as many frozen.
const DISRUPTIONS: usize = 5;
/// Events that are being taken at a time.
const ACCEPTING: usize = 200;
/// What a killed process had begun comes back after so long, and its queues find somebody else.
const TERM: Duration = Duration::from_secs(2);

#[test]
fn every_accepted_event_is_invoked_though_processes_are_killed_and_frozen() {
    let wish = std::env::var("LAMBENT_KILL_EVENTS").ok();
    let events = wish.and_then(|text| text.parse().ok()).unwrap_or(EVENTS);
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(folder.path(), events);
    let mut running: VecDeque<Process> = (0..PROCESSES).map(|n| world.start(n)).collect();
    let began = Instant::now();
    let accepting = world.accept_all();
    let mut frozen: Option<Process> = None;
    let mut lost_sight_of = Vec::new();
    for disruption in 0..2 * DISRUPTIONS {
        world.wait_until(|| world.invoked() >= events * (disruption + 1) / (2 * DISRUPTIONS + 1));
        let process = running.pop_front().unwrap();
        if disruption % 2 == 0 {
            process.kill();
        } else {
            // The one before it goes on, with all that it believes to hold.
            running.extend(frozen.take().map(Process::thaw));
            frozen = Some(process.freeze());
        }
        lost_sight_of.push(world.invoked());
        while running.len() < PROCESSES - 1 {
            running.push_back(world.start(PROCESSES + disruption));
        }
    }
    accepting.join().unwrap();
    world.wait_until(|| world.invoked() == events);
    let without_the_frozen = began.elapsed();
    running.extend(frozen.take().map(Process::thaw));
    world.wait_until(|| world.left() == 0);
    running.into_iter().for_each(Process::stop);
    let lost = events - world.invoked();
    let duplicates: u32 = world
        .counts
        .iter()
        .map(|count| count.load(Ordering::Relaxed))
        .sum();
    println!(
        "{events} events in {:.1} s, {DISRUPTIONS} processes killed and {DISRUPTIONS} frozen: lost {lost}, \
         duplicates {}; invoked at each disruption: {lost_sight_of:?}",
        without_the_frozen.as_secs_f64(),
        duplicates as usize - events,
    );
    assert_eq!(lost, 0);
}

/// A thread that stands still has all that was to run on it stand still, in a process that lives: its leases
/// are renewed, and what was taken out of the queue is not.
#[test]
fn a_poller_that_stands_still_in_a_process_that_lives_is_replaced() {
    let (events, folder) = (500, tempfile::tempdir().unwrap());
    let mut world = World::new(folder.path(), events);
    let still = Arc::new(StandStill(Mutex::new(None)));
    world.stand_still = Some(Arc::clone(&still));
    let process = world.start(0);
    // Whichever poller gets something next stands still. Should the test fail, it melts first of all.
    let (ice, melts) = mpsc::channel::<()>();
    *still.0.lock().unwrap() = Some(melts);
    world.accept_all().join().unwrap();
    world.wait_until(|| world.invoked() == events);
    assert!(world.left() < events as u64);
    drop(ice);
    world.wait_until(|| world.left() == 0);
    process.stop();
}

/// Holds a thread until it is let go.
struct StandStill(Mutex<Option<mpsc::Receiver<()>>>);

/// A queue that has one of its receivers' threads stand still, after it has got what it asked for.
struct Standing(Arc<SqliteQueue>, Arc<StandStill>);

#[async_trait]
impl Queue for Standing {
    async fn send_for(
        &self,
        queue: &str,
        body: Bytes,
        delay: Duration,
        charge: &Charge,
    ) -> Result<(), storage::Error> {
        self.0.send_for(queue, body, delay, charge).await
    }
    async fn usage(&self) -> Result<Vec<(String, Usage)>, storage::Error> {
        self.0.usage().await
    }
    async fn show(&self, owner: &str, beyond: Duration) -> Result<u64, storage::Error> {
        self.0.show(owner, beyond).await
    }
    async fn receive(
        &self,
        queue: &str,
        max: usize,
        visibility: Duration,
        wait: Duration,
    ) -> Result<Vec<Message>, storage::Error> {
        let received = self.0.receive(queue, max, visibility, wait).await?;
        if !received.is_empty() {
            let melts = self.1.0.lock().unwrap().take();
            // It ends when the other end is dropped.
            let _ = melts.map(|melts| melts.recv());
        }
        Ok(received)
    }
    async fn extend(
        &self,
        queue: &str,
        receipt: Receipt,
        by: Duration,
    ) -> Result<bool, storage::Error> {
        self.0.extend(queue, receipt, by).await
    }
    async fn replace(
        &self,
        queue: &str,
        receipt: Receipt,
        body: Bytes,
        delay: Duration,
    ) -> Result<bool, storage::Error> {
        self.0.replace(queue, receipt, body, delay).await
    }
    async fn ack(&self, queue: &str, receipt: Receipt) -> Result<(), storage::Error> {
        self.0.ack(queue, receipt).await
    }
    async fn depth(&self, queue: &str) -> Result<Depth, storage::Error> {
        self.0.depth(queue).await
    }
    async fn peek(
        &self,
        queue: &str,
        limit: usize,
        bytes: usize,
    ) -> Result<Vec<Bytes>, storage::Error> {
        self.0.peek(queue, limit, bytes).await
    }
    async fn queues(&self, prefix: &str) -> Result<Vec<String>, storage::Error> {
        self.0.queues(prefix).await
    }
    async fn delete_if_empty(&self, queue: &str) -> Result<bool, storage::Error> {
        self.0.delete_if_empty(queue).await
    }
}

/// What processes share.
struct World {
    /// Takes events; works on none.
    front: Arc<EventInvoke>,
    queue: Arc<SqliteQueue>,
    /// Has a poller of the next process stand still.
    stand_still: Option<Arc<StandStill>>,
    table: Arc<MemoryTable>,
    /// How often each event was invoked.
    counts: Arc<[AtomicU32]>,
    runtime: Runtime,
}

impl World {
    fn new(folder: &Path, events: usize) -> Self {
        let queue = SqliteQueue::open(&folder.join("queues.db"), Arc::new(SystemClock));
        let queue = Arc::new(queue.unwrap());
        let table = Arc::<MemoryTable>::default();
        Self {
            front: role("front", queue.clone(), &table),
            queue,
            stand_still: None,
            table,
            counts: (0..events).map(|_| AtomicU32::new(0)).collect(),
            runtime: Builder::new_current_thread().enable_all().build().unwrap(),
        }
    }

    fn start(&self, number: usize) -> Process {
        let holder = format!("process-{number}-{}", RequestId::random(&SystemRandom));
        let (queue, threads): (Arc<dyn Queue>, usize) = match &self.stand_still {
            Some(still) => (Arc::new(Standing(self.queue.clone(), Arc::clone(still))), 3),
            None => (self.queue.clone(), 1),
        };
        let role = role(&holder, queue, &self.table);
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .enable_all()
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        let functions = Functions {
            counts: Arc::clone(&self.counts),
            configuration: Arc::new(examples::configuration()),
        };
        let running = runtime.spawn(role.run(Arc::new(functions), stop.clone()));
        Process {
            runtime,
            running,
            stop,
            ice: None,
        }
    }

    /// Has all events taken, by a thread of its own.
    fn accept_all(&self) -> std::thread::JoinHandle<()> {
        let (front, events) = (Arc::clone(&self.front), self.counts.len());
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let accepts = futures_util::stream::iter(0..events).map(|number| {
                let front = &front;
                async move { front.accept(event(number)).await.unwrap() }
            });
            runtime.block_on(accepts.buffer_unordered(ACCEPTING).for_each(|()| async {}));
        })
    }

    /// How many events were invoked, once or more.
    fn invoked(&self) -> usize {
        let counts = self.counts.iter();
        counts
            .filter(|count| count.load(Ordering::Relaxed) > 0)
            .count()
    }

    /// Events that are in any queue.
    fn left(&self) -> u64 {
        self.runtime.block_on(async {
            let mut left = 0;
            for queue in self.queue.queues("events/").await.unwrap() {
                left += self.queue.depth(&queue).await.unwrap().total();
            }
            left
        })
    }

    fn wait_until(&self, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60 + self.counts.len() as u64 / 100);
        while !condition() {
            assert!(Instant::now() < deadline, "{} were invoked", self.invoked());
            self.runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
        }
    }
}

/// See the module.
struct Process {
    runtime: Runtime,
    running: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    /// Dropped, it melts.
    ice: Option<mpsc::Sender<()>>,
}

impl Process {
    fn kill(self) {
        self.runtime.shutdown_background();
    }

    /// Returns when nothing moves any more.
    fn freeze(mut self) -> Self {
        let (ice, melts) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move {
            // Whether somebody listens or not, the thread stands still.
            let _ = tell.send(());
            let _ = melts.recv();
        });
        told.recv_timeout(Duration::from_secs(30)).unwrap();
        self.ice = Some(ice);
        self
    }

    fn thaw(mut self) -> Self {
        self.ice = None;
        self
    }

    /// Ends it well.
    fn stop(self) {
        self.stop.cancel();
        self.runtime.block_on(self.running).unwrap();
    }
}

/// A machine on which processors are never short.
struct NoPressure;

impl Pressure for NoPressure {
    fn stalled(&self) -> Option<Duration> {
        None
    }

    fn processors(&self) -> u32 {
        1
    }
}

fn role(holder: &str, queue: Arc<dyn Queue>, table: &Arc<MemoryTable>) -> Arc<EventInvoke> {
    let config = Config {
        holder: holder.to_owned(),
        lease_term: TERM,
        visibility: TERM,
        silence_max: TERM,
        ..Config::default()
    };
    let with = Dependencies {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        table: table.clone(),
        queue,
        credentials: Arc::new(NoRoles),
        client: Arc::new(aws::Client::new(Arc::new(SystemClock))),
        endpoints: Default::default(),
        key: None,
        pressure: Arc::new(NoPressure),
    };
    EventInvoke::new(config, with, &mut Registry::default())
}

fn event(number: usize) -> Accept {
    Accept {
        request: RequestId::random(&SystemRandom),
        arn: FunctionArn {
            scope: scope(),
            // Half of them are for one function, so that it crowds the others.
            name: FunctionName::new(&format!("f-{}", (number % (2 * FUNCTIONS)).min(FUNCTIONS)))
                .unwrap(),
            qualifier: None,
        },
        payload: Bytes::from(number.to_string()),
        trace: "Root=1-0-0".to_owned(),
        function: None,
    }
}

/// Functions that count, and take some milliseconds. Now and then there is no room for one.
struct Functions {
    counts: Arc<[AtomicU32]>,
    configuration: Arc<Configuration>,
}

impl Functions {
    fn version(&self, arn: &FunctionArn) -> Arc<FunctionVersion> {
        Arc::new(FunctionVersion {
            scope: arn.scope.clone(),
            name: arn.name.clone(),
            configuration: Arc::clone(&self.configuration),
        })
    }
}

#[async_trait]
impl Invoker for Functions {
    async fn target(&self, arn: &FunctionArn) -> Result<Target, Error> {
        Ok(Target {
            function: self.version(arn),
            reserved: None,
        })
    }

    async fn may_invoke(&self, _: &Credentials, _: &FunctionArn) -> Result<(), Error> {
        Ok(())
    }

    async fn invoke(&self, invoke: Invoke) -> Result<Outcome, Error> {
        if SystemRandom.next_fraction() < 0.001 {
            return Err(Error {
                why: Why::Throttled,
                status: 429,
                code: "TooManyRequestsException".to_owned(),
                message: "Rate Exceeded.".to_owned(),
            });
        }
        let takes = 0.002 + 0.008 * SystemRandom.next_fraction();
        tokio::time::sleep(Duration::from_secs_f64(takes)).await;
        let number: usize = std::str::from_utf8(&invoke.payload)
            .unwrap()
            .parse()
            .unwrap();
        self.counts[number].fetch_add(1, Ordering::Relaxed);
        Ok(Outcome {
            function: self.version(&invoke.arn),
            function_error: None,
            payload: Bytes::from_static(b"null"),
        })
    }
}

/// Nobody is told of outcomes here.
struct NoRoles;

#[async_trait]
impl RoleCredentials for NoRoles {
    async fn for_function(
        &self,
        _: &str,
        _: &FunctionArn,
    ) -> Result<Credentials, CredentialsError> {
        Err(CredentialsError::Unavailable)
    }
}
