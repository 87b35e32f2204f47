//! All environments of one worker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use api::assignment::{Assignment, Report};
use api::logs::Logs;
use api::placement::{Heartbeat, Placement};
use api::preparation::{self, Preparation, Prepare};
use api::worker::{Create, Error, Invoke, Living, Response, Worker};
use async_trait::async_trait;
use futures_util::FutureExt as _;
use image::Folders;
use prometheus_client::registry::Registry;
use sandbox::{Engine, Load};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use traces::Tracer;
use types::{Clock, EnvironmentId, Random};

use crate::config::Config;
use crate::door::Door;
use crate::drain::Drain;
use crate::environment::Environment;
use crate::guard::{Candidate, LOOK_EVERY};
use crate::log::Paces;
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::processors::Processors;
use crate::runtimes::Runtimes;
use crate::slots::{Slot, Slots};
use crate::turns::NoTurn;

/// How often a worker tells that it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// What a worker works with.
pub struct Dependencies {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Names log streams.
    pub random: Arc<dyn Random>,
    /// Makes sandboxes.
    pub engine: Arc<dyn Engine>,
    /// Has the code, unpacked.
    pub folders: Arc<Folders>,
    /// Takes the logs.
    pub logs: Arc<dyn Logs>,
    /// Has the languages.
    pub runtimes: Runtimes,
    /// Begins spans.
    pub tracer: Tracer,
}

/// A cheap way to talk to a worker.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Service>);

/// The worker.
pub(crate) struct Service {
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    /// Everything under way; waited for at the end.
    pub(crate) tasks: TaskTracker,
    pub(crate) with: Dependencies,
    /// The way to Lambent's own API, if functions have one.
    pub(crate) door: Option<Door>,
    /// How fast logs are read.
    pub(crate) paces: Paces,
    /// The turns of connections that environments share.
    pub(crate) lines: Arc<Semaphore>,
    environments: Mutex<Slots>,
    /// Memory of environments that are gone while killed processes of theirs are not, MB.
    pub(crate) lingering_mb: AtomicU64,
    /// Set when all environments are ended by the worker itself.
    pub(crate) draining: CancellationToken,
    pub(crate) drain: Drain,
    assignment: OnceLock<Arc<dyn Assignment>>,
    outbox: Outbox,
    placement: OnceLock<Arc<dyn Placement>>,
    /// The machine's processors, thousandths of one.
    pub(crate) machine_millis: u32,
    /// Which accounts use much of them.
    pub(crate) processors: Mutex<Processors>,
    /// Its state at the last measurement.
    pub(crate) load: Mutex<Option<Load>>,
}

impl Handle {
    /// A worker without environments.
    pub fn new(config: Config, with: Dependencies, registry: &mut Registry) -> Self {
        let lines = config.lines_max.min(Semaphore::MAX_PERMITS);
        let lines = Arc::new(Semaphore::new(lines));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self(Arc::new(Service {
            door: config.api.map(|api| Door::new(api, Arc::clone(&lines))),
            lines,
            paces: Paces::new(config.log_bytes_per_second),
            config,
            metrics: Metrics::new(registry),
            tasks: TaskTracker::new(),
            with,
            environments: Mutex::default(),
            lingering_mb: AtomicU64::new(0),
            draining: CancellationToken::new(),
            drain: Drain::default(),
            assignment: OnceLock::new(),
            outbox: Outbox::default(),
            placement: OnceLock::new(),
            machine_millis: u32::try_from(processors).unwrap_or(1).saturating_mul(1_000),
            processors: Mutex::default(),
            load: Mutex::new(None),
        }))
    }

    /// Tells assignment and placement of this worker from here on. Once, and before the first
    /// `create`.
    pub fn connect(&self, assignment: Arc<dyn Assignment>, placement: Arc<dyn Placement>) {
        self.0.connect(assignment, placement);
    }

    /// Ends every environment, each with its shutdown phase, after the invokes under way.
    pub async fn shutdown(&self) {
        self.0.shutdown().await;
    }
}

