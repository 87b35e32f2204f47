//! Asks workers what lives on them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api::worker::Living;
use tokio::task::JoinSet;
use tokio::time::timeout;
use types::{EnvironmentId, WorkerId};

use super::Shared;

/// How long a worker may take to answer. One that does not tells nothing.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// What workers said. One that nobody knows has nothing: its id is that of one run of its process.
#[derive(Default)]
pub(super) struct Census {
    /// What lives, by worker: what one says of another's environments counts for nothing.
    living: BTreeMap<WorkerId, BTreeMap<EnvironmentId, Living>>,
    silent: BTreeSet<WorkerId>,
}

/// What is known of one environment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Found {
    /// It lives, and takes an invoke now, or does not.
    Living { busy: bool },
    /// It does not live.
    Gone,
    /// Its worker has not answered.
    Unknown,
}

impl Census {
    pub(super) fn find(&self, worker: WorkerId, environment: EnvironmentId) -> Found {
        if self.silent.contains(&worker) {
            return Found::Unknown;
        }
        let there = self.living.get(&worker);
        match there.and_then(|there| there.get(&environment)) {
            Some(living) => Found::Living { busy: living.busy },
            None => Found::Gone,
        }
    }

    /// All that lives, and where.
    pub(super) fn living(&self) -> impl Iterator<Item = (WorkerId, &Living)> {
        let workers = self.living.iter();
        workers.flat_map(|(worker, there)| there.values().map(|living| (*worker, living)))
    }
}

impl Shared {
    /// Asks these workers, all at a time.
    pub(super) async fn census(self: &Arc<Self>, workers: BTreeSet<WorkerId>) -> Census {
        let mut asking = JoinSet::new();
        for id in workers {
            if let Some(worker) = self.dependencies.workers.worker(id) {
                asking.spawn(async move {
                    let answer = timeout(ANSWER_WITHIN, worker.environments()).await;
                    (id, answer.ok().and_then(Result::ok))
                });
            }
        }
        let mut census = Census::default();
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((id, Some(there))) => {
                    let there = there.into_iter().map(|found| (found.environment, found));
                    census.living.insert(id, there.collect());
                }
                Ok((id, None)) => {
                    census.silent.insert(id);
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "a worker could not be asked");
                }
            }
        }
        census
    }
}
