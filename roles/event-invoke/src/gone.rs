//! Deleted functions of which events are kept. A function that is deleted and re-created
//! within moments, as by a deployment, keeps its events.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::shards::FunctionId;

/// A function that was missing for this long will not come back.
const CERTAIN_AFTER: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Default)]
pub(crate) struct Gone(Mutex<BTreeMap<FunctionId, Missing>>);

/// Since when a function has been missing.
struct Missing {
    since: Instant,
    told: bool,
}

impl Gone {
    /// A function was looked for. Answers whether it is certain, for the first time, that it is gone.
    pub(crate) fn looked(&self, function: &FunctionId, is_there: bool) -> bool {
        let mut missing = self.lock();
        if is_there {
            missing.remove(function);
            return false;
        }
        let missing = missing.entry(function.clone()).or_insert(Missing {
            since: Instant::now(),
            told: false,
        });
        let first = !missing.told && missing.since.elapsed() >= CERTAIN_AFTER;
        missing.told |= first;
        first
    }

    /// Forgets the functions of which nothing is kept any more.
    pub(crate) fn retain(&self, kept: impl Fn(&FunctionId) -> bool) {
        self.lock().retain(|function, _| kept(function));
    }

    /// Whether a function is certainly gone.
    pub(crate) fn is_certain(&self, function: &FunctionId) -> bool {
        let missing = self.lock();
        missing.get(function).is_some_and(|missing| missing.told)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FunctionId, Missing>> {
        // Each change is whole before anything can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
