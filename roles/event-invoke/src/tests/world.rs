//! What outlives processes: stores, functions, services, time.

use std::sync::Arc;
use std::time::Duration;

use api::events::Accept;
use api::invoke::Invoker;
use bytes::Bytes;
use prometheus_client::registry::Registry;
use records::event_invoke::EventInvokeConfig;
use records::functions::{EVENT_INVOKES, attached_key};
use storage::memory::{MemoryQueue, MemoryTable};
use storage::{Expect, Queue, Table};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use types::{Clock, Pressure, Random, RequestId, Timestamp};

use super::functions::{Function, Functions, arn};
use super::process::{Gate, Outside, Process};
use super::services::{AnyRole, Services};
use crate::config::Config;
use crate::service::{Dependencies, EventInvoke};
use crate::shards::ALL;

/// Tokio's time, as the wall clock shows it.
pub(super) struct TestClock(Instant);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_769_854_830_000).after(self.0.elapsed())
    }
}

/// Chance from a seed.
pub(super) struct Chance(std::sync::Mutex<u64>);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(std::sync::Mutex::new(seed))
    }
}

impl Random for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        let mut state = self.0.lock().unwrap();
        for byte in bytes {
            // SplitMix64.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (mixed >> 56) as u8;
        }
    }
}

/// See the module.
pub(super) struct World {
    pub(super) began: Instant,
    pub(super) clock: Arc<TestClock>,
    pub(super) chance: Arc<Chance>,
    pub(super) table: Arc<MemoryTable>,
    pub(super) queue: Arc<MemoryQueue>,
    pub(super) functions: Arc<Functions>,
    pub(super) services: Arc<Services>,
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

impl World {
    /// A world with a function `f` that returns `null`.
    pub(super) fn new() -> Self {
        Self::of_chance(1)
    }

    pub(super) fn of_chance(seed: u64) -> Self {
        let clock = Arc::new(TestClock(Instant::now()));
        let functions = Arc::new(Functions::new());
        functions.put("f", Function::default());
        Self {
            began: Instant::now(),
            queue: Arc::new(MemoryQueue::new(clock.clone())),
            clock,
            chance: Arc::new(Chance::new(seed)),
            table: Arc::default(),
            functions,
            services: Arc::default(),
        }
    }

    /// Begins a process.
    pub(super) fn start(&self, holder: &str) -> Process {
        let config = Config {
            holder: holder.to_owned(),
            ..Config::default()
        };
        self.start_with(config)
    }

    pub(super) fn start_with(&self, config: Config) -> Process {
        let gate = Gate::new();
        let with = Dependencies {
            clock: self.clock.clone(),
            random: self.chance.clone(),
            table: Arc::new(Outside(gate.clone(), self.table.clone() as Arc<dyn Table>)),
            queue: Arc::new(Outside(gate.clone(), self.queue.clone() as Arc<dyn Queue>)),
            credentials: Arc::new(AnyRole),
            client: Arc::new(aws::Client::new(self.clock.clone())),
            endpoints: Default::default(),
            key: None,
            pressure: Arc::new(NoPressure),
        };
        let mut registry = Registry::default();
        let peers = self.services.clone();
        let service = EventInvoke::with_peers(config, with, peers, &mut registry);
        let stop = CancellationToken::new();
        let functions = self.functions.clone() as Arc<dyn Invoker>;
        let functions = Arc::new(Outside(gate.clone(), functions));
        let task = tokio::spawn(Arc::clone(&service).run(functions, stop.clone()));
        Process {
            service,
            registry,
            gate,
            stop,
            task,
        }
    }

    /// How events sent to `name` are to be treated.
    pub(super) async fn configure(&self, name: &str, config: EventInvokeConfig) {
        let key = attached_key(EVENT_INVOKES, &arn(name));
        let value = serde_json::to_vec(&config).unwrap();
        let put = self.table.put(&key, value.into(), Expect::Any);
        put.await.unwrap();
    }

    /// How they are to be treated is said no more.
    pub(super) async fn unconfigure(&self, name: &str) {
        let key = attached_key(EVENT_INVOKES, &arn(name));
        self.table.delete(&key, Expect::Any).await.unwrap();
    }

    /// An event as the frontend hands it over.
    pub(super) fn event(&self, name: &str, payload: &str) -> Accept {
        Accept {
            request: RequestId::random(self.chance.as_ref()),
            arn: arn(name),
            payload: Bytes::copy_from_slice(payload.as_bytes()),
            trace: "Root=1-0-0".to_owned(),
            function: self.functions.meant(name),
        }
    }

    /// Waits until no event is in any queue that is worked on.
    pub(super) async fn settle(&self, within: Duration) {
        let deadline = Instant::now() + within;
        loop {
            let left = self.left().await;
            if left == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{left} events are unfinished");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Unfinished events.
    pub(super) async fn left(&self) -> u64 {
        let mut left = 0;
        for queue in self.queue.queues(ALL).await.unwrap() {
            if crate::plan::is_worked_on(&queue) {
                left += self.queue.depth(&queue).await.unwrap().total();
            }
        }
        left
    }

    /// Events in a queue.
    pub(super) async fn depth(&self, queue: &str) -> u64 {
        self.queue.depth(queue).await.unwrap().total()
    }

    /// Since the world began.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}
