//! Follows which workers there are: what was on one that is gone is gone, and one that drains is emptied.

use std::collections::BTreeSet;
use std::sync::Arc;

use types::WorkerId;

use super::Shared;
use super::partition::Partition;
use crate::LiveWorkers;

/// Works until nobody says any more which workers there are: then these stay.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut live = shared.dependencies.live.clone();
    let mut before = live.borrow_and_update().clone();
    while live.changed().await.is_ok() {
        let now = live.borrow_and_update().clone();
        for partition in shared.led.all() {
            shared.tell_of_workers(&partition, &before, &now);
        }
        before = now;
    }
}

impl Shared {
    /// Tells a partition which workers there are, and which there were.
    pub(super) fn tell_of_workers(
        self: &Arc<Self>,
        partition: &Arc<Partition>,
        before: &LiveWorkers,
        now: &LiveWorkers,
    ) {
        let gone: BTreeSet<WorkerId> = before.alive.difference(&now.alive).copied().collect();
        self.act(partition, |state, _| {
            state.workers_are(&gone, now.draining.clone())
        });
    }

    /// Returns when a worker is gone that was there, or has come meanwhile.
    pub(super) async fn worker_gone(&self, worker: WorkerId) {
        let mut live = self.dependencies.live.clone();
        let came = live
            .wait_for(|live| live.alive.contains(&worker))
            .await
            .is_ok();
        if !came
            || live
                .wait_for(|live| !live.alive.contains(&worker))
                .await
                .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}
