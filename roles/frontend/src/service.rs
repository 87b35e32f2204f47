//! One invoke, from request to answer.

use std::sync::Arc;
use std::time::Duration;

use api::assignment::{Assign, Assignment, Event, Report};
use api::counting::{Acquire, Counting};
use api::identity::{Identities, Principal, PrincipalKind};
use api::worker::{Body, Invoke, Response as Answer, Workers};
use bytes::{Bytes, BytesMut};
use http::request::Parts;
use http::{Request, Response};
use prometheus_client::registry::Registry;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use types::limits::{INIT_TIMEOUT, SYNC_REQUEST_BYTES_MAX, SYNC_RESPONSE_BYTES_MAX};
use types::{Clock, FunctionArn, Random, RequestId};
use wire::ApiError;
use wire::function_name::{Naming, resolve};
use wire::rest::Match;
use wire::sigv4::Verifier;

use crate::authenticate::{Caller, authenticate};
use crate::metadata::{Found, Metadata};
use crate::metrics::Metrics;
use crate::request::{Checked, InvocationType};
use crate::trace::Trace;
use crate::{answer, request};

/// How often an invoke that certainly did not run is given another environment.
const ATTEMPTS_MAX: u32 = 8;

/// What can be set about a frontend.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its availability zone; environments there are preferred.
    pub zone: Option<String>,
    /// Concurrent executions of every account and region.
    pub account_concurrency: u32,
    /// Patterns of the actions that sessions of roles may do.
    pub role_actions: Vec<String>,
}

/// What a frontend works with.
pub struct Dependencies {
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes ids and choices.
    pub random: Arc<dyn Random>,
    /// Knows access keys.
    pub identities: Arc<dyn Identities>,
    /// Knows functions.
    pub metadata: Arc<Metadata>,
    /// Knows limits.
    pub counting: Arc<dyn Counting>,
    /// Lends environments.
    pub assignment: Arc<dyn Assignment>,
    /// Finds workers.
    pub workers: Arc<dyn Workers>,
}

/// The frontend.
pub struct Frontend {
    config: Config,
    with: Dependencies,
    verifier: Verifier,
    metrics: Metrics,
    /// Invokes under way: they go on when their callers hang up.
    tasks: TaskTracker,
}

/// An invoke that passed all checks.
struct Accepted {
    arn: FunctionArn,
    found: Found,
    request: Checked,
}

impl Frontend {
    /// A frontend.
    pub fn new(config: Config, with: Dependencies, registry: &mut Registry) -> Arc<Self> {
        let (verifier, tasks) = (Verifier::new(), TaskTracker::new());
        Arc::new(Self {
            config,
            with,
            verifier,
            metrics: Metrics::new(registry),
            tasks,
        })
    }

    /// Answers the Invoke operation, which `matched` is. `size` is how many bytes the body had; if
    /// that is more than it may have, the rest was left out.
    pub async fn invoke(
        self: &Arc<Self>,
        request: Request<Bytes>,
        size: usize,
        matched: &Match,
    ) -> Response<Bytes> {
        let began = Instant::now();
        let id = RequestId::random(self.with.random.as_ref());
        let (parts, body) = request.into_parts();
        let header = parts
            .headers
            .get("x-amzn-trace-id")
            .and_then(|value| value.to_str().ok());
        let trace = Trace::new(header, self.with.random.as_ref(), self.with.clock.now());
        let answered = match self.check(&parts, (body, size), matched).await {
            Ok(checked) => self.perform(id, &trace, checked).await,
            Err(error) => Err(error),
        };
        let mut response = answered.unwrap_or_else(|error| error.response(id));
        answer::sign_off(&mut response, id, &trace.for_caller());
        self.metrics.answered(response.status());
        self.metrics.seconds.observe(began.elapsed().as_secs_f64());
        response
    }

    /// Waits for the invokes under way. None must begin any more.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Everything that can be refused before anything is counted.
    async fn check(
        &self,
        parts: &Parts,
        (body, size): (Bytes, usize),
        matched: &Match,
    ) -> Result<Accepted, ApiError> {
        if size > SYNC_REQUEST_BYTES_MAX {
            // The signature of a body that is not all here cannot be verified, and tells nothing
            // about this refusal that the caller does not know.
            return Err(request::too_large(size));
        }
        let now = self.with.clock.now();
        let identities = self.with.identities.as_ref();
        let caller = authenticate(identities, &self.verifier, (parts, &body), now).await?;
        let qualifier = wire::uri::query_value(parts.uri.query(), "Qualifier");
        let name = matched.parameter("FunctionName");
        let arn = resolve(
            Naming::Namespaced,
            name,
            qualifier.as_deref(),
            &caller.scope,
        )?;
        self.authorise(&caller, &arn)?;
        let request = request::check(&parts.headers, body)?;
        let found = self
            .with
            .metadata
            .resolve(&arn, self.with.random.as_ref())
            .await?;
        Ok(Accepted {
            arn,
            found,
            request,
        })
    }

    fn authorise(&self, caller: &Caller, arn: &FunctionArn) -> Result<(), ApiError> {
        let Principal {
            account,
            arn: who,
            kind,
            ..
        } = &caller.principal;
        let root = *kind == PrincipalKind::Root;
        let caller = wire::authorisation::Caller {
            account,
            arn: who,
            root,
        };
        wire::authorisation::check(
            caller,
            &self.config.role_actions,
            "lambda:InvokeFunction",
            &arn.scope.account,
            &arn.to_string(),
        )
    }

