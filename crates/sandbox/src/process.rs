//! The engine whose sandboxes are processes: namespaces, cgroups, seccomp.
//!
//! ```text
//!   pool:   network ──▶ cgroups ──▶ spawner ──▶ a waiting init
//!   create: take from the pool ──▶ limits ──▶ tell init what to be ──▶ Ready ──▶ Instance
//! ```
//!
//! A spawner may die, and its sandboxes with it: [`keeper`] starts another, and unfinished sandboxes
//! are made again. Making a sandbox is a task of the engine's own: when the caller stops waiting, it is
//! finished and then destroyed, so nothing is ever left half made.

mod connecting;
mod cpu;
mod ending;
mod instance;
mod keeper;
mod memory;
mod pool;
mod probe;
mod reaper;
mod spawning;
mod supervisor;
mod wanted;
mod watching;

use std::collections::BTreeMap;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cgroup::{Hierarchies, Limits};
use crate::config::{Config, Network};
use crate::engine::{Engine, Instance, Lingering, Load};
use crate::error::Error;
use crate::machine;
use crate::message::Build;
use crate::nat;
use crate::share::{Opened, Opener};
use crate::spec::Spec;
use crate::sys::privileges;
use instance::{Handle, Sandbox};
use keeper::Keeper;
use pool::{Pool, Slots};
use reaper::Reaper;
use wanted::{image_trees, wanted};

/// For how long a sandbox is made again when its init dies during the making. All pooled ones may die
/// one after the other when their spawner has.
const ANEW_WITHIN: Duration = Duration::from_secs(3);
/// How long an engine's shutdown may take.
const SHUTDOWN_WITHIN: Duration = Duration::from_secs(20);

/// The most descriptors of this process that a sandbox takes: its cgroups' files, its listeners, its
/// control socket and its process. Of its spawner's it takes one.
pub const DESCRIPTORS: u64 = 16;

/// Raises this process's limit of open files as far as it may, and returns it.
pub fn raise_open_files() -> Result<u64, Error> {
    privileges::raise_open_files().map_err(Error::step("raise the limit of open files"))
}

/// Processes and threads for a hundred sandboxes that have as many as Lambda allows.
const PROCESSES_ENOUGH: u64 = 100 * 1_024;

/// Makes sandboxes of processes.
pub struct ProcessEngine {
    shared: Arc<Shared>,
}

/// What the engine and its sandboxes hold together.
struct Shared {
    tag: String,
    /// Whether sandboxes have one, by rules that are to be removed in the end.
    has_way_out: bool,
    hierarchies: Arc<Hierarchies>,
    /// By the name of the root.
    pools: BTreeMap<String, Arc<Pool>>,
    /// Thousandths of a CPU that the host has: a larger quota would have no effect.
    host_cpu_millis: u32,
    opener: Opener,
    reaper: Arc<Reaper>,
    closed: AtomicBool,
    next: AtomicU64,
    /// What has not been destroyed yet, by the order of making.
    live: Mutex<BTreeMap<u64, Arc<Sandbox>>>,
    /// Sandboxes being made, and destructions of what was dropped. Owned here, joined by `shutdown`.
    tasks: Mutex<JoinSet<()>>,
}

impl ProcessEngine {
    /// Finds the host's cgroups, starts the spawners and waits until all their roots are ready, and
    /// begins to fill the pools. Must be called within a runtime, in a program whose `main` begins with
    /// [`crate::become_spawner_if_asked`]. Raises this process's limit of open files as far as it may.
    ///
    /// One sandbox is made and ended before it returns. Where that fails, [`Error::NoSandboxes`] says
    /// what the host lacks.
    pub async fn start(config: Config) -> Result<Arc<Self>, Error> {
        config.check()?;
        let begun = Self::begin(config.clone()).await.map_err(|error| {
            // As after a killed run. What cannot be removed here either is found by the next start.
            let _ = crate::sweep(&config.tag);
            probe::explain(error)
        });
        let engine = begun?;
        if let Err(error) = engine.probe(&config).await {
            engine.shutdown().await;
            return Err(probe::explain(error));
        }
        Ok(engine)
    }

