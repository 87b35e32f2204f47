//! Every arrow, with nothing behind it.

use std::sync::Arc;

use api::assignment::{self, Assign, Assignment, Lease, Lend, Provision, Report, Standing};
use api::counting::{self, Acquire, Counting, Permit};
use api::credentials::{self, Credentials, RoleCredentials};
use api::enrolment::{self, Enrolment, Issued, Renew};
use api::events::{self, Accept, Events, FunctionView, QueueView};
use api::invoke::{self, Invoker, Outcome, Target};
use api::logs::{self, RecentLogs, Recents};
use api::membership::{self, Member, Membership, View};
use api::placement::{self, Heartbeat, Place, Placed, Placement, WorkerView};
use api::preparation::{self, Preparation, Prepare};
use api::requests::{self, Request, Requests, Response};
use api::worker::{self, Worker};
use api::{Loses as _, Lost};
use async_trait::async_trait;
use records::functions::FunctionKey;
use types::{
    EnvironmentId, FunctionArn, FunctionName, PermitId, ProcessId, Scope, Timestamp, WorkerId,
};

use crate::Served;

/// Every arrow that a process can serve.
pub(super) fn everything() -> Served {
    let mut served = Served::default();
    let nothing = Arc::new(Nothing);
    served.counting(nothing.clone());
    served.assignment(nothing.clone());
    served.membership(nothing.clone());
    served.enrolment(nothing.clone());
    served.requests(nothing.clone());
    served.placement(nothing.clone());
    served.preparation(nothing.clone());
    served.recent_logs(nothing.clone());
    served.credentials(nothing.clone());
    served.events(nothing.clone());
    served.invoker(nothing.clone());
    served.worker(nothing);
    served.health();
    served
}

/// Does nothing, and says so.
pub(super) struct Nothing;

#[async_trait]
impl Counting for Nothing {
    async fn acquire(&self, request: Acquire) -> Result<Permit, counting::Error> {
        match request.reserved {
            Some(limit) => Err(counting::Error::FunctionConcurrency {
                function: request.function,
                limit,
            }),
            None => Ok(Permit {
                id: request.permit,
                provisioned: true,
            }),
        }
    }

    async fn release(&self, _: Scope, _: Vec<PermitId>) -> Result<(), counting::Error> {
        Ok(())
    }
}

#[async_trait]
impl Assignment for Nothing {
    async fn lend(&self, _: Lend) -> Result<Option<Lease>, assignment::Error> {
        Ok(None)
    }

    async fn assign(&self, _: Assign) -> Result<Lease, assignment::Error> {
        Err(assignment::Error::Unavailable)
    }

    async fn give_back(&self, _: Lease, _: FunctionKey) -> Result<(), assignment::Error> {
        Ok(())
    }

    async fn provision(
        &self,
        _: Vec<Provision>,
    ) -> Result<Vec<Option<Standing>>, assignment::Error> {
        Ok(Vec::new())
    }

    async fn report(&self, _: Option<WorkerId>, _: Vec<Report>) -> Result<(), assignment::Error> {
        Ok(())
    }
}

#[async_trait]
impl Placement for Nothing {
    async fn place(&self, _: Place) -> Result<Placed, placement::Error> {
        Err(placement::Error::Unavailable)
    }

    async fn heartbeat(&self, _: Heartbeat) -> Result<(), placement::Error> {
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, placement::Error> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Worker for Nothing {
    async fn create(&self, _: worker::Create) -> Result<(), worker::Error> {
        Ok(())
    }

    async fn invoke(&self, _: worker::Invoke) -> Result<worker::Response, worker::Error> {
        Err(worker::Error::Full)
    }

    async fn destroy(&self, _: EnvironmentId) -> Result<(), worker::Error> {
        Ok(())
    }

    async fn environments(&self) -> Result<Vec<worker::Living>, worker::Error> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Membership for Nothing {
    async fn announce(&self, _: Member) -> Result<Arc<View>, membership::Error> {
        Ok(Arc::default())
    }

    async fn leave(&self, _: ProcessId) -> Result<(), membership::Error> {
        Ok(())
    }
}

/// Answers with what it was sent.
#[async_trait]
impl Requests for Nothing {
    async fn answer(&self, request: Request) -> Result<Response, requests::Error> {
        Ok(Response {
            status: 200,
            headers: request.headers,
            body: request.body,
        })
    }
}

#[async_trait]
impl Preparation for Nothing {
    async fn prepare(&self, _: Prepare) -> Result<(), preparation::Error> {
        Ok(())
    }
}

#[async_trait]
impl RoleCredentials for Nothing {
    async fn for_function(
        &self,
        _: &str,
        _: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        Err(credentials::Error::Unavailable)
    }
}

#[async_trait]
impl Events for Nothing {
    async fn accept(&self, _: Accept) -> Result<(), events::Error> {
        Ok(())
    }

    async fn queues(&self) -> Result<Vec<QueueView>, events::Error> {
        Ok(Vec::new())
    }

    async fn function(&self, _: &Scope, _: &FunctionName) -> Result<FunctionView, events::Error> {
        Err(events::Error::Unavailable)
    }

    async fn redrive(&self, _: &Scope, _: &FunctionName) -> Result<u64, events::Error> {
        Ok(0)
    }
}

#[async_trait]
impl Invoker for Nothing {
    async fn target(&self, _: &FunctionArn) -> Result<Target, invoke::Error> {
        Err(invoke::Error::lost(Lost::Before))
    }

    async fn may_invoke(&self, _: &Credentials, _: &FunctionArn) -> Result<(), invoke::Error> {
        Ok(())
    }

    async fn invoke(&self, _: invoke::Invoke) -> Result<Outcome, invoke::Error> {
        Err(invoke::Error::lost(Lost::Before))
    }
}

#[async_trait]
impl RecentLogs for Nothing {
    async fn recent(&self, _: &Scope, group: &str, _: Timestamp) -> Result<Recents, logs::Error> {
        match group {
            "/aws/lambda/f" => Ok(Recents {
                more: true,
                ..Recents::default()
            }),
            _ => Err(logs::Error::Unavailable),
        }
    }
}

#[async_trait]
impl Enrolment for Nothing {
    async fn renew(&self, _: Renew) -> Result<Issued, enrolment::Error> {
        Err(enrolment::Error::Malformed)
    }
}
