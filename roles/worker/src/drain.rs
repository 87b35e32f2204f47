//! A worker that is to be rid of its environments, for a while or before its process ends.
//!
//! ```text
//!   drain      takes no new environments; can be undone
//!   leave      the same, which cannot be undone
//!   finish     begins no invokes any more, and waits for those under way
//!   shutdown   ends what is left
//! ```
//!
//! The leader in assignment ends the environments of a worker that drains: it alone knows which of them another invoke is
//! lent, and creates those of provisioned concurrency elsewhere first.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::service::{Handle, Service};

/// How often it is looked whether environments are left.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a worker still takes.
#[derive(Default)]
pub(crate) struct Drain {
    told: AtomicBool,
    leaving: AtomicBool,
    finishing: AtomicBool,
    /// Invokes under way.
    invokes: TaskTracker,
}

impl Drain {
    /// Whether new environments are refused.
    pub(crate) fn drains(&self) -> bool {
        self.told.load(Ordering::Relaxed) || self.leaving.load(Ordering::Relaxed)
    }

    /// To be kept for as long as an invoke is under way; `None` if none may begin.
    pub(crate) fn begin(&self) -> Option<TaskTrackerToken> {
        // Counted first: who finishes either waits for it, or is seen here.
        let token = self.invokes.token();
        (!self.finishing.load(Ordering::SeqCst)).then_some(token)
    }

    /// None begins from now on; returns when those that have begun are over.
    async fn finish(&self) {
        self.finishing.store(true, Ordering::SeqCst);
        self.invokes.close();
        self.invokes.wait().await;
    }
}

impl Handle {
    /// Takes no new environments from now on, or takes them again. Placement learns it at once.
    pub async fn drain(&self, drains: bool) {
        self.0.drain.told.store(drains, Ordering::Relaxed);
        self.0.beat().await;
    }

    /// Takes no new environments any more: this process will end.
    pub async fn leave(&self) {
        self.0.drain.leaving.store(true, Ordering::Relaxed);
        self.0.beat().await;
    }

    /// Returns when no environment is left, however that came.
    pub async fn emptied(&self) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.0.is_empty() {
            looks.tick().await;
        }
    }

    /// Begins no invokes from now on: they are refused as if this worker could not be reached, so that callers go elsewhere.
    /// Returns when those under way are over.
    pub async fn finish(&self) {
        self.0.drain.finish().await;
    }
}

impl Service {
    fn is_empty(&self) -> bool {
        self.lock().all().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_was_told_can_be_undone_and_leaving_cannot() {
        let drain = Drain::default();
        assert!(!drain.drains());
        drain.told.store(true, Ordering::Relaxed);
        assert!(drain.drains());
        drain.told.store(false, Ordering::Relaxed);
        assert!(!drain.drains());
        drain.leaving.store(true, Ordering::Relaxed);
        drain.told.store(false, Ordering::Relaxed);
        assert!(drain.drains());
    }

    #[tokio::test]
    async fn invokes_that_have_begun_are_waited_for_and_none_begins() {
        let drain = Drain::default();
        let one = drain.begin().unwrap();
        let other = drain.begin().unwrap();
        let mut finishing = Box::pin(drain.finish());
        assert!(finishing.as_mut().now_or_never().is_none());
        assert!(drain.begin().is_none());
        drop(one);
        assert!(finishing.as_mut().now_or_never().is_none());
        drop(other);
        finishing.await;
    }
}
