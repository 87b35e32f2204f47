//! What must hold of a [`State`] at every moment; for tests.

use std::collections::BTreeMap;

use types::{EnvironmentId, Timestamp};

use super::pool::Pool;
use super::{Phase, State, split};
use crate::command::Command;

impl State {
    /// Panics if an invariant does not hold at `now`, when `journal` is all that was recorded.
    pub(crate) fn assert_invariants(&self, now: Timestamp, journal: &[Command]) {
        self.invariant_idle_stacks_hold_what_is_idle();
        self.invariant_nobody_waits_beside_an_idle_environment(now);
        self.invariant_everybody_waiting_has_a_creation_or_is_patient();
        self.invariant_nothing_made_on_demand_idles_on_a_worker_that_drains();
        self.invariant_a_replay_gives_the_same_environments(journal);
    }

    /// Whether there is nothing left that takes memory.
    pub(crate) fn remembers_nothing(&self) -> bool {
        self.environments.is_empty() && self.families.is_empty() && self.ahead.is_empty()
    }

    /// How many provisioned environments live on workers that drain.
    pub(crate) fn provisioned_that_leave(&self) -> usize {
        let environments = self.environments.values();
        environments
            .filter(|found| found.ahead && self.leaves(found))
            .count()
    }

    fn invariant_idle_stacks_hold_what_is_idle(&self) {
        let mut living: BTreeMap<_, usize> = BTreeMap::new();
        let mut stacked = Vec::new();
        for (id, environment) in &self.environments {
            let (family, generation) = split(environment.function.clone());
            let pool = &self.families[&family].pools[&generation];
            let stack = match (&pool.ahead, environment.ahead) {
                (_, false) => &pool.idle[..],
                (Some(ahead), true) => &ahead.idle[..],
                // Lent, and nothing is requested any more.
                (None, true) => &[],
            };
            let on_stack = stack.iter().filter(|idle| *idle == id).count();
            let is_idle = matches!(environment.phase, Phase::Idle { .. });
            assert_eq!(
                on_stack,
                usize::from(is_idle),
                "{id} is {:?}",
                environment.phase
            );
            *living.entry(environment.function.clone()).or_default() += 1;
            stacked.extend(is_idle.then_some(*id));
        }
        let pools = || {
            self.families
                .values()
                .flat_map(|family| family.pools.values())
        };
        let ahead = |pool: &Pool| pool.ahead.as_ref().map_or(0, |ahead| ahead.idle.len());
        let on_stacks: usize = pools().map(|pool| pool.idle.len() + ahead(pool)).sum();
        assert_eq!(
            on_stacks,
            stacked.len(),
            "no stack holds an unknown environment"
        );
        let counted: usize = pools().map(|pool| pool.living).sum();
        assert_eq!(counted, self.environments.len());
        assert_eq!(living.values().sum::<usize>(), self.environments.len());
    }

    fn invariant_nobody_waits_beside_an_idle_environment(&self, now: Timestamp) {
        for pool in self
            .families
            .values()
            .flat_map(|family| family.pools.values())
        {
            let ahead = pool.ahead.as_ref().filter(|_| !pool.is_held());
            let lendable = ahead
                .map_or(&[][..], |ahead| &ahead.idle)
                .iter()
                .chain(&pool.idle)
                .filter(|id| self.environments[*id].lends_until > now)
                .count();
            assert!(pool.in_line() == 0 || lendable == 0, "{pool:?}");
        }
    }

    fn invariant_nothing_made_on_demand_idles_on_a_worker_that_drains(&self) {
        for (id, environment) in &self.environments {
            let is_idle = matches!(environment.phase, Phase::Idle { .. });
            let stays = is_idle && !environment.ahead && self.leaves(environment);
            assert!(!stays, "{id} stays on a worker that drains");
        }
    }

    fn invariant_everybody_waiting_has_a_creation_or_is_patient(&self) {
        for pool in self
            .families
            .values()
            .flat_map(|family| family.pools.values())
        {
            assert!(pool.has_creations_enough(), "{pool:?}");
        }
    }

    fn invariant_a_replay_gives_the_same_environments(&self, journal: &[Command]) {
        let mut replayed = State::default();
        for command in journal {
            // Twice: a record seen again changes nothing.
            replayed.apply(command);
            replayed.apply(command);
        }
        let ids = |state: &Self| {
            state
                .environments
                .keys()
                .copied()
                .collect::<Vec<EnvironmentId>>()
        };
        assert_eq!(ids(&replayed), ids(self));
    }
}
