//! Workers by their id.

use std::sync::Arc;

use api::worker::{Worker, Workers};
use membership::Views;
use types::{Role, WorkerId};

use super::far_worker;
use super::lines::LinesByAddress;

/// See the module.
pub(super) struct ById {
    pub(super) views: Views,
    /// That of this process.
    pub(super) near: Option<Arc<dyn Workers>>,
    pub(super) lines: Arc<LinesByAddress>,
}

impl Workers for ById {
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        let near = self.near.as_ref().and_then(|near| near.worker(id));
        near.or_else(|| {
            let view = self.views.borrow().clone();
            let member = view.worker(id)?;
            Some(far_worker(self.lines.to_host(
                Role::Worker,
                &member.host,
                member.address,
            )))
        })
    }
}
