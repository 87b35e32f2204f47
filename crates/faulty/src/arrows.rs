//! The arrows of `api` behind a network.
//!
//! | arrow | lost before | lost after |
//! | --- | --- | --- |
//! | worker | `Unavailable`: it has certainly not begun | `Internal`: its outcome is not known |
//! | the others | `Unavailable` | `Unavailable`: by their contracts a repeat is harmless, or its harm is said there |

use std::sync::Arc;

use api::assignment::{self, Assign, Assignment, Lease, Lend, Provision, Report, Standing};
use api::counting::{self, Acquire, Counting, Permit};
use api::credentials::{self, Credentials, RoleCredentials};
use api::events::{self, Accept, Events, FunctionView, QueueView};
use api::invoke::{self, Invoker, Outcome, Target};
use api::logs::{LogEvent, Logs, StreamName};
use api::placement::{self, Heartbeat, Place, Placed, Placement, WorkerView};
use api::preparation::{self, Preparation, Prepare};
use api::worker::{self, Body, Create, Invoke, Living, Response, Stream, Worker, Workers};
use async_trait::async_trait;
use futures_util::stream::unfold;
use records::functions::FunctionKey;
use types::{EnvironmentId, FunctionArn, FunctionName, PermitId, Scope, WorkerId};

use crate::relay::relay;
use crate::{Faulty, Loses, Lost};

/// The most pieces of a streamed result that are in transit.
const PIECES_MAX: usize = 16;

/// Each arrow's error says it by `api::Loses`.
macro_rules! loses {
    ($($arrow:ident),* $(,)?) => {
        $(
            impl<A> Loses for Result<A, $arrow::Error> {
                fn lost(lost: Lost) -> Self {
                    Err(api::Loses::lost(lost))
                }
            }
        )*
    };
}

loses!(
    counting,
    assignment,
    placement,
    preparation,
    credentials,
    events,
    worker,
    invoke
);

#[async_trait]
impl<T: Counting + ?Sized + 'static> Counting for Faulty<T> {
    async fn acquire(&self, request: Acquire) -> Result<Permit, counting::Error> {
        self.call(
            "counting.acquire",
            request,
            |counting, request| async move { counting.acquire(request).await },
        )
        .await
    }

    async fn release(&self, scope: Scope, permits: Vec<PermitId>) -> Result<(), counting::Error> {
        self.call(
            "counting.release",
            (scope, permits),
            |counting, (scope, permits)| async move { counting.release(scope, permits).await },
        )
        .await
    }
}

#[async_trait]
impl<T: Assignment + ?Sized + 'static> Assignment for Faulty<T> {
    async fn lend(&self, request: Lend) -> Result<Option<Lease>, assignment::Error> {
        self.call(
            "assignment.lend",
            request,
            |assignment, request| async move { assignment.lend(request).await },
        )
        .await
    }

    async fn assign(&self, request: Assign) -> Result<Lease, assignment::Error> {
        self.call(
            "assignment.assign",
            request,
            |assignment, request| async move { assignment.assign(request).await },
        )
        .await
    }

    async fn give_back(
        &self,
        lease: Lease,
        function: FunctionKey,
    ) -> Result<(), assignment::Error> {
        let request = (lease, function);
        self.call(
            "assignment.give_back",
            request,
            |assignment, (lease, function)| async move {
                assignment.give_back(lease, function).await
            },
        )
        .await
    }

    async fn provision(
        &self,
        wanted: Vec<Provision>,
    ) -> Result<Vec<Option<Standing>>, assignment::Error> {
        self.call(
            "assignment.provision",
            wanted,
            |assignment, wanted| async move { assignment.provision(wanted).await },
        )
        .await
    }

    async fn report(
        &self,
        from: Option<WorkerId>,
        reports: Vec<Report>,
    ) -> Result<(), assignment::Error> {
        self.call(
            "assignment.report",
            (from, reports),
            |assignment, (from, reports)| async move { assignment.report(from, reports).await },
        )
        .await
    }
}

#[async_trait]
impl<T: Placement + ?Sized + 'static> Placement for Faulty<T> {
    async fn place(&self, request: Place) -> Result<Placed, placement::Error> {
        self.call(
            "placement.place",
            request,
            |placement, request| async move { placement.place(request).await },
        )
        .await
    }

    async fn heartbeat(&self, heartbeat: Heartbeat) -> Result<(), placement::Error> {
        self.call(
            "placement.heartbeat",
            heartbeat,
            |placement, heartbeat| async move { placement.heartbeat(heartbeat).await },
        )
        .await
    }

    async fn workers(&self) -> Result<Vec<WorkerView>, placement::Error> {
        self.call("placement.workers", (), |placement, ()| async move {
            placement.workers().await
        })
        .await
    }
}

#[async_trait]
impl<T: Preparation + ?Sized + 'static> Preparation for Faulty<T> {
    async fn prepare(&self, request: Prepare) -> Result<(), preparation::Error> {
        self.call(
            "preparation.prepare",
            request,
            |preparation, request| async move { preparation.prepare(request).await },
        )
        .await
    }
}