    async fn perform(
        self: &Arc<Self>,
        id: RequestId,
        trace: &Trace,
        checked: Accepted,
    ) -> Result<Response<Bytes>, ApiError> {
        let version = checked.found.function.configuration.version;
        match checked.request.invocation_type {
            InvocationType::DryRun => return Ok(answer::dry_run(version)),
            InvocationType::Event => {
                return Err(ApiError::not_implemented("asynchronous invocation (Event)"));
            }
            InvocationType::RequestResponse => {}
        }
        // In a task of its own: a function that has begun runs to its end, and counts until then,
        // whether its caller still listens or not.
        let (sender, answer) = oneshot::channel();
        let (frontend, trace) = (Arc::clone(self), trace.for_function());
        self.tasks.spawn(async move {
            // The caller may have gone.
            let _ = sender.send(frontend.run(id, trace, checked).await);
        });
        let answer = answer
            .await
            .map_err(|_| ApiError::service("The invoke was lost."))?;
        let (answer, body) = answer?;
        Ok(answer::invoked(answer, body, version))
    }

    /// Counts, then runs, then counts back.
    async fn run(
        &self,
        id: RequestId,
        trace: String,
        checked: Accepted,
    ) -> Result<(Answer, Bytes), ApiError> {
        let function = &checked.found.function;
        let timeout = u64::from(function.configuration.timeout_seconds);
        let lasts = Duration::from_secs(timeout) + INIT_TIMEOUT;
        let permit = self.with.counting.acquire(Acquire {
            scope: function.scope.clone(),
            function: function.name.clone(),
            reserved: checked.found.reserved,
            account_limit: self.config.account_concurrency,
            reserved_total: checked.found.reserved_total,
            lasts_ms: u64::try_from(lasts.as_millis()).unwrap_or(u64::MAX),
        });
        let permit = permit.await.map_err(|error| answer::counting(&error))?;
        let ran = self.attempts(id, trace, checked).await;
        // If it is not taken back it lapses.
        let _ = self.with.counting.release(permit).await;
        ran
    }

    /// Finds an environment and runs the invoke there; another one if the first did not run it.
    async fn attempts(
        &self,
        id: RequestId,
        trace: String,
        checked: Accepted,
    ) -> Result<(Answer, Bytes), ApiError> {
        let Accepted {
            arn,
            found,
            request,
        } = checked;
        for _ in 0..ATTEMPTS_MAX {
            let function = Arc::clone(&found.function);
            let assign = Assign {
                function,
                zone: self.config.zone.clone(),
            };
            let lease = self.with.assignment.assign(assign).await;
            let lease = lease.map_err(|error| {
                tracing::warn!(request_id = %id, error = &error as &dyn std::error::Error,
                    "no environment for an invoke");
                answer::assignment(&error)
            })?;
            if lease.cold {
                self.metrics.cold_starts.inc();
            }
            let Some(worker) = self.with.workers.worker(lease.worker) else {
                self.lost(&found, lease.environment).await;
                continue;
            };
            let invoke = Invoke {
                environment: lease.environment,
                request: id,
                invoked_arn: arn.clone(),
                payload: request.payload.clone(),
                client_context: request.client_context.clone(),
                trace_id: trace.clone(),
                log_tail: request.log_tail,
            };
            match worker.invoke(invoke).await {
                Ok(mut answer) => {
                    let body = std::mem::replace(&mut answer.body, Body::Full(Bytes::new()));
                    return Ok(whole(answer, body).await);
                }
                // It did not run. If it is busy, it will say itself when it is idle.
                Err(api::worker::Error::Busy { .. }) => {}
                Err(api::worker::Error::NotFound { .. }) => {
                    self.lost(&found, lease.environment).await;
                }
                Err(error) => {
                    tracing::error!(request_id = %id, error = &error as &dyn std::error::Error,
                        "an invoke was lost");
                    return Err(ApiError::service("The function's environment was lost."));
                }
            }
            self.metrics.reassigned.inc();
        }
        tracing::warn!(request_id = %id, "every environment lent for an invoke was busy or gone");
        Err(ApiError::unavailable())
    }

    async fn lost(&self, found: &Found, environment: types::EnvironmentId) {
        let function = found.function.key();
        let report = Report {
            environment,
            function,
            event: Event::Gone,
        };
        self.with.assignment.report(report).await;
    }
}

/// Collects a streamed result: Invoke answers in one piece whatever the runtime chose.
async fn whole(mut answer: Answer, body: Body) -> (Answer, Bytes) {
    let mut pieces = match body {
        Body::Full(body) => return (answer, body),
        Body::Stream(pieces) => pieces,
    };
    let mut all = BytesMut::new();
    while let Some(piece) = pieces.recv().await {
        let error = match piece {
            Ok(piece) if all.len() + piece.len() <= SYNC_RESPONSE_BYTES_MAX => {
                all.extend_from_slice(&piece);
                continue;
            }
            Ok(_) => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size \
                     ({SYNC_RESPONSE_BYTES_MAX} bytes)."
                );
                let error_type = "Function.ResponseSizeTooLarge";
                let body = serde_json::json!({"errorType": error_type, "errorMessage": message});
                Bytes::from(body.to_string())
            }
            Err(error) => error.body,
        };
        answer.function_error = Some(api::worker::FunctionError::Unhandled);
        return (answer, error);
    }
    (answer, all.freeze())
}