impl Service {
    fn connect(self: &Arc<Self>, assignment: Arc<dyn Assignment>, placement: Arc<dyn Placement>) {
        let first = self.assignment.set(assignment).is_ok();
        if !first || self.placement.set(placement).is_err() {
            return;
        }
        let worker = Arc::clone(self);
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            let mut looks = tokio::time::interval(LOOK_EVERY);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    () = draining.cancelled() => return,
                    _ = looks.tick() => worker.guard().await,
                }
            }
        });
        let (folders, every) = (Arc::clone(&self.with.folders), self.config.packages_every);
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            let mut looks = tokio::time::interval(every);
            looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    () = draining.cancelled() => return,
                    _ = looks.tick() => {}
                }
                if let Err(error) = folders.remove_gone().await {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(
                        error,
                        "unpacked code of deleted functions cannot be removed"
                    );
                }
            }
        });
        let worker = Arc::clone(self);
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            let mut beats = tokio::time::interval(HEARTBEAT);
            let mut before = Instant::now();
            loop {
                tokio::select! {
                    biased;
                    () = draining.cancelled() => return worker.beat().await,
                    _ = beats.tick() => {
                        let now = Instant::now();
                        worker.weigh_all(now - std::mem::replace(&mut before, now));
                        worker.end_overdue();
                        worker.beat().await;
                    }
                }
            }
        });
    }

    async fn shutdown(self: &Arc<Self>) {
        self.draining.cancel();
        let all: Vec<EnvironmentId> = self.lock().all().keys().copied().collect();
        let mut ends = JoinSet::new();
        for id in all {
            let worker = Arc::clone(self);
            ends.spawn(async move { worker.remove(id).await });
        }
        ends.join_all().await;
        self.tasks.close();
        self.tasks.wait().await;
        self.with.engine.shutdown().await;
    }

    /// Sends a report to assignment, repeatedly if needed. What assignment does not acknowledge at once is
    /// sent by a separate task.
    pub(crate) fn report(self: &Arc<Self>, report: Report) {
        let Some(assignment) = self.assignment.get().cloned() else {
            return;
        };
        if !self.outbox.put(report) {
            return;
        }
        let worker = Arc::clone(self);
        let mut sending = Box::pin(async move {
            tokio::select! {
                biased;
                () = worker.outbox.send(worker.config.worker, &*assignment) => {}
                // A request for an environment of this worker then finds none.
                () = worker.draining.cancelled() => {}
            }
        });
        if sending.as_mut().now_or_never().is_none() {
            self.tasks.spawn(sending);
        }
    }

    /// Tells placement how it stands.
    pub(crate) async fn beat(&self) {
        self.metrics.tell_lingering(self.with.engine.lingering());
        if let Some(placement) = self.placement.get() {
            // The next one follows in a second.
            let _ = placement.heartbeat(self.heartbeat()).await;
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let environments = self.lock();
        let living = environments
            .all()
            .values()
            .map(Slot::memory_mb)
            .map(u64::from);
        let committed_mb = living.sum::<u64>() + self.lingering_mb.load(Ordering::Relaxed);
        let idle = environments.all().values().filter(|slot| slot.is_idle());
        let idle = idle.count();
        let busy = environments.all().len() - idle;
        Heartbeat {
            worker: self.config.worker,
            host: self.config.host.clone(),
            zone: self.config.zone.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            memory_mb: self.config.memory_mb,
            committed_mb,
            used_mb: self.used_mb(),
            draining: self.draining.is_cancelled() || self.drain.drains(),
            idle: u32::try_from(idle).unwrap_or(u32::MAX),
            busy: u32::try_from(busy).unwrap_or(u32::MAX),
        }
    }

    /// Those that live.
    pub(crate) fn made(&self) -> Vec<Arc<Environment>> {
        let environments = self.lock();
        let made = environments.all().values().filter_map(|slot| match slot {
            Slot::Made(environment) if !environment.is_dead() => Some(Arc::clone(environment)),
            _ => None,
        });
        made.collect()
    }

    /// Those that live, and what each uses.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        let candidate = |environment: Arc<Environment>| Candidate {
            id: environment.id,
            busy: environment.is_busy(),
            usage: environment.sandbox.usage(),
        };
        self.made().into_iter().map(candidate).collect()
    }

    pub(crate) fn find(&self, id: EnvironmentId) -> Result<Arc<Environment>, Error> {
        match self.lock().all().get(&id) {
            Some(Slot::Made(environment)) => Ok(Arc::clone(environment)),
            Some(Slot::Making(_)) => Err(Error::Busy { environment: id }),
            None => Err(Error::NotFound { environment: id }),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Slots> {
        self.environments
            .lock()
            .expect("no code panics while it holds the environments")
    }
}

#[async_trait]
impl Preparation for Handle {
    async fn prepare(&self, request: Prepare) -> Result<(), preparation::Error> {
        self.0.prepare(request).await
    }
}

#[async_trait]
impl Worker for Handle {
    async fn create(&self, request: Create) -> Result<(), Error> {
        self.0.create(request).await
    }

    async fn invoke(&self, request: Invoke) -> Result<Response, Error> {
        self.0.invoke(request).await
    }

    async fn destroy(&self, id: EnvironmentId) -> Result<(), Error> {
        self.0.destroy(id).await;
        Ok(())
    }

    async fn environments(&self) -> Result<Vec<Living>, Error> {
        Ok(self.0.list())
    }
}

impl Service {
    async fn invoke(self: &Arc<Self>, request: Invoke) -> Result<Response, Error> {
        let under_way = self.drain.begin().ok_or(Error::Unavailable)?;
        let environment = self.find(request.environment)?;
        let turn = match environment.begin_turn(request.lease) {
            Ok(turn) => turn,
            Err(NoTurn::Busy) => {
                self.metrics.refused.inc();
                return Err(Error::Busy {
                    environment: request.environment,
                });
            }
            Err(NoTurn::Late) => return Err(Error::Internal),
        };
        let (caller, answer) = oneshot::channel();
        let running = Arc::clone(self).run(environment, turn, request, caller);
        self.tasks.spawn(async move {
            running.await;
            drop(under_way);
        });
        answer.await.unwrap_or(Err(Error::Internal))
    }

    /// Freezes an environment a little later, unless a turn after `turn` has begun by then.
    pub(crate) fn freeze_soon(self: &Arc<Self>, environment: Arc<Environment>, turn: u64) {
        let after = self.config.freeze_after;
        self.tasks.spawn(async move {
            tokio::time::sleep(after).await;
            environment.freeze_after(turn);
        });
    }

    fn list(&self) -> Vec<Living> {
        let environments = self.lock();
        let all = environments.all().iter().map(|(id, slot)| Living {
            environment: *id,
            function: slot.function().key(),
            busy: !slot.is_idle(),
        });
        all.collect()
    }
}
