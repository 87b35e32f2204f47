//! A random history of invokes, faults, machines that fail and partitions that move, and what must hold in it.
//!
//! - No event is run twice, and no environment runs two at a time.
//! - A caller that receives a result has it from a run; for a caller that learns that nothing was run, nothing was.
//! - Only the process that has claimed a partition last writes its journal.
//! - After recovery, every invoke ends, every environment becomes idle or ends, every permit is given
//!   back, no environment is left that assignment does not know, and all functions can be invoked at
//!   their full concurrency.

mod history;

use std::fmt;
use std::time::Duration;

use faulty::Rates;

use crate::engine::Habits;
use history::Trial;

/// The most failing seeds that are named.
const SHOWN_MAX: usize = 20;
/// The variable with the seeds to run instead: one, or the first and the one after the last, `200..5000`.
pub const SEEDS_VARIABLE: &str = "LAMBENT_SIM_SEEDS";

/// What fails in a history.
#[derive(Clone, Copy, Debug)]
pub struct Trouble {
    /// The most of each kind of fault of the network.
    pub network: Rates,
    /// The same between assignment and its journal.
    pub journal: Rates,
    /// The most of each kind of failure of sandboxes.
    pub habits: Habits,
    /// The most machines that fail, and that are cut off for a while.
    pub machines: u64,
    /// How many processes of assignment there are.
    pub leaders: usize,
    /// The most moves of leases among them, ends and beginnings of them.
    pub moves: u64,
    /// Until when environments may be counted as busy that are not, after recovery.
    pub quiet_within: Duration,
}

/// The result of a history.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts {
    /// Invokes that had a result.
    pub answered: u32,
    /// Invokes whose function failed.
    pub failed: u32,
    /// Invokes that were not run.
    pub refused: u32,
    /// Of these, those that were not throttled.
    pub unavailable: u32,
    /// Invokes with an unknown outcome.
    pub lost: u32,
    /// How long it took until everything was idle.
    pub quiet: Duration,
}

/// The violations, and what preceded them.
#[derive(Debug)]
pub struct Broken {
    seed: u64,
    what: Vec<String>,
    history: Vec<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}:", self.seed)?;
        for what in &self.what {
            writeln!(f, "  {what}")?;
        }
        writeln!(f, "after")?;
        for line in &self.history {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// Runs the histories of these seeds, each in a runtime of its own whose time is paused, on as many threads as
/// there are processors.
///
/// # Panics
///
/// If something does not hold: with the seed and what preceded it.
pub fn run(name: &str, seeds: std::ops::Range<u64>, trouble: &Trouble) -> Facts {
    let began = std::time::Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let asked = std::env::var(SEEDS_VARIABLE);
    let seeds = asked.map_or(seeds, |asked| match asked.split_once("..") {
        Some((first, end)) => first.parse().unwrap()..end.parse().unwrap(),
        None => {
            let seed = asked.parse().unwrap();
            seed..seed + 1
        }
    });
    let count = seeds.end - seeds.start;
    let mut all = Vec::new();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let seeds = seeds.clone().skip(thread).step_by(threads);
                scope.spawn(move || seeds.map(|seed| one(seed, trouble)).collect::<Vec<_>>())
            })
            .collect();
        for worker in workers {
            all.extend(worker.join().unwrap());
        }
    });
    let mut sum = Facts::default();
    let mut broken = Vec::new();
    for trial in all {
        match trial {
            Ok(facts) => sum.add(facts),
            Err(failure) => broken.push(failure),
        }
    }
    broken.sort_by_key(|failure| failure.seed);
    if let Some(first) = broken.first() {
        for other in broken.iter().take(SHOWN_MAX) {
            println!("seed {}: {}", other.seed, other.what.join("; "));
        }
        let broken = broken.len();
        panic!("{name}: {broken} of {count} seeds, the first of which is\n{first}");
    }
    println!("{name}: {count} seeds in {:.1?}: {sum:?}", began.elapsed());
    sum
}

fn one(seed: u64, trouble: &Trouble) -> Result<Facts, Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(Trial::new(seed, trouble).run())
}

impl Facts {
    fn add(&mut self, other: Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.refused += other.refused;
        self.unavailable += other.unavailable;
        self.lost += other.lost;
        self.quiet = self.quiet.max(other.quiet);
    }
}
