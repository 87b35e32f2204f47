//! The environments and waiters of one function key, and which idle environment is lent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::mem;
use std::time::Duration;

use records::functions::FunctionKey;
use types::{EnvironmentId, Timestamp};

use super::provisioned::Ahead;
use super::{Environment, Family, Then, WaiterId, split};

/// How many suitable idle environments are checked in search of one in the caller's zone.
/// The search is on every invoke's path; after this many, another zone's is as good.
const ZONE_SEARCH_MAX: usize = 16;

/// A higher generation is newer. A lower one is requested by a frontend that has not seen the
/// change yet, which takes some milliseconds; or, when the higher one is asked for no longer,
/// because the function was deleted and another one made under its name.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// The generations of one function version.
#[derive(Debug, Default)]
pub(super) struct Generations {
    /// The current one. Environments of others are lent only to waiting callers.
    pub(super) current: u64,
    /// When it was last asked for.
    pub(super) asked: Timestamp,
    /// One, nearly always.
    pub(super) pools: BTreeMap<u64, Pool>,
}

impl Generations {
    /// Notes that a generation is asked for, and says whether another one has counted until now.
    pub(super) fn ask(&mut self, now: Timestamp, generation: u64) -> bool {
        let renewed = now.since(self.asked) >= STALE_AFTER;
        let changed = generation > self.current || (generation < self.current && renewed);
        if changed {
            self.current = generation;
        }
        if generation == self.current {
            self.asked = now;
        }
        changed
    }
}

/// A caller that will likely be served within this time waits for an environment to become free. A cold start takes twenty
/// times as long, and invokes that wait for longer than this without the processor should each have their own environment.
const PROMPT: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Most recently used last, so that those at the bottom can age out.
    pub(super) idle: Vec<EnvironmentId>,
    /// Waiters for whom environments are being created. First come, first served, here and in `patient`.
    waiters: VecDeque<WaiterId>,
    /// Waiters that wait for a lent environment to become free.
    patient: VecDeque<WaiterId>,
    /// Creations under way.
    pub(super) creating: usize,
    /// How long an environment is lent, of late. `None` before the first was given back.
    pub(super) lent_for: Option<Duration>,
    /// Environments of whatever phase.
    pub(super) living: usize,
    /// The provisioned ones; most functions have none.
    pub(super) ahead: Option<Box<Ahead>>,
}

impl Pool {
    /// Whether a new caller will likely be served by an environment that becomes free, and so soon that it would
    /// not notice: a new environment would only compete with the others.
    fn is_prompt(&self) -> bool {
        let Some(lent_for) = self.lent_for else {
            return false;
        };
        // Nobody waits while one is idle, and few of the others are about to end.
        let in_line = u32::try_from(self.in_line() + 1).unwrap_or(u32::MAX);
        let lent = u32::try_from(self.living).unwrap_or(u32::MAX);
        lent > 0 && lent_for.saturating_mul(in_line) / lent <= PROMPT
    }

    /// Queues a waiter, and says what else must happen.
    pub(super) fn wait(&mut self, waiter: WaiterId) -> Then {
        if self.creating <= self.waiters.len() && self.is_prompt() {
            self.patient.push_back(waiter);
            return Then::WaitFirst;
        }
        self.waiters.push_back(waiter);
        self.create_if_needed()
    }

    /// A waiter has waited for [`super::PATIENCE`]: whether an environment must be created now.
    pub(super) fn lose_patience(&mut self, waiter: WaiterId) -> Then {
        let Ok(place) = self.patient.binary_search(&waiter) else {
            return Then::Wait;
        };
        self.patient.remove(place);
        let place = self.waiters.partition_point(|other| *other < waiter);
        self.waiters.insert(place, waiter);
        self.create_if_needed()
    }

    /// Somebody goes away.
    pub(super) fn abandon(&mut self, waiter: WaiterId) {
        self.waiters.retain(|other| *other != waiter);
        self.patient.retain(|other| *other != waiter);
    }

    /// How many wait.
    pub(super) fn in_line(&self) -> usize {
        self.waiters.len() + self.patient.len()
    }

    /// Whether a creation is under way for each waiter that is not patient.
    pub(super) fn has_creations_enough(&self) -> bool {
        self.waiters.len() <= self.creating
    }

