//! All environments of one worker.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use api::assignment::{Assignment, Event, Report};
use api::logs::Logs;
use api::placement::{Heartbeat, Placement};
use api::worker::{Create, Error, Invoke, Response, Worker};
use async_trait::async_trait;
use image::Images;
use prometheus_client::registry::Registry;
use sandbox::{Engine, Load};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use types::{Clock, EnvironmentId, Inner, Random};

use crate::config::Config;
use crate::door::Door;
use crate::environment::Environment;
use crate::guard::{Candidate, LOOK_EVERY};
use crate::log::Paces;
use crate::metrics::Metrics;
use crate::outbox;
use crate::processors::Processors;
use crate::runtimes::Runtimes;

/// How often a worker tells that it lives.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How often an environment is made when its sandbox ends under its init: with a spawner's end all
/// end at once, so that more than one in a row is another accident.
const MAKINGS_MAX: u32 = 3;
/// What a worker works with.
pub struct Dependencies {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Names log streams.
    pub random: Arc<dyn Random>,
    /// Makes sandboxes.
    pub engine: Arc<dyn Engine>,
    /// Has the code.
    pub images: Arc<Images>,
    /// Takes the logs.
    pub logs: Arc<dyn Logs>,
    /// Has the languages.
    pub runtimes: Runtimes,
}

/// A cheap way to talk to a worker.
#[derive(Clone)]
pub struct Handle(Arc<Service>);

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
    environments: Mutex<HashMap<EnvironmentId, Slot>>,
    /// Memory of environments that are gone while killed processes of theirs are not, MB.
    lingering_mb: AtomicU64,
    pub(crate) draining: CancellationToken,
    assignment: OnceLock<Arc<dyn Assignment>>,
    placement: OnceLock<Arc<dyn Placement>>,
    /// The machine's processors, thousandths of one.
    pub(crate) machine_millis: u32,
    /// Which accounts use much of them.
    pub(crate) processors: Mutex<Processors>,
    /// As it was when it was last looked at.
    pub(crate) load: Mutex<Option<Load>>,
}

