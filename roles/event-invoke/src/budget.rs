//! How many bytes of events are held in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// See the module.
pub(crate) struct Budget {
    max: usize,
    used: AtomicUsize,
    freed: Notify,
}

/// Bytes that are held, until this is dropped.
pub(crate) struct Hold {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            max,
            used: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    /// Whether no more should be taken.
    pub(crate) fn is_spent(&self) -> bool {
        self.used.load(Ordering::Relaxed) >= self.max
    }

    /// Counts what was taken, even beyond the maximum.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Hold {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Hold {
            budget: Arc::clone(self),
            bytes,
        }
    }

    /// Returns when something was released.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let before = self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        if before >= self.budget.max {
            self.budget.freed.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_let_go_can_be_taken_again() {
        let budget = Budget::new(10);
        let first = budget.hold(9);
        assert!(!budget.is_spent());
        let second = budget.hold(9);
        assert!(budget.is_spent());
        drop(first);
        assert!(!budget.is_spent());
        drop(second);
    }
}
