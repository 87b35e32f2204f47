//! All roles of the synchronous path, put together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admission::{Admission, Metadata};
use api::assignment::Assignment;
use api::invoke;
use api::invoke::{Invoke, Invoker, Outcome};
use api::placement::Placement;
use api::worker::Workers;
use authn::Authenticator;
use bytes::Bytes;
use faulty::{Faults, Faulty, Rates, Seeded};
use frontend::Frontend;
use image::{Folders, Packages, Unconfined};
use prometheus_client::registry::Registry;
use records::examples;
use records::functions::{FunctionVersion, function_key};
use storage::memory::{MemoryBlobs, MemoryJournal, MemoryTable};
use storage::{Expect, Table};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use types::{Clock, FunctionArn, Random, RequestId, WorkerId};
use worker::{Runtime, Runtimes};

use crate::around::{AnyRole, Free, NoKeys, Nowhere};
use crate::clock::TokioClock;
use crate::engine::{Habits, TaskEngine};
use crate::function::{Event, Ledger};
use crate::leaders::{self, Leaders};
use crate::network::Network;
use crate::workers::{Directory, From, Machine, Power};

/// A function of the world.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its reserved concurrency.
    pub reserved: Option<u32>,
    /// Its timeout.
    pub timeout_seconds: u32,
}

/// How a world begins.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed of all randomness.
    pub seed: u64,
    /// How many machines there are.
    pub machines: u32,
    /// How many processes of assignment.
    pub leaders: usize,
    /// The functions that can be invoked.
    pub functions: Vec<Function>,
    /// Concurrent executions of the account.
    pub account_concurrency: u32,
    /// How sandboxes behave.
    pub habits: Habits,
}

/// See the module.
pub struct World {
    /// Its time.
    pub clock: Arc<TokioClock>,
    /// Between all roles.
    pub network: Network,
    /// The machines that are known.
    pub directory: Arc<Directory>,
    /// Counting itself, for checks without a network.
    pub counting: Arc<counting::Service>,
    /// Assignment itself, for checks without a network.
    pub assignment: Arc<Leaders>,
    /// What functions have done.
    pub ledger: Arc<Ledger>,
    placement: Arc<placement::Service>,
    invoker: Arc<dyn Invoker>,
    frontend: Arc<Frontend>,
    chance: Arc<Seeded>,
    habits: Habits,
    packages: Arc<Packages>,
    versions: BTreeMap<String, Arc<FunctionVersion>>,
    /// Watches and timers.
    _background: JoinSet<()>,
    /// Where code is.
    folder: TempDir,
}

impl World {
    /// How long an environment lives at most.
    pub const LEASE_MAX: Duration = Duration::from_secs(1_200);

    /// Puts it together, with a network that is fast and loses nothing.
    pub async fn begin(plan: &Plan) -> Self {
        let chance = Arc::new(Seeded::new(plan.seed));
        let clock = Arc::new(TokioClock::begin());
        let mut registry = Registry::default();
        let mut background = JoinSet::new();
        let network = Network::begin(&chance);
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let random = Arc::clone(&chance) as Arc<dyn Random>;

        let table: Arc<dyn Table> = Arc::new(MemoryTable::default());
        let folder = tempfile::tempdir().unwrap();
        let blobs = Arc::new(MemoryBlobs::default());
        let packages = Arc::new(Packages::new(blobs));
        let package = packages.publish(empty_zip()).await.unwrap();
        let mut versions = BTreeMap::new();
        for function in &plan.functions {
            let row = row(function, &package.image);
            let key = function_key(&row.scope, &row.name);
            let value = serde_json::to_vec(&row).unwrap();
            let put = table.put(&key, value.into(), Expect::Absent).await;
            put.unwrap();
            let version = examples::function_version(&function.name, row.latest);
            versions.insert(function.name.clone(), Arc::new(version));
        }
        let placement = Arc::new(placement::Service::new(
            placement::Config {
                lease_min: Self::LEASE_MAX / 2,
                lease_max: Self::LEASE_MAX,
                ..placement::Config::default()
            },
            Arc::clone(&time),
            Arc::clone(&random),
            placement::Metrics::new(&mut registry),
        ));
        let running = Arc::clone(&placement);
        background.spawn(async move { running.run().await });
        let counting = Arc::new(counting::Service::new(
            counting::Config::default(),
            Arc::clone(&time),
            counting::Metrics::new(&mut registry),
        ));
        let running = Arc::clone(&counting);
        background.spawn(async move { running.run().await });

        let directory = Arc::new(Directory::new(Arc::clone(&network.workers)));
        let workers = Arc::clone(&directory) as Arc<dyn Workers>;
        let dependencies = assignment::Dependencies {
            clock: Arc::clone(&time),
            random: Arc::clone(&random),
            journal: Arc::new(MemoryJournal::default()),
            placement: far(Arc::clone(&placement), &network.placement),
            credentials: far(Arc::new(AnyRole), &network.credentials),
            workers: Arc::clone(&workers),
            live: directory.live(),
        };
        let with = leaders::With {
            dependencies,
            journal: Arc::clone(&network.journal),
            chance: Arc::clone(&chance),
        };
        let assignment = Leaders::begin(plan.leaders, with).await;

        let metadata = Metadata::new(table);
        let (told, mut ready) = mpsc::channel(1);
        background.spawn(Arc::clone(&metadata).watch(told));
        ready.recv().await.unwrap().unwrap();
        let authenticator = Authenticator::new(Arc::new(NoKeys), Arc::clone(&time));
        let admission = Admission::new(
            Arc::clone(&time),
            Arc::clone(&random),
            Arc::new(authenticator),
            metadata,
        );
        let frontend = Frontend::new(
            frontend::Config {
                zone: Some("z".to_owned()),
                account_concurrency: plan.account_concurrency,
                stream_burst_bytes: 1 << 20,
                stream_bytes_per_second: 0,
                url_scheme: "http".to_owned(),
            },
            frontend::Dependencies {
                clock: time,
                random,
                admission,
                counting: far(Arc::clone(&counting), &network.counting),
                assignment: far(Arc::clone(&assignment), &network.assignment),
                workers,
                pressure: Arc::new(Free),
                tracer: traces::Tracer::default(),
            },
            &mut registry,
        );
        let world = Self {
            clock,
            network,
            directory,
            counting,
            assignment,
            ledger: Arc::default(),
            placement,
            invoker: frontend.invoker(),
            frontend,
            chance,
            habits: plan.habits,
            packages,
            versions,
            _background: background,
            folder,
        };
        for _ in 0..plan.machines {
            world.add_machine();
        }
        // All machines have sent their first heartbeat.
        tokio::time::sleep(Duration::from_millis(1)).await;
        world
    }

