//! Every process that places knows all workers: each hears every heartbeat, and any may be asked.

use std::sync::Arc;

use api::placement::{Error, Heartbeat, Place, Placed, Placement, WorkerView};
use async_trait::async_trait;
use far::Far;
use futures_util::future::join_all;
use membership::Views;
use types::{ProcessId, Role};

use super::lines::LinesByAddress;

/// See the module.
pub(super) struct All {
    pub(super) views: Views,
    pub(super) near: Option<(ProcessId, Arc<dyn Placement>)>,
    pub(super) any: Far<dyn Placement>,
    pub(super) lines: Arc<LinesByAddress>,
}

#[async_trait]
impl Placement for All {
    async fn place(&self, request: Place) -> Result<Placed, Error> {
        match &self.near {
            Some((_, near)) => near.place(request).await,
            None => self.any.place(request).await,
        }
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, Error> {
        match &self.near {
            Some((_, near)) => near.workers().await,
            None => self.any.workers().await,
        }
    }

    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), Error> {
        let view = self.views.borrow().clone();
        let own = self.near.as_ref().map(|(own, _)| *own);
        let others = view.members.iter().filter(|member| {
            member.roles.contains(&Role::Placement) && Some(member.process) != own
        });
        let others = others.map(|member| {
            let (address, heartbeat) = (member.address, heartbeat.clone());
            async move {
                let line = self.lines.to(Role::Placement, address);
                let far = Far::<dyn Placement>::new(Arc::new(line));
                far.heartbeat(heartbeat).await
            }
        });
        let mut heard: Vec<Result<(), Error>> = join_all(others).await;
        if let Some((_, near)) = &self.near {
            heard.push(near.heartbeat(heartbeat).await);
        }
        match heard.iter().any(Result::is_ok) {
            true => Ok(()),
            false => Err(Error::Unavailable),
        }
    }
}
