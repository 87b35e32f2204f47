//! What only the leader does, in memory: lend, take back, let wait, retire.

use std::time::Duration;

use api::assignment::{Error, Lease, LeaseNumber};
use records::functions::FunctionKey;
use types::limits::TIMEOUT_SECONDS_MAX;
use types::{EnvironmentId, Inner, Timestamp, WorkerId};

use super::pool::Pool;
use super::{Assigned, Effect, Phase, State, Then, WaiterId, pool, split};
use crate::Config;
use crate::command::{Command, Reason};

/// No invoke runs for longer: an environment lent for this long was never reached, or its
/// report was lost. The longest timeout, and time for two inits and the network.
const BUSY_MAX: Duration = Duration::from_secs(TIMEOUT_SECONDS_MAX as u64 + 100);

impl State {
    /// Lends the most recently used idle environment of exactly this function; if there is none, queues the caller
    /// if it `waits`. A newer generation retires the idle environments of older ones.
    pub(crate) fn assign(
        &mut self,
        now: Timestamp,
        function: FunctionKey,
        zone: Option<&str>,
        waits: bool,
    ) -> (Assigned, Vec<Effect>) {
        let mut effects = Vec::new();
        if self.draining {
            return (Assigned::Draining, effects);
        }
        let (family, generation) = split(function);
        let generations = self.families.entry(family).or_default();
        let mut superseded = Vec::new();
        if generations.ask(now, generation) {
            let others = generations
                .pools
                .iter()
                .filter(|(of, _)| **of != generation);
            superseded.extend(others.flat_map(|(_, pool)| &pool.idle).copied());
        }
        let pool = generations.pools.entry(generation).or_default();
        let assigned = if let Some(id) = pool.take_idle(&self.environments, now, zone) {
            Assigned::Lent(self.lease(now, id, false))
        } else if !waits {
            Assigned::None
        } else {
            let waiter = WaiterId(self.next_waiter);
            self.next_waiter += 1;
            let then = pool.wait(waiter);
            Assigned::Waits { waiter, then }
        };
        for id in superseded {
            self.drain_one(id, Reason::Superseded, &mut effects);
        }
        (assigned, effects)
    }

    /// A waiter goes away before it was served. What is being made for it will be idle.
    pub(crate) fn abandon(&mut self, function: &FunctionKey, waiter: WaiterId) {
        pool::of(&mut self.families, function).abandon(waiter);
    }

    /// A waiter that was to wait first is still queued after [`super::PATIENCE`].
    pub(crate) fn lose_patience(&mut self, function: &FunctionKey, waiter: WaiterId) -> Then {
        pool::of(&mut self.families, function).lose_patience(waiter)
    }

    /// A creation has ended well and the journal has the environment.
    pub(crate) fn made(
        &mut self,
        now: Timestamp,
        function: &FunctionKey,
        id: EnvironmentId,
    ) -> Vec<Effect> {
        let phase = self
            .environments
            .get(&id)
            .map(|environment| environment.phase);
        if phase != Some(Phase::Creating) {
            let reason = Inner::new("the environment ended before its first invoke");
            return self.not_made(function, Error::Create { reason });
        }
        let ready = Command::Ready { environment: id };
        self.apply(&ready);
        let mut effects = vec![Effect::Append(ready)];
        let pool = pool::of(&mut self.families, function);
        pool.creating -= 1;
        // Even one whose lease is too short for a second invoke serves the first.
        match pool.take_for_made() {
            Some(waiter) => self.lend(now, id, (waiter, true), &mut effects),
            None => self.settle(now, id, None, &mut effects),
        }
        effects
    }

    /// A creation has finally failed. The first waiter that is not patient gets the error, unless a creation is still under way
    /// for each of those.
    pub(crate) fn not_made(&mut self, function: &FunctionKey, error: Error) -> Vec<Effect> {
        let pool = pool::of(&mut self.families, function);
        pool.creating -= 1;
        if pool.has_creations_enough() {
            return Vec::new();
        }
        let refused = pool.take_impatient();
        refused
            .map(|waiter| Effect::Refuse { waiter, error })
            .into_iter()
            .collect()
    }

