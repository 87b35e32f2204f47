//! Workers that are gone, and workers that are to be rid of their environments.
//!
//! ```text
//!   on demand     idle: ended at once        lent: ended when it is given back
//!   provisioned   a successor is created elsewhere first, then the same
//! ```

use std::collections::BTreeSet;

use types::{EnvironmentId, WorkerId};

use super::{Effect, Environment, Phase, State};
use crate::command::Reason;

impl State {
    /// These workers are gone, and their environments with them; those drain, and no others. What is being created on
    /// one that is gone is left to its creation.
    pub(crate) fn workers_are(
        &mut self,
        gone: &BTreeSet<WorkerId>,
        draining: BTreeSet<WorkerId>,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let lost = |environment: &Environment| {
            gone.contains(&environment.worker) && environment.phase != Phase::Creating
        };
        for id in self.those(lost) {
            self.retire(id, Reason::Gone, &mut effects);
        }
        self.leaving = draining;
        let leaving = &self.leaving;
        let ends = |environment: &Environment| {
            leaving.contains(&environment.worker)
                && !environment.ahead
                && matches!(environment.phase, Phase::Idle { .. })
        };
        for id in self.those(ends) {
            self.drain_one(id, Reason::Drained, &mut effects);
        }
        effects
    }

    /// Whether an environment is on a worker that drains.
    pub(super) fn leaves(&self, environment: &Environment) -> bool {
        self.leaving.contains(&environment.worker)
    }

    fn those(&self, are: impl Fn(&Environment) -> bool) -> Vec<EnvironmentId> {
        let found = self.environments.iter();
        found
            .filter(|(_, environment)| are(environment))
            .map(|(id, _)| *id)
            .collect()
    }
}