    async fn begin(config: Config) -> Result<Arc<Self>, Error> {
        raise_open_files()?;
        let hierarchies = Arc::new(Hierarchies::prepare(&config.tag, config.memory_bytes)?);
        tell_of_few_processes(&hierarchies);
        if let Network::Nat(nat) = &config.network {
            nat::open(&config.tag, nat)?;
        }
        let slots = Arc::new(Slots::new(config.first_uid));
        let reaper = Arc::new(Reaper::new());
        let mut pools = BTreeMap::new();
        for (root, keeper) in config.roots.iter().zip(keepers(&config).await?) {
            let (hierarchies, slots) = (Arc::clone(&hierarchies), Arc::clone(&slots));
            let common = (hierarchies, slots, Arc::clone(&reaper));
            let pool = Pool::start(root, keeper, &config, common)?;
            pools.insert(root.name.clone(), Arc::new(pool));
        }
        let cpus = std::thread::available_parallelism().map_or(1, |count| count.get());
        let shared = Shared {
            has_way_out: config.network != Network::None,
            tag: config.tag,
            hierarchies,
            pools,
            host_cpu_millis: u32::try_from(cpus).unwrap_or(1).saturating_mul(1_000),
            opener: Opener::new(),
            reaper,
            closed: AtomicBool::new(false),
            next: AtomicU64::new(1),
            live: Mutex::new(BTreeMap::new()),
            tasks: Mutex::new(JoinSet::new()),
        };
        Ok(Arc::new(Self {
            shared: Arc::new(shared),
        }))
    }
}

#[async_trait]
impl Engine for ProcessEngine {
    async fn create(&self, spec: Spec) -> Result<Arc<dyn Instance>, Error> {
        spec.check()?;
        let (answer, created) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.own_task(async move {
            // If the caller no longer waits, dropping the handle destroys the sandbox.
            let _ = answer.send(shared.create(spec).await);
        });
        let handle = created.await.map_err(|_| Error::Gone)??;
        Ok(Arc::new(handle))
    }

    fn load(&self) -> Result<Load, Error> {
        let read = Error::step("read what all sandboxes use");
        let together = self.shared.hierarchies.together().map_err(read)?;
        let machine = machine::memory().map_err(Error::step("read the machine's memory"))?;
        let memory = together.memory;
        Ok(Load {
            memory_used: memory.used.saturating_sub(memory.cache),
            memory_available: machine.available,
            memory_total: machine.total,
            processes: together.processes,
            processes_max: together.processes_max,
        })
    }

    fn lingering(&self) -> Lingering {
        self.shared.reaper.lingering()
    }

    async fn shutdown(&self) {
        let shared = &self.shared;
        shared.closed.store(true, Ordering::Release);
        let ended = tokio::time::timeout(SHUTDOWN_WITHIN, shared.end_all()).await;
        let lingering = shared.reaper.lingering().now;
        if ended.is_err() || lingering > 0 {
            tracing::error!(
                lingering,
                "sandboxes do not end; the kernel ends them with this process"
            );
        }
        shared.reaper.stop();
        if shared.has_way_out {
            nat::close(&shared.tag);
        }
        if let Err(error) = shared.hierarchies.remove() {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "cgroup folders remain"
            );
        }
    }
}

impl Shared {
    /// Makes a sandbox, and another if its init dies before it is ready: nothing of the function's has
    /// run by then, so its spawner ended, or something else killed it.
    async fn create(self: &Arc<Self>, spec: Spec) -> Result<Handle, Error> {
        let began = Instant::now();
        loop {
            let made = self.attempt(&spec).await;
            let again = matches!(made, Err(Error::Gone)) && began.elapsed() < ANEW_WITHIN;
            if !again || self.closed.load(Ordering::Acquire) {
                return made;
            }
        }
    }

