//! The world around the state, as random histories need it: workers, callers and the journal.

mod ends;
mod moves;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::assignment::{Error, Lease, LeaseNumber};
use records::functions::FunctionKey;
use types::{EnvironmentId, Inner, Timestamp, WorkerId};

use super::Step;
use crate::Config;
use crate::command::{Command, Created};
use crate::state::{Assigned, Effect, State, Then, WaiterId, Wish};
use crate::tests::parts::{created, environment, function, version, worker};

/// How many workers there are. The last one never drains.
pub(super) const WORKERS: u64 = 3;

/// A creation the service would have under way.
struct Creation {
    function: FunctionKey,
    ahead: bool,
    recorded: Option<EnvironmentId>,
}

/// The world around the state: what a worker, callers and the journal know.
pub(super) struct Model {
    pub(super) state: State,
    pub(super) now: Timestamp,
    pub(super) journal: Vec<Command>,
    generations: [u64; 2],
    creations: Vec<Creation>,
    waiting: BTreeMap<WaiterId, FunctionKey>,
    /// Those that wait for one to be given back.
    patient: Vec<(WaiterId, FunctionKey)>,
    /// Environments that run an invoke, since when, and by which lease.
    running: BTreeMap<EnvironmentId, (Timestamp, LeaseNumber)>,
    /// The leases that are over.
    over: Vec<(EnvironmentId, LeaseNumber)>,
    /// Environments that do not, and have not ended.
    free: BTreeMap<EnvironmentId, FunctionKey>,
    destroying: Vec<EnvironmentId>,
    /// What a former leader had begun to create, and the worker is still creating.
    orphans: Vec<EnvironmentId>,
    environments: u64,
    /// Where each is.
    on: BTreeMap<EnvironmentId, WorkerId>,
    /// Workers that drain.
    draining: BTreeSet<WorkerId>,
    /// The requested count for each function, and whether it is held.
    wishes: [usize; 2],
    held: bool,
    wished: u64,
    /// Of the present leader.
    term: u64,
}

