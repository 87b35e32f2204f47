//! What one partition knows, and how it decides.
//!
//! ```text
//!   Created ──▶ Creating ──Ready──▶ Ready ──▶ Idle ◀──▶ Busy          any ──Retired──▶ (forgotten)
//!                  │                            │         │
//!                  └───────── Draining ◀────────┴─────────┘   the worker is shutting it down
//! ```
//!
//! Solid arrows with a record's name are [`State::apply`]: the same on the leader, on a follower
//! and on replay. The others are memory of the leader, in [`lending`]; a restart asks the workers.
//!
//! Invariants (checked by `invariants` in tests):
//! - an environment is on one of its pool's idle stacks exactly when its phase is `Idle`: on that of
//!   its kind, made on demand or ahead ([`provisioned`]);
//! - nobody waits while an idle environment of that very function key may be lent;
//! - creations under way are at least as many as waiters that are not patient, so that everybody is served or
//!   refused; a patient waiter is so for [`PATIENCE`] at most;
//! - replaying the journal gives the same set of environments.
//!
//! Deliberately absent: IO, clocks, randomness, tokio. [`crate::service`] has them.

#[cfg(test)]
mod invariants;
mod lending;
mod pool;
mod provisioned;
mod recovery;
mod workers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Error, Lease, LeaseNumber};
use records::functions::{FunctionKey, FunctionVersion};
use storage::Position;
use types::{EnvironmentId, FunctionName, Scope, Timestamp, Version, WorkerId};

use crate::command::{Command, Created, Reason};
use pool::Generations;

pub(crate) use provisioned::Wish;

/// One partition.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// In order of id, so that whatever walks them does the same in every run.
    environments: BTreeMap<EnvironmentId, Environment>,
    /// Only looked up, and filtered entry by entry: its order never matters.
    families: HashMap<Family, Generations>,
    /// The function keys with provisioned environments, present or requested.
    ahead: BTreeSet<FunctionKey>,
    next_waiter: u64,
    /// Of the last lease given out.
    leases: LeaseNumber,
    draining: bool,
    /// Workers that are to be rid of their environments.
    leaving: BTreeSet<WorkerId>,
}

#[derive(Debug)]
struct Environment {
    function: FunctionKey,
    worker: WorkerId,
    zone: String,
    lends_until: Timestamp,
    /// Whether it is provisioned.
    ahead: bool,
    /// From then on another one is created in its place, if it is provisioned.
    renew_from: Timestamp,
    phase: Phase,
    /// Where its `Created` stands, once the journal has it.
    recorded: Option<Position>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The worker is making it, or runs its init.
    Creating,
    /// It takes invokes; whether it runs one is not known here (yet).
    Ready,
    Idle {
        since: Timestamp,
    },
    Busy {
        since: Timestamp,
        /// By this lease. The lowest number if it is not known: what a former leader lent.
        lease: LeaseNumber,
    },
    /// The worker is shutting it down. It is journalled as retired when that is done: a leader
    /// that dies in between leaves it to the next one.
    Draining(Reason),
}

/// A function's version, all generations together.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Family {
    scope: Scope,
    name: FunctionName,
    version: Version,
}

/// Somebody who waits for an environment.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct WaiterId(u64);

/// The answer to an assign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Assigned {
    /// Lent at once.
    Lent(Lease),
    /// None is idle, and the caller does not wait for one.
    None,
    /// Queued; an effect will answer.
    Waits { waiter: WaiterId, then: Then },
    /// Nothing is lent any more.
    Draining,
}

/// What must happen for a queued request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Then {
    /// Have an environment made. Every creation begun ends in [`State::made`] or [`State::not_made`], once.
    Create,
    /// Ask [`State::lose_patience`] after [`PATIENCE`]: an environment is likely free before.
    WaitFirst,
    /// Nothing.
    Wait,
}

/// How long a queued request waits for an environment that is likely free sooner, before one is created.
pub(crate) const PATIENCE: Duration = Duration::from_millis(10);

/// What is to be done after a decision, in this order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Effect {
    /// To be appended to the journal, without waiting.
    Append(Command),
    /// A waiter gets an environment.
    Serve { waiter: WaiterId, lease: Lease },
    /// A waiter gets none.
    Refuse { waiter: WaiterId, error: Error },
    /// A provisioned environment must be created. Each ends in [`State::made_ahead`] or
    /// [`State::not_made_ahead`], once.
    MakeAhead { function: Arc<FunctionVersion> },
    /// The worker is to shut an environment down; then [`State::gone`] is called.
    Destroy {
        environment: EnvironmentId,
        worker: WorkerId,
    },
}

/// Environments by phase, and waiting callers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Being made.
    pub creating: usize,
    /// Waiting for an invoke.
    pub idle: usize,
    /// Lent.
    pub busy: usize,
    /// Being shut down.
    pub draining: usize,
    /// Waiting callers.
    pub waiting: usize,
}

