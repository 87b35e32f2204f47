//! Which queue an event goes to: the shorter of its function's two, or the function's own.
//!
//! What is known of depths is as of the manager's last look, and what was sent since; how much of a
//! function is pending, as far as this process took it and saw it end. Both are guesses that cost a
//! longer wait at worst.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::plan::{SHARED_MIN, Seen};
use crate::shards::{self, DEDICATED, FunctionId};

/// A function with more pending events than this gets a queue of its own.
const CROWD: u64 = 500;
/// Functions that have one, at most: each costs a poller and a lease. The others stay in the shared
/// queues, whose events wait in turns.
const DEDICATED_MAX: usize = 256;
/// A dedicated queue missing from this many consecutive scans is forgotten: nothing could be sent to it, or
/// another process has removed it.
const MISSED_MAX: u32 = 20;

/// See the module.
pub(crate) struct Router {
    known: Mutex<Known>,
    /// A queue may have begun that nobody works on yet.
    pub(crate) begun: Notify,
}

struct Known {
    shared: u32,
    loads: BTreeMap<u32, u64>,
    /// Order never matters.
    pending: HashMap<FunctionId, u64>,
    /// Functions with their own queues, and how many looks in a row have not found it.
    dedicated: BTreeMap<FunctionId, u32>,
}

impl Router {
    /// Knows nothing yet.
    pub(crate) fn new() -> Self {
        let known = Known {
            shared: SHARED_MIN,
            loads: BTreeMap::new(),
            pending: HashMap::new(),
            dedicated: BTreeMap::new(),
        };
        Self {
            known: Mutex::new(known),
            begun: Notify::new(),
        }
    }

    /// The queue for an event that was just accepted.
    pub(crate) fn place(&self, function: &FunctionId) -> String {
        let mut known = self.known();
        let pending = known.pending.entry(function.clone()).or_default();
        *pending += 1;
        let crowds = *pending > CROWD;
        if (crowds || known.dedicated.contains_key(function)) && self.own(&mut known, function) {
            return function.dedicated();
        }
        let (a, b) = function.candidates(known.shared);
        let load = |queue: u32| known.loads.get(&queue).copied().unwrap_or(0);
        let chosen = if load(b) < load(a) { b } else { a };
        *known.loads.entry(chosen).or_default() += 1;
        shards::shared(chosen)
    }

    /// An event that [`Router::place`] placed is out of the queues.
    pub(crate) fn done(&self, function: &FunctionId) {
        let mut known = self.known();
        if let Some(pending) = known.pending.get_mut(function) {
            *pending -= 1;
            if *pending == 0 {
                known.pending.remove(function);
            }
        }
    }

    /// Whether the function has a queue of its own.
    pub(crate) fn is_dedicated(&self, function: &FunctionId) -> bool {
        self.known().dedicated.contains_key(function)
    }

    /// The function's own queue, from now on used for its events; `None` if it can have none.
    pub(crate) fn crowd(&self, function: &FunctionId) -> Option<String> {
        let own = self.own(&mut self.known(), function);
        own.then(|| function.dedicated())
    }

    /// What the manager has seen.
    pub(crate) fn seen(&self, seen: &[Seen], shared: u32) {
        let mut known = self.known();
        known.shared = shared;
        let loads = seen.iter().filter_map(|seen| {
            let number = shards::shared_number(&seen.queue)?;
            Some((number, seen.depth.visible))
        });
        known.loads = loads.collect();
        let dedicated = seen.iter().filter(|seen| seen.queue.starts_with(DEDICATED));
        let dedicated = dedicated.filter_map(|seen| shards::function(&seen.queue));
        let found: BTreeMap<FunctionId, u32> = dedicated.map(|function| (function, 0)).collect();
        // What began since the manager looked is seen at one of its next looks.
        known.dedicated.retain(|_, missed| {
            *missed += 1;
            *missed <= MISSED_MAX
        });
        known.dedicated.extend(found);
        // Other processes work on what was placed here, and end it unseen: there is never more pending
        // than the function's queues have.
        let depths: HashMap<&str, u64> = seen
            .iter()
            .map(|seen| (seen.queue.as_str(), seen.depth.total()))
            .collect();
        let depth = |queue: String| depths.get(queue.as_str()).copied().unwrap_or(0);
        known.pending.retain(|function, pending| {
            let (a, b) = function.candidates(shared);
            let most =
                depth(shards::shared(a)) + depth(shards::shared(b)) + depth(function.dedicated());
            *pending = (*pending).min(most);
            *pending > 0
        });
    }

