//! Anything in any order: events accepted, functions that fail, are throttled, change and go; processes
//! that come, freeze, are killed and stop. Then all is put in order, and every event that was
//! acknowledged must have ended, in one of the ways there are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::events::Events as _;
use records::event_invoke::EventInvokeConfig;
use storage::Queue as _;
use types::{Random as _, RequestId};

use super::functions::{Does, Function};
use super::process::{Fault, Process};
use super::world::World;
use crate::event::Item;

const FUNCTIONS: u64 = 5;
const STEPS: usize = 120;

/// One run of a schedule.
struct Run {
    world: World,
    processes: Vec<(Process, bool)>,
    started: usize,
    /// What was acknowledged, for which function.
    accepted: BTreeMap<RequestId, String>,
    /// Functions that were deleted at one time: their events may have gone with them.
    deleted: BTreeSet<String>,
}

impl Run {
    fn below(&self, limit: u64) -> u64 {
        self.world.chance.next_u64() % limit
    }

    fn function(&self) -> String {
        format!("f{}", self.below(FUNCTIONS))
    }

    fn start(&mut self) {
        self.started += 1;
        let process = self.world.start(&format!("p{}", self.started));
        self.processes.push((process, false));
    }

    fn random_function(&self) -> Function {
        let mut does = Vec::new();
        for _ in 0..self.below(6) {
            does.push(match self.below(5) {
                0 => Does::Fails("no"),
                1 => Does::Throttled,
                2 => Does::Unavailable,
                _ => Does::Returns("{}"),
            });
        }
        does.push(Does::Returns("1"));
        Function {
            does,
            takes: Duration::from_millis(self.below(20_000)),
            limit: 1 + self.below(10) as u32,
            reserved: (self.below(12) == 0).then_some(0),
            ..Function::default()
        }
    }

    async fn accept(&mut self) {
        let (name, count) = (self.function(), 1 + self.below(40));
        let index = self.below(self.processes.len() as u64) as usize;
        for n in 0..count {
            let (process, frozen) = &self.processes[index];
            let event = self.world.event(&name, &n.to_string());
            let request = event.request;
            let service = std::sync::Arc::clone(&process.service);
            // On its own, for a store may panic.
            let accepting = tokio::spawn(async move { service.accept(event).await });
            let within = Duration::from_millis(if *frozen { 1 } else { 1_000 });
            if let Ok(Ok(Ok(()))) = tokio::time::timeout(within, accepting).await {
                self.accepted.insert(request, name.clone());
            }
        }
    }

