//! Environments that have been lent for long: does their worker run an invoke in them at all?
//!
//! A lease that is lost in transit is used by nobody, and a worker's report may be late. So the workers are asked, as a new
//! leader asks them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::assignment::LeaseNumber;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use types::{EnvironmentId, WorkerId};

use super::Shared;

/// After this long the borrower of an environment has reached its worker.
const LENT_LONG: Duration = Duration::from_secs(10);
/// How often to look for such environments.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a worker may take to answer. One that does not is asked again.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// An environment that may not be in use.
struct Doubt {
    partition: usize,
    environment: EnvironmentId,
    /// By which it was lent.
    lease: LeaseNumber,
}

/// Looks for them and takes back what is not in use, until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let mut asking = JoinSet::new();
        for (worker, doubts) in shared.doubts() {
            let shared = Arc::clone(&shared);
            asking.spawn(async move { shared.ask(worker, doubts).await });
        }
        while asking.join_next().await.is_some() {}
    }
}

impl Shared {
    fn doubts(&self) -> BTreeMap<WorkerId, Vec<Doubt>> {
        let now = self.dependencies.clock.now();
        let mut doubts: BTreeMap<WorkerId, Vec<Doubt>> = BTreeMap::new();
        for (index, partition) in self.partitions.iter().enumerate() {
            for (worker, environment, lease) in partition.lock().state.lent_for(now, LENT_LONG) {
                doubts.entry(worker).or_default().push(Doubt {
                    partition: index,
                    environment,
                    lease,
                });
            }
        }
        doubts
    }

    async fn ask(self: Arc<Self>, worker: WorkerId, doubts: Vec<Doubt>) {
        let there: HashMap<EnvironmentId, bool> = match self.dependencies.workers.worker(worker) {
            Some(worker) => match timeout(ANSWER_WITHIN, worker.environments()).await {
                Ok(Ok(there)) => there.into_iter().collect(),
                // Who does not answer tells nothing.
                _ => return,
            },
            // One that is known no longer has taken its environments with it.
            None => HashMap::new(),
        };
        for doubt in doubts {
            let id = doubt.environment;
            match there.get(&id) {
                Some(true) => {}
                // If it has been lent again since, this changes nothing; and if its borrower comes after all, the
                // worker sees that it is one of two.
                Some(false) => {
                    self.act(doubt.partition, |state, now| {
                        state.returned(now, id, doubt.lease)
                    });
                }
                None => {
                    self.act(doubt.partition, |state, _| state.gone(id));
                }
            }
        }
    }
}