    /// An environment was recorded but did not come to life, or not in time.
    pub(crate) fn give_up(&mut self, id: EnvironmentId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let phase = self
            .environments
            .get(&id)
            .map(|environment| environment.phase);
        if phase == Some(Phase::Creating) {
            self.drain_one(id, Reason::NotMade, &mut effects);
        }
        effects
    }

    /// The invoke of an environment's lease `seen`, or of one before it, is over, or never reached it. Said of one that is not
    /// lent, or by a newer lease, this changes nothing.
    pub(crate) fn returned(
        &mut self,
        now: Timestamp,
        id: EnvironmentId,
        seen: LeaseNumber,
    ) -> Vec<Effect> {
        let mut effects = Vec::new();
        let phase = self
            .environments
            .get(&id)
            .map(|environment| environment.phase);
        if let Some(Phase::Busy { since, lease }) = phase
            && lease <= seen
        {
            self.environment(id).phase = Phase::Ready;
            self.settle(now, id, Some(now.since(since)), &mut effects);
        }
        effects
    }

    /// Environments that have been lent for `long` or longer: their worker, their id and their lease.
    pub(crate) fn lent_for(
        &self,
        now: Timestamp,
        long: Duration,
    ) -> Vec<(WorkerId, EnvironmentId, LeaseNumber)> {
        let all = self.environments.iter();
        let lent = all.filter_map(|(id, environment)| match environment.phase {
            Phase::Busy { since, lease } if now.since(since) >= long => {
                Some((environment.worker, *id, lease))
            }
            _ => None,
        });
        lent.collect()
    }

    /// An environment has ended.
    pub(crate) fn gone(&mut self, id: EnvironmentId) -> Vec<Effect> {
        let mut effects = Vec::new();
        let reason = match self
            .environments
            .get(&id)
            .map(|environment| environment.phase)
        {
            Some(Phase::Draining(reason)) => reason,
            _ => Reason::Gone,
        };
        self.retire(id, reason, &mut effects);
        effects
    }

    /// Retires what has been idle for long, whose lease ends or whose report was lost, and forgets functions of which
    /// nothing is left.
    pub(crate) fn tick(&mut self, now: Timestamp, config: &Config) -> Vec<Effect> {
        let mut effects = Vec::new();
        let mut ending = Vec::new();
        for (id, environment) in &self.environments {
            let ended = match environment.phase {
                Phase::Idle { .. } if environment.lends_until <= now => Reason::Lease,
                Phase::Idle { since }
                    if !environment.ahead && now.since(since) >= config.idle_timeout =>
                {
                    Reason::Idle
                }
                Phase::Busy { since, .. } if now.since(since) >= BUSY_MAX => Reason::Lost,
                _ => continue,
            };
            ending.push((*id, ended));
        }
        for (id, reason) in ending {
            self.drain_one(id, reason, &mut effects);
        }
        self.top_up(now, config.provisioned_per_second, &mut effects);
        self.families.retain(|_, family| {
            family.pools.retain(|_, pool| !pool.is_forgotten());
            !family.pools.is_empty()
        });
        self.forget_ahead();
        effects
    }

    /// The environment that has been idle longest, and since when.
    pub(crate) fn oldest_idle(&self) -> Option<(Timestamp, EnvironmentId)> {
        let idle =
            self.environments
                .iter()
                .filter_map(|(id, environment)| match environment.phase {
                    // Provisioned environments are not ended to make room.
                    Phase::Idle { since } if !environment.ahead => Some((since, *id)),
                    _ => None,
                });
        idle.min()
    }