    async fn step(&mut self) {
        match self.below(22) {
            0..8 => self.accept().await,
            8..11 => {
                let (name, function) = (self.function(), self.random_function());
                self.world.functions.put(&name, function);
            }
            11 => {
                let name = self.function();
                self.world.functions.delete(&name);
                self.deleted.insert(name);
            }
            12 => {
                let to = ["arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:s3:::b"];
                let to = to[self.below(2) as usize].to_owned();
                let config = EventInvokeConfig {
                    retry_attempts_max: Some(self.below(3) as u32),
                    on_failure: (self.below(2) == 0).then_some(to),
                    ..EventInvokeConfig::default()
                };
                let name = self.function();
                self.world.configure(&name, config).await;
            }
            13 => self.world.services.answer(&[503, 500, 429, 503]),
            14 if self.processes.len() < 4 => self.start(),
            15 if self.processes.len() > 1 => {
                let index = self.below(self.processes.len() as u64) as usize;
                self.processes.remove(index).0.kill();
            }
            16 | 17 => {
                let index = self.below(self.processes.len() as u64) as usize;
                let (process, frozen) = &mut self.processes[index];
                *frozen = !*frozen;
                process.freeze(*frozen);
            }
            18 => {
                let faults = [
                    Fault::None,
                    Fault::Refuse,
                    Fault::Lie,
                    Fault::Panic,
                    Fault::Swallow,
                    Fault::Forget,
                ];
                let fault = faults[self.below(6) as usize];
                let index = self.below(self.processes.len() as u64) as usize;
                self.processes[index].0.fail(fault);
            }
            19 if self.processes.len() > 1 => {
                let (process, frozen) = self.processes.remove(0);
                match frozen {
                    true => process.kill(),
                    false => {
                        process.fail(Fault::None);
                        process.stop().await;
                    }
                }
            }
            _ => {}
        }
        let pause = [1, 100, 3_000, 60_000][self.below(4) as usize];
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Puts all in order, and waits until everything has ended.
    async fn heal(&mut self) {
        for (process, _) in &self.processes {
            process.freeze(false);
            process.fail(Fault::None);
        }
        for n in 0..FUNCTIONS {
            self.world
                .functions
                .put(&format!("f{n}"), Function::default());
        }
        self.world.services.answer(&[]);
        // What was frozen on its way arrives.
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.world.settle(Duration::from_secs(7 * 3_600)).await;
    }

    /// Requests that ended in one of the ways there are.
    async fn ended(&self) -> BTreeSet<RequestId> {
        let mut ended = BTreeSet::new();
        for n in 0..FUNCTIONS {
            let runs = self.world.functions.runs(&format!("f{n}"));
            ended.extend(runs.iter().map(|call| call.request));
        }
        for queue in self.world.queue.queues("events/failed/").await.unwrap() {
            let kept = self.world.queue.peek(&queue, usize::MAX, usize::MAX).await;
            let kept = kept.unwrap().into_iter();
            ended.extend(kept.map(|body| Item::decode(&body).unwrap().event.state.request));
        }
        let told = self.world.services.taken();
        let told = told.iter().map(|call| call.body.to_vec());
        let told: String = told.map(|body| String::from_utf8(body).unwrap()).collect();
        let missing = self
            .accepted
            .keys()
            .filter(|request| !ended.contains(*request));
        let told: Vec<RequestId> = missing
            .filter(|request| told.contains(&request.to_string()))
            .copied()
            .collect();
        ended.extend(told);
        ended
    }
}

/// Runs the schedule of a seed; tells how many events there were and how many runs.
async fn run(seed: u64) -> (usize, usize) {
    let mut run = Run {
        world: World::of_chance(seed),
        processes: Vec::new(),
        started: 0,
        accepted: BTreeMap::new(),
        deleted: BTreeSet::new(),
    };
    run.start();
    for n in 0..FUNCTIONS {
        let function = run.random_function();
        run.world.functions.put(&format!("f{n}"), function);
    }
    for _ in 0..STEPS {
        run.step().await;
    }
    run.heal().await;
    let ended = run.ended().await;
    let lost: Vec<_> = run
        .accepted
        .iter()
        .filter(|(request, name)| !ended.contains(request) && !run.deleted.contains(*name))
        .collect();
    assert!(lost.is_empty(), "seed {seed} loses {lost:?}");
    let runs = (0..FUNCTIONS).map(|n| run.world.functions.runs(&format!("f{n}")).len());
    let runs = runs.sum();
    for (process, _) in run.processes {
        process.stop().await;
    }
    assert_eq!(run.world.left().await, 0);
    (run.accepted.len(), runs)
}

#[test]
fn every_accepted_event_ends() {
    let seeds = std::env::var("LAMBENT_SEEDS").ok();
    let seeds: u64 = seeds.and_then(|text| text.parse().ok()).unwrap_or(12);
    let first: u64 = std::env::var("LAMBENT_SEED").map_or(0, |text| text.parse().unwrap());
    let (mut accepted, mut runs) = (0, 0);
    for seed in first..first + seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let (some, of_them) = runtime.block_on(run(seed));
        (accepted, runs) = (accepted + some, runs + of_them);
    }
    println!("{seeds} schedules: {accepted} events accepted, 0 lost, {runs} runs");
    assert!(accepted > 100);
}