/// An environment, or the place for one that is being made.
enum Slot {
    Making { memory_mb: u32 },
    Made(Arc<Environment>),
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
            environments: Mutex::new(HashMap::new()),
            lingering_mb: AtomicU64::new(0),
            draining: CancellationToken::new(),
            assignment: OnceLock::new(),
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
                        worker.beat().await;
                    }
                }
            }
        });
    }

    async fn shutdown(self: &Arc<Self>) {
        self.draining.cancel();
        let all: Vec<EnvironmentId> = self.lock().keys().copied().collect();
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

    /// Passes a word on to assignment, again and again if it must be.
    pub(crate) async fn report(&self, word: Report) {
        let Some(assignment) = self.assignment.get() else {
            return;
        };
        if assignment.report(word.clone()).await.is_ok() {
            return;
        }
        let assignment = Arc::clone(assignment);
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                // Whoever asks for an environment of this worker then finds none.
                () = draining.cancelled() => {}
                () = outbox::repeat(assignment, word) => {}
            }
        });
    }

    /// Tells placement how it stands.
    async fn beat(&self) {
        self.metrics.tell_lingering(self.with.engine.lingering());
        if let Some(placement) = self.placement.get() {
            // The next one follows in a second.
            let _ = placement.heartbeat(self.heartbeat()).await;
        }
    }

    fn heartbeat(&self) -> Heartbeat {
        let environments = self.lock();
        let living = environments.values().map(Slot::memory_mb).map(u64::from);
        let committed_mb = living.sum::<u64>() + self.lingering_mb.load(Ordering::Relaxed);
        Heartbeat {
            worker: self.config.worker,
            zone: self.config.zone.clone(),
            memory_mb: self.config.memory_mb,
            committed_mb,
            used_mb: self.used_mb(),
            environments: u32::try_from(environments.len()).unwrap_or(u32::MAX),
            draining: self.draining.is_cancelled(),
        }
    }

    /// Those that live.
    pub(crate) fn made(&self) -> Vec<Arc<Environment>> {
        let environments = self.lock();
        let made = environments.values().filter_map(|slot| match slot {
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
        match self.lock().get(&id) {
            Some(Slot::Made(environment)) => Ok(Arc::clone(environment)),
            Some(Slot::Making { .. }) => Err(Error::Busy { environment: id }),
            None => Err(Error::NotFound { environment: id }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<EnvironmentId, Slot>> {
        self.environments
            .lock()
            .expect("no code panics while it holds the environments")
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
        self.0.remove(id).await;
        Ok(())
    }

    async fn environments(&self) -> Result<Vec<(EnvironmentId, bool)>, Error> {
        Ok(self.0.list())
    }
}

impl Service {
    async fn create(self: &Arc<Self>, request: Create) -> Result<(), Error> {
        if self.has_little() || self.draining.is_cancelled() {
            return Err(Error::Full);
        }
        let id = request.environment;
        let memory_mb = request.function.configuration.memory_mb;
        {
            let mut environments = self.lock();
            if environments.contains_key(&id) {
                return Err(Error::Busy { environment: id });
            }
            if environments.len() as u64 + self.with.engine.lingering().now
                >= self.config.environments_max as u64
            {
                return Err(Error::Full);
            }
            environments.insert(id, Slot::Making { memory_mb });
        }
        // In a task of its own, so that a caller who goes away leaves nothing half made.
        let worker = Arc::clone(self);
        let made = self.tasks.spawn(async move {
            let began = Instant::now();
            let mut making = worker.bring_up(&request).await;
            for _ in 1..MAKINGS_MAX {
                if !matches!(making, Ok(None)) {
                    break;
                }
                making = worker.bring_up(&request).await;
            }
            let made = making.and_then(|made| {
                let reason = Inner::new("it ended again and again");
                made.ok_or(Error::Sandbox { reason })
            });
            match made {
                Ok(environment) => {
                    environment.ready();
                    worker.watch_death(Arc::clone(&environment));
                    worker.freeze_soon(environment, 0);
                    let took = began.elapsed().as_secs_f64();
                    worker.metrics.create_seconds.observe(took);
                    Ok(())
                }
                Err(error) => {
                    worker.lock().remove(&id);
                    worker.metrics.create_failures.inc();
                    Err(error)
                }
            }
        });
        made.await.unwrap_or(Err(Error::Internal))
    }

    /// Makes an environment and has it initialised, in the place that is kept for it. `None` if its
    /// sandbox ended meanwhile: no invoke has been near it, so another may be made in its stead.
    async fn bring_up(
        self: &Arc<Self>,
        request: &Create,
    ) -> Result<Option<Arc<Environment>>, Error> {
        let id = request.environment;
        let environment = self.make(request.clone()).await?;
        self.lock().insert(id, Slot::Made(Arc::clone(&environment)));
        self.metrics.environments.inc();
        self.metrics.created.inc();
        if self.draining.is_cancelled() {
            // The shutdown has not found it, and waits for this.
            self.remove(id).await;
            return Err(Error::Full);
        }
        let initialised = self.initialise(&environment).await;
        if environment.is_dead() && environment.begin_ending() {
            environment.end().await;
            let memory_mb = environment.function.configuration.memory_mb;
            let lingers = self.await_removal(&environment);
            self.lock().insert(id, Slot::Making { memory_mb });
            self.metrics.environments.dec();
            if lingers {
                let reason = Inner::new("its processes do not end");
                return Err(Error::Sandbox { reason });
            }
            return Ok(None);
        }
        if let Err(error) = initialised {
            self.remove(id).await;
            return Err(error);
        }
        Ok(Some(environment))
    }

    /// Forgets an environment as soon as its sandbox ends, whatever ended that: nothing can run there.
    fn watch_death(self: &Arc<Self>, environment: Arc<Environment>) {
        let worker = Arc::clone(self);
        let mut ended = environment.ended.subscribe();
        let mut dead = environment.sandbox.dead();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                () = told(&mut ended) => return,
                () = told(&mut dead) => {}
            }
            tracing::info!(environment = %environment.id, "an environment's sandbox has ended");
            environment.lose();
            worker.say(&environment, Event::Gone).await;
            worker.remove(environment.id).await;
        });
    }

    async fn invoke(self: &Arc<Self>, request: Invoke) -> Result<Response, Error> {
        let environment = self.find(request.environment)?;
        let Some(turn) = environment.begin_turn() else {
            self.metrics.refused.inc();
            return Err(Error::Busy {
                environment: request.environment,
            });
        };
        let (caller, answer) = oneshot::channel();
        self.tasks
            .spawn(Arc::clone(self).run(environment, turn, request, caller));
        answer.await.unwrap_or(Err(Error::Internal))
    }

    pub(crate) async fn remove(self: &Arc<Self>, id: EnvironmentId) {
        let Ok(environment) = self.find(id) else {
            return;
        };
        if !environment.begin_ending() {
            return;
        }
        let limit = environment.timeout();
        // What is over its time ends by itself; this only keeps a fault of ours from lasting.
        let _ = tokio::time::timeout(limit, environment.turns_over()).await;
        environment.end().await;
        self.await_removal(&environment);
        if self.lock().remove(&id).is_some() {
            self.metrics.environments.dec();
        }
        // Somebody may be waiting for the room.
        self.beat().await;
    }

    /// Keeps the room of an environment that has ended until nothing is left of its sandbox: killed
    /// processes may take long to give back what they have. False if that is so already.
    fn await_removal(self: &Arc<Self>, environment: &Environment) -> bool {
        let mut removed = environment.sandbox.removed();
        if *removed.borrow() {
            return false;
        }
        let memory_mb = u64::from(environment.function.configuration.memory_mb);
        self.lingering_mb.fetch_add(memory_mb, Ordering::Relaxed);
        let worker = Arc::clone(self);
        let draining = self.draining.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                biased;
                // The engine sees to what is left in the end.
                () = draining.cancelled() => return,
                () = told(&mut removed) => {}
            }
            worker.lingering_mb.fetch_sub(memory_mb, Ordering::Relaxed);
            worker.beat().await;
        });
        true
    }

    /// Freezes an environment a little later, unless a turn after `turn` has begun by then.
    pub(crate) fn freeze_soon(self: &Arc<Self>, environment: Arc<Environment>, turn: u64) {
        let after = self.config.freeze_after;
        self.tasks.spawn(async move {
            tokio::time::sleep(after).await;
            environment.freeze_after(turn);
        });
    }

    fn list(&self) -> Vec<(EnvironmentId, bool)> {
        let environments = self.lock();
        let all = environments.iter().map(|(id, slot)| match slot {
            Slot::Made(environment) => (*id, environment.is_busy()),
            Slot::Making { .. } => (*id, true),
        });
        all.collect()
    }
}

/// Returns when the flag is up, or nobody is left who could raise it.
async fn told(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|up| *up).await;
}

impl Slot {
    fn memory_mb(&self) -> u32 {
        match self {
            Self::Making { memory_mb } => *memory_mb,
            Self::Made(environment) => environment.function.configuration.memory_mb,
        }
    }
}