    async fn attempt(self: &Arc<Self>, spec: &Spec) -> Result<Handle, Error> {
        let no_root = || Error::NoSuchRoot {
            name: spec.root.clone(),
        };
        let pool = self.pools.get(&spec.root).ok_or_else(no_root)?;
        let mut wanted = wanted(spec, pool)?;
        let images = image_trees(spec, pool)?;
        let shares = self.opener.open(&spec.shares).await?;
        wanted.shares = shares.iter().map(|share| share.mount.clone()).collect();
        let trees = images.iter().map(OwnedFd::as_fd);
        let trees: Vec<_> = trees.chain(shares.iter().map(Opened::tree)).collect();
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Gone);
        }
        let prepared = pool.take().await?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let sandbox = Arc::new(Sandbox::begin(spec, number, prepared, self)?);
        locked(&self.live).insert(number, Arc::clone(&sandbox));
        // From here on it is destroyed if anything fails.
        let handle = Handle {
            sandbox,
            shared: Arc::clone(self),
        };
        let limits = self.limits(spec);
        match handle.sandbox.furnish(&wanted, &trees, &limits).await {
            Ok(()) => Ok(handle),
            Err(error) => {
                handle.destroy().await;
                Err(error)
            }
        }
    }

    /// Ends the spawners with everything below them, and the sandboxes being made.
    async fn end_all(self: &Arc<Self>) {
        for pool in self.pools.values() {
            Arc::clone(pool).stop().await;
        }
        loop {
            let live: Vec<_> = locked(&self.live).values().cloned().collect();
            let none = live.is_empty();
            // In parallel: each may take its time.
            let mut ends = JoinSet::new();
            for sandbox in live {
                let shared = Arc::clone(self);
                ends.spawn(async move { shared.destroy(&sandbox).await });
            }
            while ends.join_next().await.is_some() {}
            let mut tasks = std::mem::take(&mut *locked(&self.tasks));
            if none && tasks.is_empty() {
                break;
            }
            while tasks.join_next().await.is_some() {}
        }
    }

    fn limits(&self, spec: &Spec) -> Limits {
        Limits {
            // See `memory`: what /tmp may hold comes on top, the rest is watched.
            memory_bytes: spec.memory_bytes + spec.tmp_bytes,
            socket_bytes: memory::socket_bytes(spec.memory_bytes),
            cpu_millis: Some(spec.cpu_millis).filter(|millis| *millis < self.host_cpu_millis),
            cpu_weight: spec.cpu_weight,
            processes: spec.processes_max,
        }
    }

    async fn destroy(&self, sandbox: &Arc<Sandbox>) {
        sandbox.destroy(&self.reaper).await;
        locked(&self.live).remove(&sandbox.number());
    }

    /// Destroys a sandbox that nobody refers to any more.
    fn destroy_dropped(self: &Arc<Self>, sandbox: Arc<Sandbox>) {
        let shared = Arc::clone(self);
        self.own_task(async move { shared.destroy(&sandbox).await });
    }

    fn own_task(&self, task: impl Future<Output = ()> + Send + 'static) {
        // Outside a runtime (it is being shut down) the task cannot run; the kernel then does what is
        // left when this process ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut tasks = locked(&self.tasks);
            while tasks.try_join_next().is_some() {}
            tasks.spawn_on(task, &runtime);
        }
    }
}

/// Warns where environments could use up the process numbers that there are for all of them.
fn tell_of_few_processes(hierarchies: &Hierarchies) {
    if let Ok(together) = hierarchies.together()
        && together.processes_max < PROCESSES_ENOUGH
    {
        let processes_max = together.processes_max;
        tracing::info!(
            processes_max,
            "few processes for all environments together; a larger kernel.pid_max makes room for more"
        );
    }
}

/// Starts a spawner for each root, in their order, and waits until all their roots are ready.
async fn keepers(config: &Config) -> Result<Vec<Keeper>, Error> {
    let resolvers = match config.network {
        Network::None => Vec::new(),
        Network::Nat(_) => nat::resolvers(),
    };
    let mut started = Vec::new();
    for root in &config.roots {
        let build = Build {
            kind: root.kind.clone(),
            runtimes: root.runtimes.clone(),
            resolvers: resolvers.clone(),
        };
        started.push(Keeper::start(&config.tag, root.name.clone(), build)?);
    }
    let mut keepers = Vec::new();
    for (keeper, stands) in started {
        stands.await.map_err(|_| Error::Gone)??;
        keepers.push(keeper);
    }
    Ok(keepers)
}

/// A lock whose holder panicked still protects its data: each change under ours is one step.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
