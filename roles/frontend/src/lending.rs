//! Getting an environment for an invoke, and running the invoke in it.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use admission::{Admitted, Found};
use api::Kind;
use api::assignment::{Assign, Error, Event, Lease, Lend, Report};
use api::counting::{Acquire, Error as Throttle, Permit};
use api::worker::{Invoke, Response as Answer};
use tokio::time::Instant;
use traces::Span;
use types::RequestId;
use wire::ApiError;

use crate::answer;
use crate::attempts::{Attempts, NotRun};
use crate::service::Frontend;

impl Frontend {
    /// Calls counting and, if that does not answer at once, assignment in parallel: for an idle
    /// environment only, since nothing may be created for an invoke that is then refused.
    pub(crate) async fn count_and_lend(
        &self,
        acquire: Acquire,
        found: &Found,
        span: &Span,
    ) -> (Result<Permit, Throttle>, Option<Lease>) {
        let mut permit = pin!(async {
            let _span = span.child("counting", traces::Kind::Client);
            self.permits.acquire(acquire).await
        });
        let at_once = poll_fn(|context| match permit.as_mut().poll(context) {
            Poll::Ready(permit) => Poll::Ready(Some(permit)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(permit) = at_once.await {
            return (permit, None);
        }
        let lend = Lend {
            function: found.function.key(),
            zone: self.config.zone.clone(),
        };
        let lent = async {
            let _span = span.child("lend", traces::Kind::Client);
            self.with.assignment.lend(lend).await
        };
        let (permit, lent) = tokio::join!(permit, lent);
        // If assignment cannot be reached, the next call shows that.
        (permit, lent.ok().flatten())
    }

    /// Returns it unused.
    pub(crate) async fn give_back(&self, found: &Found, lease: Lease) {
        // If this is lost, it counts as lost when it has been lent for longer than any invoke lasts.
        let _ = self
            .with
            .assignment
            .give_back(lease, found.function.key())
            .await;
    }

    /// Runs the invoke in an environment; in another one if the first did not run it.
    pub(crate) async fn attempts(
        &self,
        id: RequestId,
        admitted: Admitted,
        mut warm: Option<Lease>,
        span: &Span,
    ) -> Result<Answer, ApiError> {
        let mut attempts = Attempts::new(Instant::now());
        loop {
            let account = &admitted.found.function.scope.account;
            let place = self.starts.place(account).await;
            let attempt = self.attempt(id, &admitted, warm, span);
            let why = match place.during(attempt).await {
                Ok(ran) => return ran,
                Err(why) => why,
            };
            let Some(pause) = attempts.after(Instant::now(), why) else {
                let why = match why {
                    NotRun::Environment => "every environment lent for an invoke was busy or gone",
                    NotRun::Nobody => "nobody leads the partition of a function to be invoked",
                };
                tracing::warn!(request_id = %id, "{why}");
                return Err(ApiError::unavailable());
            };
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            warm = None;
            if why == NotRun::Environment {
                self.metrics.reassigned.inc();
            }
        }
    }

    /// Finds an environment and runs the invoke there. An error if that certainly did not run it.
    async fn attempt(
        &self,
        id: RequestId,
        admitted: &Admitted,
        warm: Option<Lease>,
        span: &Span,
    ) -> Result<Result<Answer, ApiError>, NotRun> {
        let Admitted {
            arn,
            found,
            request,
            trace,
        } = admitted;
        let lease = match warm {
            Some(lease) => lease,
            None => match self.assign(id, found, span).await {
                Ok(lease) => lease,
                Err(Error::Unavailable) => return Err(NotRun::Nobody),
                Err(error) => return Ok(Err(answer::assignment(&error))),
            },
        };
        let Some(worker) = self.with.workers.worker(lease.worker) else {
            // It is new, or has just gone: assignment knows it longer or shorter than this frontend.
            self.give_back(found, lease).await;
            return Err(NotRun::Nobody);
        };
        let mut calling = span.child("worker", traces::Kind::Client);
        let invoke = Invoke {
            environment: lease.environment,
            lease: lease.number,
            request: id,
            invoked_arn: arn.clone(),
            payload: request.payload.clone(),
            client_context: request.client_context.clone(),
            trace_id: calling.header(trace).into_owned(),
            log_tail: request.log_tail,
        };
        let answered = worker.invoke(invoke).await;
        if let Err(error) = &answered {
            calling.fail(error);
        }
        match answered {
            Ok(answer) => Ok(Ok(answer)),
            // If it is busy, it reports itself when it is idle.
            Err(api::worker::Error::Busy { .. } | api::worker::Error::Unavailable) => {
                Err(NotRun::Environment)
            }
            Err(api::worker::Error::NotFound { .. }) => {
                self.lost(found, lease.environment).await;
                Err(NotRun::Environment)
            }
            Err(error) => {
                tracing::error!(request_id = %id, error = &error as &dyn std::error::Error,
                    "an invoke was lost");
                let lost = ApiError::service("The function's environment was lost.");
                Ok(Err(lost))
            }
        }
    }

    /// An environment, idle or created for it.
    async fn assign(&self, id: RequestId, found: &Found, span: &Span) -> Result<Lease, Error> {
        let mut assigning = span.child("assign", traces::Kind::Client);
        let assign = Assign {
            function: Arc::clone(&found.function),
            zone: self.config.zone.clone(),
        };
        match self.with.assignment.assign(assign).await {
            Ok(lease) => {
                assigning.note("faas.coldstart", lease.cold);
                if lease.cold {
                    self.metrics.cold_starts.inc();
                }
                Ok(lease)
            }
            Err(Error::Unavailable) => {
                assigning.fail(Error::Unavailable);
                Err(Error::Unavailable)
            }
            Err(error) => {
                assigning.fail(&error);
                let (told, reason) = (&error as &dyn std::error::Error, error.reason_for_log());
                // The owner is responsible for what the function requires, the operator for the rest.
                match error.kind() {
                    Kind::Invalid => {
                        tracing::info!(request_id = %id, error = told, reason, "a function cannot be run here");
                    }
                    _ => {
                        tracing::warn!(request_id = %id, error = told, reason, "no environment for an invoke");
                    }
                }
                Err(error)
            }
        }
    }

    async fn lost(&self, found: &Found, environment: types::EnvironmentId) {
        let function = found.function.key();
        let report = Report {
            environment,
            function,
            event: Event::Gone,
        };
        // If this is lost, it counts as lost when it has been lent for longer than any invoke lasts.
        let _ = self.with.assignment.report(None, vec![report]).await;
    }
}
