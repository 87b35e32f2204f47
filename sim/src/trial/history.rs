//! One history: invokes, the faults during them, and the checks during and after it.

use std::collections::BTreeMap;
use std::time::Duration;

use api::invoke::{Error, Outcome};
use faulty::{Rates, Seeded};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use types::Random as _;

use super::{Broken, Facts, Trouble};
use crate::engine::Habits;
use crate::function::{Deed, Event, Result as Answer};
use crate::world::{Function, Plan, World};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
/// How long the faults last.
const TROUBLE: Duration = Duration::from_secs(20);
/// How long an invoke may take after recovery: its own time, that of its attempts, and that of two inits.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// How often it is checked whether everything is idle.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// A history in progress.
pub(super) struct Trial<'a> {
    seed: u64,
    chance: Seeded,
    trouble: &'a Trouble,
    began: Instant,
    facts: Facts,
    wrong: Vec<String>,
    history: Vec<(Duration, String)>,
}

/// An event, its function, its outcome, and when.
type Outcomes = JoinSet<(Event, String, Result<Outcome, Error>, Instant)>;

impl<'a> Trial<'a> {
    pub(super) fn new(seed: u64, trouble: &'a Trouble) -> Self {
        Self {
            seed,
            chance: Seeded::new(seed),
            trouble,
            began: Instant::now(),
            facts: Facts::default(),
            wrong: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Runs it.
    pub(super) async fn run(mut self) -> Result<Facts, Broken> {
        let plan = self.plan();
        let world = World::begin(&plan).await;
        world.network.set_arrows(self.part(self.trouble.network));
        world.network.journal.set(self.part(self.trouble.journal));
        let mut outcomes = JoinSet::new();
        let accidents = self.accidents(&world);
        let moves = self.moves(&world);
        let (_, (), moved) =
            tokio::join!(self.invoke(&world, &plan, &mut outcomes), accidents, moves);
        self.history.extend(moved);
        self.heal(&world).await;
        self.collect(&world, outcomes).await;
        // What is still in transit arrives.
        sleep(self.trouble.network.late.max(self.trouble.journal.late)).await;
        if self.wrong.is_empty() {
            self.come_to_rest(&world).await;
        }
        if self.wrong.is_empty() {
            self.invoke_all(&world, &plan).await;
        }
        self.wrong.extend(world.ledger.wrong());
        self.wrong.extend(world.assignment.wrong());
        if self.wrong.is_empty() {
            return Ok(self.facts);
        }
        let mut history = world.network.history();
        for (at, what) in &self.history {
            history.push(format!("{:>10.3}s {what}", at.as_secs_f64()));
        }
        history.sort();
        Err(Broken {
            seed: self.seed,
            what: self.wrong,
            history,
        })
    }

    fn plan(&self) -> Plan {
        let function = |name: &str, reserved| Function {
            name: name.to_owned(),
            reserved,
            timeout_seconds: 1 + self.chance.below(3) as u32,
        };
        Plan {
            seed: self.chance.next_u64(),
            machines: 1 + self.chance.below(3) as u32,
            leaders: self.trouble.leaders,
            functions: vec![
                function("free", None),
                function("bound", Some(1 + self.chance.below(4) as u32)),
                function("other", None),
            ],
            account_concurrency: 10 + self.chance.below(20) as u32,
            habits: self.habits(),
        }
    }

    fn habits(&self) -> Habits {
        let most = self.trouble.habits;
        Habits {
            making: (Duration::ZERO, most.making.1.mul_f64(self.fraction())),
            not_made: most.not_made * self.fraction(),
            init: (Duration::ZERO, most.init.1.mul_f64(self.fraction())),
            init_fails: most.init_fails * self.fraction(),
        }
    }

    /// Some of each fault.
    fn part(&self, most: Rates) -> Rates {
        Rates {
            delay: (Duration::ZERO, most.delay.1.mul_f64(self.fraction())),
            lost_before: most.lost_before * self.fraction(),
            lost_after: most.lost_after * self.fraction(),
            duplicated: most.duplicated * self.fraction(),
            late: most.late.mul_f64(self.fraction()),
        }
    }

    fn fraction(&self) -> f64 {
        self.chance.next_fraction()
    }

    fn deed(&self) -> Deed {
        match self.chance.below(40) {
            0 | 1 => Deed::Fail,
            2 | 3 => Deed::Exit,
            4 => Deed::AnswerAndExit,
            5 => Deed::Swallow,
            6 => Deed::Hang,
            7 => Deed::Vanish,
            8 => Deed::BreakStream,
            9..=12 => Deed::Stream,
            _ => Deed::Answer,
        }
    }

    fn note(&mut self, what: String) {
        self.history.push((self.began.elapsed(), what));
    }

    /// Invokes at random moments, some of them at once.
    async fn invoke(&mut self, world: &World, plan: &Plan, outcomes: &mut Outcomes) {
        let end = Instant::now() + TROUBLE;
        let mut number = 0;
        while Instant::now() < end {
            for _ in 0..=self.chance.below(6) {
                number += 1;
                let event = Event {
                    number,
                    millis: self.chance.below(200),
                    deed: self.deed(),
                };
                let function = self.chance.below(plan.functions.len() as u64) as usize;
                let function = plan.functions[function].name.clone();
                let invoking = world.invoking(&function, &event);
                outcomes.spawn(async move {
                    let outcome = invoking.await;
                    (event, function, outcome, Instant::now())
                });
            }
            sleep(MS.mul_f64(2_000.0 * self.fraction())).await;
        }
    }

    /// Machines fail and are replaced; others are cut off for a while, or are to be rid of their environments.
    fn accidents<'w>(&self, world: &'w World) -> impl Future<Output = ()> + use<'w> {
        let chance = self.chance.fork();
        let failures = chance.below(self.trouble.machines + 1);
        async move {
            for _ in 0..failures {
                let pause = TROUBLE.mul_f64(chance.next_fraction() / failures as f64);
                sleep_until(Instant::now() + pause).await;
                let machines = world.directory.all();
                let machine = &machines[chance.below(machines.len() as u64) as usize];
                let what = chance.below(5);
                if what == 0 {
                    world.directory.drain(machine.id, true);
                    sleep(SECOND.mul_f64(4.0 * chance.next_fraction())).await;
                    world.directory.drain(machine.id, false);
                } else if what < 3 {
                    machine.cut_off(true);
                    sleep(SECOND.mul_f64(4.0 * chance.next_fraction())).await;
                    machine.cut_off(false);
                } else {
                    world.add_machine();
                    machine.fail();
                    sleep(SECOND.mul_f64(8.0 * chance.next_fraction())).await;
                    world.directory.forget(machine.id);
                }
            }
        }
    }

