//! What a new leader makes of the environments that it finds in the journal.

use std::collections::{BTreeMap, BTreeSet};

use api::assignment::LeaseNumber;
use types::{EnvironmentId, Timestamp, WorkerId};

use super::{Effect, Phase, State};
use crate::command::{Command, Reason};

impl State {
    /// The workers on which environments live.
    pub(crate) fn workers(&self) -> BTreeSet<WorkerId> {
        let environments = self.environments.values();
        environments.map(|found| found.worker).collect()
    }

    /// All environments, and where each is.
    pub(crate) fn places(&self) -> Vec<(WorkerId, EnvironmentId)> {
        let environments = self.environments.iter();
        environments
            .map(|(id, found)| (found.worker, *id))
            .collect()
    }

    /// Whether there is such an environment.
    pub(crate) fn knows(&self, id: EnvironmentId) -> bool {
        self.environments.contains_key(&id)
    }

    /// Whether an environment is known to be on another worker than this one.
    pub(crate) fn is_elsewhere(&self, id: EnvironmentId, worker: WorkerId) -> bool {
        let found = self.environments.get(&id);
        found.is_some_and(|found| found.worker != worker)
    }

    /// After a replay: `living` is what the workers have, and whether it can take no invoke now. What they
    /// do not have is gone. What a former leader had begun to create is as good as any other once it is there.
    pub(crate) fn recover(
        &mut self,
        now: Timestamp,
        living: &BTreeMap<EnvironmentId, bool>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let ids: Vec<EnvironmentId> = self.environments.keys().copied().collect();
        for id in ids {
            let Some(busy) = living.get(&id) else {
                self.retire(id, Reason::Lost, &mut effects);
                continue;
            };
            if self.environments[&id].phase == Phase::Creating {
                let ready = Command::Ready { environment: id };
                self.apply(&ready);
                effects.push(Effect::Append(ready));
            }
            if *busy {
                let lease = LeaseNumber::default();
                self.environment(id).phase = Phase::Busy { since: now, lease };
            } else {
                self.settle(now, id, None, &mut effects);
            }
        }
        effects
    }
}
