//! What placement knows about the workers, and how it picks one.
//!
//! The rule, in this order:
//! 1. only workers heard from lately, not draining, not refused by the caller, with room;
//! 2. those in the wanted zone before others;
//! 3. those whose real use of memory is below the mark before those above it;
//! 4. best fit: the one with the least room. Filling a worker before the next is begun keeps
//!    caches warm and leaves others free for large environments, or to be switched off.
//!
//! Room is what a worker may promise (its memory times the overcommit) less what it has promised:
//! what its environments were entitled to at its last heartbeat, and what was placed there since. There
//! is none where environments really use nearly all there is, `/tmp` and all, whatever was promised.
//!
//! Deliberately absent: clocks, randomness, tokio. [`crate::service`] has them.

use std::collections::BTreeMap;

use api::placement::{Heartbeat, Place, WorkerView};
use types::{Timestamp, WorkerId};

use crate::Config;

/// The share of a worker's memory, in percent, above which it is filled last: what is left is for
/// environments that begin to use what they are entitled to.
const USED_PERCENT_HIGH: u64 = 75;

/// The share above which it is not filled at all. A worker refuses by itself from there on: it looks ten
/// times as often as it tells.
const USED_PERCENT_MAX: u64 = 87;

/// A worker that is silent for this many times [`Config::silence_max`] is forgotten. Ids are not used again.
const FORGET_AFTER: u32 = 60;

/// The workers.
#[derive(Debug, Default)]
pub(crate) struct State {
    workers: BTreeMap<WorkerId, Worker>,
}

#[derive(Debug)]
struct Worker {
    last: Heartbeat,
    heard: Timestamp,
    /// Placed since the last heartbeat, MB.
    promised_mb: u64,
}

/// Workers by their state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Count {
    pub(crate) healthy: usize,
    pub(crate) draining: usize,
    pub(crate) silent: usize,
}

impl State {
    /// A worker's report replaces all its earlier ones.
    pub(crate) fn heartbeat(&mut self, now: Timestamp, heartbeat: Heartbeat) {
        let worker = Worker {
            heard: now,
            promised_mb: 0,
            last: heartbeat,
        };
        self.workers.insert(worker.last.worker, worker);
    }

    /// Picks a worker by the rule above and promises it the room; says its id and zone.
    pub(crate) fn place(
        &mut self,
        now: Timestamp,
        request: &Place,
        config: &Config,
    ) -> Option<(WorkerId, String)> {
        let wanted = u64::from(request.memory_mb);
        let zone = request.zone.as_deref();
        let (id, worker) = self
            .workers
            .iter_mut()
            .filter(|(_, worker)| worker.is_healthy(now, config) && !worker.last.draining)
            .filter(|(id, worker)| !request.avoid.contains(id) && worker.room_mb(config) >= wanted)
            .min_by_key(|(id, worker)| {
                let elsewhere = zone.is_some_and(|zone| zone != worker.last.zone);
                (elsewhere, worker.is_hot(), worker.room_mb(config), **id)
            })?;
        worker.promised_mb += wanted;
        Some((*id, worker.last.zone.clone()))
    }

    /// Forgets workers that have long been silent.
    pub(crate) fn sweep(&mut self, now: Timestamp, config: &Config) {
        let forget = config.silence_max.saturating_mul(FORGET_AFTER);
        self.workers
            .retain(|_, worker| now.since(worker.heard) <= forget);
    }

    /// All workers that are known, but those that have drained and ended.
    pub(crate) fn views(&self, now: Timestamp, config: &Config) -> Vec<WorkerView> {
        let views = self.workers.values().map(|worker| WorkerView {
            last: worker.last.clone(),
            silent_ms: u64::try_from(now.since(worker.heard).as_millis()).unwrap_or(u64::MAX),
            silent: !worker.is_healthy(now, config),
        });
        views
            .filter(|view| !(view.silent && view.last.draining))
            .collect()
    }

    /// How many there are of each kind.
    pub(crate) fn count(&self, now: Timestamp, config: &Config) -> Count {
        let mut count = Count::default();
        for worker in self.workers.values() {
            match (worker.is_healthy(now, config), worker.last.draining) {
                (false, _) => count.silent += 1,
                (true, true) => count.draining += 1,
                (true, false) => count.healthy += 1,
            }
        }
        count
    }
}

impl Worker {
    fn is_healthy(&self, now: Timestamp, config: &Config) -> bool {
        now.since(self.heard) <= config.silence_max
    }

    fn is_hot(&self) -> bool {
        self.uses_over(USED_PERCENT_HIGH)
    }

    fn uses_over(&self, percent: u64) -> bool {
        let Heartbeat {
            used_mb, memory_mb, ..
        } = self.last;
        used_mb.saturating_mul(100) > memory_mb.saturating_mul(percent)
    }

    fn room_mb(&self, config: &Config) -> u64 {
        // Floats hold megabytes exactly up to 2^53 of them, and casting to u64 saturates.
        if self.uses_over(USED_PERCENT_MAX) {
            return 0;
        }
        let may_promise = (self.last.memory_mb as f64 * config.overcommit.max(1.0)) as u64;
        may_promise.saturating_sub(self.last.committed_mb.saturating_add(self.promised_mb))
    }
}
