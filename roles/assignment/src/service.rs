//! Assignment as a service: partitions behind locks, and the tasks that write, create and tick.

mod bootstrap;
mod creation;
mod doubts;
mod partition;
mod tasks;
mod upkeep;
mod waiting;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::assignment::{
    Assign, Assignment, Error as Refusal, Event, Lease, Lend, Provision, Report, Standing,
};
use api::credentials::RoleCredentials;
use api::placement::Placement;
use api::worker::Workers;
use async_trait::async_trait;
use records::functions::FunctionKey;
use storage::Journal;
use tokio::sync::Semaphore;
use types::{Clock, Random, Timestamp, WorkerId};

use crate::state::{Assigned, Counts, Effect, State, Then, Wish};
use crate::{Config, Metrics, hash};
use creation::Purpose;
use partition::Partition;
use tasks::Tasks;
use waiting::Waiting;

/// What assignment speaks to.
#[derive(Clone)]
pub struct Dependencies {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for ids.
    pub random: Arc<dyn Random>,
    /// Where lifecycle records go.
    pub journal: Arc<dyn Journal>,
    /// Who picks workers.
    pub placement: Arc<dyn Placement>,
    /// Who has the role's keys.
    pub credentials: Arc<dyn RoleCredentials>,
    /// The workers.
    pub workers: Arc<dyn Workers>,
}

/// Why the service did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be read.
    #[error("the journal of {partition} cannot be read")]
    Storage {
        /// Which.
        partition: String,
        /// Why.
        #[source]
        source: storage::Error,
    },
    /// A record is not understood: of a newer version, or not ours.
    #[error("record {position} of the journal of {partition} is not understood")]
    Record {
        /// Which journal.
        partition: String,
        /// Where.
        position: u64,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else writes to the journal: another replica leads.
    #[error("another replica leads {partition}")]
    Fenced {
        /// Which.
        partition: String,
    },
}

/// The assignment role of this process. Dropping it stops its tasks.
pub struct Service {
    shared: Arc<Shared>,
}

/// What the service and its tasks have in common.
struct Shared {
    config: Config,
    dependencies: Dependencies,
    partitions: Vec<Partition>,
    /// Turns to create: [`Config::creations_max`].
    turns: Semaphore,
    tasks: Tasks,
    metrics: Metrics,
}

impl Service {
    /// Reads the journals, claims them, asks the workers what lives, and begins to lend. Must be
    /// called within a tokio runtime.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let mut partitions = Vec::new();
        for number in 0..config.partitions.max(1) {
            let partition = bootstrap::lead(format!("assignment-{number}"), &dependencies).await?;
            partitions.push(partition);
        }
        let turns = Semaphore::new(config.creations_max.clamp(1, Semaphore::MAX_PERMITS));
        let tasks = Tasks::new();
        let shared = Arc::new(Shared {
            config,
            dependencies,
            partitions,
            turns,
            tasks,
            metrics,
        });
        for index in 0..shared.partitions.len() {
            bootstrap::recover(&shared, index).await;
            shared.tasks.start_loop(writer::run(shared.clone(), index));
        }
        shared.tasks.start_loop(upkeep::run(shared.clone()));
        shared.tasks.start_loop(doubts::run(shared.clone()));
        Ok(Self { shared })
    }

    /// Environments by state, over all partitions.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// From now on nothing is lent: waiting callers are refused, and environments are shut down as they
    /// become idle.
    pub fn drain(&self) {
        for index in 0..self.shared.partitions.len() {
            self.shared.act(index, |state, _| state.drain());
        }
    }

    /// Drains, waits for creations and shutdowns under way and until the journals have it all.
    /// Busy environments are left to their workers. Can take as long as workers and journal do:
    /// bound it. Dropping the call, or the service, leaves nothing behind but records that the next
    /// start finds out to be old.
    pub async fn shutdown(&self) {
        self.drain();
        self.shared.tasks.work_done().await;
        for partition in &self.shared.partitions {
            partition.close();
        }
        self.shared
            .tasks
            .writers_done(self.shared.partitions.len())
            .await;
        self.shared.tasks.stop();
    }

    /// One turn of the timer.
    #[cfg(test)]
    pub(crate) fn tick(&self) {
        self.shared.tick();
    }

    /// Forgets records nobody needs any more.
    #[cfg(test)]
    pub(crate) async fn trim(&self) {
        self.shared.trim().await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.tasks.stop();
    }
}

#[async_trait]
impl Assignment for Service {
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, Refusal> {
        let key = || request.function.clone();
        let begun = self.shared.begin(key, request.zone.as_deref(), false);
        let Begun::Lent(lease) = begun? else {
            return Ok(None);
        };
        self.shared.metrics.leases_warm.inc();
        Ok(Some(lease))
    }

    async fn assign(&self, request: Assign) -> Result<Lease, Refusal> {
        let key = || request.function.key();
        let begun = self.shared.begin(key, request.zone.as_deref(), true);
        if begun.is_err() {
            self.shared.metrics.leases_refused.inc();
        }
        match begun? {
            Begun::Lent(lease) => {
                self.shared.metrics.leases_warm.inc();
                Ok(lease)
            }
            Begun::Waits { mut waiting, then } => {
                let then = match then {
                    Then::WaitFirst => match waiting.early_answer().await {
                        Some(answer) => return answer,
                        None => waiting.lose_patience(),
                    },
                    other => other,
                };
                if then == Then::Create {
                    let partition = waiting.partition;
                    creation::start(self.shared.clone(), partition, request, Purpose::Wanted);
                }
                waiting.answer().await
            }
            Begun::None => Err(Refusal::Unavailable),
        }
    }