    /// The function's own queue is to go.
    pub(crate) fn leave(&self, function: &FunctionId) {
        self.known().dedicated.remove(function);
    }

    /// Whether the function has a queue of its own now.
    fn own(&self, known: &mut Known, function: &FunctionId) -> bool {
        if known.dedicated.contains_key(function) {
            return true;
        }
        if known.dedicated.len() >= DEDICATED_MAX {
            return false;
        }
        known.dedicated.insert(function.clone(), 0);
        self.begun.notify_one();
        true
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Each change is whole before anything can panic.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;
    use storage::queue::Depth;

    use super::*;
    use crate::shards::tests::id;

    #[test]
    fn the_shorter_of_two_is_taken() {
        let router = Router::new();
        let f = id("f");
        let (a, b) = f.candidates(SHARED_MIN);
        let seen = Seen {
            queue: shards::shared(a),
            depth: Depth {
                visible: 10,
                ..Depth::default()
            },
            empty: Duration::ZERO,
        };
        router.seen(&[seen], SHARED_MIN);
        for _ in 0..10 {
            assert_eq!(router.place(&f), shards::shared(b));
        }
        assert_eq!(router.place(&f), shards::shared(a), "both are as long");
    }

    #[test]
    fn who_crowds_gets_a_queue_of_its_own_and_keeps_it_until_told() {
        let (router, f) = (Router::new(), id("f"));
        for _ in 0..CROWD {
            assert!(router.place(&f).starts_with(shards::SHARED));
        }
        assert_eq!(router.place(&f), f.dedicated());
        for _ in 0..=CROWD {
            router.done(&f);
        }
        router.done(&f);
        assert_eq!(router.place(&f), f.dedicated());
        router.leave(&f);
        assert!(router.place(&f).starts_with(shards::SHARED));
        assert!(router.place(&id("g")).starts_with(shards::SHARED));
    }

    #[test]
    fn what_others_have_ended_is_not_pending_any_more() {
        let (router, f) = (Router::new(), id("f"));
        for _ in 0..CROWD {
            router.place(&f);
        }
        router.seen(&[], SHARED_MIN);
        assert!(router.place(&f).starts_with(shards::SHARED));
    }

    /// Its event could not be sent, or another process has removed the queue.
    #[test]
    fn a_queue_that_is_not_there_is_nobodys_own_for_long() {
        let (router, f) = (Router::new(), id("f"));
        assert!(router.crowd(&f).is_some());
        router.seen(&[], SHARED_MIN);
        assert!(router.is_dedicated(&f), "it may have begun since");
        for _ in 0..=MISSED_MAX {
            router.seen(&[], SHARED_MIN);
        }
        assert!(!router.is_dedicated(&f));
        let seen = Seen {
            queue: f.dedicated(),
            depth: Depth::default(),
            empty: Duration::ZERO,
        };
        for _ in 0..100 {
            router.seen(std::slice::from_ref(&seen), SHARED_MIN);
        }
        assert!(router.is_dedicated(&f), "whichever process moved it");
    }

    #[test]
    fn only_so_many_functions_have_queues_of_their_own() {
        let router = Router::new();
        for n in 0..DEDICATED_MAX {
            assert!(router.crowd(&id(&format!("f{n}"))).is_some());
        }
        assert_eq!(router.crowd(&id("f0")), Some(id("f0").dedicated()));
        assert_eq!(router.crowd(&id("g")), None);
        for _ in 0..2 * CROWD {
            assert!(router.place(&id("g")).starts_with(shards::SHARED));
        }
        router.leave(&id("f0"));
        assert!(router.crowd(&id("g")).is_some());
    }
}
