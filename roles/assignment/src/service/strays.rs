//! Ends environments that live on a worker and that their partition does not know.
//!
//! There are some after a partition has moved: its former leader had them created, and did not get them into the
//! journal; or a worker received the order to create one when it had been given up. None of them is ever lent.
//!
//! A partition knows what it has created before the worker does, so what it does not know is not its own, if it is still the
//! leader. That is what the record `Retired` shows: once it is in the journal, nobody else had claimed it before.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use types::{EnvironmentId, WorkerId};

use super::census::Census;
use super::partition::Partition;
use super::{Shared, creation};
use crate::hash;

/// How often to look. Each look asks every worker for a list of all that it has.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Looks for strays, until it is dropped.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        look(&shared).await;
    }
}

/// Looks for them once.
pub(super) async fn look(shared: &Arc<Shared>) {
    let partitions = shared.led.all();
    if partitions.is_empty() {
        return;
    }
    let workers: BTreeSet<WorkerId> = shared.dependencies.live.borrow().alive.clone();
    let census = shared.census(workers).await;
    for partition in partitions {
        end_strays(shared, &partition, &census);
    }
}

/// Ends those of a partition. The census must be newer than its claim.
pub(super) fn end_strays(shared: &Arc<Shared>, partition: &Arc<Partition>, census: &Census) {
    let count = shared.led.partitions();
    for (worker, living) in census.living() {
        let id = living.environment;
        if hash::partition(&living.function, count) != partition.number
            || partition.lock().state.knows(id)
            || !shared.lock_strays().insert(id)
        {
            continue;
        }
        let ending = Ending(Arc::clone(shared), id);
        let partition = Arc::clone(partition);
        shared.tasks.start_work(async move {
            if partition.disown(id).await {
                tracing::warn!(environment = %id, %worker, "an environment that no leader knows is ended");
                creation::order_end(&ending.0, id, worker, || true).await;
            }
        });
    }
}

/// A stray that is being ended.
struct Ending(Arc<Shared>, EnvironmentId);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.lock_strays().remove(&self.1);
    }
}
