//! The workers this process knows.

use std::sync::Arc;

use api::worker::{Worker, Workers};
use types::WorkerId;

/// The one worker of an all-in-one server.
pub(crate) struct OneWorker {
    pub(crate) id: WorkerId,
    pub(crate) worker: Arc<dyn Worker>,
}

impl Workers for OneWorker {
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        (id == self.id).then(|| Arc::clone(&self.worker))
    }
}
