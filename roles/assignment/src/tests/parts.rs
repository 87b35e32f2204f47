//! What tests are made of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::Secret;
use api::credentials::{self, Credentials, RoleCredentials};
use api::placement::{self, Heartbeat, Place, Placed, Placement, WorkerView};
use api::worker::{Create, Error, Invoke, Living, Response, Worker, Workers};
use async_trait::async_trait;
use prometheus_client::registry::Registry;
use records::examples;
use records::functions::{Configuration, FunctionKey, FunctionVersion};
use storage::memory::MemoryJournal;
use tokio::sync::{Notify, watch};
use types::{
    Clock, EnvironmentId, FunctionArn, FunctionName, ManualClock, SystemRandom, Timestamp, Version,
    WorkerId,
};
use uuid::Uuid;

use crate::command::Created;
use crate::{Config, Dependencies, Leads, LiveWorkers, Metrics, Service};

pub(crate) fn environment(number: u64) -> EnvironmentId {
    EnvironmentId::from_uuid(Uuid::from_u128(number.into()))
}

pub(crate) fn worker(number: u64) -> WorkerId {
    WorkerId::from_uuid(Uuid::from_u128(number.into()))
}

pub(crate) fn function(name: &str, generation: u64) -> FunctionKey {
    FunctionKey {
        scope: examples::scope(),
        name: FunctionName::new(name).unwrap(),
        version: Version::Latest,
        generation,
    }
}

/// Of function `f`, on worker 1 in zone `a`; lent until 7 000 s.
pub(crate) fn created(number: u64) -> Created {
    Created {
        environment: environment(number),
        function: function("f", 1),
        worker: worker(1),
        zone: "a".to_owned(),
        lends_until: Timestamp::from_millis(7_000_000),
        lease_end: Timestamp::from_millis(8_000_000),
        ahead: false,
    }
}

/// `$LATEST` of a function, as the frontend would hand it over.
pub(crate) fn version(name: &str, generation: u64) -> Arc<FunctionVersion> {
    let configuration = Configuration {
        generation,
        ..examples::configuration()
    };
    Arc::new(examples::function_version(name, configuration))
}

/// A worker that makes environments at once, unless told otherwise.
#[derive(Default)]
pub(crate) struct FakeWorker {
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Default)]
struct Inner {
    living: BTreeMap<EnvironmentId, bool>,
    /// What they run, if it is not `f`.
    functions: BTreeMap<EnvironmentId, FunctionKey>,
    destroyed: Vec<EnvironmentId>,
    answers: VecDeque<Error>,
    held: bool,
    deaf: bool,
}

impl FakeWorker {
    /// The next creation fails so.
    pub(crate) fn fail_next(&self, error: Error) {
        self.inner.lock().unwrap().answers.push_back(error);
    }

    /// Creations wait until told to continue.
    pub(crate) fn hold(&self, held: bool) {
        self.inner.lock().unwrap().held = held;
        self.changed.notify_waiters();
    }

    pub(crate) fn living(&self) -> Vec<EnvironmentId> {
        self.inner.lock().unwrap().living.keys().copied().collect()
    }

    pub(crate) fn destroyed(&self) -> Vec<EnvironmentId> {
        self.inner.lock().unwrap().destroyed.clone()
    }

    /// From now on it cannot be reached, or can again.
    pub(crate) fn set_deaf(&self, deaf: bool) {
        self.inner.lock().unwrap().deaf = deaf;
    }

    pub(crate) fn set_busy(&self, environment: EnvironmentId, busy: bool) {
        self.inner.lock().unwrap().living.insert(environment, busy);
    }
}

#[async_trait]
impl Worker for FakeWorker {
    async fn create(&self, request: Create) -> Result<(), Error> {
        loop {
            let changed = self.changed.notified();
            {
                let mut inner = self.inner.lock().unwrap();
                if inner.deaf {
                    return Err(Error::Unavailable);
                }
                if !inner.held {
                    if let Some(error) = inner.answers.pop_front() {
                        return Err(error);
                    }
                    inner.living.insert(request.environment, false);
                    let function = request.function.key();
                    inner.functions.insert(request.environment, function);
                    return Ok(());
                }
            }
            changed.await;
        }
    }

    async fn invoke(&self, _request: Invoke) -> Result<Response, Error> {
        Err(Error::Internal)
    }

    async fn destroy(&self, environment: EnvironmentId) -> Result<(), Error> {
        let mut inner = self.inner.lock().unwrap();
        if inner.deaf {
            return Err(Error::Unavailable);
        }
        inner.living.remove(&environment);
        inner.destroyed.push(environment);
        Ok(())
    }

