//! A machine that runs short of memory or process ids: which environments are ended so that the others, and the machine, survive.
//!
//! ```text
//!   every tenth of a second: what do all use? ──▶ enough ──▶ nothing
//!                                              ├─▶ little ──▶ no new environments
//!                                              └─▶ short  ──▶ the costliest one ends, idle before busy
//! ```
//!
//! Memory is promised several times over, `/tmp` is memory, and the kernel keeps things for a function that
//! no limit counts. So what is really used is what decides. Each environment has its own limits; this
//! is about the sum.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use sandbox::{Load, Usage};
use types::EnvironmentId;

use crate::service::Service;

/// How often it is looked. A function fills some 200 MB of memory in that time.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long to wait for the end of one before the next is considered.
const END_WITHIN: Duration = Duration::from_secs(1);

/// The share of what environments may use of which the last is kept free: a sixteenth.
const MEMORY_RESERVE: u64 = 16;
/// The least that the machine must have left, as a share of what it has.
const MACHINE_RESERVE: u64 = 32;
/// What the kernel keeps uncounted hangs on what it counts, as a socket's contents on the socket.
const KERNEL_WEIGHT: u64 = 16;
/// An idle environment costs a cold start, a busy one an invoke.
const IDLE_WEIGHT: u64 = 4;

/// What there is not enough of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Short {
    Memory,
    Processes,
}

/// An environment that could end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: EnvironmentId,
    pub(crate) busy: bool,
    pub(crate) usage: Usage,
}

/// What is short, so that environments must end.
fn short(load: &Load, memory_max: u64) -> Option<Short> {
    let used_up = load.memory_used > memory_max - memory_max / MEMORY_RESERVE;
    if used_up || load.memory_available < load.memory_total / MACHINE_RESERVE {
        Some(Short::Memory)
    } else if load.processes > load.processes_max / 8 * 7 {
        Some(Short::Processes)
    } else {
        None
    }
}

/// Whether there is too little for another environment: twice what [`short`] keeps free.
fn is_little(load: &Load, memory_max: u64) -> bool {
    load.memory_used > memory_max - memory_max / MEMORY_RESERVE * 2
        || load.memory_available < load.memory_total / MACHINE_RESERVE * 2
        || load.processes > load.processes_max / 4 * 3
}

/// Which environment ends.
fn costliest(short: Short, candidates: &[Candidate]) -> Option<EnvironmentId> {
    let cost = |one: &Candidate| {
        let cost = match short {
            Short::Memory => {
                let kernel = one.usage.kernel.saturating_mul(KERNEL_WEIGHT);
                one.usage.memory.saturating_add(kernel)
            }
            Short::Processes => one.usage.processes,
        };
        cost.saturating_mul(if one.busy { 1 } else { IDLE_WEIGHT })
    };
    let costliest = candidates.iter().max_by_key(|one| (cost(one), one.id));
    costliest.map(|one| one.id)
}

impl Service {
    /// Looks once, and ends one environment if it must be.
    pub(crate) async fn guard(self: &Arc<Self>) {
        let load = match self.with.engine.load() {
            Ok(load) => load,
            Err(error) => {
                // What environments use is not known then; each one's own limits hold.
                tracing::debug!(%error, "the worker's load cannot be read");
                return;
            }
        };
        *self.load_lock() = Some(load);
        let Some(short) = short(&load, self.memory_max()) else {
            return;
        };
        let candidates = self.candidates();
        let Some(id) = costliest(short, &candidates) else {
            return;
        };
        let Ok(environment) = self.find(id) else {
            return;
        };
        tracing::info!(environment = %id, ?short, ?load, "evicting an environment: the machine runs short");
        self.metrics.exhausted.inc();
        // Its invoke, if there is one, ends as one that is out of memory; the watch over its death
        // does the rest. One that takes longer keeps ending.
        let sandbox = Arc::clone(&environment.sandbox);
        let ending = self.tasks.spawn(async move { sandbox.exhaust().await });
        let _ = tokio::time::timeout(END_WITHIN, ending).await;
    }

    /// Whether there was too little for another environment when it was last looked.
    pub(crate) fn has_little(&self) -> bool {
        let load = *self.load_lock();
        load.is_some_and(|load| is_little(&load, self.memory_max()))
    }

    /// What environments used when it was last looked.
    pub(crate) fn used_mb(&self) -> u64 {
        let load = *self.load_lock();
        load.map_or(0, |load| load.memory_used >> 20)
    }

    /// What environments may use together, bytes.
    fn memory_max(&self) -> u64 {
        self.config.memory_mb.saturating_mul(1 << 20)
    }

    fn load_lock(&self) -> MutexGuard<'_, Option<Load>> {
        self.load
            .lock()
            .expect("no code panics while it holds the load")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    fn load(used: u64, available: u64, processes: u64) -> Load {
        Load {
            memory_used: used * MB,
            memory_available: available * MB,
            memory_total: 3_200 * MB,
            processes,
            processes_max: 1_000,
        }
    }

    #[test]
    fn environments_end_before_they_use_up_what_they_may() {
        let short = |load| short(&load, 1_600 * MB);
        assert_eq!(short(load(1_500, 1_000, 10)), None);
        assert_eq!(short(load(1_501, 1_000, 10)), Some(Short::Memory));
        assert_eq!(short(load(0, 100, 10)), None);
        assert_eq!(short(load(0, 99, 10)), Some(Short::Memory));
        assert_eq!(short(load(0, 1_000, 876)), Some(Short::Processes));
    }

    #[test]
    fn none_is_made_where_there_is_little_left() {
        let little = |load| is_little(&load, 1_600 * MB);
        assert!(!little(load(1_400, 200, 750)));
        assert!(little(load(1_401, 1_000, 10)));
        assert!(little(load(0, 199, 10)));
        assert!(little(load(0, 1_000, 751)));
        // Whatever is short is little, too.
        assert!(little(load(1_501, 1_000, 10)) && little(load(0, 99, 10)));
    }

    fn candidate(number: u128, busy: bool, memory: u64, kernel: u64, processes: u64) -> Candidate {
        Candidate {
            id: format!("env-{}", uuid::Uuid::from_u128(number))
                .parse()
                .unwrap(),
            busy,
            usage: Usage {
                memory: memory * MB,
                kernel: kernel * MB,
                processes,
            },
        }
    }

    fn check(short: Short, candidates: &[Candidate], expected: Option<usize>) {
        let expected = expected.map(|index| candidates[index].id);
        assert_eq!(costliest(short, candidates), expected);
    }

    #[test]
    fn the_one_that_uses_most_memory_ends_idle_before_busy() {
        check(Short::Memory, &[], None);
        let (small, large) = (candidate(1, true, 100, 2, 5), candidate(2, true, 900, 2, 5));
        check(Short::Memory, &[small, large], Some(1));
        let idle = candidate(3, false, 400, 2, 5);
        check(Short::Memory, &[large, idle], Some(1));
        check(
            Short::Memory,
            &[large, candidate(4, false, 20, 2, 5)],
            Some(0),
        );
    }

    #[test]
    fn one_that_has_the_kernel_keep_much_is_suspected_of_more() {
        let sockets = candidate(1, true, 30, 25, 16);
        let ordinary = candidate(2, true, 300, 3, 20);
        check(Short::Memory, &[ordinary, sockets], Some(1));
    }

    #[test]
    fn the_one_with_most_processes_ends_when_these_are_short() {
        let many = candidate(1, true, 30, 25, 1_000);
        let idle = candidate(2, false, 300, 3, 20);
        check(Short::Processes, &[idle, many], Some(1));
    }
}