    /// Adds another machine.
    pub fn add_machine(&self) -> Arc<Machine> {
        let id = WorkerId::random(self.chance.as_ref());
        let seed = self.chance.next_u64();
        let engine = TaskEngine::new(seed, self.habits, Arc::clone(&self.ledger));
        let line = Faults::new(self.chance.next_u64(), Rates::default());
        let power = Power::on();
        let with = worker::Dependencies {
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            random: Arc::clone(&self.chance) as Arc<dyn Random>,
            engine: Arc::clone(&engine) as Arc<dyn sandbox::Engine>,
            folders: self.folders(&id.to_string()),
            logs: Arc::new(Nowhere),
            runtimes: runtimes(),
            tracer: traces::Tracer::default(),
        };
        let worker = worker::Handle::new(worker_config(id), with, &mut Registry::default());
        let near = Arc::clone(&self.assignment);
        let assignment: Arc<dyn Assignment> = far(far(near, &self.network.assignment), &line);
        let near = Arc::clone(&self.placement);
        let placement: Arc<dyn Placement> = far(far(near, &self.network.placement), &line);
        worker.connect(
            Arc::new(From::new(assignment, power.clone())),
            Arc::new(From::new(placement, power.clone())),
        );
        let machine = Arc::new(Machine::new(id, engine, worker, line, power));
        self.directory.add(Arc::clone(&machine));
        machine
    }

    /// Invokes a function.
    pub async fn invoke(&self, function: &str, event: &Event) -> Result<Outcome, invoke::Error> {
        self.invoking(function, event).await
    }

    /// The same as a future that a task can own.
    pub fn invoking(
        &self,
        function: &str,
        event: &Event,
    ) -> impl Future<Output = Result<Outcome, invoke::Error>> + Send + use<> {
        let invoke = Invoke {
            request: RequestId::random(self.chance.as_ref()),
            arn: FunctionArn {
                qualifier: None,
                ..self.version(function).arn()
            },
            payload: event.payload(),
            trace: String::new(),
        };
        let invoker = Arc::clone(&self.invoker);
        async move { invoker.invoke(invoke).await }
    }

    /// A cache of unpacked code on that machine.
    fn folders(&self, machine: &str) -> Arc<Folders> {
        let path = self.folder.path().join(machine);
        let packages = Arc::clone(&self.packages);
        let folders = Folders::open(packages, path, Arc::new(Unconfined), 0, 1 << 30);
        Arc::new(folders.unwrap())
    }

    /// What is invoked of a function.
    ///
    /// # Panics
    ///
    /// If there is no such function.
    pub fn version(&self, function: &str) -> Arc<FunctionVersion> {
        Arc::clone(&self.versions[function])
    }

    /// Random numbers of this world's.
    pub fn chance(&self) -> &Seeded {
        &self.chance
    }

    /// Waits until no invoke is in progress in the frontend. None can begin any more.
    pub async fn drain(&self) {
        self.frontend.drain().await;
    }
}

/// Through a network.
fn far<T: ?Sized>(callee: Arc<T>, network: &Arc<Faults>) -> Arc<Faulty<T>> {
    Arc::new(Faulty::new(callee, Arc::clone(network)))
}

/// The smallest zip: one with nothing in it.
fn empty_zip() -> Bytes {
    let mut zip = b"PK\x05\x06".to_vec();
    zip.resize(22, 0);
    zip.into()
}

/// The row of a function.
fn row(function: &Function, image: &str) -> records::functions::Function {
    let mut row = examples::function(&function.name);
    row.reserved_concurrency = function.reserved;
    row.latest.code.image = image.to_owned();
    row.latest.runtime = Some("provided.al2023".to_owned());
    row.latest.architecture = worker::host_architecture().to_owned();
    row.latest.timeout_seconds = function.timeout_seconds;
    row
}

/// Functions bring their own runtime.
fn runtimes() -> Runtimes {
    let provided = Runtime {
        root: "host".to_owned(),
        root_path: PathBuf::from("/"),
        folder: None,
    };
    Runtimes {
        families: BTreeMap::from([("provided".to_owned(), provided)]),
        ..Runtimes::default()
    }
}

fn worker_config(worker: WorkerId) -> worker::Config {
    worker::Config {
        worker,
        host: "h".to_owned(),
        zone: "z".to_owned(),
        memory_mb: 16 * 1_024,
        environments_max: 1_000,
        lines_max: 1_000,
        environment: BTreeMap::new(),
        opt: None,
        file_systems: BTreeMap::new(),
        api: None,
        log_bytes_per_second: 1 << 20,
        way_out: false,
        freeze_after: Duration::from_millis(10),
        packages_every: Duration::from_secs(3_600),
        turn_patience: Duration::from_millis(3),
    }
}
