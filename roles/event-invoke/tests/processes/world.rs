//! Processes that share their queues, and what they share.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use api::events::{Accept, Events as _};
use backends::SqliteQueue;
use bytes::Bytes;
use event_invoke::{Config, Dependencies, EventInvoke};
use futures_util::StreamExt as _;
use prometheus_client::registry::Registry;
use records::examples::{self, scope};
use storage::Queue;
use storage::memory::MemoryTable;
use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;
use types::{FunctionArn, FunctionName, Pressure, RequestId, SystemClock, SystemRandom};

use crate::functions::{Functions, NoRoles};
use crate::standing::{StandStill, Standing};

const FUNCTIONS: usize = 20;

/// Events that are being taken at a time.
const ACCEPTING: usize = 200;

/// After this long the events of a killed process reappear, and its queues move to another.
const TERM: Duration = Duration::from_secs(2);

/// What processes share.
pub(crate) struct World {
    /// Takes events; works on none.
    front: Arc<EventInvoke>,
    queue: Arc<SqliteQueue>,
    /// Blocks a poller of the next process.
    pub(crate) stand_still: Option<Arc<StandStill>>,
    table: Arc<MemoryTable>,
    /// How often each event was invoked.
    pub(crate) counts: Arc<[AtomicU32]>,
    runtime: Runtime,
}

impl World {
    pub(crate) fn new(folder: &Path, events: usize) -> Self {
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

    pub(crate) fn start(&self, number: usize) -> Process {
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
    pub(crate) fn accept_all(&self) -> std::thread::JoinHandle<()> {
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
    pub(crate) fn invoked(&self) -> usize {
        let counts = self.counts.iter();
        counts
            .filter(|count| count.load(Ordering::Relaxed) > 0)
            .count()
    }

    /// Events that are in any queue.
    pub(crate) fn left(&self) -> u64 {
        self.runtime.block_on(async {
            let mut left = 0;
            for queue in self.queue.queues("events/").await.unwrap() {
                left += self.queue.depth(&queue).await.unwrap().total();
            }
            left
        })
    }

    pub(crate) fn wait_until(&self, condition: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(60 + self.counts.len() as u64 / 100);
        while !condition() {
            assert!(Instant::now() < deadline, "{} were invoked", self.invoked());
            self.runtime
                .block_on(async { tokio::time::sleep(Duration::from_millis(5)).await });
        }
    }
}

/// One process: a runtime with a thread of its own.
pub(crate) struct Process {
    runtime: Runtime,
    running: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
    /// Dropped, it melts.
    ice: Option<mpsc::Sender<()>>,
}

impl Process {
    pub(crate) fn kill(self) {
        self.runtime.shutdown_background();
    }

    /// Returns when nothing moves any more.
    pub(crate) fn freeze(mut self) -> Self {
        let (ice, melts) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move {
            // Whether somebody listens or not, the thread is blocked.
            let _ = tell.send(());
            let _ = melts.recv();
        });
        told.recv_timeout(Duration::from_secs(30)).unwrap();
        self.ice = Some(ice);
        self
    }

    pub(crate) fn thaw(mut self) -> Self {
        self.ice = None;
        self
    }

    /// Ends it well.
    pub(crate) fn stop(self) {
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
