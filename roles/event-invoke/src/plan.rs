//! What the queue manager does about the depths it sees. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use storage::queue::Depth;

use crate::shards::{self, DEDICATED, SHARED};

/// The fewest shared queues: two for every function to choose of, and the same again.
pub(crate) const SHARED_MIN: u32 = 4;
/// The most shared queues.
pub(crate) const SHARED_MAX: u32 = 64;
/// With more waiting events than this for each shared queue, queues are added.
const CROWDED: u64 = 200;
/// So old an event that could be invoked calls for more queues.
const LATE: Duration = Duration::from_secs(5);
/// How long it must be quiet before shared queues are removed.
const QUIET: Duration = Duration::from_secs(300);
/// A function's own queue is removed after being empty for this long.
const EMPTY: Duration = Duration::from_secs(60);

/// A queue as it was seen.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Seen {
    pub(crate) queue: String,
    pub(crate) depth: Depth,
    /// For how long it has been empty at every look.
    pub(crate) empty: Duration,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Plan {
    /// How many shared queues there are to be.
    pub(crate) shared: u32,
    /// The queues to work on.
    pub(crate) wanted: BTreeSet<String>,
    /// Queues to delete if they are still empty.
    pub(crate) delete: Vec<String>,
}

/// Decides, where there are `shared` shared queues now and `settled` says for how long.
pub(crate) fn plan(seen: &[Seen], shared: u32, settled: Duration) -> Plan {
    let ours = |seen: &&Seen| shards::shared_number(&seen.queue).is_some();
    let waiting: u64 = seen.iter().filter(ours).map(|s| s.depth.visible).sum();
    let oldest = seen.iter().filter(ours).map(|s| s.depth.oldest).max();
    let late = oldest.is_some_and(|oldest| oldest > LATE) && waiting > u64::from(shared);
    let quiet = seen.iter().filter(ours).all(|seen| seen.empty >= QUIET) && settled >= QUIET;
    let next = if waiting > CROWDED * u64::from(shared) || late {
        // One step at a time: what was just added has to be given the time to help.
        match settled >= LATE {
            true => shared * 2,
            false => shared,
        }
    } else if quiet {
        shared / 2
    } else {
        shared
    };
    let next = next.clamp(SHARED_MIN, SHARED_MAX);
    let delete = seen.iter().filter(|seen| is_left_over(seen, next));
    let delete: Vec<String> = delete.map(|seen| seen.queue.clone()).collect();
    let worked_on = |seen: &&Seen| is_worked_on(&seen.queue) && !delete.contains(&seen.queue);
    let mut wanted: BTreeSet<String> = (0..next).map(shards::shared).collect();
    // One that is no longer written to is worked on until it is empty.
    wanted.extend(seen.iter().filter(worked_on).map(|seen| seen.queue.clone()));
    Plan {
        shared: next,
        wanted,
        delete,
    }
}

/// Whether what is in a queue is to be invoked or delivered.
pub(crate) fn is_worked_on(queue: &str) -> bool {
    queue.starts_with(DEDICATED) || queue.starts_with(SHARED)
}

fn is_left_over(seen: &Seen, shared: u32) -> bool {
    if seen.depth.total() > 0 {
        return false;
    }
    match shards::shared_number(&seen.queue) {
        // A sender may not have heard yet that it is gone; a late event brings it back.
        Some(number) => number >= shared && seen.empty >= LATE,
        None => seen.empty >= EMPTY,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(1_000);

    fn seen(queue: &str, visible: u64, oldest_secs: u64, empty_secs: u64) -> Seen {
        Seen {
            queue: queue.to_owned(),
            depth: Depth {
                visible,
                hidden: 0,
                oldest: Duration::from_secs(oldest_secs),
            },
            empty: Duration::from_secs(empty_secs),
        }
    }

    fn shared_of(seen: &[Seen], shared: u32, settled: Duration) -> u32 {
        plan(seen, shared, settled).shared
    }

    #[test]
    fn backlog_or_age_calls_for_more_one_step_at_a_time() {
        let backlog = [seen("events/shared/0", 5_000, 1, 0)];
        assert_eq!(shared_of(&backlog, 4, LONG), 8);
        assert_eq!(shared_of(&backlog, 8, Duration::from_secs(1)), 8);
        assert_eq!(shared_of(&backlog, 64, LONG), 64);
        let late = [seen("events/shared/0", 50, 6, 0)];
        assert_eq!(shared_of(&late, 4, LONG), 8);
        let of_one_function = [seen("events/function/000000000000/r/f", 50_000, 600, 0)];
        assert_eq!(shared_of(&of_one_function, 4, Duration::ZERO), 4);
    }

    #[test]
    fn a_long_quiet_makes_them_fewer_but_never_too_few() {
        let quiet: Vec<Seen> = (0..16)
            .map(|n| seen(&shards::shared(n), 0, 0, 301))
            .collect();
        assert_eq!(shared_of(&quiet, 16, LONG), 8);
        assert_eq!(shared_of(&quiet, 16, Duration::from_secs(9)), 16);
        assert_eq!(shared_of(&quiet, 4, LONG), 4);
    }

    #[test]
    fn one_beyond_the_number_is_worked_on_until_it_is_empty_then_goes() {
        let full = plan(&[seen("events/shared/9", 3, 0, 0)], 4, Duration::ZERO);
        assert!(full.wanted.contains("events/shared/9") && full.delete.is_empty());
        let empty = plan(&[seen("events/shared/9", 0, 0, 10)], 4, Duration::ZERO);
        assert_eq!(empty.delete, ["events/shared/9"]);
        assert_eq!(empty.wanted.len(), 4);
    }

    #[test]
    fn a_functions_own_queue_goes_a_while_after_it_is_empty() {
        let name = "events/function/000000000000/us-east-1/f";
        let fresh = plan(&[seen(name, 0, 0, 59)], 4, Duration::ZERO);
        assert!(fresh.wanted.contains(name) && fresh.delete.is_empty());
        let stale = plan(&[seen(name, 0, 0, 60)], 4, Duration::ZERO);
        assert!(!stale.wanted.contains(name));
        assert_eq!(stale.delete, [name]);
    }

    #[test]
    fn failed_events_are_not_worked_on_and_their_empty_queues_go() {
        let name = "events/failed/000000000000/us-east-1/f";
        let plan = plan(
            &[seen(name, 5, 9_000, 0), seen(shards::UNREADABLE, 1, 0, 0)],
            4,
            LONG,
        );
        assert_eq!(plan.wanted.len(), 4);
        assert!(plan.delete.is_empty());
    }
}