    async fn environments(&self) -> Result<Vec<Living>, Error> {
        let inner = self.inner.lock().unwrap();
        if inner.deaf {
            return Err(Error::Unavailable);
        }
        let living = |(id, busy): (&EnvironmentId, &bool)| Living {
            environment: *id,
            function: match inner.functions.get(id) {
                Some(function) => function.clone(),
                None => function("f", 1),
            },
            busy: *busy,
        };
        Ok(inner.living.iter().map(living).collect())
    }
}

/// Everything assignment speaks to, faked: two workers, `worker(1)` in zone a and `worker(2)` in b.
pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) workers: Arc<BTreeMap<WorkerId, Arc<FakeWorker>>>,
    pub(crate) live: watch::Sender<LiveWorkers>,
}

impl World {
    pub(crate) fn new() -> Self {
        let workers = [1, 2].map(|number| (worker(number), Arc::default()));
        Self {
            clock: Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000))),
            journal: Arc::default(),
            workers: Arc::new(workers.into()),
            live: watch::Sender::new(LiveWorkers {
                alive: [1, 2].map(worker).into(),
                draining: BTreeSet::new(),
            }),
        }
    }

    pub(crate) fn worker(&self, number: u64) -> &FakeWorker {
        &self.workers[&worker(number)]
    }

    pub(crate) fn dependencies(&self) -> Dependencies {
        Dependencies {
            clock: self.clock.clone(),
            random: Arc::new(SystemRandom),
            journal: self.journal.clone(),
            placement: Arc::new(FirstWorker(self.clock.clone())),
            credentials: Arc::new(AnyRole),
            workers: Arc::new(Known(self.workers.clone())),
            live: self.live.subscribe(),
        }
    }

    pub(crate) async fn start(&self) -> Result<Service, crate::Error> {
        self.start_with(self.dependencies()).await
    }

    pub(crate) async fn start_with(
        &self,
        dependencies: Dependencies,
    ) -> Result<Service, crate::Error> {
        let config = Config::default();
        let leads = Leads::all(config.partitions);
        self.start_of(dependencies, leads).await
    }

    /// The process that leads what it is told to.
    pub(crate) async fn start_of(
        &self,
        dependencies: Dependencies,
        leads: Leads,
    ) -> Result<Service, crate::Error> {
        let metrics = Metrics::new(&mut Registry::default());
        Service::start(Config::default(), dependencies, leads, metrics).await
    }
}

struct Known(Arc<BTreeMap<WorkerId, Arc<FakeWorker>>>);

impl Workers for Known {
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        self.0
            .get(&id)
            .map(|worker| worker.clone() as Arc<dyn Worker>)
    }
}

/// Places on the first worker that has not refused, for two hours.
struct FirstWorker(Arc<ManualClock>);

#[async_trait]
impl Placement for FirstWorker {
    async fn place(&self, request: Place) -> Result<Placed, placement::Error> {
        let memory_mb = request.memory_mb;
        let free = [(1, "a"), (2, "b")]
            .into_iter()
            .find(|(number, _)| !request.avoid.contains(&worker(*number)));
        let (number, zone) = free.ok_or(placement::Error::NoCapacity { memory_mb })?;
        let lease_end = self.0.now().after(Duration::from_secs(7_200));
        Ok(Placed {
            worker: worker(number),
            zone: zone.to_owned(),
            lease_end,
        })
    }

    async fn heartbeat(&self, _heartbeat: Heartbeat) -> Result<(), placement::Error> {
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, placement::Error> {
        Ok(Vec::new())
    }
}

/// Has room on the first worker for this many environments in all.
pub(crate) struct Room(
    pub(crate) Arc<ManualClock>,
    pub(crate) Arc<FakeWorker>,
    pub(crate) usize,
);

#[async_trait]
impl Placement for Room {
    async fn place(&self, request: Place) -> Result<Placed, placement::Error> {
        let memory_mb = request.memory_mb;
        if self.1.living().len() >= self.2 {
            return Err(placement::Error::NoCapacity { memory_mb });
        }
        FirstWorker(self.0.clone()).place(request).await
    }

    async fn heartbeat(&self, _heartbeat: Heartbeat) -> Result<(), placement::Error> {
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, placement::Error> {
        Ok(Vec::new())
    }
}

struct AnyRole;

#[async_trait]
impl RoleCredentials for AnyRole {
    async fn for_function(
        &self,
        _role: &str,
        _function: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        Ok(Credentials {
            access_key_id: "ASIA".to_owned(),
            secret_access_key: Secret::new("s"),
            session_token: Secret::new("t"),
            expires: Timestamp::default(),
        })
    }
}
