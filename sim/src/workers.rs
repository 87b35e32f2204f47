//! Machines with a worker each: they come, go, and are cut off; and the membership that knows them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ::assignment::LiveWorkers;
use api::assignment::{self, Assign, Assignment, Lease, Lend, Provision, Report, Standing};
use api::placement::{self, Heartbeat, Place, Placed, Placement, WorkerView};
use api::worker::{Create, Error, Invoke, Living, Response, Worker, Workers};
use async_trait::async_trait;
use faulty::{Faults, Faulty, Rates};
use records::functions::FunctionKey;
use tokio::sync::watch;
use types::{EnvironmentId, WorkerId};

use crate::engine::TaskEngine;

/// A machine.
pub struct Machine {
    /// Its worker's id.
    pub id: WorkerId,
    /// Its sandboxes.
    pub engine: Arc<TaskEngine>,
    /// The worker itself, for checks without a network.
    pub worker: worker::Handle,
    /// The last part of the network to it and from it.
    pub line: Arc<Faults>,
    power: Power,
}

/// Whether a machine runs.
#[derive(Clone)]
pub(crate) struct Power(watch::Sender<bool>);

impl Power {
    pub(crate) fn on() -> Self {
        Self(watch::Sender::new(true))
    }

    pub(crate) fn is_on(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) fn off(&self) {
        self.0.send_replace(false);
    }

    /// What the machine answers; nothing once it no longer runs.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut power = self.0.subscribe();
        tokio::select! {
            biased;
            _ = power.wait_for(|on| !on) => None,
            done = work => Some(done),
        }
    }
}

impl Machine {
    pub(crate) fn new(
        id: WorkerId,
        engine: Arc<TaskEngine>,
        worker: worker::Handle,
        line: Arc<Faults>,
        power: Power,
    ) -> Self {
        Self {
            id,
            engine,
            worker,
            line,
            power,
        }
    }

    /// Loses power: it sends nothing any more, and nothing runs there.
    pub fn fail(&self) {
        self.power.off();
        self.engine.end_all();
    }

    /// Whether it runs.
    pub fn is_on(&self) -> bool {
        self.power.is_on()
    }

    /// Disconnects it from everybody, or connects it again.
    pub fn cut_off(&self, off: bool) {
        self.line.set(match off {
            true => Rates::cut_off(),
            false => Rates::default(),
        });
    }
}

/// The machines that are known, as by a membership service: one that has gone is known a while longer.
pub struct Directory {
    network: Arc<Faults>,
    known: Mutex<BTreeMap<WorkerId, Arc<Machine>>>,
    live: watch::Sender<LiveWorkers>,
}

impl Directory {
    /// No machines, reached through that network.
    pub(crate) fn new(network: Arc<Faults>) -> Self {
        Self {
            network,
            known: Mutex::default(),
            live: watch::Sender::default(),
        }
    }

    /// Which workers there are.
    pub(crate) fn live(&self) -> watch::Receiver<LiveWorkers> {
        self.live.subscribe()
    }

    /// Whether a machine is to be rid of its environments.
    pub fn drain(&self, id: WorkerId, drains: bool) {
        self.live.send_modify(|live| {
            match drains {
                true => live.draining.insert(id),
                false => live.draining.remove(&id),
            };
        });
    }

    pub(crate) fn add(&self, machine: Arc<Machine>) {
        let id = machine.id;
        self.lock().insert(id, machine);
        self.live.send_modify(|live| {
            live.alive.insert(id);
        });
    }

    /// Removes a machine from the list.
    pub fn forget(&self, id: WorkerId) {
        self.lock().remove(&id);
        self.live.send_modify(|live| {
            live.alive.remove(&id);
            live.draining.remove(&id);
        });
    }

    /// All that are known.
    pub fn all(&self) -> Vec<Arc<Machine>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WorkerId, Arc<Machine>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Workers for Directory {
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        let machine = Arc::clone(self.lock().get(&id)?);
        let line = Arc::clone(&machine.line);
        let network = Arc::clone(&self.network);
        let far = Faulty::new(Arc::new(Powered(machine)), network);
        // First the part that may lose it: a call that is reported as lost has no duplicate.
        Some(Arc::new(Faulty::new(Arc::new(far), line)))
    }
}

/// A worker on a machine that may fail.
struct Powered(Arc<Machine>);

impl Powered {
    async fn ask<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if !self.0.power.is_on() {
            return Err(Error::Unavailable);
        }
        self.0
            .power
            .during(work)
            .await
            .unwrap_or(Err(Error::Internal))
    }
}

#[async_trait]
impl Worker for Powered {
    async fn create(&self, request: Create) -> Result<(), Error> {
        self.ask(self.0.worker.create(request)).await
    }

    async fn invoke(&self, request: Invoke) -> Result<Response, Error> {
        self.ask(self.0.worker.invoke(request)).await
    }

    async fn destroy(&self, environment: EnvironmentId) -> Result<(), Error> {
        self.ask(self.0.worker.destroy(environment)).await
    }

    async fn environments(&self) -> Result<Vec<Living>, Error> {
        self.ask(self.0.worker.environments()).await
    }
}

/// The peers of a worker, as long as its machine runs. Afterwards nobody receives its calls.
pub(crate) struct From<T: ?Sized> {
    callee: Arc<T>,
    power: Power,
}

impl<T: ?Sized> From<T> {
    pub(crate) fn new(callee: Arc<T>, power: Power) -> Self {
        Self { callee, power }
    }
}

#[async_trait]
impl Placement for From<dyn Placement> {
    async fn place(&self, request: Place) -> Result<Placed, placement::Error> {
        let asked = self.power.during(self.callee.place(request)).await;
        asked.unwrap_or(Err(placement::Error::Unavailable))
    }

    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), placement::Error> {
        let told = self.power.during(self.callee.heartbeat(heartbeat)).await;
        told.unwrap_or(Err(placement::Error::Unavailable))
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, placement::Error> {
        self.callee.workers().await
    }
}

#[async_trait]
impl Assignment for From<dyn Assignment> {
    async fn lend(&self, _: Lend) -> Result<Option<Lease>, assignment::Error> {
        Err(assignment::Error::Unavailable)
    }

    async fn assign(&self, _: Assign) -> Result<Lease, assignment::Error> {
        Err(assignment::Error::Unavailable)
    }

    async fn give_back(&self, _: Lease, _: FunctionKey) -> Result<(), assignment::Error> {
        Err(assignment::Error::Unavailable)
    }

    async fn provision(
        &self,
        _: Vec<Provision>,
    ) -> Result<Vec<Option<Standing>>, assignment::Error> {
        Err(assignment::Error::Unavailable)
    }

    async fn report(
        &self,
        from: Option<WorkerId>,
        reports: Vec<Report>,
    ) -> Result<(), assignment::Error> {
        let told = self.power.during(self.callee.report(from, reports)).await;
        told.unwrap_or(Err(assignment::Error::Unavailable))
    }
}
