//! The environments and waiters of one function key, and which idle environment is lent.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use api::functions::FunctionKey;
use types::{EnvironmentId, Timestamp};

use super::provisioned::Ahead;
use super::{Environment, Family, Then, WaiterId, split};

/// How many idle environments that would do are looked at in search of one in the caller's zone.
/// The search is on every invoke's path; beyond so many, another zone's is as good.
const ZONE_SEARCH_MAX: usize = 16;

/// A higher generation is newer. A lower one is asked for by a frontend that has not heard of the
/// change yet, which takes it some milliseconds; or, when the higher one is asked for no longer,
/// because the function was deleted and another one made under its name.
const STALE_AFTER: Duration = Duration::from_secs(1);

/// The generations of one function version.
#[derive(Debug, Default)]
pub(super) struct Generations {
    /// The one that counts. Environments of others are lent only to those in line.
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

/// Who is likely served within so long waits for an environment to be given back. A cold start takes twenty
/// times as long, and what takes longer than this without the processor is to have environments of its own.
const PROMPT: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// Most recently used last, so that those at the bottom can age out.
    pub(super) idle: Vec<EnvironmentId>,
    /// First come, first served.
    pub(super) waiters: VecDeque<Waiter>,
    /// Creations under way.
    pub(super) creating: usize,
    /// How long an environment is lent, of late. `None` before the first was given back.
    pub(super) lent_for: Option<Duration>,
    /// Environments of whatever phase.
    pub(super) living: usize,
    /// Those made ahead of invokes; most functions have none.
    pub(super) ahead: Option<Box<Ahead>>,
}

/// Somebody in line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiter {
    pub(super) id: WaiterId,
    /// Whether an environment that is lent will do. For all others there are creations.
    pub(super) patient: bool,
}

impl Pool {
    /// Whether whoever comes now is likely served by an environment that is given back, and sooner than
    /// it would notice: a new one would only compete with those that are there.
    fn is_prompt(&self) -> bool {
        let Some(lent_for) = self.lent_for else {
            return false;
        };
        // Nobody waits beside an idle one, and few of the others are on their way out.
        let in_line = u32::try_from(self.waiters.len() + 1).unwrap_or(u32::MAX);
        let lent = u32::try_from(self.living).unwrap_or(u32::MAX);
        lent > 0 && lent_for.saturating_mul(in_line) / lent <= PROMPT
    }

    /// Puts somebody in line, and says what else is to be done.
    pub(super) fn wait(&mut self, id: WaiterId) -> Then {
        let spare = self.creating > self.impatient();
        let patient = !spare && self.is_prompt();
        self.waiters.push_back(Waiter { id, patient });
        match patient {
            true => Then::WaitFirst,
            false => self.create_if_needed(),
        }
    }

    /// Somebody in line has waited for [`super::PATIENCE`]: whether there must be a creation now.
    pub(super) fn lose_patience(&mut self, id: WaiterId) -> Then {
        match self.waiters.iter_mut().find(|waiter| waiter.id == id) {
            Some(waiter) => {
                waiter.patient = false;
                self.create_if_needed()
            }
            None => Then::Wait,
        }
    }

    /// How many in line have nothing but creations to hope for.
    pub(super) fn impatient(&self) -> usize {
        self.waiters.iter().filter(|waiter| !waiter.patient).count()
    }

    /// Takes the first in line who is not patient.
    pub(super) fn take_impatient(&mut self) -> Option<Waiter> {
        let first = self.waiters.iter().position(|waiter| !waiter.patient)?;
        self.waiters.remove(first)
    }

    /// Takes whom a new environment serves. It was made for those that are not patient: the others are
    /// likely served before, and nothing else is sure to come for these.
    pub(super) fn take_for_made(&mut self) -> Option<Waiter> {
        self.take_impatient().or_else(|| self.waiters.pop_front())
    }

    fn create_if_needed(&mut self) -> Then {
        if self.impatient() <= self.creating {
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

    /// Takes the most recently used environment that may still be lent: one made ahead before
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

    /// Takes an environment made ahead, if there is one that may be lent.
    pub(super) fn take_ahead(
        &mut self,
        environments: &BTreeMap<EnvironmentId, Environment>,
        now: Timestamp,
    ) -> Option<EnvironmentId> {
        let ahead = self.ahead.as_mut().filter(|ahead| !ahead.is_held())?;
        take(&mut ahead.idle, environments, now, None)
    }

    /// Whether invokes are kept from what is made ahead.
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
        self.living == 0 && self.creating == 0 && self.waiters.is_empty() && nothing_ahead
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
