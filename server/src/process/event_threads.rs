//! The threads of the asynchronous plane: as many as half of the processors, pinned to that half, with
//! a lower priority than all other threads there.
//!
//! A flood of events has these threads and no others. On the other processors nothing of it runs that a
//! synchronous invoke would have to wait for.

use anyhow::Context as _;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::runtime::{Builder, Runtime};

use crate::config::Config;

/// The `nice` value of these threads compared with those of synchronous invokes, when there is more to
/// do than processors: a tenth of their share, never nothing.
const NICENESS: i32 = 10;

/// Starts them.
pub(crate) fn start(config: &Config) -> anyhow::Result<Runtime> {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = match config.events.threads {
        0 => (processors / 2).max(1),
        given => given,
    };
    let runtime = Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("events")
        .on_thread_start(move || stand_behind(threads))
        .enable_all()
        .build();
    runtime.context("the threads for events could not be started")
}

/// For the calling thread, and those it starts: to Linux, threads are processes in this.
fn stand_behind(processors: usize) {
    if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
        tracing::warn!(%error, "could not lower the priority of event threads");
    }
    let kept = sched_getaffinity(None)
        .and_then(|allowed| sched_setaffinity(None, &last(&allowed, processors)));
    if let Err(error) = kept {
        tracing::warn!(%error, "could not restrict event threads to some processors");
    }
}

/// The last `count` processors of a set: the first ones already serve most of the interrupts.
fn last(allowed: &CpuSet, count: usize) -> CpuSet {
    let mut last = CpuSet::new();
    let all = (0..CpuSet::MAX_CPU).rev();
    for processor in all.filter(|&one| allowed.is_set(one)).take(count) {
        last.set(processor);
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(processors: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        for &processor in processors {
            set.set(processor);
        }
        set
    }

    #[test]
    fn events_are_kept_to_the_last_processors_that_may_be_used() {
        assert_eq!(last(&set(&[0, 1]), 1), set(&[1]));
        assert_eq!(last(&set(&[2, 3, 7, 9]), 2), set(&[7, 9]));
        assert_eq!(last(&set(&[4]), 1), set(&[4]));
        assert_eq!(last(&set(&[0, 1]), 8), set(&[0, 1]));
    }
}