    /// Partitions move, processes of assignment end and begin.
    fn moves<'w>(
        &self,
        world: &'w World,
    ) -> impl Future<Output = Vec<(Duration, String)>> + use<'w> {
        let (chance, began) = (self.chance.fork(), self.began);
        let moves = chance.below(self.trouble.moves + 1);
        async move {
            let mut moved = Vec::new();
            for _ in 0..moves {
                sleep(TROUBLE.mul_f64(chance.next_fraction() / moves as f64)).await;
                let leaders = &world.assignment;
                let what = match chance.below(6) {
                    0 => leaders.end_one(&chance, true).await,
                    1 => leaders.end_one(&chance, false).await,
                    2 | 3 => leaders.move_from_stuck(&chance).await,
                    _ => leaders.move_one(&chance),
                };
                moved.push((began.elapsed(), what));
            }
            moved
        }
    }

    async fn heal(&mut self, world: &World) {
        world.network.set_arrows(Rates::fixed(MS));
        world.network.journal.set(Rates::fixed(MS));
        for machine in world.directory.all() {
            machine.cut_off(false);
            machine.engine.set(Habits::AT_ONCE);
        }
        self.note("everything has recovered".to_owned());
    }

    /// Waits for all invokes and checks what their callers received.
    async fn collect(&mut self, world: &World, mut outcomes: Outcomes) {
        let end = Instant::now() + ENDS_WITHIN;
        while let Ok(Some(ended)) = tokio::time::timeout_at(end, outcomes.join_next()).await {
            let (event, function, outcome, at) = ended.unwrap();
            let what = format!("{function}, {event:?}: {}", text(&outcome));
            self.history.push((at - self.began, what));
            self.look_at(world, &event, &outcome);
        }
        if !outcomes.is_empty() {
            let open = outcomes.len();
            self.wrong.push(format!("{open} invokes do not end"));
        }
    }

    fn look_at(&mut self, world: &World, event: &Event, outcome: &Result<Outcome, Error>) {
        let runs = world.ledger.runs(event.number);
        let wrong = match outcome {
            Ok(outcome) if outcome.failed => {
                self.facts.failed += 1;
                None
            }
            Ok(outcome) => {
                self.facts.answered += 1;
                let answer = serde_json::from_slice::<Answer>(&outcome.payload);
                let right = Answer {
                    number: event.number,
                    runs: 1,
                };
                let same = answer.is_ok_and(|answer| answer == right);
                (!same || runs == 0).then_some("has a result that is not its own")
            }
            Err(error) if matches!(error.status, 429 | 503) => {
                self.facts.refused += 1;
                self.facts.unavailable += u32::from(error.status == 503);
                (runs > 0).then_some("is said not to have been run, and was")
            }
            Err(_) => {
                self.facts.lost += 1;
                None
            }
        };
        if let Some(wrong) = wrong {
            self.wrong
                .push(format!("{event:?} {wrong}: {}", text(outcome)));
        }
    }

    /// Waits until nothing is in progress anywhere.
    async fn come_to_rest(&mut self, world: &World) {
        let began = Instant::now();
        let rest = async {
            while !self.unrest(world).await.is_empty() {
                sleep(LOOK_EVERY).await;
            }
        };
        let rested = timeout(self.trouble.quiet_within, rest).await;
        self.facts.quiet = began.elapsed();
        if rested.is_err() {
            let unrest = self.unrest(world).await;
            self.wrong.extend(unrest);
        }
    }

    /// What differs from the state without invokes.
    async fn unrest(&self, world: &World) -> Vec<String> {
        let mut unrest = Vec::new();
        let counts = world.assignment.counts();
        if counts.busy + counts.creating + counts.draining + counts.waiting > 0 {
            unrest.push(format!("assignment is not at rest: {counts:?}"));
        }
        for count in world.counting.counts() {
            if count.concurrent > 0 {
                unrest.push(format!("permits are held: {count:?}"));
            }
        }
        let mut environments = BTreeMap::new();
        for machine in world.directory.all() {
            if machine.is_on() {
                let there = api::worker::Worker::environments(&machine.worker).await;
                let there = there.unwrap().into_iter();
                environments.extend(there.map(|living| (living.environment, living.busy)));
            }
        }
        if environments.values().any(|busy| *busy) {
            unrest.push("an environment is busy".to_owned());
        }
        // It learns about those on failed machines when it lends one.
        if environments.len() > counts.idle {
            let there = environments.len();
            unrest.push(format!(
                "there are {there} environments, and assignment has {counts:?}"
            ));
        }
        unrest
    }

    /// Invokes every function at its full concurrency.
    async fn invoke_all(&mut self, world: &World, plan: &Plan) {
        let mut number = 1 << 32;
        let reserved: u32 = plan.functions.iter().filter_map(|f| f.reserved).sum();
        for function in &plan.functions {
            let most = function
                .reserved
                .unwrap_or(plan.account_concurrency - reserved);
            let mut outcomes = JoinSet::new();
            for _ in 0..most {
                number += 1;
                let event = Event::answered(number, 50);
                outcomes.spawn(world.invoking(&function.name, &event));
            }
            for outcome in outcomes.join_all().await {
                let good = matches!(&outcome, Ok(outcome) if !outcome.failed);
                if !good {
                    let (name, text) = (&function.name, text(&outcome));
                    self.wrong
                        .push(format!("{name} cannot be invoked again: {text}"));
                }
            }
            sleep(10 * SECOND).await;
        }
    }
}

fn text(outcome: &Result<Outcome, Error>) -> String {
    match outcome {
        Ok(outcome) => {
            let kind = match outcome.failed {
                true => "failed",
                false => "result",
            };
            format!("{kind} {}", String::from_utf8_lossy(&outcome.payload))
        }
        Err(error) => format!("{} {error}", error.status),
    }
}