#[async_trait]
impl<T: RoleCredentials + ?Sized + 'static> RoleCredentials for Faulty<T> {
    async fn for_function(
        &self,
        role: &str,
        function: &FunctionArn,
    ) -> Result<Credentials, credentials::Error> {
        let request = (role.to_owned(), function.clone());
        self.call(
            "credentials.for_function",
            request,
            |credentials, (role, function)| async move {
                credentials.for_function(&role, &function).await
            },
        )
        .await
    }

    async fn may(
        &self,
        role: &str,
        function: &FunctionArn,
        action: &str,
        resource: &str,
    ) -> Result<bool, credentials::Error> {
        let asked = (action.to_owned(), resource.to_owned());
        let request = (role.to_owned(), function.clone(), asked);
        self.call(
            "credentials.may",
            request,
            |credentials, (role, function, (action, resource))| async move {
                credentials.may(&role, &function, &action, &resource).await
            },
        )
        .await
    }
}

#[async_trait]
impl<T: Worker + ?Sized + 'static> Worker for Faulty<T> {
    async fn create(&self, request: Create) -> Result<(), worker::Error> {
        self.call("worker.create", request, |worker, request| async move {
            worker.create(request).await
        })
        .await
    }

    async fn invoke(&self, request: Invoke) -> Result<Response, worker::Error> {
        let answered = self
            .call("worker.invoke", request, |worker, request| async move {
                worker.invoke(request).await
            })
            .await;
        let mut response = answered?;
        response.body = match response.body {
            Body::Full(body) => Body::Full(body),
            Body::Stream(stream) => {
                let events = unfold(stream, async |mut stream| {
                    Some((stream.next().await?, stream))
                });
                let faults = Arc::clone(&self.faults);
                Body::Stream(Stream::new(relay(
                    "worker.stream",
                    faults,
                    PIECES_MAX,
                    events,
                )))
            }
        };
        Ok(response)
    }

    async fn destroy(&self, environment: EnvironmentId) -> Result<(), worker::Error> {
        self.call(
            "worker.destroy",
            environment,
            |worker, environment| async move { worker.destroy(environment).await },
        )
        .await
    }

    async fn environments(&self) -> Result<Vec<Living>, worker::Error> {
        self.call("worker.environments", (), |worker, ()| async move {
            worker.environments().await
        })
        .await
    }
}

impl<T: Workers + ?Sized> Workers for Faulty<T> {
    fn worker(&self, id: WorkerId) -> Option<Arc<dyn Worker>> {
        let near = self.callee.worker(id)?;
        Some(Arc::new(Faulty::new(near, Arc::clone(&self.faults))))
    }
}

#[async_trait]
impl<T: Invoker + ?Sized + 'static> Invoker for Faulty<T> {
    async fn target(&self, arn: &FunctionArn) -> Result<Target, invoke::Error> {
        self.call("invoker.target", arn.clone(), |invoker, arn| async move {
            invoker.target(&arn).await
        })
        .await
    }

    async fn may_invoke(&self, keys: &Credentials, arn: &FunctionArn) -> Result<(), invoke::Error> {
        let request = (keys.clone(), arn.clone());
        self.call(
            "invoker.may_invoke",
            request,
            |invoker, (keys, arn)| async move { invoker.may_invoke(&keys, &arn).await },
        )
        .await
    }

    async fn invoke(&self, invoke: invoke::Invoke) -> Result<Outcome, invoke::Error> {
        self.call("invoker.invoke", invoke, |invoker, invoke| async move {
            invoker.invoke(invoke).await
        })
        .await
    }
}

#[async_trait]
impl<T: Events + ?Sized + 'static> Events for Faulty<T> {
    async fn accept(&self, event: Accept) -> Result<(), events::Error> {
        self.call("events.accept", event, |events, event| async move {
            events.accept(event).await
        })
        .await
    }

    async fn queues(&self) -> Result<Vec<QueueView>, events::Error> {
        self.call("events.queues", (), |events, ()| async move {
            events.queues().await
        })
        .await
    }

    async fn function(
        &self,
        scope: &Scope,
        name: &FunctionName,
    ) -> Result<FunctionView, events::Error> {
        let request = (scope.clone(), name.clone());
        self.call(
            "events.function",
            request,
            |events, (scope, name)| async move { events.function(&scope, &name).await },
        )
        .await
    }

    async fn redrive(&self, scope: &Scope, name: &FunctionName) -> Result<u64, events::Error> {
        let request = (scope.clone(), name.clone());
        self.call(
            "events.redrive",
            request,
            |events, (scope, name)| async move { events.redrive(&scope, &name).await },
        )
        .await
    }
}

/// Logs have no answer: what is lost is lost. They arrive in order and at once, as a delay of them delays nobody.
impl<T: Logs + ?Sized> Logs for Faulty<T> {
    fn append(&self, stream: &StreamName, events: Vec<LogEvent>) {
        if !self.faults.breaks("logs.append") {
            self.callee.append(stream, events);
        }
    }
}
