//! The environments of a worker by their ids, and the ids that are used up. Pure.
//!
//! A request to create an environment may come late or twice. An id is never used for a second environment: the first one's
//! leases would be valid for another invoke each, and nobody would know of it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use api::worker::Error;
use records::functions::FunctionVersion;
use tokio::time::Instant;
use types::EnvironmentId;

use crate::environment::Environment;

/// How long a used id is remembered. No request is in transit for longer.
const REMEMBERED: Duration = Duration::from_secs(600);

/// An environment, or the place for one that is being made.
pub(crate) enum Slot {
    Making(Arc<FunctionVersion>),
    Made(Arc<Environment>),
}

impl Slot {
    /// What it runs.
    pub(crate) fn function(&self) -> &FunctionVersion {
        match self {
            Self::Making(function) => function,
            Self::Made(environment) => &environment.function,
        }
    }

    /// Whether it waits for an invoke.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::Making(_) => false,
            Self::Made(environment) => environment.takes_invokes(),
        }
    }

    pub(crate) fn memory_mb(&self) -> u32 {
        self.function().configuration.memory_mb
    }
}

/// See the module.
#[derive(Default)]
pub(crate) struct Slots {
    slots: HashMap<EnvironmentId, Slot>,
    used: HashSet<EnvironmentId>,
    /// Since when, in order.
    since: VecDeque<(Instant, EnvironmentId)>,
}

impl Slots {
    /// Those there are.
    pub(crate) fn all(&self) -> &HashMap<EnvironmentId, Slot> {
        &self.slots
    }

    /// Takes the place for one that is to be made.
    pub(crate) fn begin(
        &mut self,
        id: EnvironmentId,
        function: &Arc<FunctionVersion>,
    ) -> Result<(), Error> {
        if self.slots.contains_key(&id) {
            return Err(Error::Busy { environment: id });
        }
        if self.used.contains(&id) {
            return Err(Error::NotFound { environment: id });
        }
        self.slots.insert(id, Slot::Making(Arc::clone(function)));
        Ok(())
    }

    /// Puts an environment, or the place for another making of it, where there is a place for it. False if it
    /// has been asked to end meanwhile.
    pub(crate) fn put(&mut self, id: EnvironmentId, slot: Slot) -> bool {
        self.slots.insert(id, slot);
        !self.used.contains(&id)
    }

    /// From now on none is begun under this id.
    pub(crate) fn use_up(&mut self, now: Instant, id: EnvironmentId) {
        while let Some((since, old)) = self.since.front().copied()
            && now.saturating_duration_since(since) > REMEMBERED
        {
            self.since.pop_front();
            self.used.remove(&old);
        }
        if self.used.insert(id) {
            self.since.push_back((now, id));
        }
    }

    /// It has ended.
    pub(crate) fn remove(&mut self, now: Instant, id: EnvironmentId) -> Option<Slot> {
        self.use_up(now, id);
        self.slots.remove(&id)
    }
}

#[cfg(test)]
mod tests {
    use records::examples;
    use types::SystemRandom;

    use super::*;

    fn function() -> Arc<FunctionVersion> {
        Arc::new(examples::function_version("f", examples::configuration()))
    }

    #[test]
    fn one_that_has_been_is_not_made_again() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        let id = EnvironmentId::random(&SystemRandom);
        slots.begin(id, &function()).unwrap();
        let busy = Err(Error::Busy { environment: id });
        assert_eq!(slots.begin(id, &function()), busy);
        assert!(slots.put(id, Slot::Making(function())));
        assert!(slots.remove(now, id).is_some());
        let gone = Err(Error::NotFound { environment: id });
        assert_eq!(slots.begin(id, &function()), gone);
    }

    #[test]
    fn one_that_is_to_end_before_it_was_asked_for_is_not_made() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        let id = EnvironmentId::random(&SystemRandom);
        slots.use_up(now, id);
        let gone = Err(Error::NotFound { environment: id });
        assert_eq!(slots.begin(id, &function()), gone);
    }

    #[test]
    fn one_that_is_to_end_while_it_is_made_ends() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        let id = EnvironmentId::random(&SystemRandom);
        slots.begin(id, &function()).unwrap();
        slots.use_up(now, id);
        assert!(!slots.put(id, Slot::Making(function())));
    }

    #[test]
    fn used_ids_are_forgotten_when_nothing_can_be_on_its_way() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        let ids = [(); 3].map(|()| EnvironmentId::random(&SystemRandom));
        slots.use_up(now, ids[0]);
        slots.use_up(now + REMEMBERED, ids[1]);
        assert!(slots.begin(ids[0], &function()).is_err());
        slots.use_up(now + REMEMBERED + Duration::from_secs(1), ids[2]);
        assert!(slots.begin(ids[0], &function()).is_ok());
        assert!(slots.begin(ids[1], &function()).is_err());
    }
}