    async fn give_back(&self, lease: Lease, function: FunctionKey) -> Result<(), Refusal> {
        let index = self.shared.index(&function);
        let heard = self.shared.act(index, |state, now| {
            state.returned(now, lease.environment, lease.number)
        });
        match heard {
            true => Ok(()),
            false => Err(Refusal::Unavailable),
        }
    }

    async fn provision(&self, wanted: Vec<Provision>) -> Result<Vec<Standing>, Refusal> {
        Ok(self.shared.provision(&wanted))
    }

    async fn report(&self, from: Option<WorkerId>, reports: Vec<Report>) -> Result<(), Refusal> {
        let mut heard = true;
        for report in reports {
            let index = self.shared.index(&report.function);
            let id = report.environment;
            heard &= self.shared.act(index, |state, now| {
                if let Some(from) = from.filter(|from| state.is_elsewhere(id, *from)) {
                    tracing::warn!(worker = %from, environment = %id,
                        "a worker reports on an environment of another one; that is ignored");
                    return Vec::new();
                }
                match report.event {
                    Event::Idle { seen } => state.returned(now, id, seen),
                    Event::Gone => state.gone(id),
                }
            });
        }
        match heard {
            true => Ok(()),
            false => Err(Refusal::Unavailable),
        }
    }
}

/// How an assign began.
enum Begun {
    Lent(Lease),
    None,
    Waits { waiting: Waiting, then: Then },
}

impl Shared {
    fn begin(
        self: &Arc<Self>,
        key: impl Fn() -> FunctionKey,
        zone: Option<&str>,
        waits: bool,
    ) -> Result<Begun, Refusal> {
        let now = self.dependencies.clock.now();
        let function = key();
        let index = self.index(&function);
        let mut inner = self.partitions[index].lock();
        if !inner.leading {
            return Err(Refusal::Unavailable);
        }
        let (assigned, effects) = inner.state.assign(now, function, zone, waits);
        let begun = match assigned {
            Assigned::Lent(lease) => Ok(Begun::Lent(lease)),
            Assigned::None => Ok(Begun::None),
            Assigned::Waits { waiter, then } => {
                let answer = inner.wait(waiter);
                let waiting = Waiting::new(self.clone(), index, key(), waiter, answer);
                Ok(Begun::Waits { waiting, then })
            }
            Assigned::Draining => Err(Refusal::Unavailable),
        };
        let work = inner.absorb(effects);
        drop(inner);
        self.carry_out(index, work);
        begun
    }

    /// Sends each partition its desired counts, including empty ones.
    fn provision(self: &Arc<Self>, wanted: &[Provision]) -> Vec<Standing> {
        let mut wishes: Vec<Vec<Wish>> = self.partitions.iter().map(|_| Vec::new()).collect();
        for provision in wanted {
            wishes[self.index(&provision.function.key())].push(Wish {
                function: Arc::clone(&provision.function),
                count: usize::try_from(provision.count).unwrap_or(usize::MAX),
                held: provision.held,
                asked: provision.asked,
            });
        }
        let mut standings = BTreeMap::new();
        for (index, wishes) in wishes.into_iter().enumerate() {
            let per_second = self.config.provisioned_per_second;
            self.act(index, |state, now| {
                let effects = state.provision(now, wishes, per_second);
                standings.append(&mut state.standings());
                effects
            });
        }
        let keys = wanted.iter().map(|provision| provision.function.key());
        keys.map(|key| standings.get(&key).cloned().unwrap_or_default())
            .collect()
    }

    fn index(&self, function: &FunctionKey) -> usize {
        let count = u32::try_from(self.partitions.len()).expect("it was made from a u32");
        hash::partition(function, count) as usize
    }

    /// Lets a partition's state decide, and does what it says. One that does not lead decides
    /// nothing, and says so by `false`: what it knows is old.
    fn act(
        self: &Arc<Self>,
        index: usize,
        decide: impl FnOnce(&mut State, Timestamp) -> Vec<Effect>,
    ) -> bool {
        let now = self.dependencies.clock.now();
        let mut inner = self.partitions[index].lock();
        if !inner.leading {
            return false;
        }
        let effects = decide(&mut inner.state, now);
        let work = inner.absorb(effects);
        drop(inner);
        self.carry_out(index, work);
        true
    }

    /// What a decision asks of others, outside the lock.
    fn carry_out(self: &Arc<Self>, index: usize, work: partition::Work) {
        if work.appended {
            self.partitions[index].wake();
        }
        for (environment, worker) in work.destroy {
            creation::destroy(self.clone(), index, environment, worker);
        }
        for function in work.make_ahead {
            let request = Assign {
                function,
                zone: None,
            };
            creation::start(self.clone(), index, request, Purpose::Ahead);
        }
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for partition in &self.partitions {
            let counts = partition.lock().state.counts();
            sum.creating += counts.creating;
            sum.idle += counts.idle;
            sum.busy += counts.busy;
            sum.draining += counts.draining;
            sum.waiting += counts.waiting;
        }
        sum
    }
}
