//! Provisioned environments: how many are requested for which function version, and which
//! are created and ended for it.
//!
//! ```text
//!   wish: 3      ready ready ageing + creating     one more is made before the old one's time is over
//!   wish: 2      ready ready ready                 one too many: the oldest that is idle goes
//!   wish: 1      ready, on a worker that drains + creating, elsewhere       the same as if it were ageing
//! ```
//!
//! A requested count is only in memory, and sent repeatedly from outside; the environments are in the journal. So
//! after a restart nothing is ended before all counts have been received once.
//!
//! What cannot be made is tried again after a pause that doubles, one at a time, until one succeeds.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Error, Standing};
use records::functions::{FunctionKey, FunctionVersion};
use types::{Bucket, EnvironmentId, Inner, Timestamp};

use super::{Effect, Phase, State, pool, split};
use crate::command::{Command, Reason};

/// How long before its end an environment's successor is begun: the longest init there may be is
/// shorter for nearly every function, and placement may have to wait for room.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After the first failure it is tried again so much later.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
/// The longest pause: a broken init costs a process start every five minutes.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// How many environments of a version are requested.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) function: Arc<FunctionVersion>,
    pub(crate) count: usize,
    /// Whether invokes are kept from them for now.
    pub(crate) held: bool,
    /// When it was requested: a later request clears failures.
    pub(crate) asked: Timestamp,
}

/// The provisioned part of a pool.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    wish: Option<Wish>,
    /// Most recently used last.
    pub(super) idle: Vec<EnvironmentId>,
    /// Creations under way.
    creating: usize,
    failed: Option<Failed>,
    rate: Bucket,
}

/// The last creation did not succeed.
#[derive(Debug)]
struct Failed {
    error: Error,
    /// Until then none is tried.
    until: Timestamp,
    pause: Duration,
}

/// What lives of one function key.
#[derive(Debug, Default)]
struct Tally {
    /// There, lent or not.
    ready: usize,
    /// Of these, what needs no successor yet.
    fresh: usize,
    /// Of these, what is idle, with when its time begins to run out.
    idle: Vec<(Timestamp, EnvironmentId)>,
}

impl State {
    /// Takes in all requested counts: environments of any other version are ended.
    pub(crate) fn provision(
        &mut self,
        now: Timestamp,
        wishes: Vec<Wish>,
        per_second: u32,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.draining {
            return effects;
        }
        let wishes = summed(wishes);
        for key in self.ahead.clone() {
            if !wishes.contains_key(&key) {
                self.ahead_mut(&key).wish = None;
            }
        }
        for (key, wish) in wishes {
            let (family, generation) = split(key.clone());
            let generations = self.families.entry(family).or_default();
            let pool = generations.pools.entry(generation).or_default();
            pool.ahead.get_or_insert_default().wish_for(wish);
            self.ahead.insert(key);
        }
        for key in self.ahead.clone() {
            self.serve_ahead(now, &key, &mut effects);
        }
        self.let_go(&mut effects);
        self.top_up(now, per_second, &mut effects);
        effects
    }

    /// The state of every key that something is requested for or left of.
    pub(crate) fn standings(&self) -> BTreeMap<FunctionKey, Standing> {
        let tallies = self.tallies();
        let standing = |key: &FunctionKey| {
            let ready = tallies.get(key).map_or(0, |tally| tally.ready);
            let failed = self.ahead_of(key).and_then(|ahead| ahead.failed.as_ref());
            Standing {
                ready: u32::try_from(ready).unwrap_or(u32::MAX),
                failure: failed.map(|failed| failed.error.clone()),
            }
        };
        let keys = self.ahead.iter();
        keys.map(|key| (key.clone(), standing(key))).collect()
    }

