//! Who waits for a queue is woken when something in it may have become visible.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::Notify;

/// Enough that queues seldom share one; sharing costs a look in vain.
const BELLS: usize = 64;

/// A bell for every queue, shared by queues whose names have the same hash.
pub(super) struct Bells([Notify; BELLS]);

impl Bells {
    /// The bell of a queue. Look at the queue after listening to it, or a ring is missed.
    pub(super) fn of(&self, queue: &str) -> &Notify {
        let mut hasher = DefaultHasher::new();
        queue.hash(&mut hasher);
        &self.0[hasher.finish() as usize % BELLS]
    }
}

impl Default for Bells {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Notify::new()))
    }
}