    /// Takes who came first.
    pub(super) fn take_first(&mut self) -> Option<WaiterId> {
        let patient_first = match (self.patient.front(), self.waiters.front()) {
            (Some(patient), Some(other)) => patient < other,
            (patient, _) => patient.is_some(),
        };
        match patient_first {
            true => self.patient.pop_front(),
            false => self.waiters.pop_front(),
        }
    }

    /// Takes who came first of those that are not patient.
    pub(super) fn take_impatient(&mut self) -> Option<WaiterId> {
        self.waiters.pop_front()
    }

    /// Takes whom a new environment serves. It was made for those that are not patient: the others are
    /// likely served before, and nothing else is sure to come for these.
    pub(super) fn take_for_made(&mut self) -> Option<WaiterId> {
        self.take_impatient().or_else(|| self.patient.pop_front())
    }

    /// Takes all, in no order.
    pub(super) fn take_all(&mut self) -> impl Iterator<Item = WaiterId> + use<> {
        let (waiters, patient) = (mem::take(&mut self.waiters), mem::take(&mut self.patient));
        waiters.into_iter().chain(patient)
    }

    fn create_if_needed(&mut self) -> Then {
        if self.has_creations_enough() {
            return Then::Wait;
        }
        self.creating += 1;
        Then::Create
    }

    /// Notes for how long an environment was lent.
    pub(super) fn given_back(&mut self, lent_for: Duration) {
        let before = self.lent_for.unwrap_or(lent_for);
        self.lent_for = Some((before * 7 + lent_for) / 8);
    }

    /// Takes the most recently used environment that may still be lent: a provisioned one before
    /// others, then one in `zone`.
    pub(super) fn take_idle(
        &mut self,
        environments: &BTreeMap<EnvironmentId, Environment>,
        now: Timestamp,
        zone: Option<&str>,
    ) -> Option<EnvironmentId> {
        if let Some(ahead) = self.ahead.as_mut().filter(|ahead| !ahead.is_held())
            && let Some(found) = take(&mut ahead.idle, environments, now, zone)
        {
            return Some(found);
        }
        take(&mut self.idle, environments, now, zone)
    }

    /// Takes a provisioned environment, if there is one that may be lent.
    pub(super) fn take_ahead(
        &mut self,
        environments: &BTreeMap<EnvironmentId, Environment>,
        now: Timestamp,
    ) -> Option<EnvironmentId> {
        let ahead = self.ahead.as_mut().filter(|ahead| !ahead.is_held())?;
        take(&mut ahead.idle, environments, now, None)
    }

    /// Whether invokes are kept from provisioned environments.
    pub(super) fn is_held(&self) -> bool {
        self.ahead.as_ref().is_some_and(|ahead| ahead.is_held())
    }

    /// Where the idle environments of a kind are.
    pub(super) fn stack(&mut self, ahead: bool) -> &mut Vec<EnvironmentId> {
        if ahead {
            &mut self.ahead.get_or_insert_default().idle
        } else {
            &mut self.idle
        }
    }

    pub(super) fn is_forgotten(&self) -> bool {
        let nothing_ahead = self.ahead.as_ref().is_none_or(|ahead| ahead.is_forgotten());
        self.living == 0 && self.creating == 0 && self.in_line() == 0 && nothing_ahead
    }
}

fn take(
    idle: &mut Vec<EnvironmentId>,
    environments: &BTreeMap<EnvironmentId, Environment>,
    now: Timestamp,
    zone: Option<&str>,
) -> Option<EnvironmentId> {
    let found = {
        let lendable = idle.iter().enumerate().rev().filter_map(|(place, id)| {
            let environment = &environments[id];
            (environment.lends_until > now).then_some((place, &environment.zone))
        });
        let mut found = None;
        for (place, of) in lendable.take(ZONE_SEARCH_MAX) {
            if zone.is_none_or(|zone| zone == of) {
                found = Some(place);
                break;
            }
            found = found.or(Some(place));
        }
        found
    };
    found.map(|place| idle.remove(place))
}

/// The pool of a function key that has something in it.
pub(super) fn of<'a>(
    families: &'a mut HashMap<Family, Generations>,
    function: &FunctionKey,
) -> &'a mut Pool {
    let (family, generation) = split(function.clone());
    families
        .get_mut(&family)
        .and_then(|family| family.pools.get_mut(&generation))
        .expect("a pool is kept while an environment, a creation or a waiter is in it")
}
