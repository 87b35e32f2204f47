//! Assignment as a service: partitions behind locks, and the tasks that write, create and tick.

mod bootstrap;
mod calls;
mod census;
mod creation;
mod doubts;
mod leading;
mod led;
mod partition;
mod presence;
mod strays;
mod tasks;
mod upkeep;
mod waiting;
mod writer;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};

use api::assignment::{Assign, Error as Refusal};
use api::credentials::RoleCredentials;
use api::placement::Placement;
use api::worker::Workers;
use records::functions::FunctionKey;
use storage::Journal;
use tokio::sync::{Semaphore, watch};
use types::{Clock, EnvironmentId, Random, Timestamp};

use crate::state::{Counts, Effect, State};
use crate::{Config, Leads, LiveWorkers, Metrics, hash};
use creation::Purpose;
use leading::Wanted;
use led::Led;
use partition::Partition;
use tasks::Tasks;

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
    /// Which workers there are. If its sender is dropped, these are there for ever.
    pub live: watch::Receiver<LiveWorkers>,
}

/// Why a partition is not led.
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
    leads: Leads,
    led: Led,
    /// Whether no partition is to be led any more.
    ending: watch::Sender<bool>,
    /// Environments that no leader knows, and that are being ended.
    strays: Mutex<BTreeSet<EnvironmentId>>,
    /// Turns to create: [`Config::creations_max`].
    turns: Semaphore,
    tasks: Tasks,
    metrics: Metrics,
}

impl Service {
    /// Leads what it is to lead: reads the journals, claims them, asks the workers what lives, and begins to lend. Returns when
    /// it leads all that it is to lead at its start; an error is of these. Later ones are tried again. Must be called
    /// within a tokio runtime.
    pub async fn start(
        config: Config,
        dependencies: Dependencies,
        leads: Leads,
        metrics: Metrics,
    ) -> Result<Self, Error> {
        let turns = Semaphore::new(config.creations_max.clamp(1, Semaphore::MAX_PERMITS));
        let partitions = config.partitions.max(1);
        let service = Self {
            shared: Arc::new(Shared {
                config,
                dependencies,
                led: Led::none_of(partitions, leads.led.clone()),
                leads,
                ending: watch::Sender::new(false),
                strays: Mutex::default(),
                turns,
                tasks: Tasks::new(),
                metrics,
            }),
        };
        let shared = &service.shared;
        let mut first = Vec::new();
        for number in 0..partitions {
            let held = Wanted::new(shared, number).now();
            if held {
                shared.led.begin(number);
            }
            first.push(match held {
                true => Some(bootstrap::gain(shared, number).await?),
                false => None,
            });
        }
        for (number, partition) in (0..).zip(first) {
            let leading = leading::run(shared.clone(), number, partition);
            shared.tasks.start_leading(leading);
        }
        shared.tasks.start_loop(upkeep::run(shared.clone()));
        shared.tasks.start_loop(doubts::run(shared.clone()));
        shared.tasks.start_loop(strays::run(shared.clone()));
        shared.tasks.start_loop(presence::run(shared.clone()));
        Ok(service)
    }

    /// Environments by state, over all partitions.
    pub fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// From now on nothing is lent: waiting callers are refused, and environments are shut down as they
    /// become idle.
    pub fn drain(&self) {
        for partition in self.shared.led.all() {
            self.shared.act(&partition, |state, _| state.drain());
        }
    }

    /// Drains, waits for creations and shutdowns under way and until the journals have it all.
    /// Busy environments are left to their workers. Can take as long as workers and journal do:
    /// bound it. Dropping the call, or the service, leaves nothing behind but records that the next
    /// start finds out to be old.
    pub async fn shutdown(&self) {
        self.drain();
        self.shared.tasks.work_done().await;
        self.hand_over().await;
    }

    /// Lets go of all partitions, so that other processes lead them from here on: nothing is lent any more, waiting
    /// callers are sent elsewhere, and what is known is written. Environments live on, and so do those that are being
    /// created: the next leaders find them. Takes seconds where a journal does not answer.
    pub async fn hand_over(&self) {
        self.shared.ending.send_replace(true);
        self.shared.tasks.leading_done().await;
        self.shared.tasks.stop();
    }

    /// How many partitions are led here.
    #[cfg(test)]
    pub(crate) fn led_count(&self) -> usize {
        self.shared.led.all().len()
    }

    /// One search for strays.
    #[cfg(test)]
    pub(crate) async fn sweep(&self) {
        strays::look(&self.shared).await;
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

impl Shared {
    /// The partition of a function version, if it is led here.
    fn partition(&self, function: &FunctionKey) -> Result<Arc<Partition>, Refusal> {
        let number = hash::partition(function, self.led.partitions());
        self.led.at(number).ok_or(Refusal::Unavailable)
    }

    /// Lets a partition's state decide, and does what it says. One that does not lead decides
    /// nothing, and says so by `false`: what it knows is old.
    fn act(
        self: &Arc<Self>,
        partition: &Arc<Partition>,
        decide: impl FnOnce(&mut State, Timestamp) -> Vec<Effect>,
    ) -> bool {
        let now = self.dependencies.clock.now();
        let mut inner = partition.lock();
        if !inner.is_led() {
            return false;
        }
        let effects = decide(&mut inner.state, now);
        let work = inner.absorb(effects);
        drop(inner);
        self.carry_out(partition, work);
        true
    }

    /// What a decision asks of others, outside the lock.
    fn carry_out(self: &Arc<Self>, partition: &Arc<Partition>, work: partition::Work) {
        if work.appended {
            partition.wake();
        }
        for (environment, worker) in work.destroy {
            creation::destroy(self.clone(), Arc::clone(partition), environment, worker);
        }
        for function in work.make_ahead {
            let request = Assign {
                function,
                zone: None,
            };
            let partition = Arc::clone(partition);
            creation::start(self.clone(), partition, request, Purpose::Ahead);
        }
    }

    fn lock_strays(&self) -> MutexGuard<'_, BTreeSet<EnvironmentId>> {
        self.strays
            .lock()
            .expect("nothing panics while it holds this lock")
    }

    fn counts(&self) -> Counts {
        let mut sum = Counts::default();
        for partition in self.led.all() {
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