fn pick<T>(which: usize, of: &[T]) -> Option<usize> {
    (!of.is_empty()).then(|| which % of.len())
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            state: State::default(),
            now: Timestamp::from_millis(1_000_000),
            journal: Vec::new(),
            generations: [1, 1],
            creations: Vec::new(),
            waiting: BTreeMap::new(),
            patient: Vec::new(),
            running: BTreeMap::new(),
            over: Vec::new(),
            free: BTreeMap::new(),
            destroying: Vec::new(),
            orphans: Vec::new(),
            environments: 0,
            on: BTreeMap::new(),
            draining: BTreeSet::new(),
            wishes: [0, 0],
            held: false,
            wished: 0,
            term: 0,
        }
    }

    fn key(&self, which: usize) -> FunctionKey {
        function(["f", "g"][which], self.generations[which])
    }

    fn lend(&mut self, lease: &Lease, to: &FunctionKey) {
        let id = lease.environment;
        let of = self.free.remove(&id);
        assert_eq!(
            of.as_ref(),
            Some(to),
            "{id} is alive, free and of that very function"
        );
        let newest = self.over.iter().map(|(_, number)| *number).max();
        assert!(newest.is_none_or(|newest| newest < lease.number));
        let before = self.running.insert(id, (self.now, lease.number));
        assert_eq!(before, None);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Append(command) => self.journal.push(command),
                Effect::Serve { waiter, lease } => {
                    let function = self
                        .waiting
                        .remove(&waiter)
                        .expect("served once, if waiting");
                    self.lend(&lease, &function);
                }
                Effect::Refuse { waiter, .. } => {
                    self.waiting
                        .remove(&waiter)
                        .expect("refused once, if waiting");
                }
                Effect::MakeAhead { function } => self.creations.push(Creation {
                    function: function.key(),
                    ahead: true,
                    recorded: None,
                }),
                Effect::Destroy {
                    environment,
                    worker: of,
                } => {
                    // Only what is idle is destroyed, or what can run no more.
                    if let Some((since, _)) = self.running.remove(&environment) {
                        assert!(self.now.since(since) >= Duration::from_secs(900));
                    }
                    assert_eq!(of, self.on[&environment]);
                    self.free.remove(&environment);
                    self.destroying.push(environment);
                }
            }
        }
    }

    pub(super) fn take(&mut self, step: Step) {
        match step {
            Step::Assign { function, zone } => self.assign(function, zone),
            Step::Deploy {
                function,
                generation,
            } => self.generations[function] = generation,
            Step::GoAway(which) => {
                let waiters: Vec<WaiterId> = self.waiting.keys().copied().collect();
                if let Some(place) = pick(which, &waiters) {
                    let function = self.waiting.remove(&waiters[place]).unwrap();
                    self.state.abandon(&function, waiters[place]);
                }
            }
            Step::LosePatience(which) => self.lose_patience(which),
            Step::Record {
                which,
                lasts_seconds,
            } => self.record(which, lasts_seconds),
            Step::EndCreation { which, well } => self.end_creation(which, well),
            Step::Return(which) => {
                let running: Vec<EnvironmentId> = self.running.keys().copied().collect();
                if let Some(place) = pick(which, &running) {
                    self.give_back(running[place]);
                }
            }
            Step::ReturnAgain(which) => {
                // Whether it is idle, gone, or lent again.
                if let Some(place) = pick(which, &self.over) {
                    let (id, number) = self.over[place];
                    let running = self.running.get(&id);
                    if running.is_some_and(|(_, lease)| lease.term < self.term) {
                        // A new leader does not know the lease by which it runs: it may lend it, and the worker refuses.
                        return;
                    }
                    if self.orphans.contains(&id) {
                        return;
                    }
                    let effects = self.state.returned(self.now, id, number);
                    assert_eq!(effects, []);
                }
            }
            Step::Die(which) => {
                let id = environment(which as u64 % (self.environments + 1));
                self.running.remove(&id);
                self.free.remove(&id);
                self.orphans.retain(|orphan| *orphan != id);
                let effects = self.state.gone(id);
                self.carry_out(effects);
            }
            Step::Destroyed(which) => {
                if let Some(place) = pick(which, &self.destroying) {
                    let id = self.destroying.swap_remove(place);
                    let effects = self.state.gone(id);
                    self.carry_out(effects);
                }
            }
            Step::Wish { counts, held } => {
                (self.wishes, self.held) = (counts, held);
                self.wish();
            }
            Step::Pass { seconds } => {
                self.now = self.now.after(Duration::from_secs(seconds));
                let effects = self.state.tick(self.now, &Config::default());
                self.carry_out(effects);
            }
            Step::Drain => {
                let effects = self.state.drain();
                self.carry_out(effects);
            }
            Step::Move { received } => self.move_on(received),
            Step::EndOrphan { which, well } => self.end_orphan(which, well),
            Step::WorkerGone(number) => self.worker_gone(worker(number)),
            Step::WorkersDrain { first, second } => {
                let drain = [(first, 1), (second, 2)];
                let drain = drain.into_iter().filter(|(drains, _)| *drains);
                self.draining = drain.map(|(_, number)| worker(number)).collect();
                let draining = self.draining.clone();
                let effects = self.state.workers_are(&BTreeSet::new(), draining);
                self.carry_out(effects);
            }
        }
    }

    fn assign(&mut self, which: usize, zone: usize) {
        let function = self.key(which);
        let zone = [None, Some("a"), Some("b")][zone];
        let (assigned, effects) = self.state.assign(self.now, function.clone(), zone, true);
        match assigned {
            Assigned::Lent(lease) => self.lend(&lease, &function),
            Assigned::Waits { waiter, then } => {
                assert!(self.waiting.insert(waiter, function.clone()).is_none());
                match then {
                    Then::Create => self.create(function),
                    Then::WaitFirst => self.patient.push((waiter, function)),
                    Then::Wait => {}
                }
            }
            Assigned::Draining => {}
            Assigned::None => panic!("it should be queued"),
        }
        self.carry_out(effects);
    }

    fn create(&mut self, function: FunctionKey) {
        self.creations.push(Creation {
            function,
            ahead: false,
            recorded: None,
        });
    }

    fn lose_patience(&mut self, which: usize) {
        let Some(place) = pick(which, &self.patient) else {
            return;
        };
        let (waiter, function) = self.patient.swap_remove(place);
        if !self.waiting.contains_key(&waiter) {
            return;
        }
        match self.state.lose_patience(&function, waiter) {
            Then::Create => self.create(function),
            Then::Wait => {}
            Then::WaitFirst => panic!("patience is lost once"),
        }
    }

    fn record(&mut self, which: usize, lasts_seconds: u64) {
        let Some(place) = pick(which, &self.creations) else {
            return;
        };
        let Creation {
            function,
            ahead,
            recorded,
        } = &mut self.creations[place];
        if recorded.is_some() {
            return;
        }
        self.environments += 1;
        let lends_until = self.now.after(Duration::from_secs(lasts_seconds));
        // As placement does it.
        let on = (0..WORKERS).map(|next| worker(1 + (which as u64 + next) % WORKERS));
        let on = on
            .into_iter()
            .find(|on| !self.draining.contains(on))
            .unwrap();
        let made = Created {
            worker: on,
            function: function.clone(),
            lends_until,
            ahead: *ahead,
            ..created(self.environments)
        };
        *recorded = Some(made.environment);
        self.on.insert(made.environment, made.worker);
        self.free.insert(made.environment, made.function.clone());
        let command = Command::Created(made);
        self.state.apply(&command);
        self.journal.push(command);
    }

    fn end_creation(&mut self, which: usize, well: bool) {
        let Some(place) = pick(which, &self.creations) else {
            return;
        };
        let Creation {
            function,
            ahead,
            recorded,
        } = self.creations.swap_remove(place);
        let effects = match (recorded, well) {
            (Some(id), true) if ahead => self.state.made_ahead(self.now, &function, id),
            (Some(id), true) => self.state.made(self.now, &function, id),
            (recorded, _) => {
                let mut effects = recorded
                    .map(|id| self.state.give_up(id))
                    .unwrap_or_default();
                let error = Error::Create {
                    reason: Inner::new("as the history wants it"),
                };
                effects.extend(match ahead {
                    true => self.state.not_made_ahead(self.now, &function, error),
                    false => self.state.not_made(&function, error),
                });
                effects
            }
        };
        self.carry_out(effects);
    }

    fn function_of(&self, id: EnvironmentId) -> FunctionKey {
        let function = self.journal.iter().find_map(|command| match command {
            Command::Created(created) if created.environment == id => Some(&created.function),
            _ => None,
        });
        function.unwrap().clone()
    }

    /// As the control plane says it, every second.
    pub(super) fn wish(&mut self) {
        self.wished += 1;
        let wish = |which: usize| Wish {
            function: version(["f", "g"][which], self.generations[which]),
            count: self.wishes[which],
            held: self.held,
            asked: Timestamp::from_millis(self.wished),
        };
        let wishes = (0..2).filter(|which| self.wishes[*which] > 0).map(wish);
        let effects = self.state.provision(self.now, wishes.collect(), 100);
        self.carry_out(effects);
    }

    fn give_back(&mut self, id: EnvironmentId) {
        let (_, number) = self.running.remove(&id).expect("it runs");
        self.over.push((id, number));
        let function = self.function_of(id);
        self.free.insert(id, function);
        let effects = self.state.returned(self.now, id, number);
        self.carry_out(effects);
    }
}