    /// A provisioned environment was created and is in the journal.
    pub(crate) fn made_ahead(
        &mut self,
        now: Timestamp,
        function: &FunctionKey,
        id: EnvironmentId,
    ) -> Vec<Effect> {
        let found = self.environments.get(&id);
        let Some(made) = found.filter(|made| made.phase == Phase::Creating) else {
            let reason = Inner::new("the environment ended before it was ready");
            return self.not_made_ahead(now, function, Error::Create { reason });
        };
        let lends_until = made.lends_until;
        let ready = Command::Ready { environment: id };
        self.apply(&ready);
        let mut effects = vec![Effect::Append(ready)];
        if lends_until <= now {
            let reason = "environments live too short for a function with such a timeout";
            let reason = Inner::new(reason);
            self.drain_one(id, Reason::Lease, &mut effects);
            effects.extend(self.not_made_ahead(now, function, Error::Create { reason }));
            return effects;
        }
        // Of a short life the last quarter, else it would need a successor from the beginning.
        let lead = RENEW_BEFORE.min(lends_until.since(now) / 4);
        self.environment(id).renew_from = before(lends_until, lead);
        let ahead = self.ahead_mut(function);
        ahead.creating -= 1;
        ahead.failed = None;
        self.settle(now, id, None, &mut effects);
        effects
    }

    /// The creation of a provisioned environment has finally failed.
    pub(crate) fn not_made_ahead(
        &mut self,
        now: Timestamp,
        function: &FunctionKey,
        error: Error,
    ) -> Vec<Effect> {
        let ahead = self.ahead_mut(function);
        ahead.creating -= 1;
        ahead.fail(now, error);
        Vec::new()
    }

    /// Has the missing ones created, a limited number a second for each key.
    pub(super) fn top_up(&mut self, now: Timestamp, per_second: u32, effects: &mut Vec<Effect>) {
        if self.ahead.is_empty() || self.draining {
            return;
        }
        let tallies = self.tallies_at(now);
        for key in self.ahead.clone() {
            let fresh = tallies.get(&key).map_or(0, |tally| tally.fresh);
            let ahead = self.ahead_mut(&key);
            let Some(wish) = &ahead.wish else { continue };
            let missing = wish.count.saturating_sub(fresh + ahead.creating);
            let missing = match &ahead.failed {
                Some(failed) if failed.until > now || ahead.creating > 0 => 0,
                Some(_) => missing.min(1),
                None => missing,
            };
            for _ in 0..missing {
                if !ahead.rate.fill(now, per_second, per_second) {
                    break;
                }
                ahead.rate.take();
                ahead.creating += 1;
                let function = Arc::clone(&wish.function);
                effects.push(Effect::MakeAhead { function });
            }
        }
    }

    /// Nothing is requested any more; this alone ends nothing.
    pub(super) fn wish_for_nothing(&mut self) {
        for key in self.ahead.clone() {
            self.ahead_mut(&key).wish = None;
        }
    }

    /// Drops keys that are neither requested nor have environments.
    pub(super) fn forget_ahead(&mut self) {
        let families = &mut self.families;
        self.ahead.retain(|key| {
            let (family, generation) = split(key.clone());
            let pool = families
                .get_mut(&family)
                .and_then(|family| family.pools.get_mut(&generation));
            let Some(pool) = pool else { return false };
            if pool
                .ahead
                .as_ref()
                .is_some_and(|ahead| ahead.is_forgotten())
            {
                pool.ahead = None;
            }
            pool.ahead.is_some()
        });
    }

    /// Lends idle environments that were held until now to waiters.
    fn serve_ahead(&mut self, now: Timestamp, key: &FunctionKey, effects: &mut Vec<Effect>) {
        loop {
            let pool = pool::of(&mut self.families, key);
            if pool.in_line() == 0 {
                return;
            }
            let Some(id) = pool.take_ahead(&self.environments, now) else {
                return;
            };
            let waiter = pool.take_first().expect("somebody waits, as seen above");
            self.lend(now, id, (waiter, false), effects);
        }
    }

    /// Shuts down idle environments beyond the requested count, the oldest first.
    fn let_go(&mut self, effects: &mut Vec<Effect>) {
        for (key, mut tally) in self.tallies() {
            let wish = self.ahead_of(&key).and_then(|ahead| ahead.wish.as_ref());
            let surplus = tally
                .ready
                .saturating_sub(wish.map_or(0, |wish| wish.count));
            tally.idle.sort_unstable();
            for (_, id) in tally.idle.into_iter().take(surplus) {
                self.drain_one(id, Reason::Surplus, effects);
            }
        }
    }