impl State {
    /// Takes in a record. The leader does it when it hands the record to the writer; nobody is
    /// served by it before the journal has it. Never fails, and does nothing the second time.
    pub(crate) fn apply(&mut self, command: &Command) {
        match command {
            Command::Claimed { .. } => {}
            Command::Created(created) => self.insert(created),
            Command::Ready { environment } => {
                if let Some(environment) = self.environments.get_mut(environment)
                    && environment.phase == Phase::Creating
                {
                    environment.phase = Phase::Ready;
                }
            }
            Command::Retired { environment, .. } => {
                self.remove(*environment);
            }
        }
    }

    /// This replica leads from here on, by the claim of this term.
    pub(crate) fn lead(&mut self, term: u64) {
        self.leases = LeaseNumber { term, count: 0 };
    }

    /// The journal has an environment's `Created`, there.
    pub(crate) fn recorded(&mut self, environment: EnvironmentId, position: Position) {
        if let Some(environment) = self.environments.get_mut(&environment) {
            environment.recorded = Some(position);
        }
    }

    /// Where the oldest living environment's record stands, of those the journal has.
    pub(crate) fn oldest_recorded(&self) -> Option<Position> {
        self.environments
            .values()
            .filter_map(|environment| environment.recorded)
            .min()
    }

    /// How many there are of each kind.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for environment in self.environments.values() {
            match environment.phase {
                Phase::Creating => counts.creating += 1,
                Phase::Idle { .. } => counts.idle += 1,
                Phase::Ready | Phase::Busy { .. } => counts.busy += 1,
                Phase::Draining(_) => counts.draining += 1,
            }
        }
        let pools = self
            .families
            .values()
            .flat_map(|family| family.pools.values());
        counts.waiting = pools.map(|pool| pool.in_line()).sum();
        counts
    }

    fn insert(&mut self, created: &Created) {
        let environment = Environment {
            function: created.function.clone(),
            worker: created.worker,
            zone: created.zone.clone(),
            lends_until: created.lends_until,
            ahead: created.ahead,
            renew_from: provisioned::renew_from(created.lends_until),
            phase: Phase::Creating,
            recorded: None,
        };
        if self.environments.contains_key(&created.environment) {
            return;
        }
        self.environments.insert(created.environment, environment);
        let (family, generation) = split(created.function.clone());
        let family = self.families.entry(family).or_default();
        if family.asked == Timestamp::default() {
            // A replay: what was made last was asked for last.
            family.current = generation;
        }
        let pool = family.pools.entry(generation).or_default();
        pool.living += 1;
        if created.ahead {
            pool.ahead.get_or_insert_default();
            self.ahead.insert(created.function.clone());
        }
    }

    /// Forgets an environment, whatever it does.
    fn remove(&mut self, id: EnvironmentId) -> Option<Environment> {
        let environment = self.environments.remove(&id)?;
        let pool = pool::of(&mut self.families, &environment.function);
        pool.living -= 1;
        pool.stack(environment.ahead).retain(|idle| *idle != id);
        Some(environment)
    }

    fn retire(&mut self, id: EnvironmentId, reason: Reason, effects: &mut Vec<Effect>) {
        if self.remove(id).is_some() {
            effects.push(Effect::Append(Command::Retired {
                environment: id,
                reason,
            }));
        }
    }

    /// Has the worker shut an environment down. It must not run an invoke.
    fn drain_one(&mut self, id: EnvironmentId, reason: Reason, effects: &mut Vec<Effect>) {
        let environment = self.environment(id);
        assert!(
            !matches!(environment.phase, Phase::Busy { .. }) || reason == Reason::Lost,
            "an environment is destroyed only while idle"
        );
        environment.phase = Phase::Draining(reason);
        effects.push(Effect::Destroy {
            environment: id,
            worker: environment.worker,
        });
        let (function, ahead) = (environment.function.clone(), environment.ahead);
        pool::of(&mut self.families, &function)
            .stack(ahead)
            .retain(|idle| *idle != id);
    }

    fn make_idle(&mut self, now: Timestamp, id: EnvironmentId) {
        let environment = self.environment(id);
        environment.phase = Phase::Idle { since: now };
        let (function, ahead) = (environment.function.clone(), environment.ahead);
        pool::of(&mut self.families, &function)
            .stack(ahead)
            .push(id);
        if ahead {
            self.ahead.insert(function);
        }
    }

    fn environment(&mut self, id: EnvironmentId) -> &mut Environment {
        self.environments
            .get_mut(&id)
            .expect("the caller has just seen it")
    }
}

/// A key's part that all generations share, and the generation.
fn split(function: FunctionKey) -> (Family, u64) {
    let FunctionKey {
        scope,
        name,
        version,
        generation,
    } = function;
    (
        Family {
            scope,
            name,
            version,
        },
        generation,
    )
}
