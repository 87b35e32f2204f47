//! Environments that have been lent for long: does their worker run an invoke in them at all?
//!
//! A lease that is lost in transit is used by nobody, and a worker's report may be late. So the workers are asked, as a new
//! leader asks them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use super::Shared;
use super::census::Found;

/// After this long the borrower of an environment has reached its worker.
const LENT_LONG: Duration = Duration::from_secs(10);
/// How often to look for such environments.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Looks for them and takes back what is not in use, until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        shared.look().await;
    }
}

impl Shared {
    async fn look(self: &Arc<Self>) {
        let now = self.dependencies.clock.now();
        let mut doubts = Vec::new();
        for partition in self.led.all() {
            let lent = partition.lock().state.lent_for(now, LENT_LONG);
            doubts.extend(lent.into_iter().map(|lent| (Arc::clone(&partition), lent)));
        }
        let workers = doubts.iter().map(|(_, (worker, ..))| *worker).collect();
        let census = self.census(workers).await;
        for (partition, (worker, id, lease)) in doubts {
            match census.find(worker, id) {
                Found::Living { busy: true } | Found::Unknown => {}
                // If it has been lent again since, this changes nothing; and if its borrower comes after all, the
                // worker sees that it is one of two.
                Found::Living { busy: false } => {
                    self.act(&partition, |state, now| state.returned(now, id, lease));
                }
                Found::Gone => {
                    self.act(&partition, |state, _| state.gone(id));
                }
            }
        }
    }
}