    /// Whether more environments of a provisioned one's kind are ready than are requested.
    pub(super) fn has_surplus(&self, id: EnvironmentId) -> bool {
        let function = &self.environments[&id].function;
        let wish = self
            .ahead_of(function)
            .and_then(|ahead| ahead.wish.as_ref());
        let tallies = self.tallies();
        let ready = tallies.get(function).map_or(0, |tally| tally.ready);
        wish.is_some_and(|wish| ready > wish.count)
    }

    fn tallies(&self) -> BTreeMap<FunctionKey, Tally> {
        self.tallies_at(Timestamp::default())
    }

    fn tallies_at(&self, now: Timestamp) -> BTreeMap<FunctionKey, Tally> {
        let mut tallies: BTreeMap<FunctionKey, Tally> = BTreeMap::new();
        for (id, environment) in &self.environments {
            let counts = !matches!(environment.phase, Phase::Creating | Phase::Draining(_));
            if !environment.ahead || !counts {
                continue;
            }
            let tally = tallies.entry(environment.function.clone()).or_default();
            tally.ready += 1;
            let leaves = self.leaves(environment);
            tally.fresh += usize::from(environment.renew_from > now && !leaves);
            if let Phase::Idle { .. } = environment.phase {
                let until = match leaves {
                    true => Timestamp::default(),
                    false => environment.renew_from,
                };
                tally.idle.push((until, *id));
            }
        }
        tallies
    }

    fn ahead_of(&self, key: &FunctionKey) -> Option<&Ahead> {
        let (family, generation) = split(key.clone());
        let pool = self.families.get(&family)?.pools.get(&generation)?;
        pool.ahead.as_deref()
    }

    fn ahead_mut(&mut self, key: &FunctionKey) -> &mut Ahead {
        pool::of(&mut self.families, key)
            .ahead
            .get_or_insert_default()
    }
}

impl Ahead {
    /// Whether invokes are kept from its environments.
    pub(super) fn is_held(&self) -> bool {
        self.wish.as_ref().is_some_and(|wish| wish.held)
    }

    pub(super) fn is_forgotten(&self) -> bool {
        self.wish.is_none() && self.creating == 0 && self.idle.is_empty()
    }

    fn wish_for(&mut self, wish: Wish) {
        if self
            .wish
            .as_ref()
            .is_none_or(|before| before.asked < wish.asked)
        {
            self.failed = None;
        }
        self.wish = Some(wish);
    }

    /// Notes a failure. Those of creations begun together are one.
    fn fail(&mut self, now: Timestamp, error: Error) {
        let pause = match &self.failed {
            Some(failed) if now < failed.until => {
                let (until, pause) = (failed.until, failed.pause);
                self.failed = Some(Failed {
                    error,
                    until,
                    pause,
                });
                return;
            }
            Some(failed) => (failed.pause * 2).min(PAUSE_MAX),
            None => PAUSE_FIRST,
        };
        let until = now.after(pause);
        self.failed = Some(Failed {
            error,
            until,
            pause,
        });
    }
}

/// One wish for each key.
fn summed(wishes: Vec<Wish>) -> BTreeMap<FunctionKey, Wish> {
    let mut all: BTreeMap<FunctionKey, Wish> = BTreeMap::new();
    for wish in wishes {
        match all.entry(wish.function.key()) {
            Entry::Vacant(entry) => {
                entry.insert(wish);
            }
            Entry::Occupied(mut entry) => {
                let known = entry.get_mut();
                known.count += wish.count;
                known.held &= wish.held;
                known.asked = known.asked.max(wish.asked);
            }
        }
    }
    all
}

/// When an environment that lends until then needs a successor, if nothing else is known of it.
pub(super) fn renew_from(lends_until: Timestamp) -> Timestamp {
    before(lends_until, RENEW_BEFORE)
}

fn before(end: Timestamp, lead: Duration) -> Timestamp {
    let lead = u64::try_from(lead.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_millis(end.as_millis().saturating_sub(lead))
}
