//! The workers this process knows.

use std::sync::{Arc, Weak};

use api::worker::{Worker, Workers};
use types::WorkerId;

/// The one worker of an all-in-one server. Held weakly: the worker holds assignment, and
/// assignment finds the worker through this, so that one of the three must drop it at the end.
pub(crate) struct OneWorker {
    pub(crate) id: WorkerId,
    pub(crate) worker: Weak<dyn Worker>,
}

impl Workers for OneWorker {
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        self.worker.upgrade().filter(|_| id == self.id)
    }
}
