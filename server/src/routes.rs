//! How a call finds its callee in a cluster: by the view of who is alive.
//!
//! ```text
//!   control, identity, placement, event-invoke, frontend    any of the role, this zone's first
//!   counting          the one that counts for the account
//!   assignment        the one that leads the function's partition
//!   worker            the one that is named
//! ```
//!
//! If the callee is this process itself, nothing goes over the network.

mod any;
mod assignment;
mod counting;
mod lines;
mod placement;
mod workers;

use std::net::SocketAddr;
use std::sync::Arc;

use api::assignment::Assignment;
use api::counting::Counting;
use api::credentials::RoleCredentials;
use api::enrolment::Enrolment;
use api::events::Events;
use api::invoke::Invoker;
use api::logs::RecentLogs;
use api::membership::Membership;
use api::placement::Placement;
use api::preparation::Preparation;
use api::requests::Requests;
use api::worker::{Worker, Workers};
use far::{Far, Identity};
use membership::Views;
use types::{ProcessId, Role};

use any::AnyOf;
use lines::LinesByAddress;

/// See the module.
pub(crate) struct Routes {
    views: Views,
    /// This process.
    own: ProcessId,
    zone: String,
    lines: Arc<LinesByAddress>,
    /// Of assignment.
    partitions: u32,
}

impl Routes {
    pub(crate) fn new(
        views: Views,
        (own, zone): (ProcessId, String),
        identity: Identity,
        partitions: u32,
    ) -> Self {
        Self {
            lines: Arc::new(LinesByAddress::new(identity, views.clone())),
            views,
            own,
            zone,
            partitions,
        }
    }

    fn any(&self, role: Role) -> Arc<AnyOf> {
        let (views, lines) = (self.views.clone(), Arc::clone(&self.lines));
        Arc::new(AnyOf::new(role, self.zone.clone(), views, lines))
    }
}

/// A method for each arrow whose callees are all alike.
macro_rules! alike {
    ($($name:ident: $arrow:ident of $role:ident),* $(,)?) => {
        impl Routes {
            $(
                pub(crate) fn $name(&self, near: Option<Arc<dyn $arrow>>) -> Arc<dyn $arrow> {
                    near.unwrap_or_else(|| {
                        Arc::new(Far::<dyn $arrow>::new(self.any(Role::$role)))
                    })
                }
            )*
        }
    };
}

alike! {
    credentials: RoleCredentials of Identity,
    enrolment: Enrolment of Control,
    events: Events of EventInvoke,
    invoker: Invoker of Frontend,
    preparation: Preparation of Worker,
    requests: Requests of Control,
}

impl Routes {
    pub(crate) fn assignment(&self, near: Option<Arc<dyn Assignment>>) -> Arc<dyn Assignment> {
        Arc::new(assignment::ByPartition {
            partitions: self.partitions,
            views: self.views.clone(),
            near: near.map(|near| (self.own, near)),
            lines: Arc::clone(&self.lines),
        })
    }

    pub(crate) fn counting(&self, near: Option<Arc<dyn Counting>>) -> Arc<dyn Counting> {
        Arc::new(counting::ByScope {
            views: self.views.clone(),
            near: near.map(|near| (self.own, near)),
            lines: Arc::clone(&self.lines),
        })
    }

    pub(crate) fn placement(&self, near: Option<Arc<dyn Placement>>) -> Arc<dyn Placement> {
        Arc::new(placement::All {
            views: self.views.clone(),
            near: near.map(|near| (self.own, near)),
            any: Far::new(self.any(Role::Placement)),
            lines: Arc::clone(&self.lines),
        })
    }

    /// All workers, to be asked for what their functions printed last.
    pub(crate) fn recent_logs(&self) -> Vec<Arc<dyn RecentLogs>> {
        let view = self.views.borrow().clone();
        let workers = view.members.iter().filter(|member| member.worker.is_some());
        let far = workers.map(|member| {
            let line = self.lines.to(Role::Worker, member.address);
            Arc::new(Far::<dyn RecentLogs>::new(line)) as Arc<dyn RecentLogs>
        });
        far.collect()
    }

    pub(crate) fn workers(&self, near: Option<Arc<dyn Workers>>) -> Arc<dyn Workers> {
        Arc::new(workers::ById {
            views: self.views.clone(),
            near,
            lines: Arc::clone(&self.lines),
        })
    }

    /// The keepers of the members: every process but a worker has one. At first they are looked for at these addresses.
    pub(crate) fn membership(&self, seeds: Vec<SocketAddr>) -> Arc<dyn Membership> {
        let roles = [Role::Placement, Role::Assignment, Role::Frontend];
        let any = roles.map(|role| self.any(role)).into();
        let lines = Arc::clone(&self.lines);
        Arc::new(Far::<dyn Membership>::new(any::OrSeeds::new(
            any, seeds, lines,
        )))
    }
}

/// A worker at the other end of a line.
fn far_worker(line: far::Line) -> Arc<dyn Worker> {
    Arc::new(Far::<dyn Worker>::new(Arc::new(line)))
}