    /// Takes an idle environment away for the sake of its room. Says whose it is, for the caller
    /// to have it destroyed and then say that it is [`State::gone`]; `None` if it is not idle.
    pub(crate) fn evict(&mut self, id: EnvironmentId) -> Option<WorkerId> {
        let environment = self.environments.get(&id)?;
        let worker = environment.worker;
        if !matches!(environment.phase, Phase::Idle { .. }) {
            return None;
        }
        // The one effect is the destruction, which is the caller's.
        self.drain_one(id, Reason::Evicted, &mut Vec::new());
        Some(worker)
    }

    /// From now on nothing is lent: waiting callers are refused, and idle environments are shut down, now or when they become idle.
    pub(crate) fn drain(&mut self) -> Vec<Effect> {
        self.draining = true;
        self.wish_for_nothing();
        let mut effects = self.refuse_all();
        let is_idle = |phase| matches!(phase, Phase::Idle { .. });
        let idle = self
            .environments
            .iter()
            .filter(|(_, environment)| is_idle(environment.phase));
        let idle: Vec<EnvironmentId> = idle.map(|(id, _)| *id).collect();
        for id in idle {
            self.drain_one(id, Reason::Drained, &mut effects);
        }
        effects
    }

    /// Sends all who wait elsewhere.
    pub(crate) fn refuse_all(&mut self) -> Vec<Effect> {
        let pools = self
            .families
            .values_mut()
            .flat_map(|family| family.pools.values_mut());
        let mut waiters: Vec<WaiterId> = pools.flat_map(Pool::take_all).collect();
        waiters.sort_unstable();
        let refuse = |waiter| Effect::Refuse {
            waiter,
            error: Error::Unavailable,
        };
        waiters.into_iter().map(refuse).collect()
    }

    /// Finds the next use of an environment that is ready and free; `lent_for` is how long its last lease took.
    pub(super) fn settle(
        &mut self,
        now: Timestamp,
        id: EnvironmentId,
        lent_for: Option<Duration>,
        effects: &mut Vec<Effect>,
    ) {
        let environment = &self.environments[&id];
        let ends = environment.lends_until <= now;
        let function = environment.function.clone();
        let (family, generation) = split(function.clone());
        let generations = self
            .families
            .get_mut(&family)
            .expect("a family is kept while an environment lives");
        let ahead = environment.ahead;
        let superseded = generation != generations.current && !ahead;
        let pool = generations
            .pools
            .get_mut(&generation)
            .expect("and so is its pool");
        if let Some(lent_for) = lent_for {
            pool.given_back(lent_for);
        }
        let held = ahead && pool.is_held();
        let leaves = self.leaves(&self.environments[&id]);
        let replaced = ahead && leaves && self.has_surplus(id);
        if ends {
            self.drain_one(id, Reason::Lease, effects);
        } else if replaced || (leaves && !ahead) {
            self.drain_one(id, Reason::Drained, effects);
        } else if let Some(waiter) = (!held)
            .then(|| pool::of(&mut self.families, &function).take_first())
            .flatten()
        {
            self.lend(now, id, (waiter, false), effects);
        } else if self.draining {
            self.drain_one(id, Reason::Drained, effects);
        } else if superseded {
            self.drain_one(id, Reason::Superseded, effects);
        } else {
            self.make_idle(now, id);
        }
    }

    pub(super) fn lend(
        &mut self,
        now: Timestamp,
        id: EnvironmentId,
        (waiter, cold): (WaiterId, bool),
        effects: &mut Vec<Effect>,
    ) {
        let lease = self.lease(now, id, cold);
        effects.push(Effect::Serve { waiter, lease });
    }

    fn lease(&mut self, now: Timestamp, id: EnvironmentId, cold: bool) -> Lease {
        self.leases.count += 1;
        let number = self.leases;
        let environment = self.environment(id);
        environment.phase = Phase::Busy {
            since: now,
            lease: number,
        };
        Lease {
            environment: id,
            worker: environment.worker,
            number,
            cold,
        }
    }
}
